//! Walks over the items of one subvolume's tree, in key order, straight from the metadata.

use std::fs::File;
use std::io;
use std::ops::RangeInclusive;
use std::os::fd::AsFd;

use super::items::Item;
use crate::raw::{SearchBuffer, SearchKey};

/// The first inode number of files; below are the tree's own items.
pub(super) const FIRST_INODE: u64 = 256;
/// The last inode number of files (-256 as an unsigned number).
pub(super) const LAST_INODE: u64 = u64::MAX - 255;
/// The size of the kernel's `btrfs_ioctl_search_header`.
const HEADER_BYTES: usize = 32;
/// The largest node of a tree, and so more than any item has.
const LARGEST_NODE: usize = 64 << 10;

/// A little-endian number at `offset` of an item's data; 0 where the item is too short to hold it.
pub(super) fn number_at(data: &[u8], offset: usize) -> u64 {
    match data
        .get(offset..offset + 8)
        .and_then(|bytes| bytes.try_into().ok())
    {
        Some(bytes) => u64::from_le_bytes(bytes),
        None => 0,
    }
}

fn key_from(inode: u64) -> SearchKey {
    SearchKey {
        tree_id: 0, // the tree that the descriptor is in
        min_objectid: inode,
        max_objectid: LAST_INODE,
        min_offset: 0,
        max_offset: u64::MAX,
        min_transid: 0,
        max_transid: u64::MAX,
        min_type: 0,
        max_type: 255,
        nr_items: u32::MAX,
        unused: 0,
        unused1: 0,
        unused2: 0,
        unused3: 0,
        unused4: 0,
    }
}

/// The lowest inode number at or above `inode` that has any item in the tree of `file`.
pub(super) fn next_inode(
    file: &File,
    buffer: &mut SearchBuffer,
    inode: u64,
) -> io::Result<Option<u64>> {
    let mut key = key_from(inode);
    key.nr_items = 1;
    let found = buffer.search(file.as_fd(), &key)?;
    Ok(Items::new(buffer.items(), found)
        .next()
        .map(|item| item.inode))
}

/// Room for the largest item there can be (a whole 64 KiB node).
pub(super) fn single_item_buffer() -> SearchBuffer {
    SearchBuffer::new(LARGEST_NODE)
}

/// Room for the items of most inodes, and for one search to tell that there are no more.
pub(super) fn inode_buffer() -> SearchBuffer {
    SearchBuffer::new(2 * LARGEST_NODE)
}

/// Room for the items of thousands of inodes.
fn tree_buffer() -> SearchBuffer {
    // 1 MiB: 200,000 files in some 60 calls.
    SearchBuffer::new(1 << 20)
}

