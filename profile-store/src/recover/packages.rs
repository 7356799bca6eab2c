//! What hooks left in the middle: directories that were being prepared before dpkg unpacked.
//!
//! The rest is done where the profile stands (see [`crate::standing`]).

use profile_db::ProfileFile;
use profile_db::journal::{Journal, Pending};

use crate::error::Result;
use crate::pool::Pool;
use crate::standing::standing;
use crate::transaction::{World, liveness, materialise, rows};

/// Finishes or takes back what a hook of `profile` left; false when its package manager is still at work.
///
/// # Errors
///
/// The profile cannot be reached, dpkg is at work in it, or an effect failed; the record stays.
pub(super) fn finish(
    pool: &Pool,
    journal: &Journal,
    pending: &Pending,
    profile: &ProfileFile,
) -> Result<bool> {
    let world = World::of_profile(pool, &profile.id)?;
    for row in rows::recent(&world, journal)? {
        let of_this = pending.operation.transaction == Some(row.number) && row.ended.is_none();
        if of_this && !liveness::is_gone(&world, &row.owner)? {
            // The first hook of the next change finishes it: dpkg may be in the middle of these very directories.
            return Ok(false);
        }
    }
    standing(pool, profile)?.with_merged(pool, profile, "", |_, merged| {
        materialise::settle(pending, merged)
    })?;
    journal.complete(pending.id)?;
    Ok(true)
}
