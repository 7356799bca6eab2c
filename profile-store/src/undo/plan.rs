//! The plan of an undo: which paths go back, which are left, what stands in the way. Plain data.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use conffile_diff::dpkg::dependencies::Broken;
use conffile_diff::dpkg::hold::Held;
use conffile_diff::merge::{self, Side};
use profile_db::ProfileFile;
use profile_db::journal::Transaction;
use profile_db::model::TransactionNumber;
use profile_sys::mountinfo::{self, Mount};
use profile_sys::tree::Kind;

use super::derived::Remake;
use super::join::Joined;
use super::left_behind::LeftBehind;
use crate::delta::{Change, ChangeKind, Delta};

/// How an undo is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// The snapshot before the transaction becomes the profile: nothing else changed since.
    Exchange,
    /// A copy of the present profile is changed path by path and exchanged in.
    Staged,
    /// The mounted profile is changed path by path.
    Live,
}

impl Method {
    /// One word for listings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exchange => "exchange",
            Self::Staged => "staged",
            Self::Live => "live",
        }
    }
}

/// Why a path cannot be taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// It changed again after the transaction, and both changes do not fit together. What does not, where the
    /// file is one of records or lines.
    ChangedSince(Vec<merge::Conflict>),
    /// A package that stays needs, or refuses, what the undo would bring about.
    Packages {
        /// The relation that would not hold.
        broken: Broken,
        /// The packages of the transaction that it is about.
        behind: BTreeSet<String>,
    },
    /// The directory it belongs into is gone.
    DirectoryGone,
    /// It was no directory, is one now, and somebody else's entry stands in it.
    HoldsMore,
}

impl Obstacle {
    /// The reason in the user's words.
    pub fn words(&self) -> String {
        match self {
            Self::ChangedSince(conflicts) if conflicts.is_empty() => {
                "changed again since".to_owned()
            }
            Self::ChangedSince(conflicts) => {
                let list: Vec<String> = conflicts.iter().map(conflict_words).collect();
                format!("changed again since: {}", list.join("; "))
            }
            Self::Packages { broken, .. } => format!(
                "{} has \"{}: {}\", which would not hold",
                broken.package, broken.field, broken.relation
            ),
            Self::DirectoryGone => "its directory is gone since".to_owned(),
            Self::HoldsMore => "a directory now, with something else in it".to_owned(),
        }
    }
}

fn conflict_words(conflict: &merge::Conflict) -> String {
    match (conflict.mine.as_str(), conflict.other.as_str()) {
        ("", "") => conflict.what.clone(),
        (mine, other) => format!("{} (now {mine}, before {other})", conflict.what),
    }
}

/// A path that stands in the way of an undo.
#[derive(Debug, Clone)]
pub struct Conflict {
    /// Path in the merged tree, without leading slash.
    pub path: PathBuf,
    /// Why.
    pub obstacle: Obstacle,
    /// The later transactions that changed it, newest first; empty when it was changed outside of
    /// transactions.
    pub by: Vec<TransactionNumber>,
}

/// What an undo, or a redo, would do.
#[derive(Debug)]
pub struct Plan {
    /// The transaction that was asked for; the newest, where several were.
    pub transaction: Transaction,
    /// All that are taken back, newest first.
    pub transactions: Vec<Transaction>,
    /// The profile.
    pub profile: ProfileFile,
    /// How.
    pub method: Method,
    /// How many paths get the content they had before.
    pub restored: u64,
    /// Which, in order; directories that only lost or gained entries are in `times`. Empty for an
    /// exchange, which brings all of them back at once.
    pub restore: Vec<Change>,
    /// Paths whose modification time alone is set back.
    pub times: Vec<PathBuf>,
    /// Paths that changed between the two snapshots but not by the packages: kept.
    pub meanwhile: Vec<Change>,
    /// Data that programs wrote since, which stays.
    pub left_behind: Vec<LeftBehind>,
    /// Paths that changed again since and get both changes, or go.
    pub joined: Vec<(PathBuf, Joined)>,
    /// Those of them that are written, in every step.
    pub merged: Vec<PathBuf>,
    /// What is made anew by programs of the profile.
    pub remake: Remake,
    /// Paths of the transaction that stay as they are because it was decided so.
    pub kept: Vec<PathBuf>,
    /// Paths that are already as they were before.
    pub already: usize,
    /// The packages that go back to an older version, and the status that holds them where that is wished.
    pub older: Held,
    /// What stands in the way; the undo is refused while there is any.
    pub conflicts: Vec<Conflict>,
}

