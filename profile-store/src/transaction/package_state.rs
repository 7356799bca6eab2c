//! What dpkg and apt say about packages, in one state of a profile.
//!
//! Read straight from a profile subvolume or snapshot and its base, without a mount: the hooks have
//! milliseconds. The rules of the overlay for a single file are few: the upper's file if there is
//! one, nothing if it is a whiteout or below an opaque directory, else the base's.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use conffile_diff::dpkg::changes::Side;
use conffile_diff::dpkg::{AutoMarks, Status};
use profile_sys::{file, tree, xattr};

use crate::error::{Error, Result};
use crate::layout::UPPER;

/// dpkg's status file, from the root of the merged tree.
pub const STATUS: &str = "var/lib/dpkg/status";
/// apt's automatic marks.
pub const EXTENDED_STATES: &str = "var/lib/apt/extended_states";
/// Largest of them that is read, in bytes: the status of all of Debian has about 70 MB.
const LIMIT_BYTES: u64 = 256 * 1024 * 1024;

/// Both files of one moment, parsed.
#[derive(Debug, Clone, Default)]
pub struct PackageState {
    bytes: Vec<u8>,
    marks: Vec<u8>,
    /// dpkg's packages.
    pub status: Status,
    /// apt's automatic marks.
    pub auto: AutoMarks,
}

impl PackageState {
    /// The state in `profile` (a profile subvolume or a snapshot of one) over `base`.
    ///
    /// # Errors
    ///
    /// A file cannot be read or parsed.
    pub fn read(profile: &Path, base: &Path) -> Result<Self> {
        let bytes = read(profile, base, STATUS)?;
        let marks = read(profile, base, EXTENDED_STATES)?;
        let refused = |name: &str, detail: String| Error::PackageDatabase {
            path: profile.join(UPPER).join(name),
            detail,
        };
        let status = Status::parse(&bytes).map_err(|error| refused(STATUS, error.to_string()))?;
        let auto = AutoMarks::parse(&marks)
            .map_err(|error| refused(EXTENDED_STATES, error.to_string()))?;
        Ok(Self {
            bytes,
            marks,
            status,
            auto,
        })
    }

    /// As conffile-diff compares it.
    pub fn side(&self) -> Side<'_> {
        Side {
            status: &self.status,
            bytes: &self.bytes,
            auto: &self.auto,
        }
    }

    /// Whether both files have the same bytes.
    pub fn same_bytes(&self, other: &Self) -> bool {
        self.bytes == other.bytes && self.marks == other.marks
    }
}

/// Whether both databases are, by inode, size and times, the same files in two states of a profile:
/// a snapshot keeps all of these, and dpkg and apt replace the files when they write.
///
/// # Errors
///
/// They cannot be looked at.
pub fn unchanged(profile: &Path, other: &Path, base: &Path) -> Result<bool> {
    for name in [STATUS, EXTENDED_STATES] {
        let of = |side: &Path| -> Result<Option<(u64, u64, i128)>> {
            let Some(path) = find(side, base, Path::new(name))? else {
                return Ok(None);
            };
            let from_base = path.starts_with(base);
            Ok(tree::lstat(&path)?.map(|meta| {
                let ino = if from_base { 0 } else { meta.ino };
                (ino, meta.size, meta.mtime_ns)
            }))
        };
        if of(profile)? != of(other)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Where a file of the merged tree stands: in the upper of `profile` or in `base`; `None` when the
/// merged tree has no such file.
///
/// # Errors
///
/// A directory on the way cannot be looked at.
pub fn find(profile: &Path, base: &Path, relative: &Path) -> Result<Option<PathBuf>> {
    let upper = profile.join(UPPER);
    let mut at = upper.clone();
    let mut parts = relative.components().peekable();
    while let Some(part) = parts.next() {
        at.push(part);
        let Some(meta) = tree::lstat(&at)? else {
            let below = base.join(relative);
            return Ok(tree::lstat(&below)?.map(|_| below));
        };
        if meta.is_whiteout() {
            return Ok(None);
        }
        if parts.peek().is_none() {
            return Ok(Some(at));
        }
        if meta.kind != tree::Kind::Directory || is_opaque(&at)? {
            // Nothing of the base shows below this: the file is in the upper or nowhere.
            let only = upper.join(relative);
            return Ok(tree::lstat(&only)?.map(|_| only));
        }
    }
    Ok(None)
}

/// Whether a directory of an upper hides the base's directory of the same path.
///
/// # Errors
///
/// Its attributes cannot be read.
pub fn is_opaque(directory: &Path) -> Result<bool> {
    Ok(xattr::get(directory, OsStr::new("trusted.overlay.opaque"))?.as_deref() == Some(b"y"))
}

fn read(profile: &Path, base: &Path, name: &str) -> Result<Vec<u8>> {
    match find(profile, base, Path::new(name))? {
        Some(path) => Ok(file::read_limited(&path, LIMIT_BYTES)?),
        None => Ok(Vec::new()),
    }
}
