//! The kernel's own difference of two snapshots, as a stream of commands without file data.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::Path;
use std::thread::JoinHandle;

use nix::fcntl::OFlag;
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::pipe2;

use super::{open, subvolume_info};
use crate::{Error, Result, raw};

/// `BTRFS_SEND_FLAG_NO_FILE_DATA`: `update_extent` with offset and length instead of the bytes written.
const NO_FILE_DATA: u64 = linux_raw_sys::btrfs::BTRFS_SEND_FLAG_NO_FILE_DATA as u64;

/// A send stream, version 1, as the kernel writes it: read it to the end.
///
/// The kernel works in a thread of its own. When it fails, reading ends with its error instead of with the
/// end of file, so a stream that was read to its end is whole. Dropping the stream stops the kernel.
#[derive(Debug)]
pub struct SendStream {
    pipe: Option<File>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

/// Starts the difference of the read-only snapshot `subvolume` to the read-only snapshot `parent`; without a
/// parent, to nothing. The two need no common origin, but only snapshots of one another have small ones.
///
/// # Errors
/// When one of them cannot be opened. A subvolume that is not read-only surfaces as EPERM from the stream.
pub fn send_without_data(subvolume: &Path, parent: Option<&Path>) -> Result<SendStream> {
    const VERB: &str = "compare snapshot";
    let source = open(VERB, subvolume)?;
    let parent = parent.map(subvolume_info).transpose()?.map(|info| info.id);
    let (reader, writer) =
        pipe2(OFlag::O_CLOEXEC).map_err(|error| Error::io(VERB, subvolume, error))?;
    let thread = std::thread::Builder::new()
        .name("btrfs-send".into())
        .spawn(move || {
            // When the reader goes away the kernel raises SIGPIPE in this thread before it answers
            // EPIPE; blocked, it dies with the thread instead of ending the program.
            SigSet::from(Signal::SIGPIPE).thread_block()?;
            raw::send(source.as_fd(), writer.as_fd(), parent, NO_FILE_DATA)
        })
        .map_err(|error| Error::io(VERB, subvolume, error))?;
    Ok(SendStream {
        pipe: Some(File::from(reader)),
        thread: Some(thread),
    })
}

impl Read for SendStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(pipe) = &mut self.pipe else {
            return Ok(0);
        };
        let count = pipe.read(buffer)?;
        if count > 0 || buffer.is_empty() {
            return Ok(count);
        }
        self.pipe = None;
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(outcome)) => outcome.map(|()| 0),
            Some(Err(_)) => Err(io::Error::other("the thread of the comparison panicked")),
            None => Ok(0),
        }
    }
}

impl Drop for SendStream {
    fn drop(&mut self) {
        // The pipe first: the kernel then gets EPIPE, and the thread ends.
        self.pipe = None;
        if let Some(thread) = self.thread.take() {
            // The stream was given up, so how the kernel ended no longer matters.
            let _ = thread.join();
        }
    }
}
