//! Files and directories, with the durability of each operation stated.
//!
//! Nothing but [`write_atomic`], [`write_new`] and [`fsync_directory`] promises that its effect survives a power cut; renames and removals do after [`fsync_directory`] of their parent (or
//! [`crate::btrfs::commit`], or [`sync_filesystem`]).

mod directory;
mod names;
mod write;

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

pub use directory::{create_directory, create_directory_all, list, remove_directory, remove_tree};
pub use names::{exchange, remove_file, rename, rename_no_replace, replace_symlink, symlink};
pub(crate) use write::beside;
pub use write::{allocate, set_mode, truncate, write_atomic, write_new};

use crate::{Error, Result, fault};

/// The whole content of a file.
///
/// # Errors
/// When it cannot be opened or read.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| Error::io("read", path, error))
}

/// The whole content of a file that must not be larger than `limit` bytes, for files others may have written.
///
/// # Errors
/// [`Error::TooLarge`]; ELOOP when the last component is a symlink; EINVAL when it is not a regular file (a
/// fifo would wait for ever).
pub fn read_limited(path: &Path, limit: u64) -> Result<Vec<u8>> {
    const VERB: &str = "read";
    let failed = |error| Error::io(VERB, path, error);
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC)
        .open(path)
        .map_err(failed)?;
    let meta = file.metadata().map_err(failed)?;
    if !meta.is_file() {
        return Err(failed(io::Error::from_raw_os_error(libc::EINVAL)));
    }
    // As large as is likely, so that it is read at once; it may grow meanwhile, so its length is no bound.
    let likely = meta.len().min(limit).saturating_add(1);
    let mut bytes = Vec::with_capacity(usize::try_from(likely).unwrap_or(0));
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > limit {
        return Err(Error::TooLarge {
            path: path.to_owned(),
            limit,
        });
    }
    Ok(bytes)
}

/// What a symlink points to.
///
/// # Errors
/// EINVAL when it is no symlink.
pub fn read_link(path: &Path) -> Result<PathBuf> {
    std::fs::read_link(path).map_err(|error| Error::io("read the symlink", path, error))
}

/// Whether anything has this name, a dangling symlink included.
///
/// # Errors
/// When that cannot be told: a directory on the way may not be searched.
pub fn exists(path: &Path) -> Result<bool> {
    metadata(path).map(|meta| meta.is_some())
}

/// What lstat says, `None` when nothing has this name.
///
/// # Errors
/// When that cannot be told.
pub fn metadata(path: &Path) -> Result<Option<Metadata>> {
    match std::fs::symlink_metadata(path) {
        Ok(meta) => Ok(Some(meta)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(Error::io("examine", path, error)),
    }
}

/// ENOTDIR means that a directory on the way is a file, so nothing has this name either.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR))
}

/// Writes a directory's entries to disk: names made, renamed or removed in it before survive a power cut.
///
/// # Errors
/// When the directory cannot be opened or the disk refuses.
pub fn fsync_directory(path: &Path) -> Result<()> {
    fsync_with("sync directory", path, libc::O_DIRECTORY)
}

fn fsync_with(verb: &'static str, path: &Path, flags: i32) -> Result<()> {
    fault::point(verb, path)?;
    OpenOptions::new()
        .read(true)
        .custom_flags(flags | libc::O_CLOEXEC)
        .open(path)
        .and_then(|file| file.sync_all())
        .map_err(|error| Error::io(verb, path, error))
}

/// Writes everything that is dirty on the filesystem of `path` to disk (syncfs).
///
/// # Errors
/// When the path cannot be opened or the disk refuses.
pub fn sync_filesystem(path: &Path) -> Result<()> {
    const VERB: &str = "sync the filesystem of";
    fault::point(VERB, path)?;
    let file = File::open(path).map_err(|error| Error::io(VERB, path, error))?;
    nix::unistd::syncfs(&file).map_err(|error| Error::io(VERB, path, error))
}

/// The directory a path lies in, `.` for a bare name.
fn parent_of<'a>(verb: &'static str, path: &'a Path) -> Result<&'a Path> {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Ok(Path::new(".")),
        Some(parent) => Ok(parent),
        None => Err(Error::BadName {
            verb,
            path: path.to_owned(),
        }),
    }
}
