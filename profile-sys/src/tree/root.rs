//! A tree whose entries are reached without following a symlink and without leaving it.

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, OpenHow, ResolveFlag, openat, openat2};
use nix::sys::stat::Mode;
use nix::unistd::linkat;

use super::copy::copy;
use super::directory::{Directory, Removed};
use super::meta::{Kind, Meta, set_meta_at};
use super::place::{Handle, Place};
use crate::{Error, Result, fault, file};

/// An open tree. Its entries are named by relative paths whose directories are real ones: `usr/bin/x` where
/// `bin` is a symlink to `usr/bin`. A symlink on the way is ELOOP, another mount on the way EXDEV; the last
/// component is never followed. The empty path is the top itself.
#[derive(Debug)]
pub struct Root {
    fd: OwnedFd,
    path: PathBuf,
}

/// The parent directory of an entry, opened, and its name.
struct Reached {
    parent: OwnedFd,
    name: OsString,
    shown: PathBuf,
}

impl Reached {
    fn place(&self) -> Place<'_> {
        Place {
            parent: self.parent.as_fd(),
            name: self.name.clone(),
            shown: self.shown.clone(),
        }
    }
}

impl Root {
    /// Opens the directory `path`, following symlinks to it.
    ///
    /// # Errors
    /// ENOENT, ENOTDIR.
    pub fn open(path: &Path) -> Result<Self> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let fd = openat(AT_FDCWD, path, flags, Mode::empty())
            .map_err(|error| Error::io("open", path, error))?;
        Ok(Self {
            fd,
            path: path.to_owned(),
        })
    }

    /// The path it was opened by.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn reach(&self, relative: &Path) -> Result<Reached> {
        let shown = self.path.join(relative);
        let failed = |error: Errno| Error::io("reach", &shown, error);
        if relative.as_os_str().is_empty() {
            let parent = self
                .fd
                .try_clone()
                .map_err(|error| Error::io("reach", &shown, error))?;
            return Ok(Reached {
                parent,
                name: OsString::from("."),
                shown,
            });
        }
        let Some(name) = relative.file_name().filter(|_| relative.is_relative()) else {
            return Err(Error::BadName {
                verb: "reach",
                path: shown,
            });
        };
        let above = match relative.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let parent = self.open_below(above).map_err(failed)?;
        Ok(Reached {
            parent,
            name: name.to_owned(),
            shown,
        })
    }

    /// Opens a directory of the tree.
    fn open_below(&self, relative: &Path) -> nix::Result<OwnedFd> {
        let how = OpenHow::new()
            .flags(OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC)
            .resolve(
                ResolveFlag::RESOLVE_BENEATH
                    | ResolveFlag::RESOLVE_NO_SYMLINKS
                    | ResolveFlag::RESOLVE_NO_XDEV,
            );
        openat2(&self.fd, relative, how)
    }

    /// A directory of the tree, to be kept for several of its entries; the empty path is the top. `None` when
    /// no directory has this name in the physical tree.
    ///
    /// # Errors
    /// When it is there and cannot be opened.
    pub fn directory(&self, relative: &Path) -> Result<Option<Directory>> {
        let below = match relative.as_os_str().is_empty() {
            true => Path::new("."),
            false => relative,
        };
        let shown = self.path.join(relative);
        match self.open_below(below) {
            Ok(fd) => Ok(Some(Directory::new(fd, shown))),
            Err(error) if leads_nowhere(error as i32) => Ok(None),
            Err(error) => Err(Error::io("reach", shown, error)),
        }
    }

    /// What an entry is, `None` when nothing has this name or a directory on the way is missing.
    ///
    /// # Errors
    /// When that cannot be told.
    pub fn lstat(&self, relative: &Path) -> Result<Option<Meta>> {
        match self.reach(relative) {
            Ok(reached) => reached.place().meta(),
            Err(error) if error.errno().is_some_and(leads_nowhere) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The extended attributes of an entry.
    ///
    /// # Errors
    /// ENOENT.
    pub fn xattrs(&self, relative: &Path) -> Result<Vec<(OsString, Vec<u8>)>> {
        let reached = self.reach(relative)?;
        let mut found = Handle::open(&reached.place())?.xattrs(&|_| false)?;
        found.sort();
        Ok(found)
    }

    /// Makes an entry of this tree equal to an entry of another: see [`super::copy_entry`].
    ///
    /// # Errors
    /// As [`super::copy_entry`].
    pub fn copy_from(
        &self,
        relative: &Path,
        other: &Root,
        other_relative: &Path,
        skip_xattr: &dyn Fn(&OsStr) -> bool,
    ) -> Result<()> {
        let (from, to) = (other.reach(other_relative)?, self.reach(relative)?);
        copy(&from.place(), &to.place(), skip_xattr)
    }

    /// Gives `existing` a second name; a symlink itself, not its target.
    ///
    /// # Errors
    /// EEXIST, ENOENT, EXDEV.
    pub fn hard_link(&self, existing: &Path, relative: &Path) -> Result<()> {
        const VERB: &str = "hard link";
        let (from, to) = (self.reach(existing)?, self.reach(relative)?);
        fault::point(VERB, &to.shown)?;
        linkat(
            &from.parent,
            from.name.as_os_str(),
            &to.parent,
            to.name.as_os_str(),
            AtFlags::empty(),
        )
        .map_err(|error| Error::io_two(VERB, &from.shown, &to.shown, error))
    }

    /// Removes an entry, a directory only when empty, and says what there was: see [`Directory::remove`].
    ///
    /// # Errors
    /// As [`Directory::remove`]; the top itself is never removed.
    pub fn remove(&self, relative: &Path) -> Result<Removed> {
        let (Some(above), Some(name)) = (relative.parent(), relative.file_name()) else {
            return Err(Error::BadName {
                verb: "remove",
                path: self.path.join(relative),
            });
        };
        match self.directory(above)? {
            Some(directory) => directory.remove(name),
            None => Ok(Removed::Nothing),
        }
    }

    /// Removes an entry with everything in it: see [`file::remove_tree`].
    ///
    /// # Errors
    /// As [`file::remove_tree`].
    pub fn remove_tree(&self, relative: &Path) -> Result<()> {
        if self.lstat(relative)?.is_none() {
            return Ok(());
        }
        let reached = self.reach(relative)?;
        file::remove_tree(&reached.place().path()).map_err(|error| renamed(error, &reached.shown))
    }

    /// Moves an entry within the tree, replacing what has the new name as rename(2) does.
    ///
    /// # Errors
    /// EXDEV for a directory of a lower layer, ENOTEMPTY, EISDIR.
    pub fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let (from, to) = (self.reach(from)?, self.reach(to)?);
        file::rename(&from.place().path(), &to.place().path())
            .map_err(|error| renamed(error, &to.shown))
    }

    /// Makes a directory: see [`file::create_directory`].
    ///
    /// # Errors
    /// EEXIST.
    pub fn create_directory(&self, relative: &Path, mode: u32) -> Result<()> {
        let reached = self.reach(relative)?;
        file::create_directory(&reached.place().path(), mode)
            .map_err(|error| renamed(error, &reached.shown))
    }

    /// Gives an entry the owner, mode and time of `meta`: see [`super::set_meta`].
    ///
    /// # Errors
    /// ENOENT.
    pub fn set_meta(&self, relative: &Path, meta: &Meta) -> Result<()> {
        let reached = self.reach(relative)?;
        set_meta_at(&reached.place(), meta)
    }

    /// The content of a regular file of at most `limit` bytes; `None` when nothing has this name.
    ///
    /// # Errors
    /// [`Error::TooLarge`], EINVAL for anything but a file.
    pub fn read_limited(&self, relative: &Path, limit: u64) -> Result<Option<Vec<u8>>> {
        if self.lstat(relative)?.is_none() {
            return Ok(None);
        }
        let reached = self.reach(relative)?;
        match file::read_limited(&reached.place().path(), limit) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(renamed(error, &reached.shown)),
        }
    }

    /// Opens a regular file for reading.
    ///
    /// # Errors
    /// ENOENT; EINVAL for anything but a file.
    pub fn open_file(&self, relative: &Path) -> Result<File> {
        let reached = self.reach(relative)?;
        let entry = Handle::open(&reached.place())?;
        if entry.meta()?.kind != Kind::File {
            return Err(Error::io("open", &reached.shown, Errno::EINVAL));
        }
        entry.open_file()
    }

    /// What a symlink points to.
    ///
    /// # Errors
    /// EINVAL when it is no symlink.
    pub fn read_link(&self, relative: &Path) -> Result<PathBuf> {
        let reached = self.reach(relative)?;
        file::read_link(&reached.place().path()).map_err(|error| renamed(error, &reached.shown))
    }

    /// Replaces (or makes) a file in one step: see [`file::write_atomic`]. An existing file's owner and
    /// attributes are not carried over.
    ///
    /// # Errors
    /// As [`file::write_atomic`].
    pub fn write_atomic(&self, relative: &Path, bytes: &[u8], mode: u32) -> Result<()> {
        let reached = self.reach(relative)?;
        file::write_atomic(&reached.place().path(), bytes, mode)
            .map_err(|error| renamed(error, &reached.shown))
    }

    /// Writes over the content of a regular file and leaves the rest of it as it is. Not in one step: only for a
    /// tree that nobody else sees.
    ///
    /// # Errors
    /// ENOENT; EINVAL for anything but a file.
    pub fn write_over(&self, relative: &Path, bytes: &[u8]) -> Result<()> {
        const VERB: &str = "write";
        let reached = self.reach(relative)?;
        fault::point(VERB, &reached.shown)?;
        let meta = Handle::open(&reached.place())?.meta()?;
        if meta.kind != Kind::File {
            return Err(Error::io(VERB, &reached.shown, Errno::EINVAL));
        }
        let write = || {
            let mut file = OpenOptions::new()
                .write(true)
                .truncate(true)
                .custom_flags(OFlag::O_NOFOLLOW.bits())
                .open(reached.place().path())?;
            file.write_all(bytes)?;
            // Writing takes the set-user-id bit away.
            file.set_permissions(Permissions::from_mode(meta.mode))
        };
        write().map_err(|error| Error::io(VERB, &reached.shown, error))
    }

    /// The names in a directory, sorted.
    ///
    /// # Errors
    /// ENOENT, ENOTDIR.
    pub fn list(&self, relative: &Path) -> Result<Vec<OsString>> {
        let reached = self.reach(relative)?;
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let opened = openat(
            &reached.parent,
            reached.name.as_os_str(),
            flags,
            Mode::empty(),
        )
        .map_err(|error| Error::io("list", &reached.shown, error))?;
        let handle = Handle::of(File::from(opened), &reached.shown);
        file::list(&handle.path()).map_err(|error| renamed(error, &reached.shown))
    }
}

/// Whether an error says that nothing has the name in the physical tree: something on the way is missing, or
/// is a file or a symlink.
fn leads_nowhere(errno: i32) -> bool {
    matches!(errno, libc::ENOENT | libc::ENOTDIR | libc::ELOOP)
}

/// The error with the path the caller knows, in place of the one through a descriptor.
fn renamed(error: Error, shown: &Path) -> Error {
    match error {
        Error::Io { verb, source, .. } | Error::IoTwo { verb, source, .. } => Error::Io {
            verb,
            path: shown.to_owned(),
            source,
        },
        Error::TooLarge { limit, .. } => Error::TooLarge {
            path: shown.to_owned(),
            limit,
        },
        other => other,
    }
}
