//! A lock file opened now and locked later, without a limit of time.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::Mode;
use crate::{Error, Result, fault, raw};

/// An open lock file. A fork shares it: a lock that one of the two processes takes is held until both have
/// closed the file.
#[derive(Debug)]
pub struct LockFile {
    file: File,
    path: PathBuf,
}

impl LockFile {
    /// Opens the file, which must exist, without locking it. Its path is not used again, so that the lock
    /// can be taken where the path leads nowhere.
    ///
    /// # Errors
    /// ENOENT, EACCES.
    pub fn open(path: &Path) -> Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_CLOEXEC | libc::O_NOFOLLOW)
            .open(path)
            .map_err(|error| Error::io("open the lock", path, error))?;
        Ok(Self {
            file,
            path: path.to_owned(),
        })
    }

    /// Takes the lock, sleeping until it can be had.
    ///
    /// # Errors
    /// ENOLCK.
    pub fn wait(&self, mode: Mode) -> Result<()> {
        const VERB: &str = "lock";
        fault::point(VERB, &self.path)?;
        let operation = match mode {
            Mode::Shared => libc::LOCK_SH,
            Mode::Exclusive => libc::LOCK_EX,
        };
        loop {
            // Sleeps in the kernel, which wakes it when the lock is free.
            match raw::flock(self.file.as_fd(), operation) {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::io(VERB, &self.path, error)),
            }
        }
    }

    /// Whether the lock could be had in this way now. It is given back at once, so this tells what was, and
    /// is no fault point: how often somebody looks depends on the time.
    ///
    /// # Errors
    /// ENOLCK.
    pub fn is_free(&self, mode: Mode) -> Result<bool> {
        let operation = match mode {
            Mode::Shared => libc::LOCK_SH,
            Mode::Exclusive => libc::LOCK_EX,
        };
        let failed = |error| Error::io("examine the lock", &self.path, error);
        match raw::flock(self.file.as_fd(), operation | libc::LOCK_NB) {
            Ok(()) => {
                raw::flock(self.file.as_fd(), libc::LOCK_UN).map_err(failed)?;
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }
}

impl AsFd for LockFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::lock::FileLock;

    #[test]
    fn tells_who_could_have_the_lock_and_keeps_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let held = FileLock::acquire(&path, Mode::Shared, Duration::ZERO).unwrap();
        let looking = LockFile::open(&path).unwrap();
        assert!(looking.is_free(Mode::Shared).unwrap());
        assert!(!looking.is_free(Mode::Exclusive).unwrap());
        drop(held);
        assert!(looking.is_free(Mode::Exclusive).unwrap());
        let alone = FileLock::try_acquire(&path, Mode::Exclusive).unwrap();
        assert!(alone.is_some(), "nothing was kept");
        assert!(!looking.is_free(Mode::Shared).unwrap());
    }

    #[test]
    fn waits_until_the_last_holder_has_let_go() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let held = FileLock::acquire(&path, Mode::Shared, Duration::ZERO).unwrap();
        let waiting = LockFile::open(&path).unwrap();
        let waiter = std::thread::spawn(move || waiting.wait(Mode::Exclusive).map(|()| waiting));
        std::thread::sleep(Duration::from_millis(30));
        assert!(!waiter.is_finished());
        drop(held);
        let waiting = waiter.join().unwrap().unwrap();
        assert!(
            FileLock::try_acquire(&path, Mode::Shared)
                .unwrap()
                .is_none()
        );
        drop(waiting);
        assert!(
            FileLock::try_acquire(&path, Mode::Shared)
                .unwrap()
                .is_some()
        );
    }
}
