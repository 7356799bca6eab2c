//! `reset`: a profile becomes what it was when it was created.

use profile_db::model::Time;
use profile_store::profile;

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
    let lost = if arguments.all {
        "its logs, caches and home directories"
    } else {
        "its logs and caches"
    };
    context.confirm(&format!(
        "Reset the profile '{}' ({}) to what it was when it was created? Undo brings packages and files back, but not {lost}.",
        profile.name, profile.id
    ))?;
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
