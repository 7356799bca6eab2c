//! `delete`: a profile goes to trash.

use profile_db::model::Time;
use profile_store::profile;

use crate::actor;
use crate::cli::Delete;
use crate::commands::Outcome;
use crate::context::{Context, Result};
use crate::report::profile::Done;

/// Deletes the profile, after a confirmation.
///
/// # Errors
///
/// There is no such profile, it is built in or in use, or nobody confirmed.
pub fn run(arguments: &Delete, context: &Context) -> Result<Outcome> {
    let pool = context.pool()?;
    let profile = profile::find(&pool, &arguments.name)?;
    context.confirm(&format!(
        "Delete the profile '{}' ({}) with everything that was changed in it, home directories included?",
        profile.name, profile.id
    ))?;
    let number = profile::delete(&pool, &profile.id, &actor::current()?, Time::now())?;
    let sentence = format!(
        "Deleted the profile '{}'. Until it is collected, `flipper-profile undo {number}` brings it back.",
        profile.name
    );
    Ok(Done::new(&profile, Some(number), sentence).into())
}
