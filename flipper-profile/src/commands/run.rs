//! `run`: a command, or a shell, in a profile.

use profile_db::ProfileFile;
use profile_db::model::Time;
use profile_store::enter::{self, OWN_FAILURE};
use profile_store::{Error, Pool, profile, recover, undo};

use crate::actor;
use crate::cli::Run;
use crate::commands::Outcome;
use crate::context::{Context, Result};
use crate::failure::Failure;
use crate::output::escape;

/// The command is there and cannot be started, as env(1) has it.
const FOUND_NOT_STARTED: u8 = 126;
/// There is no such command.
const NOT_FOUND: u8 = 127;

/// Enters the profile and ends with the status of the command. Standard input, output and error are
/// the command's; nothing of ours goes there once it has started.
///
/// # Errors
///
/// The pool cannot be opened, there is no such profile, or the profile cannot be mounted.
pub fn run(arguments: Run, context: &Context) -> Result<Outcome> {
    enter(arguments, context).map_err(|mut failure| {
        // So that a script can tell our failures from the command's own status.
        if ![FOUND_NOT_STARTED, NOT_FOUND].contains(&failure.code) {
            failure.code = OWN_FAILURE;
        }
        failure
    })
}

fn enter(arguments: Run, context: &Context) -> Result<Outcome> {
    let pool = context.pool()?;
    let profile = profile::find(&pool, &arguments.name)?;
    match recover::of_profile(&pool, &profile.id, Time::now()) {
        Ok(report) => {
            tell(&report, context);
            context.catch_up(&pool, &profile);
            start(&pool, &profile, context);
        }
        // Whoever must repair it may have to enter.
        Err(error @ Error::Journal(_)) => context.not_up_to_date(&error),
        Err(error) => return Err(error.into()),
    }
    let mut words = arguments.command.into_iter();
    let command = enter::Command {
        program: words.next(),
        arguments: words.collect(),
        environment: std::env::vars_os().collect(),
    };
    enter::run(pool, &profile, &command)
        .map(Outcome::Ended)
        .map_err(in_the_profile)
}

/// Carries out the undo that waits for this start. The profile is entered in any case: whoever must repair it may
/// have to.
fn start(pool: &Pool, profile: &ProfileFile, context: &Context) {
    let waited = || -> Result<Option<undo::Waited>> {
        let (actor, mut progress) = (actor::current()?, context.progress());
        let journal = pool.journal()?;
        let progress = progress.as_mut();
        Ok(undo::carry_out(
            pool,
            &journal,
            profile,
            &actor,
            Time::now(),
            progress,
        )?)
    };
    let said = match waited() {
        Ok(None) => return,
        Ok(Some(waited)) => waited.words(),
        Err(failure) => format!(
            "what waits for this start is not carried out yet: {}",
            failure.message
        ),
    };
    context.screen.complain("note", "36", &escape::text(&said));
}

/// What was left in the middle, and is not any more.
fn tell(report: &recover::Report, context: &Context) {
    let note = |text: &str| context.screen.note(&escape::text(text));
    for what in &report.finished {
        note(&format!("an interrupted change was finished: {what}"));
    }
    for what in &report.taken_back {
        note(&format!("an interrupted change was taken back: {what}"));
    }
    // Told once, here: with -q and with --json as well, for there is no answer that could hold it.
    for what in &report.left {
        context.screen.complain("note", "36", &escape::text(what));
    }
}

/// 126 and 127 when the command itself could not be started.
fn in_the_profile(error: Error) -> Failure {
    let status = match &error {
        Error::CannotStart { status, .. } => Some(*status),
        _ => None,
    };
    let mut failure = Failure::from(error);
    failure.code = status.unwrap_or(failure.code);
    failure
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_those_of_env() {
        let cannot = |status| Error::CannotStart {
            command: "x".into(),
            name: "tv".into(),
            detail: "there is no such program".into(),
            status,
        };
        assert_eq!(in_the_profile(cannot(127)).code, 127);
        assert_eq!(in_the_profile(cannot(126)).code, 126);
    }
}
