//! What changed between two snapshots, from what btrfs itself knows of them.
//!
//! Which paths of the two differ, one of two ways tells:
//! 1. [`by_generation`] searches what both trees wrote since they were the same. It needs an origin in common, as two
//!    snapshots of one profile have it.
//! 2. [`stream`] turns the bytes of `BTRFS_IOC_SEND` without file data into commands; [`touched`] folds the commands
//!    into the set of paths that differ. The kernel compares any two snapshots, at some ten times the cost.
//!
//! All of these are pure. [`between`] then looks at the two merged trees where the uppers differ: its cost follows the
//! change, not the tree.

pub mod by_generation;
mod compare;
mod crc32c;
mod nodes;
mod record;
mod siblings;
pub mod stream;
pub mod touched;

use std::path::{Path, PathBuf};

use profile_sys::btrfs::{self, Descent};
use profile_sys::tree::Kind;

pub use compare::differs;
pub use touched::Touched;

use crate::error::{Error, Result};
use crate::pool::Pool;
use crate::state_paths::StatePath;
use crate::view::View;

/// How one path of the merged tree changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// It was not there before.
    Added,
    /// It is not there afterwards.
    Removed,
    /// It is another kind of entry.
    Type,
    /// Bytes, symlink target or device number.
    Content,
    /// Owner, mode or extended attributes.
    Metadata,
    /// The modification time alone.
    Times,
}

impl ChangeKind {
    /// One word for listings and the journal.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Type => "type",
            Self::Content => "content",
            Self::Metadata => "metadata",
            Self::Times => "times",
        }
    }
}

/// One path that differs.
#[derive(Debug, Clone)]
pub struct Change {
    /// Path in the merged tree, without leading slash; empty for the root.
    pub path: PathBuf,
    /// How it changed.
    pub kind: ChangeKind,
    /// What stood there before.
    pub old: Option<Kind>,
    /// What stands there afterwards.
    pub new: Option<Kind>,
}

impl Change {
    /// Of a directory that is gone.
    pub(crate) fn directory_that_went(path: &Path) -> Self {
        Self {
            path: path.to_path_buf(),
            kind: ChangeKind::Removed,
            old: Some(Kind::Directory),
            new: None,
        }
    }
}

/// The difference of two merged trees, in the order of the paths.
#[derive(Debug, Clone, Default)]
pub struct Delta {
    /// Every path that differs, times included.
    pub changes: Vec<Change>,
}

impl Delta {
    /// The changes that a person would call one: all but mere times.
    pub fn substantial(&self) -> impl Iterator<Item = &Change> {
        self.changes
            .iter()
            .filter(|change| change.kind != ChangeKind::Times)
    }

    /// The changes that a person would call one, and the paths of which the time alone differs.
    pub(crate) fn apart(self) -> (Vec<Change>, Vec<PathBuf>) {
        let (times, changes): (Vec<Change>, Vec<Change>) = self
            .changes
            .into_iter()
            .partition(|change| change.kind == ChangeKind::Times);
        (
            changes,
            times.into_iter().map(|change| change.path).collect(),
        )
    }

    /// The change of one path.
    pub fn get(&self, path: &Path) -> Option<&Change> {
        self.changes
            .binary_search_by(|change| change.path.as_path().cmp(path))
            .ok()
            .map(|index| &self.changes[index])
    }
}

/// Which paths of two profile snapshots' subvolumes differ, as btrfs itself tells.
///
/// Both must be read-only.
///
/// # Errors
///
/// A tree cannot be read, the kernel refuses to send, or the stream does not parse.
pub fn touched_between(older: &Path, newer: &Path) -> Result<Touched> {
    match touched_by_search(older, newer)? {
        Some(touched) => Ok(touched),
        None => touched_by_send(older, newer),
    }
}

/// As [`touched_between`], by a search of what both wrote since they were the same. None where it is not known when that
/// was, where one of them is not read-only, and where a tree has what only the kernel understands.
///
/// # Errors
///
/// A tree cannot be read.
pub fn touched_by_search(older: &Path, newer: &Path) -> Result<Option<Touched>> {
    if !(btrfs::is_read_only(older)? && btrfs::is_read_only(newer)?) {
        return Ok(None);
    }
    let (old_line, new_line) = (btrfs::lineage(older)?, btrfs::lineage(newer)?);
    let Some(generation) = by_generation::parted(&old_line, &new_line) else {
        return Ok(None);
    };
    let (mut old, mut new) = (btrfs::Tree::open(older)?, btrfs::Tree::open(newer)?);
    let made = |line: &[Descent]| line.first().map_or(0, |itself| itself.created);
    let old = by_generation::Snapshot {
        tree: &mut old,
        made: made(&old_line),
    };
    let new = by_generation::Snapshot {
        tree: &mut new,
        made: made(&new_line),
    };
    match by_generation::touched(old, new, generation) {
        Ok(touched) => Ok(Some(touched)),
        Err(by_generation::Error::NotUnderstood(_)) => Ok(None),
        Err(by_generation::Error::Read(error)) => Err(error.into()),
    }
}

