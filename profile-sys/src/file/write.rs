//! Writing files so that a power cut leaves the old content or the new.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::fcntl::{FallocateFlags, fallocate};

use super::{fsync_directory, parent_of};
use crate::{Error, Result, fault};

/// A name beside `path` that no other call of this process and no other process of this boot uses.
pub(crate) fn beside(path: &Path) -> std::path::PathBuf {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    // Short, so that a name of 255 bytes can still be replaced.
    path.with_file_name(format!(".flipper-{}-{number}~", std::process::id()))
}

/// Replaces (or makes) a file in one step.
///
/// When this returns, the new content, under its name, survives a power cut. When it fails, or power is cut
/// before, the file has its whole old content (or does not exist, as before); a temporary file beside it, whose
/// name begins with `.flipper-`, may be left behind after a power cut. The mode is exactly `mode`, whatever
/// the umask. A symlink of this name is replaced, not followed.
///
/// # Errors
/// ENOSPC leaves the old file; so does everything else.
pub fn write_atomic(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let parent = parent_of("write", path)?;
    let temporary = beside(path);
    let outcome = create_with(&temporary, path, bytes, mode).and_then(|()| {
        // The content is on disk before the name moves: else a cut could leave an empty file.
        super::names::rename(&temporary, path)
    });
    if let Err(cause) = outcome {
        return Err(match std::fs::remove_file(&temporary) {
            Ok(()) => cause,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => cause,
            Err(error) => Error::RollbackFailed {
                cause: Box::new(cause),
                rollback: Box::new(Error::io("remove", &temporary, error)),
            },
        });
    }
    fsync_directory(parent)
}

/// Sets the permissions of an entry that is no symlink.
///
/// # Errors
/// ENOENT, EROFS.
pub fn set_mode(path: &Path, mode: u32) -> Result<()> {
    const VERB: &str = "set the mode of";
    fault::point(VERB, path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
        .map_err(|error| Error::io(VERB, path, error))
}

/// Makes a file that must not exist yet; durable when this returns. A failed attempt leaves no file; a power
/// cut may leave one with part of the content, so what matters is written by [`write_atomic`].
///
/// # Errors
/// EEXIST when the name is taken.
pub fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let parent = parent_of("write", path)?;
    create_with(path, path, bytes, mode)?;
    fsync_directory(parent)
}

/// Makes `place` with `bytes`, written to disk; errors and fault points name `path`. Removes what it made
/// when it fails.
fn create_with(place: &Path, path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    const VERB: &str = "write";
    fault::point(VERB, path)?;
    let failed = |error| Error::io(VERB, path, error);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags(libc::O_CLOEXEC | libc::O_NOFOLLOW)
        .open(place)
        .map_err(failed)?;
    let written = file
        .write_all(bytes)
        .and_then(|()| file.set_permissions(std::fs::Permissions::from_mode(mode)))
        .and_then(|()| file.sync_all());
    written.map_err(|error| match std::fs::remove_file(place) {
        Ok(()) => failed(error),
        Err(second) => Error::RollbackFailed {
            cause: Box::new(failed(error)),
            rollback: Box::new(Error::io("remove", place, second)),
        },
    })
}

/// Gives a file, made with mode 0600 when missing, `bytes` of disk space of its own: a reserve that comes back when
/// the file goes. Durable when this returns.
///
/// # Errors
/// ENOSPC; the file then has the length it could get.
pub fn allocate(path: &Path, bytes: u64) -> Result<()> {
    const VERB: &str = "allocate space for";
    fault::point(VERB, path)?;
    let failed = |error: std::io::Error| Error::io(VERB, path, error);
    let file = open_or_create(path).map_err(failed)?;
    let length =
        i64::try_from(bytes).map_err(|_| failed(std::io::Error::from_raw_os_error(libc::EFBIG)))?;
    fallocate(&file, FallocateFlags::empty(), 0, length).map_err(|error| failed(error.into()))?;
    file.sync_all().map_err(failed)
}

/// Cuts a file to `bytes`, or extends it with a hole; made with mode 0600 when missing.
///
/// # Errors
/// When the system refuses.
pub fn truncate(path: &Path, bytes: u64) -> Result<()> {
    const VERB: &str = "truncate";
    fault::point(VERB, path)?;
    open_or_create(path)
        .and_then(|file| file.set_len(bytes))
        .map_err(|error| Error::io(VERB, path, error))
}

fn open_or_create(path: &Path) -> std::io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(libc::O_CLOEXEC | libc::O_NOFOLLOW)
        .open(path)
}
