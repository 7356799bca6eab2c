//! Subvolumes: create, snapshot, inspect, delete.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::open;
use crate::{Error, Result, fault, raw};

/// Between two looks whether the kernel has cleared away what was deleted.
const CLEANER_PAUSE: Duration = Duration::from_millis(20);
/// The inode number of every subvolume's top directory.
const TOP_INODE: u64 = 256;
/// `BTRFS_SUBVOL_RDONLY` of the ioctl interface.
const READ_ONLY: u64 = linux_raw_sys::btrfs::BTRFS_SUBVOL_RDONLY as u64;
/// `BTRFS_ROOT_SUBVOL_RDONLY` of the root item.
const ROOT_READ_ONLY: u64 = linux_raw_sys::btrfs::BTRFS_ROOT_SUBVOL_RDONLY as u64;

/// What btrfs says about a subvolume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubvolumeInfo {
    /// Its tree id; the top level is 5.
    pub id: u64,
    /// Its identity: a snapshot gets a new one, a rename keeps it. Nil for the top level of old filesystems.
    pub uuid: Uuid,
    /// What it is a snapshot of.
    pub parent_uuid: Option<Uuid>,
    /// The transaction that last changed it: unchanged generation, unchanged content.
    pub generation: u64,
    /// The transaction it was created in (btrfs's otransid).
    pub created_generation: u64,
    /// Whether it refuses writes.
    pub read_only: bool,
}

/// The parent directory, opened, and the last component, which must be a plain name.
fn parent_and_name<'a>(verb: &'static str, path: &'a Path) -> Result<(File, &'a OsStr)> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Error::BadName {
            verb,
            path: path.to_owned(),
        });
    };
    let parent = if parent.as_os_str().is_empty() {
        Path::new(".")
    } else {
        parent
    };
    Ok((open(verb, parent)?, name))
}

/// Creates an empty subvolume. Durable after [`super::commit`].
///
/// # Errors
/// EEXIST when the name is taken, EPERM without the right to write there, ENOSPC on a full disk.
pub fn create_subvolume(path: &Path) -> Result<()> {
    const VERB: &str = "create subvolume";
    fault::point(VERB, path)?;
    let (parent, name) = parent_and_name(VERB, path)?;
    raw::create_subvolume(parent.as_fd(), name.as_bytes())
        .map_err(|error| Error::io(VERB, path, error))
}

/// Makes `destination` a snapshot of the subvolume `source`; both on one filesystem.
///
/// Open files and mapped writes of `source` are in it, without any sync before; when this returns it is on
/// disk. Subvolumes nested in `source` are not part of it: they leave an empty directory.
///
/// # Errors
/// EEXIST when the name is taken (but a destination that is a directory is refused, never filled), EXDEV
/// across filesystems, ENOSPC on a full disk.
pub fn snapshot(source: &Path, destination: &Path, read_only: bool) -> Result<()> {
    const VERB: &str = "snapshot";
    fault::point(VERB, destination)?;
    let from = open(VERB, source)?;
    let (parent, name) = parent_and_name(VERB, destination)?;
    let flags = if read_only { READ_ONLY } else { 0 };
    raw::create_snapshot(parent.as_fd(), name.as_bytes(), from.as_fd(), flags)
        .map_err(|error| Error::io_two(VERB, source, destination, error))
}

/// Deletes one subvolume. Its name is gone when this returns, its space comes back in the background.
///
/// The kernel deletes what is in use as readily as anything else, mounted or not: the caller must know.
///
/// # Errors
/// [`Error::SubvolumeNotEmpty`] when another subvolume is nested in it; EPERM, EROFS and ENOENT by errno.
pub fn delete_subvolume(path: &Path) -> Result<()> {
    const VERB: &str = "delete subvolume";
    fault::point(VERB, path)?;
    let (parent, name) = parent_and_name(VERB, path)?;
    raw::destroy_subvolume(parent.as_fd(), name.as_bytes()).map_err(|error| {
        match error.raw_os_error() {
            Some(libc::ENOTEMPTY) => Error::SubvolumeNotEmpty {
                path: path.to_owned(),
            },
            Some(libc::EINVAL) if matches!(is_subvolume(path), Ok(false)) => Error::NotSubvolume {
                path: path.to_owned(),
            },
            _ => Error::io(VERB, path, error),
        }
    })
}

/// Deletes a subvolume and every subvolume nested in it, innermost first. A read-only subvolume that holds
/// another is made writable first, else the inner one could not be unlinked from it.
///
/// # Errors
/// As [`delete_subvolume`]; what was deleted before the failure stays deleted, and a second call goes on.
pub fn delete_subvolume_tree(path: &Path) -> Result<()> {
    let children = nested_subvolumes(path)?;
    if !children.is_empty() && is_read_only(path)? {
        set_read_only(path, false)?;
    }
    for child in children {
        delete_subvolume_tree(&child)?;
    }
    delete_subvolume(path)
}

/// Whether subvolumes that were deleted are still being cleared away: until they are, and a [`super::commit`]
/// came after it, their space is not free.
///
/// # Errors
/// When the path is not on btrfs, or without the right to read metadata.
pub fn is_clearing_away(path: &Path) -> Result<bool> {
    const VERB: &str = "look for deleted subvolumes in";
    let file = open(VERB, path)?;
    let left =
        super::search::deleted_subvolumes(&file).map_err(|error| Error::io(VERB, path, error))?;
    Ok(left > 0)
}

