//! Reading dpkg's and apt's databases from any root: a base, a view, the merged tree. Symlinks in it mean places
//! in it, never one of the host.

use std::path::{Path, PathBuf};

use conffile_diff::dpkg::changes::Side;
use conffile_diff::dpkg::{AutoMarks, Status};
use profile_sys::file;

use crate::enter::confined;
use crate::error::{Error, Result};

/// Largest database file that is read, in bytes: ten times what the largest installations have.
const LIMIT_BYTES: u64 = 256 * 1024 * 1024;
/// dpkg's directory, without leading slash.
pub const DPKG: &str = "var/lib/dpkg";

/// dpkg's status and apt's marks of one root at one moment.
#[derive(Debug)]
pub struct PackageDatabase {
    bytes: Vec<u8>,
    status: Status,
    auto: AutoMarks,
}

impl PackageDatabase {
    /// Reads the databases of the tree at `root`; files that are missing are empty ones.
    ///
    /// # Errors
    ///
    /// A file cannot be read or does not parse.
    pub fn read(root: &Path) -> Result<Self> {
        let status_path = place(root, &Path::new(DPKG).join("status"))?;
        let bytes = read_optional(&status_path)?;
        let status = Status::parse(&bytes).map_err(|error| unreadable(&status_path, &error))?;
        let auto_path = place(root, "var/lib/apt/extended_states".as_ref())?;
        let auto = AutoMarks::parse(&read_optional(&auto_path)?)
            .map_err(|error| unreadable(&auto_path, &error))?;
        Ok(Self {
            bytes,
            status,
            auto,
        })
    }

    /// The parsed status file.
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// The automatic marks.
    pub fn auto(&self) -> &AutoMarks {
        &self.auto
    }

    /// The form that comparisons take.
    pub fn side(&self) -> Side<'_> {
        Side {
            status: &self.status,
            bytes: &self.bytes,
            auto: &self.auto,
        }
    }
}

/// The files of dpkg's info directory of the tree at `root`, with their paths.
///
/// # Errors
///
/// The directory cannot be read.
pub fn info_files(root: &Path) -> Result<Vec<(conffile_diff::dpkg::info::InfoName, PathBuf)>> {
    use std::os::unix::ffi::OsStrExt;
    let directory = place(root, &Path::new(DPKG).join("info"))?;
    if !file::exists(&directory)? {
        return Ok(Vec::new());
    }
    Ok(file::list(&directory)?
        .into_iter()
        .filter_map(|name| {
            let parsed = conffile_diff::dpkg::info::parse_name(name.as_bytes())?;
            Some((parsed, directory.join(name)))
        })
        .collect())
}

/// Where a path of the databases is in the tree at `root`, whose symlinks mean places in it.
///
/// # Errors
///
/// It leads nowhere.
pub(crate) fn place(root: &Path, path: &Path) -> Result<PathBuf> {
    let found = confined::resolve(root, path)?;
    found.ok_or_else(|| unreadable(&Path::new("/").join(path), &"it leads nowhere"))
}

/// The bytes of a file, or none when it is missing.
pub(crate) fn read_optional(path: &Path) -> Result<Vec<u8>> {
    match file::read_limited(path, LIMIT_BYTES) {
        Ok(bytes) => Ok(bytes),
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

/// The error of a database that cannot be read.
pub(crate) fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::PackageDatabase {
        path: path.to_path_buf(),
        detail: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_database_of_the_host_is_not_taken_for_the_trees() {
        let (root, host) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let text = "Package: x\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n";
        std::fs::write(host.path().join("status"), text).unwrap();
        std::fs::create_dir_all(root.path().join("var/lib")).unwrap();
        symlink(host.path(), root.path().join(DPKG)).unwrap();
        let found = PackageDatabase::read(root.path()).unwrap();
        assert!(found.status().packages().is_empty());
        // Where the link leads in the tree, it is its own.
        let inside = root.path().join(host.path().strip_prefix("/").unwrap());
        std::fs::create_dir_all(&inside).unwrap();
        std::fs::write(inside.join("status"), text).unwrap();
        let found = PackageDatabase::read(root.path()).unwrap();
        assert_eq!(found.status().packages().len(), 1);
    }
}
