//! `run`: a command, or a shell, in a profile.

use profile_store::enter::{self, OWN_FAILURE};
use profile_store::{Error, profile};

use crate::cli::Run;
use crate::commands::Outcome;
use crate::context::{Context, Result};
use crate::failure::Failure;

/// Enters the profile and ends with the status of the command. Standard input, output and error are
/// the command's; nothing of ours goes there once it has started.
///
/// # Errors
///
/// The pool cannot be opened, there is no such profile, or the profile cannot be mounted: with 125,
/// 126 and 127 as env(1) has them.
pub fn run(arguments: Run, context: &Context) -> Result<Outcome> {
    let pool = context.pool()?;
    let profile = profile::find(&pool, &arguments.name)?;
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

/// A failure after the profile was found: 126 and 127 when the command could not be started, 125 for
/// everything else, so that a script can tell it from the command's own status.
fn in_the_profile(error: Error) -> Failure {
    let code = match &error {
        Error::CannotStart { status, .. } => *status,
        _ => OWN_FAILURE,
    };
    Failure {
        code,
        ..Failure::from(error)
    }
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
        assert_eq!(
            in_the_profile(Error::NeedsRecover { what: "x".into() }).code,
            125
        );
    }
}
