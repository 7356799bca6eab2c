//! Folds the commands of a send stream into the set of paths that differ.
//!
//! The kernel says how to turn the old tree into the new one, step by step, and each step names
//! paths as they are called at that moment: new inodes appear as `oINO-GEN-N` and are renamed
//! later, directories in the way are moved aside and come back, and a file below a renamed
//! directory has a name that neither tree has. So the steps are played on a small tree that
//! contains only what the stream mentions; every node remembers its path in the old tree, and at
//! the end it is asked for its path in the new one.
//!
//! What a stream does not say, and a caller must add:
//! 1. Everything below a renamed directory has another path too ([`Touched::renamed`]).
//! 2. Other names of an inode that changed through one of them ([`Touch::in_place`]).
//!
//! Sources: Linux `fs/btrfs/send.c`; the temporary names are `gen_unique_name()`.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::nodes::Nodes;
use super::record::{Known, Record};
use super::stream::{self, Command};
use crate::layout::UPPER;

/// Why commands cannot be folded.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The stream itself.
    #[error(transparent)]
    Stream(#[from] stream::Error),
    /// No tree has such a step.
    #[error("the send stream moves {from} into {to}, which is itself or below it")]
    MoveIntoItself {
        /// The path that is moved.
        from: String,
        /// Where it would go.
        to: String,
    },
    /// The subvolume itself cannot be renamed, removed or made.
    #[error("the send stream moves or removes the subvolume itself")]
    Root,
    /// The stream ended without its end command.
    #[error("the send stream has no end")]
    NoEnd,
}

/// What a path that came into being is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Created {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// An overlay's mark that the path is gone: a character device 0:0.
    Whiteout,
    /// Another device.
    Device,
    /// A fifo.
    Fifo,
    /// A socket.
    Socket,
    /// A further name of an inode that the stream says nothing else of.
    Link,
}

/// What is known about a path that differs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Touch {
    /// The old tree has this path.
    pub before: bool,
    /// The new tree has this path.
    pub after: bool,
    /// Bytes were written or cut off, or another inode stands here.
    pub content: bool,
    /// Owner or permissions were set on the inode that was here before.
    pub metadata: bool,
    /// Extended attributes were set or removed, apart from overlayfs' own.
    pub xattrs: bool,
    /// The inode itself was changed where it stood, so that its other names changed with it.
    pub in_place: bool,
    /// The mark that hides what the base has below this directory was set or removed.
    pub opaque: Option<bool>,
    /// The inode here came into being.
    pub created: Option<Created>,
    /// Whether it is, or was, a directory; `None` where the stream does not tell.
    pub directory: Option<bool>,
}

/// A path that got another name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Renamed {
    /// Path in the old tree.
    pub from: Vec<u8>,
    /// Path in the new tree.
    pub to: Vec<u8>,
    /// Whether it is a directory, so that everything below it has another path too; `None` where
    /// the stream does not tell.
    pub directory: Option<bool>,
}

/// The paths that differ between two snapshots, relative to the subvolume.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Touched {
    /// Every path that one tree has and the other has not, or that differs in more than times.
    pub paths: BTreeMap<Vec<u8>, Touch>,
    /// What was renamed; the ends stand in `paths` too.
    pub renamed: Vec<Renamed>,
    /// Paths of the new tree of which the stream sets times only: directories around a change,
    /// and files that were merely touched.
    pub only_times: BTreeSet<Vec<u8>>,
}

impl Touched {
    /// Whether nothing differs in the upper: what overlayfs notes in its work directory and what
    /// stands in profile.json is no part of the merged tree.
    pub fn is_nothing(&self) -> bool {
        let outside = |path: &[u8]| in_upper(path).is_none();
        self.paths.keys().all(|path| outside(path))
            && self.only_times.iter().all(|path| outside(path))
            && self
                .renamed
                .iter()
                .all(|renamed| outside(&renamed.from) && outside(&renamed.to))
    }
}

