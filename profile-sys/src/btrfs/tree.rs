//! The items of one subvolume, for whoever knows which he wants.

use std::fs::File;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use super::items::Item;
use super::open;
use super::search::{for_each_item_of, for_each_item_written_after, inode_buffer};
use crate::raw::SearchBuffer;
use crate::{Error, Result};

const VERB: &str = "read the tree of";

/// A subvolume whose tree is read, item by item. It stays readable even when it is deleted meanwhile.
///
/// A snapshot is whole when it is there. What was written to a subvolume within the last seconds may not be in its tree
/// yet, and making it read-only does not bring the bytes of files into it.
#[derive(Debug)]
pub struct Tree {
    file: File,
    path: PathBuf,
    buffer: SearchBuffer,
}

impl Tree {
    /// Opens the subvolume `path`.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &Path) -> Result<Self> {
        Ok(Self {
            file: open(VERB, path)?,
            path: path.to_owned(),
            buffer: inode_buffer(),
        })
    }

    /// Calls `visit`, in the order of their keys, for every item in what was written after the transaction
    /// `generation`: all that was added or changed since, and what happens to stand beside it. What was removed leaves
    /// nothing.
    ///
    /// Costs the parts of the tree that were written since, whatever its size.
    ///
    /// # Errors
    /// When the path is not on btrfs, or without the right to read metadata.
    pub fn written_after(&mut self, generation: u64, visit: impl FnMut(Item<'_>)) -> Result<()> {
        for_each_item_written_after(&self.file, generation, visit)
            .map_err(|error| Error::io(VERB, &self.path, error))
    }

    /// Calls `visit`, in the order of their keys, for every item of one inode that is of one of `kinds`.
    ///
    /// # Errors
    /// As [`Tree::written_after`].
    pub fn items(
        &mut self,
        inode: u64,
        kinds: RangeInclusive<u32>,
        visit: impl FnMut(Item<'_>),
    ) -> Result<()> {
        for_each_item_of(&self.file, &mut self.buffer, inode..=inode, kinds, visit)
            .map_err(|error| Error::io(VERB, &self.path, error))
    }
}
