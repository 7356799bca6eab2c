//! `clone`: a second profile that is equal to the first.

use profile_db::model::{ProfileName, Time};
use profile_store::profile;

use crate::actor;
use crate::cli::CloneProfile;
use crate::commands::Outcome;
use crate::context::{Context, Result};
use crate::report::profile::Done;

/// Clones the profile.
///
/// # Errors
///
/// There is no such profile, the name is not valid or taken, the base is missing, the disk is full.
pub fn run(arguments: &CloneProfile, context: &Context) -> Result<Outcome> {
    let name: ProfileName = arguments.to.parse()?;
    let pool = context.pool()?;
    let source = profile::find(&pool, &arguments.from)?;
    context.catch_up(&pool, &source);
    let made = profile::clone(
        &pool,
        &source.id,
        &name,
        !arguments.no_state,
        &actor::current()?,
        Time::now(),
    )?;
    let sentence = format!(
        "Cloned the profile '{}' as '{}' ({}).",
        source.name, made.profile.name, made.profile.id
    );
    Ok(Done::new(&made.profile, Some(made.transaction), sentence).into())
}
