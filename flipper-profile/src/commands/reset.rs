//! `reset`: a profile becomes what it was when it was created.

use profile_db::ProfileFile;
use profile_db::model::Time;
use profile_store::{profile, state_paths};

use crate::actor;
use crate::cli::Reset;
use crate::commands::Outcome;
use crate::context::{Context, Result};
use crate::report::profile::Done;

/// Resets the profile, after a confirmation.
///
/// # Errors
///
/// There is no such profile, it is in use, its origin is gone, or nobody confirmed.
pub fn run(arguments: &Reset, context: &Context) -> Result<Outcome> {
    let pool = context.pool()?;
    let profile = profile::find(&pool, &arguments.name)?;
    context.confirm(&question(&profile, arguments.all))?;
    let mut progress = context.progress();
    progress.begin("resetting");
    context.catch_up(&pool, &profile);
    let number = profile::reset(
        &pool,
        &profile.id,
        arguments.all,
        &actor::current()?,
        Time::now(),
    )?;
    let sentence = format!(
        "Reset the profile '{}'; `flipper-profile -p {0} undo` takes it back.",
        profile.name
    );
    Ok(Done::new(&profile, Some(number), sentence).into())
}

/// What would become of the profile, and what brings it back.
fn question(profile: &ProfileFile, all: bool) -> String {
    let (emptied, kept): (Vec<_>, Vec<_>) = state_paths::of(profile)
        .into_iter()
        .partition(|path| !path.shared && (all || !path.kept_on_reset));
    let mut lines = vec![
        format!(
            "This makes the profile '{}' ({}) what it was when it was created:",
            profile.name, profile.id
        ),
        "  packages, configuration and all other files become as they were then".into(),
    ];
    for (word, paths) in [("emptied", emptied), ("kept", kept)] {
        let names: Vec<String> = paths
            .iter()
            .map(|path| path.path.display().to_string())
            .collect();
        if !names.is_empty() {
            lines.push(format!("  {word}: {}", names.join(", ")));
        }
    }
    lines.push(
        "  undo brings it back; what is emptied, only until `flipper-profile pool gc` collects it"
            .into(),
    );
    lines.push("Reset it?".into());
    lines.join("\n")
}
