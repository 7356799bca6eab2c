//! From touched paths of two uppers to changes of the merged tree.
//!
//! The send stream says which paths of the upper differ; whether the merged tree differs there, and
//! how, is read from two private views. The stream names every entry of the uppers that came or
//! went, but none of the base that appeared or vanished below one: whole directories are compared
//! only where that can have happened.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use profile_sys::file;
use profile_sys::tree::{self, Kind, Meta};

use super::touched::{Created, Touch, Touched, in_upper};
use super::{Change, ChangeKind, Side};
use crate::error::Result;
use crate::layout::UPPER;
use crate::state_paths::{self, StatePath};

/// Bytes compared at a time.
const BUFFER_BYTES: usize = 128 * 1024;

/// Compares the merged trees of `old` and `new` where `touched` says that their uppers differ;
/// state paths are left out. The changes are in the order of their paths.
pub(super) fn compare(
    old: &Side<'_>,
    new: &Side<'_>,
    touched: &Touched,
    state: &[StatePath],
) -> Result<Vec<Change>> {
    let mut comparison = Comparison {
        old,
        new,
        state,
        whole: HashSet::new(),
        missing: [HashSet::new(), HashSet::new()],
        changes: BTreeMap::new(),
    };
    for (path, touch) in &touched.paths {
        if let Some(relative) = in_upper(path) {
            comparison.touched(relative, &Below::Said(touch))?;
        }
    }
    for renamed in &touched.renamed {
        for path in [&renamed.from, &renamed.to] {
            if let Some(relative) = in_upper(path) {
                comparison.touched(relative, &Below::All)?;
            }
        }
    }
    for path in &touched.only_times {
        if let Some(relative) = in_upper(path) {
            comparison.timed(relative)?;
        }
    }
    Ok(comparison.changes.into_values().collect())
}

/// Compares the merged trees at `old` and `new` at `path` and everywhere below it.
pub(super) fn below(
    old: &Path,
    new: &Path,
    path: &Path,
    state: &[StatePath],
) -> Result<Vec<Change>> {
    // Where all is compared, nobody asks what uppers and bases have.
    let side = |merged| Side {
        profile: merged,
        base: merged,
        merged,
    };
    let (old, new) = (side(old), side(new));
    let mut comparison = Comparison {
        old: &old,
        new: &new,
        state,
        whole: HashSet::new(),
        missing: [HashSet::new(), HashSet::new()],
        changes: BTreeMap::new(),
    };
    comparison.compare(path, &Below::All)?;
    Ok(comparison.changes.into_values().collect())
}

/// What is known of everything below a path.
enum Below<'a> {
    /// It may differ, whatever the stream says.
    All,
    /// What the stream says of the path itself tells.
    Said(&'a Touch),
}

struct Comparison<'a> {
    old: &'a Side<'a>,
    new: &'a Side<'a>,
    state: &'a [StatePath],
    /// Directories below which everything has been compared.
    whole: HashSet<PathBuf>,
    /// Paths where the old tree has no directory, and those of the new one: nothing is below them. A
    /// symlink that stands there must not be followed into what has other paths, and a package's
    /// thousand files need not be looked for one by one.
    missing: [HashSet<PathBuf>; 2],
    changes: BTreeMap<PathBuf, Change>,
}

