//! Which later transaction is in the way of an undo.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use conffile_diff::merge::{self, Kind, Settled, Side, Three, kind_of};
use profile_sys::tree::Root;

use super::plan::{Conflict, Obstacle};
use super::world::World;
use crate::delta::{ChangeKind, Delta};
use crate::error::Result;

/// Longest file whose records are compared.
const LONGEST_BYTES: u64 = 64 << 20;

/// Whether a transaction changed a path: the entry itself, or a directory above it that came, went or became
/// something else. A time is no change.
pub(super) fn changed(delta: &Delta, path: &Path) -> bool {
    let is_change = |kind: ChangeKind, itself: bool| match kind {
        ChangeKind::Times => false,
        ChangeKind::Content | ChangeKind::Metadata => itself,
        ChangeKind::Added | ChangeKind::Removed | ChangeKind::Type => true,
    };
    path.ancestors().any(|one| {
        delta
            .get(one)
            .is_some_and(|change| is_change(change.kind, one == path))
    })
}

/// Whether a transaction, of which `its` are the trees, changed one of the records that a conflict is about; any
/// change counts where the file is not one of records. `before` is the tree to which the undo goes back.
///
/// Records of a package or an account are compared. Another one that the transaction changed and the undo would
/// change otherwise is a conflict between the two, and is told by the same words.
///
/// # Errors
///
/// A tree cannot be read.
pub(super) fn changed_records(its: &World<'_>, before: &Root, conflict: &Conflict) -> Result<bool> {
    let Obstacle::ChangedSince(records) = &conflict.obstacle else {
        return Ok(true);
    };
    let path = conflict.path.as_path();
    let kind = kind_of(&[b"/", path.as_os_str().as_bytes()].concat());
    if kind == Kind::File || records.is_empty() {
        return Ok(true);
    }
    let [old, new, _] = its.trees()?.map(Root::open);
    let read = |root: &Root| root.read_limited(path, LONGEST_BYTES);
    let contents = Three {
        ancestor: read(&old?)?,
        mine: read(&new?)?,
        other: read(before)?,
    };
    let sides = Three {
        ancestor: contents.ancestor.as_deref(),
        mine: contents.mine.as_deref(),
        other: contents.other.as_deref(),
    };
    // What has no such form is in question as a whole.
    let Ok(merged) = merge::merge(kind, sides) else {
        return Ok(true);
    };
    Ok(records.iter().any(|record| {
        let own = record.whose.as_ref().is_some_and(|owner| {
            let mut settled = Settled::default();
            settled.add(owner.clone(), Side::Other);
            // Its records as they were before the transaction: the same, when it changed none of them.
            merge::settle(kind, sides, &settled).mine.as_deref() != sides.mine
        });
        own || merged
            .conflicts
            .iter()
            .any(|found| found.what == record.what)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delta::Change;

    #[test]
    fn a_path_changes_with_its_directory_but_not_with_a_time() {
        let change = |path: &str, kind| Change {
            path: path.into(),
            kind,
            old: None,
            new: None,
        };
        let delta = Delta {
            changes: vec![
                change("etc", ChangeKind::Metadata),
                change("etc/a", ChangeKind::Type),
                change("etc/t", ChangeKind::Times),
                change("etc/x", ChangeKind::Content),
            ],
        };
        for (path, expected) in [
            ("etc", true),
            ("etc/a", true),
            ("etc/a/b/c", true),
            ("etc/t", false),
            ("etc/x", true),
            ("etc/y", false),
        ] {
            assert_eq!(changed(&delta, Path::new(path)), expected, "{path}");
        }
    }
}
