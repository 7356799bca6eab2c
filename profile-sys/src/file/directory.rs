//! Directories: making, listing, removing whole trees.

use std::ffi::{OsStr, OsString};
use std::fs::{DirBuilder, File};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::Path;

use nix::dir::{Dir, Type};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::{SFlag, fstatat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::parent_of;
use crate::{Error, Result, fault};

/// Makes a directory with exactly this mode, whatever the umask.
///
/// # Errors
/// EEXIST when the name is taken.
pub fn create_directory(path: &Path, mode: u32) -> Result<()> {
    const VERB: &str = "create directory";
    fault::point(VERB, path)?;
    DirBuilder::new()
        .mode(mode & 0o777)
        .create(path)
        .and_then(|()| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)))
        .map_err(|error| Error::io(VERB, path, error))
}

/// Makes a directory and the missing ones above it, all with this mode; one that exists keeps its own.
///
/// # Errors
/// ENOTDIR when a file is in the way.
pub fn create_directory_all(path: &Path, mode: u32) -> Result<()> {
    // stat, not lstat: a symlink to a directory serves.
    match std::fs::metadata(path) {
        Ok(meta) if meta.is_dir() => return Ok(()),
        Ok(_) => return Err(Error::io("create directory", path, Errno::ENOTDIR)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(Error::io("create directory", path, error)),
    }
    if let Some(parent) = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        create_directory_all(parent, mode)?;
    }
    match create_directory(path, mode) {
        // Another process was faster.
        Err(error) if error.is_already_there() && path.is_dir() => Ok(()),
        outcome => outcome,
    }
}

/// The names in a directory, sorted by their bytes; without `.` and `..`.
///
/// # Errors
/// ENOENT, ENOTDIR.
pub fn list(path: &Path) -> Result<Vec<OsString>> {
    let failed = |error| Error::io("list", path, error);
    let mut names = std::fs::read_dir(path)
        .map_err(failed)?
        .map(|entry| entry.map(|entry| entry.file_name()))
        .collect::<std::io::Result<Vec<_>>>()
        .map_err(failed)?;
    names.sort();
    Ok(names)
}

/// Removes an empty directory.
///
/// # Errors
/// ENOTEMPTY.
pub fn remove_directory(path: &Path) -> Result<()> {
    const VERB: &str = "remove directory";
    fault::point(VERB, path)?;
    std::fs::remove_dir(path).map_err(|error| Error::io(VERB, path, error))
}

/// Removes a file, symlink or directory with everything in it; what is not there is done.
///
/// Follows no symlink, not even one that is put in its way meanwhile, and enters no other mount and no btrfs
/// subvolume: those stay, and so do the directories above them. Not one step: power may be cut in the
/// middle of it, and a second call finishes.
///
/// # Errors
/// EXDEV when another mount or a subvolume is below.
pub fn remove_tree(path: &Path) -> Result<()> {
    const VERB: &str = "remove tree";
    fault::point(VERB, path)?;
    let Some(meta) = super::metadata(path)? else {
        return Ok(());
    };
    let failed = |error: Errno| Error::io(VERB, path, error);
    let name = path.file_name().ok_or_else(|| Error::BadName {
        verb: VERB,
        path: path.to_owned(),
    })?;
    let parent =
        File::open(parent_of(VERB, path)?).map_err(|error| Error::io(VERB, path, error))?;
    if meta.is_dir() {
        let walk = Walk {
            device: meta.dev(),
            top: path,
        };
        walk.empty(&parent, name, path)?;
        unlinkat(&parent, name, UnlinkatFlags::RemoveDir).map_err(failed)
    } else {
        unlinkat(&parent, name, UnlinkatFlags::NoRemoveDir).map_err(failed)
    }
}

/// The removal of one tree.
struct Walk<'a> {
    /// The device of the tree's top: a directory of another one is a subvolume.
    device: u64,
    top: &'a Path,
}

impl Walk<'_> {
    /// Removes everything in the directory `name` of `parent`; `path` is for messages. Uses one descriptor per
    /// level, so its depth is bounded by their number, not by the length of paths.
    fn empty(&self, parent: impl AsFd, name: &OsStr, path: &Path) -> Result<()> {
        const VERB: &str = "remove tree";
        let failed = |error: Errno| Error::io(VERB, path, error);
        let how = OpenHow::new()
            .flags(OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC)
            .resolve(ResolveFlag::RESOLVE_NO_XDEV | ResolveFlag::RESOLVE_NO_SYMLINKS);
        let opened = openat2(&parent, name, how).map_err(failed)?;
        let device = nix::sys::stat::fstat(&opened).map_err(failed)?.st_dev;
        if device != self.device {
            return Err(failed(Errno::EXDEV));
        }
        let mut directory = Dir::from_fd(opened).map_err(failed)?;
        // All names first: removing while reading may skip entries.
        let mut entries = Vec::new();
        for entry in directory.iter() {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            if name != c"." && name != c".." {
                entries.push((
                    OsStr::from_bytes(name.to_bytes()).to_owned(),
                    entry.file_type(),
                ));
            }
        }
        for (index, (name, kind)) in entries.into_iter().enumerate() {
            let below = path.join(&name);
            if index == 1 && path == self.top {
                // A second point, so that tests also see a tree that is half gone.
                fault::point("remove the rest of", path)?;
            }
            let failed = |error: Errno| Error::io(VERB, &below, error);
            if is_directory(&directory, &name, kind).map_err(failed)? {
                self.empty(&directory, &name, &below)?;
                unlinkat(&directory, name.as_os_str(), UnlinkatFlags::RemoveDir).map_err(failed)?;
            } else {
                unlinkat(&directory, name.as_os_str(), UnlinkatFlags::NoRemoveDir)
                    .map_err(failed)?;
            }
        }
        Ok(())
    }
}

fn is_directory(parent: impl AsFd, name: &OsStr, kind: Option<Type>) -> nix::Result<bool> {
    match kind {
        Some(kind) => Ok(kind == Type::Directory),
        None => {
            let stat = fstatat(parent, name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
            Ok(stat.st_mode & SFlag::S_IFMT.bits() == SFlag::S_IFDIR.bits())
        }
    }
}
