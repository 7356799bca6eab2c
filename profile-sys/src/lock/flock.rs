//! A lock on a file, held as long as the file stays open.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ::xattr::FileExt as _;

use crate::{Error, Result, fault, raw};

/// How long a waiter sleeps between two attempts.
const RETRY: Duration = Duration::from_millis(10);

/// The attribute that describes the holder.
const DESCRIPTION: &str = "user.flipper-profile.holder";

/// Who may hold a lock together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// With other shared holders.
    Shared,
    /// Alone.
    Exclusive,
}

/// A held lock. It goes with the last descriptor of it: dropping this releases it, unless a child forked
/// meanwhile still has a copy; commands started by exec never have one.
///
/// The kernel releases it when the holder dies, so a lock file that exists means nothing.
#[derive(Debug)]
pub struct FileLock {
    file: File,
    path: PathBuf,
}

impl FileLock {
    /// Takes the lock, waiting up to `timeout`. The file is made with mode 0600 when missing.
    ///
    /// # Errors
    /// [`Error::Locked`] when the time is over; when the file cannot be opened.
    pub fn acquire(path: &Path, mode: Mode, timeout: Duration) -> Result<Self> {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(lock) = Self::try_acquire(path, mode)? {
                return Ok(lock);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::Locked {
                    path: path.to_owned(),
                });
            }
            std::thread::sleep(left.min(RETRY));
        }
    }

    /// Takes the lock, or says at once that another holds it.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn try_acquire(path: &Path, mode: Mode) -> Result<Option<Self>> {
        const VERB: &str = "lock";
        fault::point(VERB, path)?;
        let failed = |error| Error::io(VERB, path, error);
        let operation = match mode {
            Mode::Shared => libc::LOCK_SH,
            Mode::Exclusive => libc::LOCK_EX,
        };
        loop {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .custom_flags(libc::O_CLOEXEC | libc::O_NOFOLLOW)
                .open(path)
                .map_err(failed)?;
            match raw::flock(file.as_fd(), operation | libc::LOCK_NB) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(failed(error)),
            }
            // A lock on a file that was removed or replaced meanwhile excludes nobody.
            let held = file.metadata().map_err(failed)?;
            match std::fs::symlink_metadata(path) {
                Ok(named) if (named.dev(), named.ino()) == (held.dev(), held.ino()) => {
                    return Ok(Some(Self {
                        file,
                        path: path.to_owned(),
                    }));
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed(error)),
            }
        }
    }

    /// Whether another process holds the lock now; a missing file is not locked.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn is_held(path: &Path) -> Result<bool> {
        const VERB: &str = "examine the lock";
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_CLOEXEC | libc::O_NOFOLLOW)
            .open(path);
        let file = match opened {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(Error::io(VERB, path, error)),
        };
        match raw::flock(file.as_fd(), libc::LOCK_SH | libc::LOCK_NB) {
            // Closing the file right away gives it back.
            Ok(()) => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(true),
            Err(error) => Err(Error::io(VERB, path, error)),
        }
    }

    /// Says in an attribute of the lock file who holds it: replaced as a whole, and possible on a full disk, where
    /// content can no longer be written. It means nothing once the lock is free.
    ///
    /// # Errors
    /// ENOTSUP where the filesystem has no such attributes; E2BIG.
    pub fn describe(&self, bytes: &[u8]) -> Result<()> {
        const VERB: &str = "describe the holder of";
        fault::point(VERB, &self.path)?;
        self.file
            .set_xattr(DESCRIPTION, bytes)
            .map_err(|error| Error::io(VERB, &self.path, error))
    }

    /// What a holder of the lock, not necessarily the present one, said with [`FileLock::describe`].
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn description(path: &Path) -> Result<Option<Vec<u8>>> {
        crate::xattr::get(path, OsStr::new(DESCRIPTION))
    }

    /// The lock file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}
