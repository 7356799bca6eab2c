//! btrfs, by its ioctls: subvolumes, snapshots, the difference of two of them, and what a tree occupies.
//!
//! All paths are below a mounted filesystem. Durability is the caller's: a snapshot is on disk when the
//! call returns (the kernel commits the transaction it is in), everything else when [`commit`] returns.

mod clone;
mod counter;
pub mod items;
mod lineage;
mod make;
mod names;
mod search;
mod send;
mod size;
mod subvolume;
mod tree;

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::sys::statfs::{BTRFS_SUPER_MAGIC, statfs};
use nix::sys::statvfs::statvfs;
use uuid::Uuid;

pub use clone::{clone_file, clone_range};
pub use counter::{highest_inode, raise_inode_counter};
pub use lineage::{Descent, lineage};
pub use make::{detect_content, is_device_busy, make_filesystem};
pub use names::inode_names;
pub use send::{SendStream, send_without_data};
pub use size::{Extent, TreeExtents, TreeSize, tree_extents, tree_size};
pub use subvolume::{
    SubvolumeInfo, clear_away, create_subvolume, delete_subvolume, delete_subvolume_tree,
    is_clearing_away, is_read_only, is_subvolume, nested_subvolumes, set_read_only, snapshot,
    subvolume_info,
};
pub use tree::Tree;

use crate::{Error, Result, fault, raw};

/// Opens a directory (or file) to run ioctls on it.
fn open(verb: &'static str, path: &Path) -> Result<File> {
    std::fs::OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_CLOEXEC | libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)
        .map_err(|error| Error::io(verb, path, error))
}

/// Whether `path` lies on a btrfs filesystem (false also for an overlay whose upper does).
///
/// # Errors
/// When the path cannot be examined.
pub fn is_btrfs(path: &Path) -> Result<bool> {
    let info = statfs(path).map_err(|error| Error::io("examine the filesystem of", path, error))?;
    Ok(info.filesystem_type() == BTRFS_SUPER_MAGIC)
}

/// The UUID of the filesystem that `path` lies on.
///
/// # Errors
/// ENOTTY when it is not btrfs.
pub fn filesystem_uuid(path: &Path) -> Result<Uuid> {
    const VERB: &str = "read the filesystem uuid of";
    let file = open(VERB, path)?;
    let bytes = raw::filesystem_uuid(file.as_fd()).map_err(|error| Error::io(VERB, path, error))?;
    Ok(Uuid::from_bytes(bytes))
}

/// Commits the running btrfs transaction: when this returns, everything done before it, data included,
/// is on disk and survives a power cut.
///
/// # Errors
/// When the path cannot be opened or the disk refuses.
pub fn commit(path: &Path) -> Result<()> {
    const VERB: &str = "commit the filesystem of";
    fault::point(VERB, path)?;
    let file = open(VERB, path)?;
    raw::sync_filesystem(file.as_fd()).map_err(|error| Error::io(VERB, path, error))
}

/// How full a filesystem is, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Everything there is.
    pub total: u64,
    /// Free, an estimate: btrfs cannot know how it will be used.
    pub free: u64,
    /// Free for file data, an estimate. Not 0 when metadata has no room: see [`Usage::metadata_free`].
    pub available: u64,
    /// Of btrfs: the bytes set aside neither for data nor for metadata yet.
    pub unallocated: u64,
    /// Of btrfs: what is free of the space set aside for metadata, the kernel's own reserve left out. When this and
    /// `unallocated` are used up, nothing can be made any more, whatever `available` says.
    pub metadata_free: u64,
}

/// `BTRFS_BLOCK_GROUP_METADATA` and `BTRFS_SPACE_INFO_GLOBAL_RSV`.
const METADATA: u64 = 1 << 2;
const GLOBAL_RESERVE: u64 = 1 << 49;

/// How full the filesystem of `path` is. Elsewhere than on btrfs, `unallocated` and `metadata_free` are `free`.
///
/// # Errors
/// When the path cannot be examined.
pub fn usage(path: &Path) -> Result<Usage> {
    const VERB: &str = "measure the filesystem of";
    let info = statvfs(path).map_err(|error| Error::io(VERB, path, error))?;
    let unit = info.fragment_size();
    let free = info.blocks_free() * unit;
    let mut usage = Usage {
        total: info.blocks() * unit,
        free,
        available: info.blocks_available() * unit,
        unallocated: free,
        metadata_free: free,
    };
    if is_btrfs(path)? {
        let file = open(VERB, path)?;
        let failed = |error| Error::io(VERB, path, error);
        usage.unallocated = raw::unallocated(file.as_fd()).map_err(failed)?;
        let mut reserve = 0;
        for (flags, set_aside, used) in raw::space_info(file.as_fd()).map_err(failed)? {
            if flags & GLOBAL_RESERVE != 0 {
                reserve = set_aside.saturating_sub(used);
            } else if flags & METADATA != 0 {
                usage.metadata_free = set_aside.saturating_sub(used);
            }
        }
        usage.metadata_free = usage.metadata_free.saturating_sub(reserve);
    }
    Ok(usage)
}
