//! Names: renaming, exchanging, linking, removing.

use std::path::Path;

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

use crate::{Error, Result, fault};

/// Moves `from` to `to`, replacing a file (or empty directory) of that name in the same step.
///
/// # Errors
/// EXDEV across filesystems and subvolumes, except for a whole subvolume, which moves within its filesystem.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    const VERB: &str = "rename";
    fault::point(VERB, to)?;
    std::fs::rename(from, to).map_err(|error| Error::io_two(VERB, from, to, error))
}

/// Moves `from` to `to`, which must not exist.
///
/// # Errors
/// EEXIST when the name is taken.
pub fn rename_no_replace(from: &Path, to: &Path) -> Result<()> {
    rename_with("rename", from, to, RenameFlags::RENAME_NOREPLACE)
}

/// Exchanges two names in one step: at no moment is one of them missing. Works for subvolumes in different
/// directories, and while one of them is mounted as part of an overlay.
///
/// # Errors
/// ENOENT when one is missing, EXDEV across filesystems.
pub fn exchange(one: &Path, other: &Path) -> Result<()> {
    rename_with("exchange", one, other, RenameFlags::RENAME_EXCHANGE)
}

fn rename_with(verb: &'static str, from: &Path, to: &Path, flags: RenameFlags) -> Result<()> {
    fault::point(verb, to)?;
    renameat2(AT_FDCWD, from, AT_FDCWD, to, flags)
        .map_err(|error| Error::io_two(verb, from, to, error))
}

/// Makes `path` a symlink with the text `target`.
///
/// # Errors
/// EEXIST when the name is taken.
pub fn symlink(target: &Path, path: &Path) -> Result<()> {
    const VERB: &str = "make symlink";
    fault::point(VERB, path)?;
    std::os::unix::fs::symlink(target, path).map_err(|error| Error::io(VERB, path, error))
}

/// Makes `path` a symlink with the text `target`, in the place of what has this name, in one step.
///
/// # Errors
/// As [`symlink`] and [`rename`]; the old entry is in place then.
pub fn replace_symlink(target: &Path, path: &Path) -> Result<()> {
    let temporary = super::beside(path);
    symlink(target, &temporary)?;
    rename(&temporary, path).map_err(|cause| match std::fs::remove_file(&temporary) {
        Ok(()) => cause,
        Err(error) => Error::RollbackFailed {
            cause: Box::new(cause),
            rollback: Box::new(Error::io("remove", &temporary, error)),
        },
    })
}

/// Removes a name of anything but a directory.
///
/// # Errors
/// ENOENT when nothing has this name, EISDIR.
pub fn remove_file(path: &Path) -> Result<()> {
    const VERB: &str = "remove";
    fault::point(VERB, path)?;
    std::fs::remove_file(path).map_err(|error| Error::io(VERB, path, error))
}
