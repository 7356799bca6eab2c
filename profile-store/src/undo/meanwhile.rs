//! What others changed in a mounted profile since the state that a replay goes out from was taken.
//!
//! A plan is made without dpkg's lock, and an interrupted replay may be finished a day later: what
//! somebody wrote until then is in no snapshot, and must not be written over.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use profile_db::ProfileFile;
use profile_sys::btrfs;
use profile_sys::tree::{Kind, Root};

use crate::delta::touched::in_upper;
use crate::delta::{ChangeKind, differs, touched_between};
use crate::error::{Error, Result};
use crate::pool::Pool;
use crate::staging::Staging;

/// Name of the snapshot of the present in its staging directory.
const PRESENT: &str = "present";

/// Those of `paths` that differ, in more than their times, from the snapshot `since` of the profile.
///
/// # Errors
///
/// The present cannot be snapshotted or compared.
pub(super) fn changed(
    pool: &Pool,
    profile: &ProfileFile,
    since: &Path,
    paths: &[PathBuf],
) -> Result<Vec<PathBuf>> {
    let staging = Staging::begin(pool)?;
    let present = staging.part(PRESENT);
    let touched = btrfs::snapshot(&pool.layout().profile(&profile.id), &present, true)
        .map_err(Error::from)
        .and_then(|()| touched_between(since, &present));
    staging.discard()?;
    let touched = touched?;
    let touched: HashSet<&Path> = touched
        .paths
        .keys()
        .filter_map(|path| in_upper(path))
        .collect();
    let changed = paths.iter().filter(|path| touched.contains(path.as_path()));
    Ok(changed.cloned().collect())
}

/// Those of the `changed` paths of a replay that was interrupted which it did not change itself.
///
/// The replay brings an entry whole, by a rename, or removes it: an entry that is there and is not
/// what it would have brought is somebody else's. A directory is brought in steps and is replayed
/// again in any case, which writes over nothing in it.
///
/// # Errors
///
/// A path cannot be looked at.
pub(super) fn of_others(
    view: &Path,
    merged: &Path,
    changed: Vec<PathBuf>,
) -> Result<HashSet<PathBuf>> {
    let (in_view, in_merged) = (Root::open(view)?, Root::open(merged)?);
    let mut others = HashSet::new();
    for path in changed {
        let Some(present) = in_merged.lstat(&path)? else {
            continue;
        };
        let brought = match in_view.lstat(&path)? {
            Some(wanted) => {
                let kind = differs(view, merged, &path, &wanted, &present)?;
                kind.is_none_or(|kind| kind == ChangeKind::Times)
            }
            None => false,
        };
        if present.kind != Kind::Directory && !brought {
            others.insert(path);
        }
    }
    Ok(others)
}
