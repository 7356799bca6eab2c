//! Which front ends the hooks know of, for the trigger that dpkg runs in the middle of their work.
//!
//! The journal knows as well, but asking it takes the trigger longer than all else it does, at every
//! change of a package. So the first hook leaves a file, named after the process, and the last one
//! removes it. In it stands the number of the transaction that it takes a snapshot for, when it does: so
//! the last hook can have the kernel make the next snapshot before it has asked the journal. It is only
//! a shortcut: without the file both ask the journal; and a file that was left names a process that is
//! gone, since a process has its start time in its name.

use std::path::{Path, PathBuf};

use profile_db::model::{Owner, TransactionNumber};
use profile_sys::{file, process};

use super::caller::Caller;
use crate::error::Result;

/// Where the files stand: as long as the session lasts, seen by every process in the profile.
const DIRECTORY: &str = "/run/flipper-profile/covered";
/// The digits of the largest number.
const NUMBER_LIMIT_BYTES: u64 = 20;

/// Leaves word that a transaction goes on for a process, and which, when it is about to get its snapshot.
///
/// # Errors
///
/// It cannot be written.
pub fn mark(owner: &Owner, begun: Option<TransactionNumber>) -> Result<()> {
    file::create_directory_all(Path::new(DIRECTORY), 0o700)?;
    let Some(number) = begun else {
        return match file::write_new(&place(owner), &[], 0o600) {
            // A further commit of the same run.
            Err(error) if error.is_already_there() => Ok(()),
            outcome => Ok(outcome?),
        };
    };
    // In place of what an earlier commit of this process may have left.
    let text = number.to_string();
    Ok(file::write_atomic(&place(owner), text.as_bytes(), 0o600)?)
}

/// The transaction that [`mark`] was told of; `None` when it was told of none.
///
/// # Errors
///
/// The file is there and cannot be read.
pub fn begun(owner: &Owner) -> Result<Option<TransactionNumber>> {
    match file::read_limited(&place(owner), NUMBER_LIMIT_BYTES) {
        Ok(bytes) => Ok(std::str::from_utf8(&bytes)
            .ok()
            .and_then(|text| text.parse().ok())),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error.into()),
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