/// As [`touched_between`], by the kernel's own comparison.
///
/// # Errors
///
/// The kernel refuses to send, or the stream does not parse.
pub fn touched_by_send(older: &Path, newer: &Path) -> Result<Touched> {
    let failed = |detail: String| Error::Delta {
        from: older.to_path_buf(),
        to: newer.to_path_buf(),
        detail,
    };
    let reader = btrfs::send_without_data(newer, Some(older))?;
    let stream = stream::Stream::new(std::io::BufReader::with_capacity(256 * 1024, reader))
        .map_err(|error| failed(error.to_string()))?;
    let mut touched = touched::fold(stream).map_err(|error| failed(error.to_string()))?;
    siblings::add(&mut touched, newer)?;
    Ok(touched)
}

/// One side of a comparison.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// The profile snapshot, read-only.
    pub profile: &'a Path,
    /// The base below it.
    pub base: &'a Path,
    /// Where the merged tree of both is mounted.
    pub merged: &'a Path,
}

/// A delta with the merged trees that it was read from, which stay mounted for whoever looks closer.
#[derive(Debug)]
pub struct Compared {
    /// What changed.
    pub delta: Delta,
    /// Before and after; none where the uppers do not differ and nothing had to be mounted.
    views: Option<(View, View)>,
}

impl Compared {
    /// Roots of the merged trees before and after; none where nothing changed.
    pub fn trees(&self) -> Option<(&Path, &Path)> {
        let (old, new) = self.views.as_ref()?;
        Some((old.path(), new.path()))
    }

    /// Unmounts the trees.
    ///
    /// # Errors
    ///
    /// Something still has a file of one of them open.
    pub fn close(self) -> Result<Delta> {
        if let Some((old, new)) = self.views {
            old.close()?;
            new.close()?;
        }
        Ok(self.delta)
    }
}

/// What changed in the merged tree from the snapshot `older` to the snapshot `newer` of one profile,
/// both read-only, over the bases they pin; `state` is left out.
///
/// # Errors
///
/// The kernel refuses to send, the stream does not parse, or a view cannot be mounted or read.
pub fn between(
    pool: &Pool,
    older: (&Path, &Path),
    newer: (&Path, &Path),
    state: &[StatePath],
) -> Result<Delta> {
    compared(pool, older, newer, state)?.close()
}

/// As [`between`], with the trees still mounted.
///
/// # Errors
///
/// As [`between`].
pub fn compared(
    pool: &Pool,
    older: (&Path, &Path),
    newer: (&Path, &Path),
    state: &[StatePath],
) -> Result<Compared> {
    let touched = touched_between(older.0, newer.0)?;
    if touched.is_nothing() {
        return Ok(Compared {
            delta: Delta::default(),
            views: None,
        });
    }
    let old = View::read_only(pool, older.0, older.1)?;
    let new = View::read_only(pool, newer.0, newer.1)?;
    let side = |(profile, base), merged| Side {
        profile,
        base,
        merged,
    };
    let delta = of_touched(
        &touched,
        &side(older, old.path()),
        &side(newer, new.path()),
        state,
    )?;
    Ok(Compared {
        delta,
        views: Some((old, new)),
    })
}

/// As [`between`], for merged trees that are mounted already, and with what the stream said.
///
/// # Errors
///
/// A path cannot be read.
pub fn of_touched(
    touched: &Touched,
    older: &Side<'_>,
    newer: &Side<'_>,
    state: &[StatePath],
) -> Result<Delta> {
    let changes = compare::compare(older, newer, touched, state)?;
    Ok(Delta { changes })
}

/// What differs at `path` and below it from the merged tree mounted at `older` to the one at `newer`, whatever
/// bases they stand on. Both are walked there, so this is for a path that somebody named.
///
/// # Errors
///
/// A path cannot be read.
pub fn below(older: &Path, newer: &Path, path: &Path, state: &[StatePath]) -> Result<Delta> {
    let changes = compare::below(older, newer, path, state)?;
    Ok(Delta { changes })
}

#[cfg(test)]
mod fixture_tests;