/// The path in the merged tree of a path in the profile's subvolume; work and profile.json have none.
pub(crate) fn in_upper(path: &[u8]) -> Option<&Path> {
    let path = Path::new(OsStr::from_bytes(path));
    path.strip_prefix(UPPER).ok()
}

/// Folds a whole stream.
pub fn fold(
    commands: impl IntoIterator<Item = Result<Command, stream::Error>>,
) -> Result<Touched, Error> {
    let mut fold = Fold::default();
    for command in commands {
        fold.apply(command?)?;
    }
    fold.finish()
}

#[derive(Debug, Default)]
struct Fold {
    nodes: Nodes,
    ended: bool,
}

impl Fold {
    fn apply(&mut self, command: Command) -> Result<(), Error> {
        match command {
            // Both name the subvolume as it would be called when received.
            Command::Subvolume { .. } | Command::Snapshot { .. } => {}
            Command::MakeFile { path } => self.create(&path, Created::File)?,
            Command::MakeDirectory { path } => self.create(&path, Created::Directory)?,
            Command::MakeNode { path, mode, device } => {
                let whiteout = mode & FILE_TYPE == CHARACTER_DEVICE && device == 0;
                let created = if whiteout {
                    Created::Whiteout
                } else {
                    Created::Device
                };
                self.create(&path, created)?;
            }
            Command::MakeFifo { path } => self.create(&path, Created::Fifo)?,
            Command::MakeSocket { path } => self.create(&path, Created::Socket)?,
            Command::Symlink { path, .. } => self.create(&path, Created::Symlink)?,
            Command::Link { path, existing } => {
                let existing = self.nodes.find(&existing);
                // A second whiteout is a link to the first: what it is follows the inode.
                let created = self.nodes[existing].known.created.unwrap_or(Created::Link);
                self.create(&path, created)?;
            }
            Command::Rename { from, to } => self.nodes.rename(&from, &to)?,
            Command::Unlink { path } => self.nodes.remove(&path, false)?,
            Command::RemoveDirectory { path } => self.nodes.remove(&path, true)?,
            Command::SetXattr { path, name, value } => {
                self.known(&path).attribute(&name, Some(&value));
            }
            Command::RemoveXattr { path, name } => {
                self.known(&path).attribute(&name, None);
            }
            Command::Write { path, .. }
            | Command::Clone { path, .. }
            | Command::UpdateExtent { path, .. }
            | Command::Truncate { path, .. } => self.content(&path),
            Command::ChangeMode { path, .. } | Command::ChangeOwner { path, .. } => {
                self.known(&path).metadata = true;
            }
            Command::Times { path } => self.known(&path).times = true,
            Command::End => self.ended = true,
        }
        Ok(())
    }

    fn known(&mut self, path: &[u8]) -> &mut Known {
        let id = self.nodes.find(path);
        &mut self.nodes[id].known
    }

    fn create(&mut self, path: &[u8], created: Created) -> Result<(), Error> {
        let id = self.nodes.create(path)?;
        self.nodes[id].known.created = Some(created);
        if created != Created::Link {
            self.nodes[id].known.directory = Some(created == Created::Directory);
        }
        Ok(())
    }

    fn content(&mut self, path: &[u8]) {
        let known = self.known(path);
        known.content = true;
        known.directory = Some(false);
    }

    fn finish(self) -> Result<Touched, Error> {
        if !self.ended {
            return Err(Error::NoEnd);
        }
        let mut record = Record::default();
        for (known, old, new) in self.nodes.with_paths() {
            match (old, new) {
                (Some(old), Some(new)) => record.lived(known, &old, &new),
                (Some(old), None) => record.went(&old, known.directory),
                (None, Some(new)) => record.came(known, &new),
                (None, None) => {}
            }
        }
        Ok(record.finish())
    }
}

const FILE_TYPE: u64 = 0o170_000;
const CHARACTER_DEVICE: u64 = 0o020_000;

#[cfg(test)]
#[path = "touched_tests.rs"]
mod tests;
