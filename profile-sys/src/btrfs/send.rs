//! The kernel's own difference of two snapshots, as a stream of commands without file data.

use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::os::fd::AsFd;
use std::path::Path;

use nix::sys::memfd::{MFdFlags, memfd_create};

use super::{open, subvolume_info};
use crate::{Error, Result, raw};

/// `BTRFS_SEND_FLAG_NO_FILE_DATA`: `update_extent` with offset and length instead of the bytes written.
const NO_FILE_DATA: u64 = linux_raw_sys::btrfs::BTRFS_SEND_FLAG_NO_FILE_DATA as u64;

/// The difference of the read-only snapshot `subvolume` to the read-only snapshot `parent`, as a send stream,
/// version 1, to be read from its beginning; without a parent, to nothing. The two need no common origin, but
/// only snapshots of one another have small ones.
///
/// The stream is in memory, some 500 bytes for each path that differs: through a pipe the kernel hands over
/// one command of a hundred bytes at a time, and waking the reader for each costs more than making them all.
///
/// # Errors
/// When one of them cannot be opened, when `subvolume` is not read-only (EPERM), or when the kernel cannot
/// make the stream.
pub fn send_without_data(subvolume: &Path, parent: Option<&Path>) -> Result<File> {
    const VERB: &str = "compare snapshot";
    let source = open(VERB, subvolume)?;
    let parent = parent.map(subvolume_info).transpose()?.map(|info| info.id);
    let memory = memfd_create("btrfs-send", MFdFlags::MFD_CLOEXEC)
        .map_err(|error| Error::io(VERB, subvolume, error))?;
    raw::send(source.as_fd(), memory.as_fd(), parent, NO_FILE_DATA)
        .map_err(|error| Error::io(VERB, subvolume, error))?;
    let mut stream = File::from(memory);
    stream
        .seek(SeekFrom::Start(0))
        .map_err(|error| Error::io(VERB, subvolume, error))?;
    Ok(stream)
}
