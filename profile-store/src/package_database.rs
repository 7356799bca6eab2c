//! Reading dpkg's and apt's databases from any root: a base, a view, the merged tree.

use std::path::{Path, PathBuf};

use conffile_diff::dpkg::changes::Side;
use conffile_diff::dpkg::{AutoMarks, Status};
use profile_sys::file;

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
        let status_path = root.join(DPKG).join("status");
        let bytes = read_optional(&status_path)?;
        let status = Status::parse(&bytes).map_err(|error| unreadable(&status_path, &error))?;
        let auto_path = root.join("var/lib/apt/extended_states");
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
    let directory = root.join(DPKG).join("info");
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

/// The bytes of a file, or none when it is missing.
pub(crate) fn read_optional(path: &Path) -> Result<Vec<u8>> {
    match file::read_limited(path, LIMIT_BYTES) {
        Ok(bytes) => Ok(bytes),
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::PackageDatabase {
        path: path.to_path_buf(),
        detail: error.to_string(),
    }
}