/// Waits until what was deleted is cleared away and its space free, `until` a moment at the latest.
///
/// One effect, however often the kernel has to be asked: nothing of ours happens in between.
///
/// # Errors
/// As [`is_clearing_away`], or when the disk refuses to commit.
pub fn clear_away(path: &Path, until: Instant) -> Result<()> {
    const VERB: &str = "clear away what was deleted from";
    fault::point(VERB, path)?;
    let file = open(VERB, path)?;
    loop {
        // Wakes the kernel's cleaner, and makes what it has cleared away free.
        let commit =
            || raw::sync_filesystem(file.as_fd()).map_err(|error| Error::io(VERB, path, error));
        commit()?;
        if !is_clearing_away(path)? {
            return commit();
        }
        if Instant::now() >= until {
            return Ok(());
        }
        std::thread::sleep(CLEANER_PAUSE);
    }
}

/// The subvolumes nested directly in the subvolume `path`, as full paths.
///
/// # Errors
/// [`Error::NotSubvolume`], or what the kernel answers.
pub fn nested_subvolumes(path: &Path) -> Result<Vec<PathBuf>> {
    const VERB: &str = "list the subvolumes in";
    if !is_subvolume(path)? {
        return Err(Error::NotSubvolume {
            path: path.to_owned(),
        });
    }
    let file = open(VERB, path)?;
    let mut found = Vec::new();
    let mut from = 0;
    loop {
        let (entries, more) = raw::nested_subvolumes(file.as_fd(), from)
            .map_err(|error| Error::io(VERB, path, error))?;
        for &(tree, directory) in &entries {
            if let Some(child) = child_path(path, &file, tree, directory)? {
                found.push(child);
            }
        }
        match entries.last() {
            Some(&(last, _)) if more => from = last + 1,
            _ => return Ok(found),
        }
    }
}

/// The path of the subvolume `tree`, known to lie in `directory` of the subvolume `top`. The kernel gives the
/// directory, not the name, so the directory is searched; `None` when it was deleted meanwhile.
fn child_path(top: &Path, file: &File, tree: u64, directory: u64) -> Result<Option<PathBuf>> {
    const VERB: &str = "list the subvolumes in";
    let below = match raw::lookup_directory(file.as_fd(), directory) {
        Ok(bytes) => OsString::from_vec(bytes),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(None),
        Err(error) => return Err(Error::io(VERB, top, error)),
    };
    let holder = top.join(below);
    let entries = match std::fs::read_dir(&holder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io(VERB, &holder, error)),
    };
    for entry in entries {
        let entry = entry.map_err(|error| Error::io(VERB, &holder, error))?;
        // The directory entry's own inode number is that of its place; a subvolume shows 256 by lstat only.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            let path = entry.path();
            if is_subvolume(&path)? && subvolume_info(&path)?.id == tree {
                return Ok(Some(path));
            }
        }
    }
    Ok(None)
}

/// Whether `path` is the top of a btrfs subvolume; a symlink to one is not, a missing path is not.
///
/// # Errors
/// When the path cannot be examined.
pub fn is_subvolume(path: &Path) -> Result<bool> {
    match std::fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() && meta.ino() == TOP_INODE => super::is_btrfs(path),
        Ok(_) => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::io("examine", path, error)),
    }
}

/// Whether the subvolume `path` refuses writes.
///
/// # Errors
/// EINVAL when it is no subvolume.
pub fn is_read_only(path: &Path) -> Result<bool> {
    const VERB: &str = "read the flags of subvolume";
    let file = open(VERB, path)?;
    let flags = raw::subvolume_flags(file.as_fd()).map_err(|error| Error::io(VERB, path, error))?;
    Ok(flags & READ_ONLY != 0)
}

/// Makes the subvolume `path` read-only or writable; already so is done.
///
/// # Errors
/// EINVAL when it is no subvolume, EPERM without the right.
pub fn set_read_only(path: &Path, read_only: bool) -> Result<()> {
    const VERB: &str = "set the flags of subvolume";
    let file = open(VERB, path)?;
    let before =
        raw::subvolume_flags(file.as_fd()).map_err(|error| Error::io(VERB, path, error))?;
    let after = if read_only {
        before | READ_ONLY
    } else {
        before & !READ_ONLY
    };
    if before == after {
        return Ok(());
    }
    fault::point(VERB, path)?;
    raw::set_subvolume_flags(file.as_fd(), after).map_err(|error| Error::io(VERB, path, error))
}

/// What btrfs says about the subvolume that `path` lies in.
///
/// # Errors
/// ENOTTY when it is not btrfs.
pub fn subvolume_info(path: &Path) -> Result<SubvolumeInfo> {
    const VERB: &str = "inspect subvolume";
    let file = open(VERB, path)?;
    let info = raw::subvolume_info(file.as_fd()).map_err(|error| Error::io(VERB, path, error))?;
    let parent = Uuid::from_bytes(info.parent_uuid);
    Ok(SubvolumeInfo {
        id: info.treeid,
        uuid: Uuid::from_bytes(info.uuid),
        parent_uuid: (!parent.is_nil()).then_some(parent),
        generation: info.generation,
        created_generation: info.otransid,
        read_only: info.flags & ROOT_READ_ONLY != 0,
    })
}
