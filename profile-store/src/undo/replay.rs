//! Making paths of a merged tree what they are in a view, through the merged mount.
//!
//! Every path is replayed whole, so the replay can be repeated after a crash from the first path or
//! from any later one: what is done already is done again with the same result.
//!
//! Order: what must go goes first, deepest first; then directories, then everything else come, each
//! entry under a temporary name that is renamed; directories' own metadata and all times come last,
//! deepest first, since every entry that comes or goes changes its directory's time.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use profile_sys::tree::{Directory, Kind, Meta, Removed, Root};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::operation::PathText;
use crate::progress::Progress;

/// Paths between two reports of progress.
const REPORT_PATHS: u64 = 100;

/// What a replay left alone.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replayed {
    /// Paths that were made equal to the view.
    pub restored: u64,
    /// Paths that were removed.
    pub removed: u64,
    /// Directories that should have gone but hold something of somebody else.
    pub kept_directories: Vec<PathText>,
    /// Paths that somebody changed after the replay was interrupted.
    #[serde(default)]
    pub changed: Vec<PathText>,
    /// What else should be known.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// Makes each of `paths` in the tree `target` what it is in the tree `view`, and sets the times of
/// `times` back. `paths` are relative, sorted, parents before children.
///
/// # Errors
///
/// An effect failed; the rest of the paths stand as they did. Replaying again finishes the work.
pub fn replay(
    view: &Path,
    target: &Path,
    paths: &[PathBuf],
    times: &[PathBuf],
    progress: &mut dyn Progress,
) -> Result<Replayed> {
    let (view, target) = (Root::open(view)?, Root::open(target)?);
    let mut replay = Replay {
        view: &view,
        target: &target,
        links: HashMap::new(),
        done: Replayed::default(),
    };
    let total = paths.len() as u64;
    let mut wanted = Vec::with_capacity(paths.len());
    // Children stand behind their parents, so backwards is deepest first, and entries of one
    // directory mostly come one after the other.
    let mut open = OpenDirectories::default();
    for path in paths.iter().rev() {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            // The root of the tree: it never goes.
            wanted.push((path, view.lstat(path)?));
            continue;
        };
        let (before, present) = open.at(&view, &target, parent)?;
        let meta = match before {
            Some(directory) => directory.lstat(name)?,
            None => None,
        };
        if let Some(present) = present {
            replay.clear(path, present, name, meta.as_ref())?;
        }
        wanted.push((path, meta));
    }
    wanted.reverse();
    let mut directories = Vec::new();
    for (count, (path, meta)) in wanted.iter().enumerate() {
        let Some(meta) = meta else { continue };
        replay.bring(path, meta)?;
        if meta.kind == Kind::Directory {
            directories.push(path.as_path());
        }
        if count as u64 % REPORT_PATHS == 0 {
            progress.advance(count as u64, Some(total));
        }
    }
    // Deepest first: a directory's time is set when nothing below it changes any more.
    let mut last: Vec<&Path> = directories
        .into_iter()
        .chain(times.iter().map(PathBuf::as_path))
        .collect();
    last.sort_unstable_by(|a, b| b.cmp(a));
    last.dedup();
    for path in last {
        replay.set_meta(path)?;
    }
    progress.advance(total, Some(total));
    Ok(replay.done)
}

/// The directory that was asked for last, in both trees, kept open: most entries have their
/// neighbour's.
#[derive(Debug, Default)]
struct OpenDirectories {
    path: Option<PathBuf>,
    view: Option<Directory>,
    target: Option<Directory>,
}

impl OpenDirectories {
    /// The directory `path` in the view and in the target, where they have it.
    fn at(
        &mut self,
        view: &Root,
        target: &Root,
        path: &Path,
    ) -> Result<(Option<&Directory>, Option<&Directory>)> {
        if self.path.as_deref() != Some(path) {
            self.path = None;
            self.view = view.directory(path)?;
            self.target = target.directory(path)?;
            self.path = Some(path.to_path_buf());
        }
        Ok((self.view.as_ref(), self.target.as_ref()))
    }
}

struct Replay<'a> {
    view: &'a Root,
    target: &'a Root,
    /// Inode in the view → the first path that was brought of it: further ones become hard links.
    links: HashMap<(u64, u64), PathBuf>,
    done: Replayed,
}

impl Replay<'_> {
    /// Removes what stands at `path` unless the entry that comes can replace it in one step.
    fn clear(
        &mut self,
        path: &Path,
        directory: &Directory,
        name: &OsStr,
        wanted: Option<&Meta>,
    ) -> Result<()> {
        if let Some(wanted) = wanted {
            let Some(present) = directory.lstat(name)? else {
                return Ok(());
            };
            // A file or symlink is replaced by a rename, a directory gets other metadata.
            if (wanted.kind == Kind::Directory) == (present.kind == Kind::Directory) {
                return Ok(());
            }
        }
        match (directory.remove(name)?, wanted) {
            (Removed::Entry, None) => self.done.removed += 1,
            (Removed::Entry, Some(_)) | (Removed::Nothing, _) => {}
            // Somebody else's file stands in it: the directory stays, and is told.
            (Removed::NotEmpty, None) => self.done.kept_directories.push(PathText::from(path)),
            (Removed::NotEmpty, Some(_)) => {
                return Err(profile_sys::Error::Io {
                    verb: "remove directory",
                    path: self.target.path().join(path),
                    source: std::io::ErrorKind::DirectoryNotEmpty.into(),
                }
                .into());
            }
        }
        Ok(())
    }

    /// Makes `path` what it is in the view.
    fn bring(&mut self, path: &Path, meta: &Meta) -> Result<()> {
        if meta.kind != Kind::Directory && meta.nlink > 1 {
            if let Some(first) = self.links.get(&(meta.dev, meta.ino)) {
                // A link has no temporary name of its own: the old entry goes, then the link comes.
                // Between the two the path is missing, which a repeated replay mends.
                // What cannot go is in the way of the link, which says so.
                self.target.remove(path)?;
                self.target.hard_link(first, path)?;
                self.done.restored += 1;
                return Ok(());
            }
            self.links.insert((meta.dev, meta.ino), path.to_path_buf());
        }
        self.target
            .copy_from(path, self.view, path, &is_overlay_note)?;
        self.done.restored += 1;
        Ok(())
    }

    /// Sets owner, mode, attributes and time of a directory, or the time of anything else.
    fn set_meta(&mut self, path: &Path) -> Result<()> {
        let (Some(meta), Some(present)) = (self.view.lstat(path)?, self.target.lstat(path)?) else {
            return Ok(());
        };
        if meta.kind == present.kind {
            self.target.set_meta(path, &meta)?;
        }
        Ok(())
    }
}

/// overlayfs' own attributes never travel: `origin` would name an inode of another file, and a
/// merged view hides them anyway (`ovl_is_private_xattr` of the kernel).
pub(super) fn is_overlay_note(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b"trusted.overlay.")
}
