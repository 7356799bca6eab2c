//! btrfs, by its ioctls: subvolumes, snapshots, the difference of two of them, and what a tree occupies.
//!
//! All paths are below a mounted filesystem. Durability is the caller's: a snapshot is on disk when the
//! call returns (the kernel commits the transaction it is in), everything else when [`commit`] returns.

mod clone;
mod counter;
mod make;
mod search;
mod send;
mod size;
mod subvolume;

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::sys::statfs::{BTRFS_SUPER_MAGIC, statfs};
use nix::sys::statvfs::statvfs;
use uuid::Uuid;

pub use clone::{clone_file, clone_range};
pub use counter::{highest_inode, raise_inode_counter};
pub use make::{detect_content, make_filesystem};
pub use send::{SendStream, send_without_data};
pub use size::{Extent, TreeExtents, TreeSize, tree_extents, tree_size};
pub use subvolume::{
    SubvolumeInfo, create_subvolume, delete_subvolume, delete_subvolume_tree, is_read_only,
    is_subvolume, nested_subvolumes, set_read_only, snapshot, subvolume_info,
};

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
    /// Free to write to: 0 already when btrfs has no room left for metadata.
    pub available: u64,
}

/// How full the filesystem of `path` is.
///
/// # Errors
/// When the path cannot be examined.
pub fn usage(path: &Path) -> Result<Usage> {
    let info =
        statvfs(path).map_err(|error| Error::io("measure the filesystem of", path, error))?;
    let unit = info.fragment_size();
    Ok(Usage {
        total: info.blocks() * unit,
        free: info.blocks_free() * unit,
        available: info.blocks_available() * unit,
    })
}
