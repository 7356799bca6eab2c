//! What the items of a subvolume's tree hold: bytes as they are on disk in, typed values out.
//!
//! Invariants:
//! 1. Nothing in an item makes this panic or allocate more than the item.
//! 2. An item that is cut, or longer than what it holds, is none: `None`, never a part of it.
//!
//! Format: Linux `include/uapi/linux/btrfs_tree.h`; all numbers are little endian, nothing is padded.

use linux_raw_sys::btrfs as raw;

/// `btrfs_inode_item`: what `stat` says of an inode, and when it was made and last changed.
pub const INODE: u32 = raw::BTRFS_INODE_ITEM_KEY;
/// Names in one directory, whose number is the key's offset.
pub const NAMES: u32 = raw::BTRFS_INODE_REF_KEY;
/// Names that the item of the former kind has no room for; they say their directory themselves.
pub const MORE_NAMES: u32 = raw::BTRFS_INODE_EXTREF_KEY;
/// Extended attributes whose names have the same hash.
pub const ATTRIBUTES: u32 = raw::BTRFS_XATTR_ITEM_KEY;
/// Entries of a directory whose names have the same hash; each stands in an [`ENTRY`] as well.
pub const ENTRIES_BY_HASH: u32 = raw::BTRFS_DIR_ITEM_KEY;
/// One entry of a directory.
pub const ENTRY: u32 = raw::BTRFS_DIR_INDEX_KEY;
/// A piece of a file, which begins at the key's offset.
pub const EXTENT: u32 = raw::BTRFS_EXTENT_DATA_KEY;

/// The longest name that Linux has.
const LONGEST_NAME: usize = 255;

/// One item: the key that places it, and its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item<'a> {
    /// Number of the inode that it belongs to.
    pub inode: u64,
    /// One of the constants of this module, or a kind that none of them names.
    pub kind: u32,
    /// What the key says last; its meaning depends on the kind.
    pub offset: u64,
    /// The bytes.
    pub data: &'a [u8],
}

/// An inode, without its names and attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inode {
    /// The transaction it was made in: with its number, its identity.
    pub created: u64,
    /// The transaction it was last changed in, or its names or anything else of it.
    pub changed: u64,
    /// Bytes of a file.
    pub size: u64,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Type and permissions.
    pub mode: u32,
    /// What a device node stands for, as the kernel numbers it; 0 for 0:0.
    pub device: u64,
    /// Modification time: seconds and nanoseconds.
    pub modified: (i64, u32),
}

/// One entry of a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// What it leads to.
    pub target: Target,
}

/// What an entry leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// An inode of the same subvolume.
    Inode {
        /// Its number.
        number: u64,
        /// Whether it is a directory.
        directory: bool,
    },
    /// The top of another subvolume, by the number of its tree.
    Subvolume(u64),
}

/// Reads numbers one after the other.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(head)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    fn u16(&mut self) -> Option<usize> {
        self.array().map(u16::from_le_bytes).map(usize::from)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// A name of `length` bytes that may stand in a path.
    fn name(&mut self, length: usize) -> Option<&'a [u8]> {
        let name = self.take(length)?;
        let plain = !matches!(name, b"" | b"." | b"..") && !name.contains(&b'/');
        (length <= LONGEST_NAME && plain && !name.contains(&0)).then_some(name)
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What an item of the kind [`INODE`] holds.
#[must_use]
pub fn inode(data: &[u8]) -> Option<Inode> {
    let mut bytes = Bytes(data);
    let (created, changed, size) = (bytes.u64()?, bytes.u64()?, bytes.u64()?);
    // Bytes on disk, a hint for the allocator, the number of names.
    bytes.take(8 + 8 + 4)?;
    let (uid, gid, mode, device) = (bytes.u32()?, bytes.u32()?, bytes.u32()?, bytes.u64()?);
    // Flags, a counter of changes, four reserved numbers, access and change time.
    bytes.take(8 + 8 + 32 + 12 + 12)?;
    let modified = (bytes.array().map(i64::from_le_bytes)?, bytes.u32()?);
    // The time it was made.
    bytes.take(12)?;
    bytes.is_empty().then_some(Inode {
        created,
        changed,
        size,
        uid,
        gid,
        mode,
        device,
        modified,
    })
}

/// The names in an item of the kinds [`NAMES`] and [`MORE_NAMES`], each with the number of its directory.
///
/// The top of a subvolume has a name for the kernel's own use, `..` in itself: it is left out.
#[must_use]
pub fn names<'a>(item: &Item<'a>) -> Option<Vec<(u64, &'a [u8])>> {
    let mut bytes = Bytes(item.data);
    let mut names = Vec::new();
    while !bytes.is_empty() {
        let directory = match item.kind {
            NAMES => item.offset,
            _ => bytes.u64()?,
        };
        // The place in the directory's order.
        bytes.u64()?;
        let length = bytes.u16()?;
        if directory == item.inode {
            bytes.take(length).filter(|name| *name == b"..")?;
        } else {
            names.push((directory, bytes.name(length)?));
        }
    }
    Some(names)
}

/// What an item of the kind [`ENTRY`] holds.
#[must_use]
pub fn entry(data: &[u8]) -> Option<Entry<'_>> {
    const DIRECTORY: u32 = raw::BTRFS_FT_DIR;
    const KNOWN: std::ops::RangeInclusive<u32> = raw::BTRFS_FT_REG_FILE..=raw::BTRFS_FT_SYMLINK;
    let mut bytes = Bytes(data);
    let (number, kind) = (bytes.u64()?, bytes.u8()?);
    // The rest of the key that it leads to, and the transaction it was made in.
    bytes.take(8 + 8)?;
    let (value, length, file_type) = (bytes.u16()?, bytes.u16()?, u32::from(bytes.u8()?));
    let name = bytes.name(length)?;
    let target = match u32::from(kind) {
        INODE if KNOWN.contains(&file_type) => Target::Inode {
            number,
            directory: file_type == DIRECTORY,
        },
        raw::BTRFS_ROOT_ITEM_KEY => Target::Subvolume(number),
        _ => return None,
    };
    (value == 0 && bytes.is_empty()).then_some(Entry { name, target })
}

/// The extended attributes in an item of the kind [`ATTRIBUTES`]: names and values.
#[must_use]
pub fn attributes(data: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let mut bytes = Bytes(data);
    let mut found = Vec::new();
    while !bytes.is_empty() {
        // A key that leads nowhere, and the transaction it was set in.
        bytes.take(17 + 8)?;
        let (value, length) = (bytes.u16()?, bytes.u16()?);
        bytes.u8()?;
        found.push((bytes.take(length)?, bytes.take(value)?));
    }
    Some(found)
}

/// What an item of the kind [`EXTENT`] says of the bytes of the file, apart from the transaction that wrote the item:
/// two files where all of this is the same hold the same bytes.
#[must_use]
pub fn extent(data: &[u8]) -> Option<&[u8]> {
    // As long as it takes to say that the bytes follow, compressed or not.
    const LEAST: usize = 21;
    data.get(8..).filter(|_| data.len() >= LEAST)
}

#[cfg(test)]
#[path = "items_tests.rs"]
mod tests;