impl Comparison<'_> {
    /// Whether what is below a directory must be compared although the stream does not name it.
    ///
    /// A directory of the upper that only came into being by copy-up hides nothing and needs no
    /// look, nor does one that went and hid nothing; one that replaced another, that hid the base,
    /// or whose opaque mark changed does.
    fn is_whole(&self, relative: &Path, touch: &Touch) -> Result<bool> {
        let replaced = touch.before && touch.after && touch.created.is_some();
        let whiteout = touch.created == Some(Created::Whiteout);
        let went = touch.before && !touch.after;
        let hid = touch.opaque.is_some() || replaced || whiteout || (went && self.hid(relative)?);
        // overlayfs marks a new directory although there is nothing to hide.
        Ok(hid && self.base_has_directory(relative)?)
    }

    /// Whether the old upper has a directory here that hides the base's.
    fn hid(&self, relative: &Path) -> Result<bool> {
        let upper = join(&self.old.profile.join(UPPER), relative);
        Ok(file::exists(&upper)? && tree::is_opaque(&upper)?)
    }

    /// Whether the path was compared with a directory above it, or is not compared at all.
    fn is_done(&self, relative: &Path) -> bool {
        relative.ancestors().any(|above| self.whole.contains(above))
            || state_paths::covers(self.state, relative)
    }

    /// Compares a path that the stream names.
    fn touched(&mut self, relative: &Path, below: &Below<'_>) -> Result<()> {
        if self.is_done(relative) {
            return Ok(());
        }
        let came = match below {
            Below::All => None,
            Below::Said(touch) => self.came(relative, touch),
        };
        match came {
            Some(kind) => {
                self.add(relative, ChangeKind::Added, None, Some(kind));
                Ok(())
            }
            None => self.compare(relative, below),
        }
    }

    /// Compares a path where the stream sets the times of the inode that was there before, and nothing else.
    fn timed(&mut self, relative: &Path) -> Result<()> {
        if self.is_done(relative) || self.changes.contains_key(relative) {
            return Ok(());
        }
        let metas = (
            lstat(self.old.merged, relative)?,
            lstat(self.new.merged, relative)?,
        );
        // A whiteout's times are nobody's.
        if let (Some(old), Some(new)) = metas {
            if old.mtime_ns != new.mtime_ns {
                self.add(relative, ChangeKind::Times, Some(old.kind), Some(new.kind));
            }
        }
        Ok(())
    }

    /// Compares one path, and what is below a directory as far as `below` does not rule it out.
    fn compare(&mut self, relative: &Path, below: &Below<'_>) -> Result<()> {
        if state_paths::covers(self.state, relative) {
            return Ok(());
        }
        let [missing_old, missing_new] = &mut self.missing;
        let old = lstat_below(self.old.merged, relative, missing_old)?;
        let new = lstat_below(self.new.merged, relative, missing_new)?;
        let (in_old, in_new) = (is_directory(old.as_ref()), is_directory(new.as_ref()));
        // Asked only where there is a directory: most of what changes is none.
        let below = match (in_old, in_new, below) {
            (false, false, _) => false,
            (_, _, Below::All) => true,
            (true, true, Below::Said(touch)) => self.is_whole(relative, touch)?,
            // One side has a tree that the other lacks. What the upper had or has of it is named
            // in the stream; what the base has below it is not.
            (_, _, Below::Said(_)) => self.base_has_directory(relative)?,
        };
        if old.is_some() || new.is_some() {
            self.note(relative, old, new)?;
        }
        if below {
            for name in self.names(relative, in_old, in_new)? {
                self.compare(&relative.join(name), &Below::All)?;
            }
            self.whole.insert(relative.to_path_buf());
        }
        Ok(())
    }

    fn base_has_directory(&self, relative: &Path) -> Result<bool> {
        let has = |base| -> Result<bool> { Ok(is_directory(lstat(base, relative)?.as_ref())) };
        Ok(has(self.old.base)? || (self.new.base != self.old.base && has(self.new.base)?))
    }

    fn names(&self, relative: &Path, old: bool, new: bool) -> Result<Vec<std::ffi::OsString>> {
        let mut names = Vec::new();
        for (side, wanted) in [(self.old, old), (self.new, new)] {
            if wanted {
                names.extend(file::list(&join(side.merged, relative))?);
            }
        }
        names.sort();
        names.dedup();
        Ok(names)
    }

    fn note(&mut self, relative: &Path, old: Option<Meta>, new: Option<Meta>) -> Result<()> {
        if self.changes.contains_key(relative) {
            return Ok(());
        }
        let kind = match (&old, &new) {
            (None, None) => return Ok(()),
            (None, Some(_)) => ChangeKind::Added,
            (Some(_), None) => ChangeKind::Removed,
            (Some(a), Some(b)) => {
                match differs(self.old.merged, self.new.merged, relative, a, b)? {
                    Some(kind) => kind,
                    None => return Ok(()),
                }
            }
        };
        let kind_of = |meta: Option<Meta>| meta.map(|meta| meta.kind);
        self.add(relative, kind, kind_of(old), kind_of(new));
        Ok(())
    }

    fn add(&mut self, relative: &Path, kind: ChangeKind, old: Option<Kind>, new: Option<Kind>) {
        let path = relative.to_path_buf();
        let change = Change {
            path: path.clone(),
            kind,
            old,
            new,
        };
        self.changes.insert(path, change);
    }

    /// What a path is that the stream says came into being where the old tree has not even the
    /// directory: most of what a package brings, which then needs no look. `None` where a look is
    /// needed.
    fn came(&self, relative: &Path, touch: &Touch) -> Option<Kind> {
        let kind = match touch.created? {
            Created::File => Kind::File,
            Created::Symlink => Kind::Symlink,
            Created::Fifo => Kind::Fifo,
            Created::Socket => Kind::Socket,
            // Below a directory there may be more, of a whiteout or a link is not told what it is.
            Created::Directory | Created::Whiteout | Created::Device | Created::Link => {
                return None;
            }
        };
        // One of overlayfs's attributes may make something else of it.
        let plain = touch.after && !touch.before && !touch.xattrs && touch.opaque.is_none();
        let [missing_old, _] = &self.missing;
        (plain && missing_old.contains(relative.parent()?)).then_some(kind)
    }
}

