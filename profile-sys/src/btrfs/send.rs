//! The kernel's own difference of two snapshots, as a stream of commands without file data.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::memfd::{MFdFlags, memfd_create};

use super::{open, subvolume_info};
use crate::{Error, Result, raw};

/// `BTRFS_SEND_FLAG_NO_FILE_DATA`: `update_extent` with offset and length instead of the bytes written.
const NO_FILE_DATA: u64 = linux_raw_sys::btrfs::BTRFS_SEND_FLAG_NO_FILE_DATA as u64;

const VERB: &str = "compare snapshot";

/// How long a reader that has caught up with the kernel waits before it looks again.
const PAUSE: Duration = Duration::from_micros(500);

/// A send stream, read while the kernel still makes it.
///
/// Reading ends where the stream ends; an error of the kernel is the last read's.
#[derive(Debug)]
pub struct SendStream {
    /// Where the kernel writes, with a position of our own.
    memory: File,
    position: u64,
    /// The thread that waits for the kernel; none when it has ended.
    kernel: Option<JoinHandle<io::Result<()>>>,
    subvolume: PathBuf,
}

/// The difference of the read-only snapshot `subvolume` to the read-only snapshot `parent`, as a send stream,
/// version 1; without a parent, to nothing. The two need no common origin, but only snapshots of one another
/// have small ones.
///
/// The stream is in memory, some 500 bytes for each path that differs: through a pipe the kernel hands over
/// one command of a hundred bytes at a time, and waking the reader for each costs more than making them all.
///
/// # Errors
/// When one of them cannot be opened or is no subvolume. What the kernel refuses, a `subvolume` that is not
/// read-only (EPERM) too, is an error of the first read that finds nothing more.
pub fn send_without_data(subvolume: &Path, parent: Option<&Path>) -> Result<SendStream> {
    let failed = |error: nix::Error| Error::io(VERB, subvolume, error);
    let source = open(VERB, subvolume)?;
    let parent = parent.map(subvolume_info).transpose()?.map(|info| info.id);
    let memory = File::from(memfd_create("btrfs-send", MFdFlags::MFD_CLOEXEC).map_err(failed)?);
    let target = memory
        .try_clone()
        .map_err(|error| Error::io(VERB, subvolume, error))?;
    let kernel = std::thread::Builder::new()
        .name("btrfs-send".to_owned())
        .spawn(move || raw::send(source.as_fd(), target.as_fd(), parent, NO_FILE_DATA))
        .map_err(|error| Error::io(VERB, subvolume, error))?;
    Ok(SendStream {
        memory,
        position: 0,
        kernel: Some(kernel),
        subvolume: subvolume.to_owned(),
    })
}

impl Read for SendStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            // Before the read: what the kernel wrote last must not be missed.
            let ended = self.kernel.as_ref().is_none_or(JoinHandle::is_finished);
            // The offset of the descriptor is the kernel's.
            let count = std::os::unix::fs::FileExt::read_at(&self.memory, buffer, self.position)?;
            self.position += count as u64;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            if ended {
                return self.end().map(|()| 0);
            }
            std::thread::sleep(PAUSE);
        }
    }
}

impl SendStream {
    /// What the kernel said in the end.
    fn end(&mut self) -> io::Result<()> {
        let Some(kernel) = self.kernel.take() else {
            return Ok(());
        };
        match kernel.join() {
            Ok(outcome) => {
                outcome.map_err(|error| io::Error::other(Error::io(VERB, &self.subvolume, error)))
            }
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

impl Drop for SendStream {
    /// Waits for the kernel: whoever gave up reading may delete the snapshots next, which it refuses while
    /// they are sent.
    fn drop(&mut self) {
        if let Some(kernel) = self.kernel.take() {
            // What the kernel says of a stream that nobody reads matters to nobody.
            let _ = kernel.join();
        }
    }
}