/// What the delta of a transaction and the changes since come to.
#[derive(Debug, Default)]
pub(super) struct Sorted {
    pub restore: Vec<Change>,
    pub times: Vec<PathBuf>,
    pub meanwhile: Vec<Change>,
    pub joined: Vec<(PathBuf, Joined)>,
    pub kept: Vec<PathBuf>,
    pub remake: Remake,
    pub already: usize,
    pub left_behind: Vec<LeftBehind>,
    pub conflicts: Vec<Conflict>,
}

/// The world after the transaction, as far as the plan asks about it.
pub(super) trait Present {
    /// Whether the path is now as it was before the transaction.
    fn is_as_before(&self, path: &Path) -> crate::Result<bool>;
    /// What the change of the transaction, taken back, and those since come to together.
    fn joined(&self, path: &Path) -> crate::Result<Joined>;
    /// Whether the path is a directory now.
    fn is_directory(&self, path: &Path) -> crate::Result<bool>;
    /// Whether it was decided about the path itself or about records of it, so that it is joined in any case.
    fn is_settled(&self, path: &Path) -> bool;
    /// Which side was decided for about the path.
    fn side(&self, path: &Path) -> Option<Side>;
}

/// Sorts the changes of a transaction: `attributed` says for each whether the packages made it,
/// `since` what changed after it.
pub(super) fn sort(
    delta: &Delta,
    attributed: &[bool],
    since: &Delta,
    present: &dyn Present,
) -> crate::Result<Sorted> {
    let mut sorted = Sorted::default();
    let foreign: HashSet<&Path> = delta
        .changes
        .iter()
        .zip(attributed)
        .filter(|(change, attributed)| !**attributed && change.kind != ChangeKind::Times)
        .filter_map(|(change, _)| change.path.parent())
        .collect();
    for (change, attributed) in delta.changes.iter().zip(attributed) {
        let later = since.get(&change.path);
        if change.kind == ChangeKind::Times {
            // A time is worth restoring, never worth a conflict.
            if later.is_none() && (*attributed || is_ours(change, &foreign)) {
                sorted.times.push(change.path.clone());
            }
            continue;
        }
        if !attributed {
            sorted.meanwhile.push(change.clone());
            continue;
        }
        let changed_since = later.is_some_and(|later| later.kind != ChangeKind::Times);
        let settled = present.is_settled(&change.path);
        if !changed_since && !settled {
            sorted.restore.push(change.clone());
        } else if !settled && present.is_as_before(&change.path)? {
            sorted.already += 1;
        } else {
            match present.joined(&change.path)? {
                Joined::Kept => sorted.kept.push(change.path.clone()),
                Joined::Other => sorted.restore.push(change.clone()),
                Joined::Conflict(found) => {
                    let obstacle = Obstacle::ChangedSince(found);
                    sorted.conflicts.push(conflict(change, obstacle));
                }
                joined => sorted.joined.push((change.path.clone(), joined)),
            }
        }
    }
    require_directories(&mut sorted, present)?;
    require_empty(&mut sorted, since, present);
    Ok(sorted)
}

/// Where something is mounted on an entry that would be removed or replaced, among the mounts of a profile
/// that is entered. A directory that stays one is neither.
fn mounted_on(mounts: &[Mount], restore: &[Change]) -> Vec<PathBuf> {
    let directory = Some(Kind::Directory);
    let goes = |change: &&Change| (change.old, change.new) != (directory, directory);
    let going: HashSet<&Path> = restore
        .iter()
        .filter(goes)
        .map(|change| change.path.as_path())
        .collect();
    let mut found: Vec<PathBuf> = mountinfo::on_entries_of_root(mounts)
        .into_iter()
        .filter(|(entry, _)| going.contains(entry.as_path()))
        .map(|(_, mount)| mount.mount_point.clone())
        .collect();
    found.sort();
    found.dedup();
    found
}