/// Calls `visit` for every item of the kinds `kinds` of every inode of the tree that `file` is in.
pub(super) fn for_each_item(
    file: &File,
    kinds: RangeInclusive<u32>,
    visit: impl FnMut(Item<'_>),
) -> io::Result<()> {
    let mut key = key_from(FIRST_INODE);
    key.min_type = *kinds.start();
    key.max_type = *kinds.end();
    for_each(file, &mut tree_buffer(), key, kinds, visit)
}

/// Calls `visit` for every item in the leaves of the tree of `file` that were written after the transaction
/// `generation`: for what changed since, and for what stands beside it.
pub(super) fn for_each_item_written_after(
    file: &File,
    generation: u64,
    visit: impl FnMut(Item<'_>),
) -> io::Result<()> {
    let mut key = key_from(FIRST_INODE);
    // A generation that cannot be exceeded has nothing after it.
    let Some(next) = generation.checked_add(1) else {
        return Ok(());
    };
    key.min_transid = next;
    for_each(file, &mut tree_buffer(), key, 0..=u32::MAX, visit)
}

/// The same for the inodes `inodes` alone.
pub(super) fn for_each_item_of(
    file: &File,
    buffer: &mut SearchBuffer,
    inodes: RangeInclusive<u64>,
    kinds: RangeInclusive<u32>,
    visit: impl FnMut(Item<'_>),
) -> io::Result<()> {
    let mut key = key_from(*inodes.start());
    key.max_objectid = *inodes.end();
    key.min_type = *kinds.start();
    key.max_type = *kinds.end();
    for_each(file, buffer, key, kinds, visit)
}

/// Calls `visit` for every item of the kinds `kinds` in the range of keys that `key` says. The range is one of whole
/// keys: the kinds bound it at both ends, between them lie items of every kind.
fn for_each(
    file: &File,
    buffer: &mut SearchBuffer,
    mut key: SearchKey,
    kinds: RangeInclusive<u32>,
    mut visit: impl FnMut(Item<'_>),
) -> io::Result<()> {
    loop {
        key.nr_items = u32::MAX;
        let found = buffer.search(file.as_fd(), &key)?;
        let mut last = None;
        let mut items = Items::new(buffer.items(), found);
        for item in items.by_ref() {
            if kinds.contains(&item.kind) {
                visit(item);
            }
            last = Some((item.inode, item.kind, item.offset));
        }
        let Some((inode, kind, offset)) = last else {
            return Ok(());
        };
        // The kernel stops at the end of the range or at an item that it has no room for.
        if items.rest.len() > HEADER_BYTES + LARGEST_NODE {
            return Ok(());
        }
        // The smallest key behind the last one seen.
        (key.min_objectid, key.min_type, key.min_offset) = if offset < u64::MAX {
            (inode, kind, offset + 1)
        } else if kind < 255 {
            (inode, kind + 1, 0)
        } else if inode < LAST_INODE {
            (inode + 1, 0, 0)
        } else {
            return Ok(());
        };
    }
}

/// The tree of trees, and where it lists the subvolumes that were deleted and not yet cleared away
/// (`BTRFS_ORPHAN_OBJECTID`, `BTRFS_ORPHAN_ITEM_KEY`).
const ROOT_TREE: u64 = 1;
const ORPHANS: u64 = u64::MAX - 4;
const ORPHAN_ITEM: u32 = 48;

/// How many subvolumes of the filesystem of `file` are deleted and still being cleared away; no more than a
/// buffer holds are counted.
pub(super) fn deleted_subvolumes(file: &File) -> io::Result<u32> {
    let key = SearchKey {
        tree_id: ROOT_TREE,
        max_objectid: ORPHANS,
        min_type: ORPHAN_ITEM,
        max_type: ORPHAN_ITEM,
        ..key_from(ORPHANS)
    };
    single_item_buffer().search(file.as_fd(), &key)
}

/// The bytes of the first item of the filesystem of `file` that is in the tree `tree`, of the object and the kind `of`,
/// with an offset in `offsets`; none where the filesystem has no such tree either.
pub(super) fn first_item(
    file: &File,
    tree: u64,
    of: (u64, u32),
    offsets: RangeInclusive<u64>,
) -> io::Result<Option<Vec<u8>>> {
    let (object, kind) = of;
    let key = SearchKey {
        tree_id: tree,
        max_objectid: object,
        min_type: kind,
        max_type: kind,
        min_offset: *offsets.start(),
        max_offset: *offsets.end(),
        nr_items: 1,
        ..key_from(object)
    };
    let mut buffer = single_item_buffer();
    match buffer.search(file.as_fd(), &key) {
        Ok(found) => {
            let item = Items::new(buffer.items(), found).next();
            Ok(item.map(|item| item.data.to_vec()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The items in a buffer the kernel has filled.
struct Items<'a> {
    rest: &'a [u8],
    left: u32,
}

impl<'a> Items<'a> {
    fn new(rest: &'a [u8], left: u32) -> Self {
        Self { rest, left }
    }
}

fn native(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_ne_bytes)
}

impl<'a> Iterator for Items<'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let (header, rest) = self.rest.split_at_checked(HEADER_BYTES)?;
        // transid, objectid, offset, then type and length as 32-bit numbers, all in host byte order.
        let inode = native(&header[8..16]);
        let offset = native(&header[16..24]);
        let kind = u32::from_ne_bytes(header[24..28].try_into().ok()?);
        let length = u32::from_ne_bytes(header[28..32].try_into().ok()?);
        let (data, rest) = rest.split_at_checked(length as usize)?;
        self.rest = rest;
        Some(Item {
            inode,
            kind,
            offset,
            data,
        })
    }
}
