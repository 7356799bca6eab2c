//! Versions that an undo brings back, and holding them in the same step.
//!
//! What is held is told by the two statuses, the present one and the one that the undo comes to, and not by the
//! journal: a package about which it was decided otherwise does not go back.

use std::path::{Path, PathBuf};

use conffile_diff::dpkg::hold::{self, Held};
use profile_sys::btrfs;
use profile_sys::tree::Root;

use super::join::Joined;
use super::packages::STATUS;
use super::plan::{Method, Plan};
use super::prepare::Source;
use crate::error::Result;
use crate::merged::Merged;
use crate::pool::Pool;
use crate::profile;
use crate::replacement::STAGED_PROFILE;
use crate::staging::Staging;
use crate::view::View;

/// Name of the tree with the status that holds, in its staging directory.
const HELD: &str = "held";

/// Works out which packages go back to an older version, and the status that holds them. `now` is a snapshot of the
/// present.
///
/// # Errors
///
/// dpkg's status of now, or that of then, cannot be read. One that is not of the form only holds nothing: an undo may be what
/// mends it.
pub(super) fn look(
    pool: &Pool,
    plan: &Plan,
    source: &Source,
    staging: &Staging,
    now: &Path,
) -> Result<Held> {
    let (base, _) = profile::base_for(pool, &plan.profile)?;
    let Some(then) = status_of_then(pool, plan, source, staging, &base)? else {
        return Ok(Held::default());
    };
    let now = Merged::new(now, &base).read(Path::new(STATUS))?;
    Ok(hold::older(&now, &then).unwrap_or_else(|error| Held {
        left: vec![format!("nothing is held: {error}")],
        ..Held::default()
    }))
}

/// The status that the undo comes to; `None` when it leaves the present one.
fn status_of_then(
    pool: &Pool,
    plan: &Plan,
    source: &Source,
    staging: &Staging,
    base: &Path,
) -> Result<Option<Vec<u8>>> {
    let path = Path::new(STATUS);
    match plan.joined.iter().find(|(joined, _)| joined == path) {
        Some((_, Joined::Content(content, _))) => return Ok(Some(content.clone())),
        Some(_) => return Ok(None),
        None => {}
    }
    let is_restored = plan.restore.iter().any(|change| change.path == path);
    // An exchange brings all of the snapshot back without a list.
    if !is_restored && plan.method != Method::Exchange {
        return Ok(None);
    }
    let tree = match source {
        Source::Before(sides) => sides.pre.clone(),
        Source::Built => staging.part(STAGED_PROFILE),
        Source::Snapshot(name) => pool.layout().snapshot(&plan.profile.id, *name),
    };
    Ok(Some(Merged::new(&tree, base).read(path)?))
}

/// Writes the status that holds into `profile`, a staged subvolume that nobody else sees.
///
/// # Errors
///
/// An effect failed.
pub(super) fn write(pool: &Pool, held: &Held, profile: &Path, base: &Path) -> Result<()> {
    let merged = View::writable(pool, profile, base)?;
    Root::open(merged.path())?.write_over(Path::new(STATUS), &held.status)?;
    merged.close()
}

/// A copy of the tree `wanted` in the staging directory whose status holds.
///
/// # Errors
///
/// An effect failed.
pub(super) fn copy(pool: &Pool, held: &Held, wanted: &Path, staging: &Staging) -> Result<PathBuf> {
    let copy = staging.part(HELD);
    btrfs::snapshot(wanted, &copy, false)?;
    let (base, _) = profile::base_for(pool, &profile::read_file(&copy)?)?;
    write(pool, held, &copy, &base)?;
    Ok(copy)
}