fn lstat(root: &Path, relative: &Path) -> Result<Option<Meta>> {
    Ok(tree::lstat(&join(root, relative))?)
}

/// As [`lstat`], without a look where the directory is known to be `missing`; adds to that what is no
/// directory itself. Parents come first, so nothing is looked for through a symlink.
fn lstat_below(
    root: &Path,
    relative: &Path,
    missing: &mut HashSet<PathBuf>,
) -> Result<Option<Meta>> {
    let below_nothing = relative
        .parent()
        .is_some_and(|parent| missing.contains(parent));
    let meta = match below_nothing {
        true => None,
        false => lstat(root, relative)?,
    };
    if !is_directory(meta.as_ref()) {
        missing.insert(relative.to_path_buf());
    }
    Ok(meta)
}

fn is_directory(meta: Option<&Meta>) -> bool {
    meta.is_some_and(|meta| meta.kind == Kind::Directory)
}

/// How two entries of the same path differ; `None` when they do not.
///
/// # Errors
///
/// One of them cannot be read.
pub fn differs(
    old: &Path,
    new: &Path,
    relative: &Path,
    a: &Meta,
    b: &Meta,
) -> Result<Option<ChangeKind>> {
    if a.kind != b.kind {
        return Ok(Some(ChangeKind::Type));
    }
    let (old, new) = (join(old, relative), join(new, relative));
    let content = match a.kind {
        Kind::File => a.size != b.size || !same_bytes(&old, &new, a.size)?,
        Kind::Symlink => file::read_link(&old)? != file::read_link(&new)?,
        Kind::CharDevice | Kind::BlockDevice => a.rdev != b.rdev,
        Kind::Directory | Kind::Fifo | Kind::Socket => false,
    };
    if content {
        return Ok(Some(ChangeKind::Content));
    }
    let metadata =
        (a.mode, a.uid, a.gid) != (b.mode, b.uid, b.gid) || xattrs(&old)? != xattrs(&new)?;
    if metadata {
        return Ok(Some(ChangeKind::Metadata));
    }
    Ok((a.mtime_ns != b.mtime_ns).then_some(ChangeKind::Times))
}

/// A path below a root; `join` of an empty one would add a slash, which follows a symlink.
fn join(root: &Path, relative: &Path) -> PathBuf {
    if relative.as_os_str().is_empty() {
        root.to_path_buf()
    } else {
        root.join(relative)
    }
}

/// Extended attributes that are part of the merged tree; overlayfs hides its own from a merged view, an
/// upper shows them.
fn xattrs(path: &Path) -> Result<Vec<(std::ffi::OsString, Vec<u8>)>> {
    let mut found = tree::xattrs(path)?;
    found.retain(|(name, _)| !name.as_encoded_bytes().starts_with(b"trusted.overlay."));
    found.sort();
    Ok(found)
}

/// Whether two files, both of `size` bytes, hold the same.
fn same_bytes(old: &Path, new: &Path, size: u64) -> Result<bool> {
    let open = |path: &Path| {
        File::open(path).map_err(|source| profile_sys::Error::Io {
            verb: "open",
            path: path.to_path_buf(),
            source,
        })
    };
    let (mut a, mut b) = (open(old)?, open(new)?);
    // No longer than the files: most are small, and clearing a long one costs more than reading them.
    let room = usize::try_from(size).map_or(BUFFER_BYTES, |size| size.min(BUFFER_BYTES));
    let (mut left, mut right) = (vec![0; room], vec![0; room]);
    let mut remaining = size;
    while remaining > 0 {
        let (count, other) = (
            fill(&mut a, &mut left, old)?,
            fill(&mut b, &mut right, new)?,
        );
        if left[..count] != right[..other] {
            return Ok(false);
        }
        if count == 0 {
            break;
        }
        remaining = remaining.saturating_sub(count as u64);
    }
    Ok(true)
}

/// Reads until the buffer is full or the file ends.
fn fill(file: &mut File, buffer: &mut [u8], path: &Path) -> Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(source) => {
                return Err(profile_sys::Error::Io {
                    verb: "read",
                    path: path.to_path_buf(),
                    source,
                }
                .into());
            }
        }
    }
    Ok(filled)
}
