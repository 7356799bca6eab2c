//! From what is known of single inodes, with their paths in both trees, to the set of paths that differ.

use std::collections::BTreeSet;

use super::touched::{Created, Renamed, Touch, Touched};

/// What is known of one inode, whoever told it.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The inode itself was renamed, not only a directory above it.
    pub(super) moved: bool,
    pub(super) content: bool,
    pub(super) metadata: bool,
    pub(super) xattrs: bool,
    pub(super) times: bool,
    pub(super) opaque: Option<bool>,
    pub(super) created: Option<Created>,
    pub(super) directory: Option<bool>,
}

impl Known {
    /// An extended attribute was set, or removed.
    pub(super) fn attribute(&mut self, name: &[u8], value: Option<&[u8]>) {
        match name.strip_prefix(b"trusted.overlay.") {
            Some(b"opaque") => {
                self.opaque = Some(value == Some(b"y"));
                self.directory = Some(true);
            }
            // Where a copied-up file came from, and that a directory holds such: notes of
            // overlayfs to itself, no part of the merged tree.
            Some(b"origin" | b"impure" | b"nlink" | b"uuid" | b"upper") => {}
            // Redirects and the like change what is seen; they are forbidden and must show.
            Some(_) | None => self.xattrs = true,
        }
    }

    fn is_changed(&self) -> bool {
        self.content || self.metadata || self.xattrs || self.opaque.is_some()
    }
}

/// A [`Touched`] in the making. The order in which it is told does not matter.
#[derive(Debug, Default)]
pub(super) struct Record {
    touched: Touched,
    quiet: BTreeSet<Vec<u8>>,
}

impl Record {
    /// A name of an inode that both trees have.
    pub(super) fn lived(&mut self, known: &Known, old: &[u8], new: &[u8]) {
        let changed = known.is_changed();
        if old == new {
            if changed {
                let touch = self.entry(new, known);
                touch.before = true;
                touch.after = true;
            } else if known.times {
                self.quiet.insert(new.to_vec());
            }
            return;
        }
        // Below a renamed directory a path differs without a rename of its own: the directory's
        // entry covers it unless something else changed as well.
        if known.moved {
            self.touched.renamed.push(Renamed {
                from: old.to_vec(),
                to: new.to_vec(),
                directory: known.directory,
            });
        } else if !changed {
            return;
        }
        self.went(old, known.directory);
        let target = self.entry(new, known);
        target.after = true;
        target.content = true;
    }

    /// A path that the new tree has not got, or with another inode; whether it was a directory, where that is known.
    pub(super) fn went(&mut self, old: &[u8], directory: Option<bool>) {
        let touch = self.touched.paths.entry(old.to_vec()).or_default();
        touch.before = true;
        touch.content = true;
        touch.directory = touch.directory.or(directory);
    }

    /// A path that the old tree has not got, or with another inode.
    pub(super) fn came(&mut self, known: &Known, new: &[u8]) {
        let touch = self.entry(new, known);
        touch.after = true;
        touch.content = true;
        touch.created = known.created;
    }

    /// The entry of a path of the new tree, with what is known of its inode.
    fn entry(&mut self, path: &[u8], known: &Known) -> &mut Touch {
        let touch = self.touched.paths.entry(path.to_vec()).or_default();
        touch.content |= known.content;
        touch.metadata |= known.metadata;
        touch.xattrs |= known.xattrs;
        let changed = known.content || known.metadata || known.xattrs;
        touch.in_place = changed && matches!(known.created, None | Some(Created::Link));
        touch.opaque = known.opaque;
        // What stands there now goes before what stood there.
        touch.directory = known.directory.or(touch.directory);
        touch
    }

    /// All that was told.
    pub(super) fn finish(self) -> Touched {
        let mut touched = self.touched;
        touched.only_times = self.quiet;
        touched
            .only_times
            .retain(|path| !touched.paths.contains_key(path));
        touched.renamed.sort();
        touched
    }
}
