//! Names and inodes held by descriptors, so that nobody can put another in their place.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Permissions};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, openat};
use nix::sys::stat::{Mode, UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::{Gid, Uid, fchownat};

use super::meta::{Kind, Meta};
use crate::{Error, Result};

/// A name in an open directory; nothing need have it.
#[derive(Debug, Clone)]
pub(super) struct Place<'a> {
    pub(super) parent: BorrowedFd<'a>,
    pub(super) name: OsString,
    /// The path for messages.
    pub(super) shown: PathBuf,
}

/// Opens the directory that `path` lies in, following symlinks on the way.
pub(super) fn open_parent(path: &Path) -> Result<OwnedFd> {
    let parent = match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        // The root directory is named within itself.
        None => path,
    };
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    openat(AT_FDCWD, parent, flags, Mode::empty()).map_err(|error| Error::io("open", parent, error))
}

impl<'a> Place<'a> {
    /// The last component of `path` in its opened parent.
    pub(super) fn of(path: &Path, parent: &'a OwnedFd) -> Result<Self> {
        let name = match path.file_name() {
            Some(name) => name.to_owned(),
            None if path.parent().is_none() => OsString::from("."),
            None => {
                return Err(Error::BadName {
                    verb: "reach",
                    path: path.to_owned(),
                });
            }
        };
        Ok(Self {
            parent: parent.as_fd(),
            name,
            shown: path.to_owned(),
        })
    }

    /// Another name in the same directory; messages keep naming this one.
    pub(super) fn sibling(&self, name: &OsStr) -> Self {
        Self {
            parent: self.parent,
            name: name.to_owned(),
            shown: self.shown.clone(),
        }
    }

    /// A path that names this place, whatever happens to the directories above it.
    pub(super) fn path(&self) -> PathBuf {
        Path::new(&format!("/proc/self/fd/{}", self.parent.as_raw_fd())).join(&self.name)
    }

    pub(super) fn failed(&self, verb: &'static str) -> impl FnOnce(Errno) -> Error + use<> {
        let shown = self.shown.clone();
        move |error| Error::io(verb, shown, error)
    }

    /// What has this name now.
    pub(super) fn meta(&self) -> Result<Option<Meta>> {
        match Handle::open(self) {
            Ok(entry) => entry.meta().map(Some),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// An inode: whatever happens to its name, this stays what it was.
#[derive(Debug)]
pub(super) struct Handle {
    fd: File,
    shown: PathBuf,
}

impl Handle {
    /// Opens what has this name now, without following or starting anything.
    pub(super) fn open(place: &Place<'_>) -> Result<Self> {
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let fd = openat(place.parent, place.name.as_os_str(), flags, Mode::empty())
            .map_err(place.failed("open"))?;
        Ok(Self {
            fd: fd.into(),
            shown: place.shown.clone(),
        })
    }

    /// The inode of an open file.
    pub(super) fn of(file: File, shown: &Path) -> Self {
        Self {
            fd: file,
            shown: shown.to_owned(),
        }
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// A path to this very inode: calls that follow symlinks end here, even when it is one itself.
    pub(super) fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.fd.as_raw_fd()))
    }

    pub(super) fn shown(&self) -> &Path {
        &self.shown
    }

    fn failed<E: Into<std::io::Error>>(&self, verb: &'static str) -> impl FnOnce(E) -> Error + '_ {
        move |error| Error::io(verb, &self.shown, error)
    }

    pub(super) fn meta(&self) -> Result<Meta> {
        // Of the descriptor itself: O_PATH allows that (open(2)).
        self.fd
            .metadata()
            .map(|meta| Meta::from(&meta))
            .map_err(self.failed("examine"))
    }

    /// Opens a regular file for reading, leaving its access time alone.
    pub(super) fn open_file(&self) -> Result<File> {
        let flags = OFlag::O_RDONLY | OFlag::O_NOATIME | OFlag::O_CLOEXEC;
        openat(AT_FDCWD, &self.path(), flags, Mode::empty())
            .map(File::from)
            .map_err(self.failed("open"))
    }

    pub(super) fn set_owner(&self, uid: u32, gid: u32) -> Result<()> {
        let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
        fchownat(&self.fd, "", Some(uid), Some(gid), AtFlags::AT_EMPTY_PATH)
            .map_err(self.failed("set the owner of"))
    }

    /// Sets the permission bits; a symlink has none of its own.
    pub(super) fn set_mode(&self, meta: &Meta) -> Result<()> {
        if meta.kind == Kind::Symlink {
            return Ok(());
        }
        std::fs::set_permissions(self.path(), Permissions::from_mode(meta.mode))
            .map_err(self.failed("set the mode of"))
    }

    pub(super) fn set_modified(&self, mtime_ns: i128) -> Result<()> {
        let seconds = mtime_ns.div_euclid(1_000_000_000) as i64;
        let nanoseconds = mtime_ns.rem_euclid(1_000_000_000) as i64;
        let modified = TimeSpec::new(seconds as _, nanoseconds as _);
        let follow = UtimensatFlags::FollowSymlink;
        utimensat(
            AT_FDCWD,
            &self.path(),
            &TimeSpec::UTIME_OMIT,
            &modified,
            follow,
        )
        .map_err(self.failed("set the time of"))
    }

    /// All extended attributes but those `skip` names.
    pub(super) fn xattrs(&self, skip: &dyn Fn(&OsStr) -> bool) -> Result<Vec<(OsString, Vec<u8>)>> {
        const VERB: &str = "read the extended attributes of";
        let path = self.path();
        let names = match xattr::list_deref(&path) {
            Ok(names) => names,
            Err(error) if error.raw_os_error() == Some(libc::ENOTSUP) => return Ok(Vec::new()),
            Err(error) => return Err(self.failed(VERB)(error)),
        };
        let mut found = Vec::new();
        for name in names.filter(|name| !skip(name)) {
            if let Some(value) = xattr::get_deref(&path, &name).map_err(self.failed(VERB))? {
                found.push((name, value));
            }
        }
        Ok(found)
    }

    pub(super) fn set_xattr(&self, name: &OsStr, value: &[u8]) -> Result<()> {
        xattr::set_deref(self.path(), name, value)
            .map_err(self.failed("set an extended attribute of"))
    }

    pub(super) fn remove_xattr(&self, name: &OsStr) -> Result<()> {
        xattr::remove_deref(self.path(), name)
            .map_err(self.failed("remove an extended attribute of"))
    }
}
