//! `rename`: another name for a profile.

use profile_db::model::{ProfileName, Time};
use profile_store::profile;

use crate::actor;
use crate::cli::Rename;
use crate::commands::Outcome;
use crate::context::{Context, Result};
use crate::report::profile::Done;

/// Renames the profile.
///
/// # Errors
///
/// There is no such profile, it is built in, the name is not valid or taken.
pub fn run(arguments: &Rename, context: &Context) -> Result<Outcome> {
    let name: ProfileName = arguments.to.parse()?;
    let pool = context.pool()?;
    let former = profile::find(&pool, &arguments.from)?;
    let profile = profile::rename(&pool, &former.id, &name, &actor::current()?, Time::now())?;
    let sentence = format!(
        "Renamed the profile '{}' to '{}'.",
        former.name, profile.name
    );
    Ok(Done::new(&profile, None, sentence).into())
}
