//! A pipe between a process and a child it forks.

use std::fs::File;

use nix::fcntl::OFlag;
use nix::unistd::pipe2;

use crate::{Error, Result};

/// Makes a pipe: what is written to the second file is read from the first, until every copy of the second one
/// is closed. Neither survives an exec.
///
/// # Errors
/// EMFILE.
pub fn pipe() -> Result<(File, File)> {
    let (read, write) = pipe2(OFlag::O_CLOEXEC)
        .map_err(|error| Error::io("make a pipe in", "/proc/self/fd", error))?;
    Ok((File::from(read), File::from(write)))
}
