//! Which later transaction is in the way of an undo.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use conffile_diff::merge::{self, Kind, Settled, Side, Three, kind_of};
use profile_db::journal::{self, ChangeRow};
use profile_sys::tree::Root;

use super::plan::{Conflict, Obstacle};
use super::world::World;
use crate::delta::{ChangeKind, Delta};
use crate::error::Result;

/// Longest file whose records are compared.
const LONGEST_BYTES: u64 = 64 << 20;

/// The paths that a transaction changed.
#[derive(Debug, Default)]
pub(super) struct Changed {
    /// Those that are the same entry with other content or attributes.
    within: HashSet<PathBuf>,
    /// Those that came, went or became something else, and with them whatever is below.
    whole: HashSet<PathBuf>,
}

impl Changed {
    /// From its snapshots. A time is no change.
    pub fn compared(delta: &Delta) -> Self {
        let mut changed = Self::default();
        for change in &delta.changes {
            let paths = match change.kind {
                ChangeKind::Times => continue,
                ChangeKind::Content | ChangeKind::Metadata => &mut changed.within,
                ChangeKind::Added | ChangeKind::Removed | ChangeKind::Type => &mut changed.whole,
            };
            paths.insert(change.path.clone());
        }
        changed
    }

    /// From the list that the journal keeps of it.
    pub fn listed(rows: &[ChangeRow]) -> Self {
        let mut changed = Self::default();
        for row in rows {
            let paths = match row.change {
                journal::Change::Content | journal::Change::Metadata => &mut changed.within,
                journal::Change::Created | journal::Change::Removed | journal::Change::Type => {
                    &mut changed.whole
                }
            };
            let path = row.path.strip_prefix(b"/").unwrap_or(&row.path);
            paths.insert(PathBuf::from(OsStr::from_bytes(path)));
        }
        changed
    }

    /// Whether it changed the path: the entry itself, or a directory above it as a whole.
    pub fn has(&self, path: &Path) -> bool {
        self.within.contains(path) || path.ancestors().any(|one| self.whole.contains(one))
    }
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
        let row = |path: &str, change| ChangeRow {
            path: path.into(),
            change,
            before: None,
            after: None,
            attribution: None,
        };
        let listed = [
            row("/etc", journal::Change::Metadata),
            row("/etc/a", journal::Change::Type),
            row("/etc/x", journal::Change::Content),
        ];
        for (path, expected) in [
            ("etc", true),
            ("etc/a", true),
            ("etc/a/b/c", true),
            ("etc/t", false),
            ("etc/x", true),
            ("etc/y", false),
        ] {
            let path = Path::new(path);
            assert_eq!(Changed::compared(&delta).has(path), expected, "{path:?}");
            assert_eq!(Changed::listed(&listed).has(path), expected, "{path:?}");
        }
    }
}
