//! `info`: everything about one profile.

use profile_store::profile;

use crate::cli::Info;
use crate::commands::Outcome;
use crate::context::{Context, Result};
use crate::failure::Failure;
use crate::report::profile::Profile;

/// Shows the profile that is named, else the one that the command runs in.
///
/// # Errors
///
/// There is no such profile, two different ones were named, or the journal cannot be read.
pub fn run(arguments: &Info, context: &Context) -> Result<Outcome> {
    let pool = context.pool()?;
    let profile = match (&arguments.name, context.named_profile()) {
        (Some(name), Some(other)) if name != other => {
            return Err(Failure::usage(format!(
                "two profiles are named, '{name}' and '{other}'"
            )));
        }
        (Some(name), _) => profile::find(&pool, name)?,
        (None, _) => context.profile(&pool)?,
    };
    Ok(Profile::new(&profile::info(&pool, &profile.id)?)?.into())
}
