//! Extended attributes of the entry itself: a symlink is never followed.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;

use crate::{Error, Result, fault};

/// The value of an attribute, `None` when it is not set or the filesystem has no attributes of that kind.
///
/// # Errors
/// When the entry cannot be read.
pub fn get(path: &Path, name: &OsStr) -> Result<Option<Vec<u8>>> {
    absent_as_none(xattr::get(path, name))
        .map(Option::flatten)
        .map_err(|error| Error::io("read an extended attribute of", path, error))
}

/// The names of all attributes; empty where the filesystem has none.
///
/// # Errors
/// When the entry cannot be read.
pub fn list(path: &Path) -> Result<Vec<OsString>> {
    absent_as_none(xattr::list(path))
        .map(|names| names.map(Iterator::collect).unwrap_or_default())
        .map_err(|error| Error::io("list the extended attributes of", path, error))
}

/// Sets an attribute, over any value it has.
///
/// # Errors
/// EPERM for kinds a file of this type cannot have (`user.` on a symlink), ENOSPC, ENOTSUP.
pub fn set(path: &Path, name: &OsStr, value: &[u8]) -> Result<()> {
    fault::point("set an extended attribute of", path)?;
    set_silently(path, name, value)
}

/// Removes an attribute; one that is not there is done.
///
/// # Errors
/// When the system refuses.
pub fn remove(path: &Path, name: &OsStr) -> Result<()> {
    fault::point("remove an extended attribute of", path)?;
    remove_silently(path, name)
}

/// [`set`] as one part of a larger effect that has its own fault point.
pub(crate) fn set_silently(path: &Path, name: &OsStr, value: &[u8]) -> Result<()> {
    xattr::set(path, name, value)
        .map_err(|error| Error::io("set an extended attribute of", path, error))
}

/// [`remove`] as one part of a larger effect that has its own fault point.
pub(crate) fn remove_silently(path: &Path, name: &OsStr) -> Result<()> {
    absent_as_none(xattr::remove(path, name))
        .map(drop)
        .map_err(|error| Error::io("remove an extended attribute of", path, error))
}

fn absent_as_none<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENODATA | libc::ENOTSUP)) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
