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

use super::nodes::{Node, Nodes};
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
    /// Bytes that differ, as far as extents tell.
    pub changed_bytes: u64,
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
    changed_bytes: u64,
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
                let created = self.nodes[existing].created.unwrap_or(Created::Link);
                self.create(&path, created)?;
            }
            Command::Rename { from, to } => self.nodes.rename(&from, &to)?,
            Command::Unlink { path } => self.nodes.remove(&path, false)?,
            Command::RemoveDirectory { path } => self.nodes.remove(&path, true)?,
            Command::SetXattr { path, name, value } => {
                self.xattr(&path, &name, Some(value.as_slice()));
            }
            Command::RemoveXattr { path, name } => self.xattr(&path, &name, None),
            Command::Write { path, length }
            | Command::Clone { path, length }
            | Command::UpdateExtent { path, length } => {
                self.changed_bytes = self.changed_bytes.saturating_add(length);
                self.content(&path);
            }
            Command::Truncate { path, .. } => self.content(&path),
            Command::ChangeMode { path, .. } | Command::ChangeOwner { path, .. } => {
                self.node(&path).metadata = true;
            }
            Command::Times { path } => self.node(&path).times = true,
            Command::End => self.ended = true,
        }
        Ok(())
    }

    fn node(&mut self, path: &[u8]) -> &mut Node {
        let id = self.nodes.find(path);
        &mut self.nodes[id]
    }

    fn create(&mut self, path: &[u8], created: Created) -> Result<(), Error> {
        let id = self.nodes.create(path)?;
        self.nodes[id].created = Some(created);
        if created != Created::Link {
            self.nodes[id].directory = Some(created == Created::Directory);
        }
        Ok(())
    }

    fn content(&mut self, path: &[u8]) {
        let node = self.node(path);
        node.content = true;
        node.directory = Some(false);
    }

    fn xattr(&mut self, path: &[u8], name: &[u8], value: Option<&[u8]>) {
        let node = self.node(path);
        match name.strip_prefix(b"trusted.overlay.") {
            Some(b"opaque") => {
                node.opaque = Some(value == Some(b"y"));
                node.directory = Some(true);
            }
            // Where a copied-up file came from, and that a directory holds such: notes of
            // overlayfs to itself, no part of the merged tree.
            Some(b"origin" | b"impure" | b"nlink" | b"uuid" | b"upper") => {}
            // Redirects and the like change what is seen; they are forbidden and must show.
            Some(_) | None => node.xattrs = true,
        }
    }

    fn finish(self) -> Result<Touched, Error> {
        if !self.ended {
            return Err(Error::NoEnd);
        }
        let mut touched = Touched {
            changed_bytes: self.changed_bytes,
            ..Touched::default()
        };
        let mut quiet = BTreeSet::new();
        for (node, old, new) in self.nodes.with_paths() {
            match (old, new) {
                (Some(old), Some(new)) => touched.lived(node, &old, &new, &mut quiet),
                (Some(old), None) => touched.went(node, &old),
                (None, Some(new)) => touched.came(node, &new),
                (None, None) => {}
            }
        }
        touched.only_times = quiet
            .into_iter()
            .filter(|path| !touched.paths.contains_key(path))
            .collect();
        touched.renamed.sort();
        Ok(touched)
    }
}

const FILE_TYPE: u64 = 0o170_000;
const CHARACTER_DEVICE: u64 = 0o020_000;

impl Touched {
    /// An inode of the old tree that the new one has too.
    fn lived(&mut self, node: &Node, old: &[u8], new: &[u8], quiet: &mut BTreeSet<Vec<u8>>) {
        let changed = node.content || node.metadata || node.xattrs || node.opaque.is_some();
        if old == new {
            if changed {
                let touch = self.entry(new, node);
                touch.before = true;
                touch.after = true;
            } else if node.times {
                quiet.insert(new.to_vec());
            }
            return;
        }
        // Below a renamed directory a path differs without a rename of its own: the directory's
        // entry covers it unless something else changed as well.
        if node.moved {
            self.renamed.push(Renamed {
                from: old.to_vec(),
                to: new.to_vec(),
                directory: node.directory,
            });
        } else if !changed {
            return;
        }
        let source = self.paths.entry(old.to_vec()).or_default();
        source.before = true;
        source.content = true;
        source.directory = source.directory.or(node.directory);
        let target = self.entry(new, node);
        target.after = true;
        target.content = true;
    }

    fn went(&mut self, node: &Node, old: &[u8]) {
        let touch = self.paths.entry(old.to_vec()).or_default();
        touch.before = true;
        touch.content = true;
        touch.directory = touch.directory.or(node.directory);
    }

    fn came(&mut self, node: &Node, new: &[u8]) {
        let touch = self.entry(new, node);
        touch.after = true;
        touch.content = true;
        touch.created = node.created;
    }

    /// The entry of a path of the new tree, with what is known of its inode.
    fn entry(&mut self, path: &[u8], node: &Node) -> &mut Touch {
        let touch = self.paths.entry(path.to_vec()).or_default();
        touch.content |= node.content;
        touch.metadata |= node.metadata;
        touch.xattrs |= node.xattrs;
        let changed = node.content || node.metadata || node.xattrs;
        touch.in_place = changed && matches!(node.created, None | Some(Created::Link));
        touch.opaque = node.opaque;
        // What stands there now goes before what stood there.
        touch.directory = node.directory.or(touch.directory);
        touch
    }
}

#[cfg(test)]
#[path = "touched_tests.rs"]
mod tests;
