//! `set`: one setting of a profile.

use profile_db::model::Time;
use profile_store::profile;

use crate::actor;
use crate::cli::Set;
use crate::commands::Outcome;
use crate::context::{Context, Result};
use crate::output::escape;
use crate::report::profile::Done;

/// Changes the setting.
///
/// # Errors
///
/// There is no such profile, the key is not known or the value is not valid.
pub fn run(arguments: &Set, context: &Context) -> Result<Outcome> {
    let (key, value) = &arguments.setting;
    let pool = context.pool()?;
    let profile = profile::find(&pool, &arguments.name)?;
    let profile = profile::set(
        &pool,
        &profile.id,
        key,
        value,
        &actor::current()?,
        Time::now(),
    )?;
    let sentence = format!(
        "Set {key} of the profile '{}' to '{}'.",
        profile.name,
        escape::text(value)
    );
    Ok(Done::new(&profile, None, sentence).into())
}
