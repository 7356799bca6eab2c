//! A directory of a tree, kept open for many looks at its entries.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use nix::errno::Errno;
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::meta::Meta;
use super::place::Place;
use crate::{Error, Result, fault};

/// What [`Directory::remove`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removed {
    /// An entry, which is gone.
    Entry,
    /// Nothing of this name.
    Nothing,
    /// A directory that holds something; it stays.
    NotEmpty,
}

/// An open directory. Its entries are named by one component; whatever happens to the directory's own name,
/// it stays the one that was opened.
#[derive(Debug)]
pub struct Directory {
    fd: OwnedFd,
    shown: PathBuf,
}

impl Directory {
    pub(super) fn new(fd: OwnedFd, shown: PathBuf) -> Self {
        Self { fd, shown }
    }

    /// What an entry is, `None` when nothing has this name.
    ///
    /// # Errors
    /// When that cannot be told.
    pub fn lstat(&self, name: &OsStr) -> Result<Option<Meta>> {
        let place = Place {
            parent: self.fd.as_fd(),
            name: name.to_owned(),
            shown: self.shown.join(name),
        };
        place.meta()
    }

    /// Removes an entry, a directory only when empty, and says what there was.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn remove(&self, name: &OsStr) -> Result<Removed> {
        let shown = self.shown.join(name);
        // One point for both attempts: the first one does nothing to a directory.
        fault::point("remove", &shown)?;
        match unlinkat(&self.fd, name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) => return Ok(Removed::Entry),
            Err(Errno::ENOENT) => return Ok(Removed::Nothing),
            // What unlink(2) says of a directory.
            Err(Errno::EISDIR) => {}
            Err(error) => return Err(Error::io("remove", shown, error)),
        }
        match unlinkat(&self.fd, name, UnlinkatFlags::RemoveDir) {
            Ok(()) => Ok(Removed::Entry),
            Err(Errno::ENOENT) => Ok(Removed::Nothing),
            // ENOTEMPTY, or EEXIST, which rmdir(2) may give instead.
            Err(Errno::ENOTEMPTY | Errno::EEXIST) => Ok(Removed::NotEmpty),
            Err(error) => Err(Error::io("remove directory", shown, error)),
        }
    }
}
