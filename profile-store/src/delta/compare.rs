//! From touched paths of two uppers to changes of the merged tree.
//!
//! The send stream says which paths of the upper differ; whether the merged tree differs there, and
//! how, is read from two private views. Whole directories are compared only where the stream cannot
//! have named everything below: a directory that came, went, was renamed or became opaque.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use profile_sys::file;
use profile_sys::tree::{self, Kind, Meta};

use super::touched::{Created, Touch, Touched};
use super::{Change, ChangeKind};
use crate::error::Result;
use crate::layout::UPPER;
use crate::state_paths::{self, StatePath};

/// Bytes compared at a time.
const BUFFER_BYTES: usize = 128 * 1024;

/// Compares the merged trees at `old` and `new` where `touched` says that their uppers differ;
/// state paths are left out. The changes are in the order of their paths.
pub(super) fn compare(
    old: &Path,
    new: &Path,
    touched: &Touched,
    state: &[StatePath],
) -> Result<Vec<Change>> {
    let mut comparison = Comparison {
        old,
        new,
        state,
        changes: BTreeMap::new(),
    };
    for (path, touch) in &touched.paths {
        if let Some(relative) = in_upper(path) {
            comparison.compare(relative, whole_directory(touch))?;
        }
    }
    for renamed in &touched.renamed {
        for path in [&renamed.from, &renamed.to] {
            if let Some(relative) = in_upper(path) {
                comparison.compare(relative, true)?;
            }
        }
    }
    for path in &touched.only_times {
        if let Some(relative) = in_upper(path) {
            comparison.compare(relative, false)?;
        }
    }
    Ok(comparison.changes.into_values().collect())
}

/// The path in the merged tree of a path in the profile's subvolume; work and profile.json have none.
fn in_upper(path: &[u8]) -> Option<&Path> {
    let path = Path::new(OsStr::from_bytes(path));
    path.strip_prefix(UPPER).ok()
}

/// Whether what is below a directory must be compared although the stream does not name it.
///
/// A directory of the upper that only came into being by copy-up hides nothing and needs no look;
/// one that replaced another, went, or whose opaque mark changed does.
fn whole_directory(touch: &Touch) -> bool {
    let replaced = touch.before && touch.after && touch.created.is_some();
    let went = touch.before && !touch.after;
    let whiteout = touch.created == Some(Created::Whiteout);
    touch.opaque.is_some() || replaced || went || whiteout
}

struct Comparison<'a> {
    old: &'a Path,
    new: &'a Path,
    state: &'a [StatePath],
    changes: BTreeMap<PathBuf, Change>,
}

impl Comparison<'_> {
    /// Compares one path; with `whole`, also all that is below a directory that both sides have.
    fn compare(&mut self, relative: &Path, whole: bool) -> Result<()> {
        if state_paths::covers(self.state, relative) {
            return Ok(());
        }
        let (old, new) = (lstat(self.old, relative)?, lstat(self.new, relative)?);
        let (old_directory, new_directory) =
            (is_directory(old.as_ref()), is_directory(new.as_ref()));
        if old_directory && new_directory {
            self.note(relative, old, new)?;
            if whole {
                for name in self.names(relative, true, true)? {
                    self.compare(&relative.join(name), true)?;
                }
            }
            return Ok(());
        }
        let nothing = old.is_none() && new.is_none();
        if !nothing {
            self.note(relative, old, new)?;
        }
        if old_directory || new_directory {
            // One side has a whole tree that the other lacks; the stream names no more than its top.
            for name in self.names(relative, old_directory, new_directory)? {
                self.compare(&relative.join(name), true)?;
            }
        }
        Ok(())
    }

    fn names(&self, relative: &Path, old: bool, new: bool) -> Result<Vec<std::ffi::OsString>> {
        let mut names = Vec::new();
        for (root, wanted) in [(self.old, old), (self.new, new)] {
            if wanted {
                names.extend(file::list(&root.join(relative))?);
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
            (Some(a), Some(b)) => match differs(self.old, self.new, relative, a, b)? {
                Some(kind) => kind,
                None => return Ok(()),
            },
        };
        let change = Change {
            path: relative.to_path_buf(),
            kind,
            old,
            new,
        };
        self.changes.insert(relative.to_path_buf(), change);
        Ok(())
    }
}

fn lstat(root: &Path, relative: &Path) -> Result<Option<Meta>> {
    // `join` of an empty path would add a slash, which follows a symlink.
    if relative.as_os_str().is_empty() {
        return Ok(tree::lstat(root)?);
    }
    Ok(tree::lstat(&root.join(relative))?)
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
        Kind::File => a.size != b.size || !same_bytes(&old, &new)?,
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

fn join(root: &Path, relative: &Path) -> PathBuf {
    if relative.as_os_str().is_empty() {
        root.to_path_buf()
    } else {
        root.join(relative)
    }
}

/// Extended attributes that are part of the merged tree; overlayfs hides its own from a merged view.
fn xattrs(path: &Path) -> Result<Vec<(std::ffi::OsString, Vec<u8>)>> {
    let mut found = tree::xattrs(path)?;
    found.sort();
    Ok(found)
}

fn same_bytes(old: &Path, new: &Path) -> Result<bool> {
    let open = |path: &Path| {
        File::open(path).map_err(|source| profile_sys::Error::Io {
            verb: "open",
            path: path.to_path_buf(),
            source,
        })
    };
    let (mut a, mut b) = (open(old)?, open(new)?);
    let (mut left, mut right) = (vec![0; BUFFER_BYTES], vec![0; BUFFER_BYTES]);
    loop {
        let (count, other) = (
            fill(&mut a, &mut left, old)?,
            fill(&mut b, &mut right, new)?,
        );
        if left[..count] != right[..other] {
            return Ok(false);
        }
        if count == 0 {
            return Ok(true);
        }
    }
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
