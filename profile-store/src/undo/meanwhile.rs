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
use crate::delta::{ChangeKind, Touched, differs, touched_between};
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
    let changed = Touches::of(&touched);
    let changed = paths.iter().filter(|path| changed.has(path));
    Ok(changed.cloned().collect())
}

/// The paths of the merged tree that a comparison of two uppers tells of.
struct Touches<'a> {
    paths: HashSet<&'a Path>,
    /// Both ends of every rename: what is below has another path too, and is not told one by one.
    renamed: HashSet<&'a Path>,
}

impl<'a> Touches<'a> {
    fn of(touched: &'a Touched) -> Self {
        let ends = touched.renamed.iter().flat_map(|one| [&one.from, &one.to]);
        Self {
            paths: touched
                .paths
                .keys()
                .filter_map(|path| in_upper(path))
                .collect(),
            renamed: ends.filter_map(|path| in_upper(path)).collect(),
        }
    }

    fn has(&self, path: &Path) -> bool {
        self.paths.contains(path) || path.ancestors().any(|one| self.renamed.contains(one))
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delta::touched::{Renamed, Touch};

    #[test]
    fn what_is_below_a_renamed_directory_has_changed() {
        let path = |name: &str| format!("upper/{name}").into_bytes();
        let mut touched = Touched::default();
        touched.paths.insert(path("etc/x"), Touch::default());
        touched.renamed.push(Renamed {
            from: path("opt/a"),
            to: path("opt/b"),
            directory: Some(true),
        });
        let touches = Touches::of(&touched);
        for (path, expected) in [
            ("etc/x", true),
            ("etc/x/y", false),
            ("etc", false),
            ("opt", false),
            ("opt/a/deep/file", true),
            ("opt/b/file", true),
            ("opt/c", false),
        ] {
            assert_eq!(touches.has(Path::new(path)), expected, "{path}");
        }
    }
}
