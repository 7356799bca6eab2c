//! The inode counter of a subvolume, which profiles need far above any base's (the inode floor).
//!
//! btrfs numbers inodes per subvolume, one above the highest in the tree, and overlayfs takes all
//! subvolumes of a filesystem for one numbering. So a profile's numbers must start where no base ends.

use std::fs::OpenOptions;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use super::open;
use super::search::{FIRST_INODE, LAST_INODE, next_inode, single_item_buffer};
use crate::{Error, Result, fault};

/// How many inodes are used up between two reports of progress.
const REPORT_EVERY: u64 = 1 << 14;

/// The highest inode number in the subvolume that `path` lies in.
///
/// The kernel searches upwards only, so this halves the interval: about 40 searches of one item each,
/// whatever the size of the tree.
///
/// # Errors
/// When the path is not on btrfs, or without the right to read metadata.
pub fn highest_inode(path: &Path) -> Result<u64> {
    const VERB: &str = "find the highest inode of";
    let failed = |error| Error::io(VERB, path, error);
    let file = open(VERB, path)?;
    let mut buffer = single_item_buffer();
    // Every subvolume has its top directory, so something is always found.
    let mut highest = FIRST_INODE;
    // Doubling first: real numbers are small, and the interval is 2^64 wide.
    let mut step = 1;
    let mut above = loop {
        let from = highest.saturating_add(step).min(LAST_INODE);
        match next_inode(&file, &mut buffer, from).map_err(failed)? {
            Some(inode) if inode < LAST_INODE => highest = inode,
            Some(inode) => return Ok(inode),
            None => break from,
        }
        step = step.saturating_mul(2);
    };
    // Invariant: `highest` exists, nothing at or above `above` does.
    while above - highest > 1 {
        let middle = highest + (above - highest) / 2;
        match next_inode(&file, &mut buffer, middle).map_err(failed)? {
            Some(inode) => highest = inode,
            None => above = middle,
        }
    }
    Ok(highest)
}

/// Pushes the inode counter of the subvolume that `directory` lies in, so that the next inode made in it
/// has a number of at least `floor`; returns the last number used up.
///
/// The counter lives in memory: make a file or directory in the subvolume before it is unmounted, then the
/// tree itself keeps it. Snapshots taken after that keep it too. Takes about 11 s for 2^20; `progress` is
/// told the last number every 2^14.
///
/// # Errors
/// When no unnamed file can be made in the directory.
pub fn raise_inode_counter(
    directory: &Path,
    floor: u64,
    progress: &mut dyn FnMut(u64),
) -> Result<u64> {
    const VERB: &str = "raise the inode counter of";
    fault::point(VERB, directory)?;
    let mut unnamed = OpenOptions::new();
    unnamed
        .write(true)
        .custom_flags(libc::O_TMPFILE | libc::O_CLOEXEC)
        .mode(0o600);
    // Opens one unnamed file, which takes the next number and is gone when it is closed.
    let next = || {
        unnamed
            .open(directory)
            .map_err(|error| Error::io(VERB, directory, error))
    };
    let number_of = |file: std::fs::File| {
        file.metadata()
            .map(|meta| meta.ino())
            .map_err(|error| Error::io(VERB, directory, error))
    };
    let mut last = number_of(next()?)?;
    while last + 1 < floor {
        let batch = (floor - 1 - last).min(REPORT_EVERY);
        // Only the last one of a batch is asked for its number: the others cost two calls, not three.
        for _ in 1..batch {
            next()?;
        }
        last = number_of(next()?)?;
        progress(last);
    }
    Ok(last)
}
