//! Making a filesystem, and looking first at what a device or image already holds.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::command::Command;
use crate::{Error, Result, fault};

/// How much of the beginning must be zero for a file without a known signature to count as empty.
const PROBED_BYTES: u64 = 1 << 20;

/// Makes a btrfs filesystem with `label` on a device or an image file, over whatever it holds: ask
/// [`detect_content`] first.
///
/// # Errors
/// When mkfs.btrfs is missing or refuses (too small: it needs about 110 MiB).
pub fn make_filesystem(device_or_image: &Path, label: &str) -> Result<()> {
    fault::point("make filesystem on", device_or_image)?;
    Command::new("mkfs.btrfs")
        .args(["--quiet", "--force", "--label", label, "--"])
        .arg(device_or_image)
        .run_ok()
        .map(drop)
}

/// What a device or image file holds already: the types of the signatures on it, or "data of an unknown
/// kind" when it has none but does not begin with zeroes; `None` when it is empty.
///
/// # Errors
/// When it cannot be read, or wipefs is missing.
pub fn detect_content(path: &Path) -> Result<Option<String>> {
    const VERB: &str = "read the beginning of";
    let file = File::open(path).map_err(|error| Error::io(VERB, path, error))?;
    let output = Command::new("wipefs")
        .args(["--no-act", "--noheadings", "--output", "TYPE,LABEL", "--"])
        .arg(path)
        .run_ok()?;
    let listed = String::from_utf8_lossy(&output.stdout);
    let mut kinds: Vec<&str> = listed
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty())
        .collect();
    kinds.dedup();
    if !kinds.is_empty() {
        return Ok(Some(kinds.join(", ")));
    }
    let mut beginning = Vec::new();
    file.take(PROBED_BYTES)
        .read_to_end(&mut beginning)
        .map_err(|error| Error::io(VERB, path, error))?;
    let empty = beginning.iter().all(|&byte| byte == 0);
    Ok((!empty).then(|| "data of an unknown kind".to_owned()))
}

/// Whether something has a block device, or a partition of it, for itself: a mount in any namespace, swap,
/// RAID, a device mapper.
///
/// # Errors
/// When it cannot be opened for another reason.
pub fn is_device_busy(path: &Path) -> Result<bool> {
    // Without O_CREAT, and for block devices alone, O_EXCL means just this (open(2)).
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_EXCL | libc::O_CLOEXEC)
        .open(path);
    match opened {
        Ok(_) => Ok(false),
        Err(error) if error.raw_os_error() == Some(libc::EBUSY) => Ok(true),
        Err(error) => Err(Error::io("open", path, error)),
    }
}