/// Refuses what the kernel would refuse in the middle: removing or replacing what something is mounted on.
///
/// # Errors
///
/// Something is.
pub(crate) fn refuse_mounted(
    profile: &ProfileFile,
    mounts: &[Mount],
    restore: &[Change],
) -> crate::Result<()> {
    let mount_points = mounted_on(mounts, restore);
    match mount_points.is_empty() {
        true => Ok(()),
        false => Err(crate::Error::MountedOn {
            name: profile.name.to_string(),
            mount_points,
        }),
    }
}

/// A directory can become a file or a symlink again only when nobody else's entry stands in it.
fn require_empty(sorted: &mut Sorted, since: &Delta, present: &dyn Present) {
    let replaced = |change: &Change| {
        change.new == Some(Kind::Directory) && change.old.is_some_and(|old| old != Kind::Directory)
    };
    // Hardly any transaction has one.
    if !sorted.restore.iter().any(replaced) {
        return;
    }
    let restored: HashSet<&Path> = sorted
        .restore
        .iter()
        .map(|change| change.path.as_path())
        .collect();
    let foreign: Vec<PathBuf> = since
        .changes
        .iter()
        .chain(&sorted.meanwhile)
        .filter(|change| change.new.is_some() && change.kind != ChangeKind::Times)
        .filter(|change| !restored.contains(change.path.as_path()))
        .map(|change| change.path.clone())
        .collect();
    let (kept, blocked): (Vec<Change>, Vec<Change>) = std::mem::take(&mut sorted.restore)
        .into_iter()
        .partition(|change| {
            let below = |path: &PathBuf| *path != change.path && path.starts_with(&change.path);
            !(replaced(change) && foreign.iter().any(below))
        });
    sorted.restore = kept;
    for change in blocked {
        // That the entry of somebody else goes is nothing that could be decided here.
        match present.side(&change.path) {
            Some(Side::Mine) => sorted.kept.push(change.path),
            _ => sorted
                .conflicts
                .push(conflict(&change, Obstacle::HoldsMore)),
        }
    }
}

/// Whether the time of a directory goes back although nothing else about it changed: entries that
/// came and went in it, as every package manager makes them, are the transaction's unless somebody
/// else changed something in it.
fn is_ours(change: &Change, foreign: &HashSet<&Path>) -> bool {
    change.new == Some(Kind::Directory) && !foreign.contains(change.path.as_path())
}

fn conflict(change: &Change, obstacle: Obstacle) -> Conflict {
    Conflict {
        path: change.path.clone(),
        obstacle,
        by: Vec::new(),
    }
}

/// A path can come back only into a directory that is there, or comes back with it.
fn require_directories(sorted: &mut Sorted, present: &dyn Present) -> crate::Result<()> {
    let mut coming: HashSet<PathBuf> = sorted
        .restore
        .iter()
        .filter(|change| change.old.is_some())
        .map(|change| change.path.clone())
        .collect();
    let mut kept = Vec::with_capacity(sorted.restore.len());
    for change in std::mem::take(&mut sorted.restore) {
        let gone = match change.old {
            Some(_) => missing_directories(&change.path, &coming, present)?,
            None => Vec::new(),
        };
        match (gone.is_empty(), present.side(&change.path)) {
            (true, _) => kept.push(change),
            (false, None) => sorted
                .conflicts
                .push(conflict(&change, Obstacle::DirectoryGone)),
            (false, Some(Side::Mine)) => sorted.kept.push(change.path),
            (false, Some(Side::Other)) => {
                for path in gone {
                    kept.push(Change::directory_that_went(&path));
                    coming.insert(path);
                }
                kept.push(change);
            }
        }
    }
    sorted.restore = kept;
    Ok(())
}

/// The directories above a path that are neither there nor come back; the nearest first.
fn missing_directories(
    path: &Path,
    coming: &HashSet<PathBuf>,
    present: &dyn Present,
) -> crate::Result<Vec<PathBuf>> {
    let mut missing = Vec::new();
    for directory in path.ancestors().skip(1) {
        if coming.contains(directory) || present.is_directory(directory)? {
            break;
        }
        missing.push(directory.to_path_buf());
    }
    Ok(missing)
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
