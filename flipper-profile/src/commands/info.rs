//! `info`: everything about one profile.

use std::time::{Duration, Instant};

use profile_store::profile;
use profile_store::retention::Measure;

use crate::cli::Info;
use crate::commands::Outcome;
use crate::context::{Context, Result};
use crate::failure::Failure;
use crate::report::profile::Profile;

/// How long snapshots are measured at most.
const MEASURING: Duration = Duration::from_secs(600);

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
    let journal = match arguments.sizes {
        true => context.journal(&pool)?,
        false => pool.journal_read_only()?,
    };
    let now = Instant::now();
    let until = if arguments.sizes {
        now + MEASURING
    } else {
        now
    };
    let mut measure = Measure::of(&pool, &journal, &profile.id)?;
    let snapshots = measure.all(until)?;
    measure.remember()?;
    let info = profile::info(&pool, &profile.id)?;
    Ok(Profile::new(&info, snapshots)?.into())
}
