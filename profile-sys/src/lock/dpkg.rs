//! dpkg's own locks, for changes to a tree in which no package tool may run meanwhile.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};

use crate::{Error, Result, fault};

/// Both locks of a dpkg database: the frontend lock, which apt holds from its first question to its last
/// hook, and the database lock, which dpkg holds while it works.
///
/// They are fcntl record locks, as dpkg's are: they belong to the process, are not inherited by children, and
/// are lost when the process closes any other descriptor of these two files. So nothing else in a process
/// that holds them may open them.
#[derive(Debug)]
pub struct DpkgLock {
    // Dropped in this order: the frontend lock is the outer one.
    _database: File,
    _frontend: File,
}

impl DpkgLock {
    /// Takes both locks below `admin_directory` (`/var/lib/dpkg`), or says at once that a package tool holds one.
    ///
    /// # Errors
    /// When the lock files cannot be opened: the directory is missing or read-only.
    pub fn try_acquire(admin_directory: &Path) -> Result<Option<Self>> {
        // dpkg's order: first the frontend lock, then the database's.
        let Some(frontend) = lock(&admin_directory.join("lock-frontend"))? else {
            return Ok(None);
        };
        let Some(database) = lock(&admin_directory.join("lock"))? else {
            return Ok(None);
        };
        Ok(Some(Self {
            _database: database,
            _frontend: frontend,
        }))
    }
}

fn lock(path: &Path) -> Result<Option<File>> {
    const VERB: &str = "lock";
    fault::point(VERB, path)?;
    // As dpkg makes them (lib/dpkg/dbmodify.c): mode 0660 before the umask, nothing in them.
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o660)
        .custom_flags(libc::O_CLOEXEC | libc::O_NOFOLLOW)
        .open(path)
        .map_err(|error| Error::io(VERB, path, error))?;
    let whole = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    match fcntl(&file, FcntlArg::F_SETLK(&whole)) {
        Ok(_) => Ok(Some(file)),
        Err(Errno::EACCES | Errno::EAGAIN) => Ok(None),
        Err(error) => Err(Error::io(VERB, path, error)),
    }
}
