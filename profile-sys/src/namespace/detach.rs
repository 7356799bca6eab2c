//! A child that must have nothing of its parent's: no terminal, no open files.

use std::fs::OpenOptions;
use std::os::fd::BorrowedFd;
use std::path::Path;

use nix::errno::Errno;

use crate::{Error, Result, fault, raw};

/// Makes the calling process, a forked child, independent of its parent's terminal: a session of its own,
/// standard input, output and error at /dev/null, and no other descriptor open but those in `kept`.
///
/// # Errors
/// EPERM when it leads a process group, as a process that was not just forked may.
pub fn detach_from_terminal(kept: &[BorrowedFd<'_>]) -> Result<()> {
    let failed = |error: Errno| Error::io("detach", "/proc/self", error);
    nix::unistd::setsid().map_err(failed)?;
    let null_path = Path::new("/dev/null");
    let null = OpenOptions::new()
        .read(true)
        .write(true)
        .open(null_path)
        .map_err(|error| Error::io("open", null_path, error))?;
    nix::unistd::dup2_stdin(&null).map_err(failed)?;
    nix::unistd::dup2_stdout(&null).map_err(failed)?;
    nix::unistd::dup2_stderr(&null).map_err(failed)?;
    drop(null);
    let mut kept = kept.to_vec();
    kept.extend(fault::trace_descriptor());
    raw::close_all_but(&kept)
        .map_err(|error| Error::io("close descriptors of", "/proc/self", error))
}
