//! What a subvolume occupies, from its metadata alone: 200,000 files in a fraction of a second.

use std::path::Path;

use super::items::{EXTENT, INODE};
use super::open;
use super::search::{for_each_item, number_at};
use crate::{Error, Result};

/// Where `btrfs_file_extent_item` keeps its type, and the type of data kept in the item itself.
const TYPE_OFFSET: usize = 20;
const TYPE_INLINE: u8 = 0;
/// The bytes of `btrfs_file_extent_item` before inline data begins.
const INLINE_OFFSET: usize = 21;
/// Where it keeps `disk_bytenr` and `disk_num_bytes`.
const START_OFFSET: usize = 21;
const LENGTH_OFFSET: usize = 29;

/// A piece of the disk that files share by reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Extent {
    /// Its address in btrfs's logical space: the identity of the extent.
    pub start: u64,
    /// Its length on disk in bytes, after compression.
    pub length: u64,
}

/// What a subvolume refers to. Two of these tell what the two share.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TreeExtents {
    /// Files, directories and everything else with an inode.
    pub inodes: u64,
    /// Bytes of small files, kept within the metadata.
    pub inline_bytes: u64,
    /// The extents, each once, in order of their address.
    pub extents: Vec<Extent>,
}

impl TreeExtents {
    /// The sum over all extents, in bytes.
    #[must_use]
    pub fn disk_bytes(&self) -> u64 {
        self.extents.iter().map(|extent| extent.length).sum()
    }

    /// The bytes of the extents that `other` does not refer to.
    #[must_use]
    pub fn disk_bytes_not_in(&self, other: &Self) -> u64 {
        let mut sum = 0;
        self.each_not_in(other, |extent| sum += extent.length);
        sum
    }

    /// Leaves out the extents that `other` refers to as well.
    pub fn leave_out(&mut self, other: &Self) {
        let mut left = Vec::new();
        self.each_not_in(other, |extent| left.push(extent));
        self.extents = left;
    }

    /// Takes in the extents of `other`, each once.
    pub fn take_in(&mut self, other: Self) {
        self.extents.extend(other.extents);
        self.extents.sort_unstable();
        self.extents.dedup_by_key(|extent| extent.start);
    }

    fn each_not_in(&self, other: &Self, mut found: impl FnMut(Extent)) {
        let mut others = other.extents.iter().peekable();
        for extent in &self.extents {
            while others.next_if(|other| other.start < extent.start).is_some() {}
            if others
                .peek()
                .is_none_or(|other| other.start != extent.start)
            {
                found(*extent);
            }
        }
    }
}

/// The sums of [`TreeExtents`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TreeSize {
    /// Files, directories and everything else with an inode.
    pub inodes: u64,
    /// Distinct extents on disk.
    pub extents: u64,
    /// Their bytes on disk, shared ones counted once.
    pub disk_bytes: u64,
    /// Bytes of small files, kept within the metadata.
    pub inline_bytes: u64,
}

/// Everything the subvolume that `path` lies in refers to.
///
/// What was written within the last seconds may not be in it yet; [`super::commit`] first for exact sums.
///
/// # Errors
/// When the path is not on btrfs, or without the right to read metadata.
pub fn tree_extents(path: &Path) -> Result<TreeExtents> {
    const VERB: &str = "measure the tree of";
    let file = open(VERB, path)?;
    let mut found = TreeExtents::default();
    for_each_item(&file, INODE..=EXTENT, |item| match item.kind {
        INODE => found.inodes += 1,
        EXTENT => match item.data.get(TYPE_OFFSET) {
            Some(&TYPE_INLINE) => {
                found.inline_bytes += item.data.len().saturating_sub(INLINE_OFFSET) as u64;
            }
            // A hole has no address.
            Some(_) if number_at(item.data, START_OFFSET) != 0 => found.extents.push(Extent {
                start: number_at(item.data, START_OFFSET),
                length: number_at(item.data, LENGTH_OFFSET),
            }),
            _ => {}
        },
        _ => {}
    })
    .map_err(|error| Error::io(VERB, path, error))?;
    found.extents.sort_unstable();
    found.extents.dedup_by_key(|extent| extent.start);
    Ok(found)
}

/// What the subvolume that `path` lies in occupies.
///
/// # Errors
/// As [`tree_extents`].
pub fn tree_size(path: &Path) -> Result<TreeSize> {
    let tree = tree_extents(path)?;
    Ok(TreeSize {
        inodes: tree.inodes,
        extents: tree.extents.len() as u64,
        disk_bytes: tree.disk_bytes(),
        inline_bytes: tree.inline_bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(extents: &[(u64, u64)]) -> TreeExtents {
        let extents = extents
            .iter()
            .map(|&(start, length)| Extent { start, length })
            .collect();
        TreeExtents {
            extents,
            ..TreeExtents::default()
        }
    }

    #[test]
    fn counts_only_what_the_other_tree_lacks() {
        let own = tree(&[(1, 10), (5, 100), (9, 1000)]);
        assert_eq!(own.disk_bytes_not_in(&tree(&[(2, 7), (5, 100)])), 1010);
        assert_eq!(own.disk_bytes_not_in(&tree(&[])), 1110);
        assert_eq!(own.disk_bytes_not_in(&own), 0);
    }

    #[test]
    fn trees_are_joined_and_left_out() {
        let mut own = tree(&[(1, 10), (5, 100)]);
        own.take_in(tree(&[(3, 1), (5, 100)]));
        assert_eq!(own, tree(&[(1, 10), (3, 1), (5, 100)]));
        own.leave_out(&tree(&[(1, 10), (4, 2)]));
        assert_eq!(own, tree(&[(3, 1), (5, 100)]));
    }
}
