//! Which front ends the hooks know of, for the trigger that dpkg runs in the middle of their work.
//!
//! The journal knows as well, but asking it takes the trigger longer than all else it does, at every
//! change of a package. So the first hook leaves an empty file, named after the process, and the last
//! one removes it. It is only a shortcut: without the file the trigger asks the journal; and a file
//! that was left names a process that is gone, since a process has its start time in its name.

use std::path::{Path, PathBuf};

use profile_db::model::Owner;
use profile_sys::{file, process};

use super::caller::Caller;
use crate::error::Result;

/// Where the files stand: as long as the session lasts, seen by every process in the profile.
const DIRECTORY: &str = "/run/flipper-profile/covered";

/// Leaves word that a transaction goes on for a process.
///
/// # Errors
///
/// It cannot be written.
pub fn mark(owner: &Owner) -> Result<()> {
    file::create_directory_all(Path::new(DIRECTORY), 0o700)?;
    match file::write_new(&place(owner), &[], 0o600) {
        // A further commit of the same run.
        Err(error) if error.is_already_there() => Ok(()),
        outcome => Ok(outcome?),
    }
}

/// Takes the word back.
///
/// # Errors
///
/// It is there and cannot be removed.
pub fn unmark(owner: &Owner) -> Result<()> {
    match file::remove_file(&place(owner)) {
        Err(error) if !error.is_not_found() => Err(error.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Whether a transaction goes on for a process above `pid`, as far as the files tell.
///
/// # Errors
///
/// /proc cannot be read.
pub fn covers(pid: u32) -> Result<bool> {
    if !file::exists(Path::new(DIRECTORY))? {
        return Ok(false);
    }
    for owner in Caller::owners(&process::ancestors(pid)?) {
        if file::exists(&place(&owner?))? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn place(owner: &Owner) -> PathBuf {
    let name = format!("{}-{}-{}", owner.pid, owner.start_time, owner.pid_ns);
    Path::new(DIRECTORY).join(name)
}
