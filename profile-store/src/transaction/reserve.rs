//! The bytes that are given back when the disk is full, so that a snapshot and its row can be written.

use profile_sys::file;

use crate::error::{Error, Result};
use crate::pool::Pool;

/// Whether an error means that space would help.
pub fn would_help(error: &Error) -> bool {
    match error {
        Error::Sys(error) => error.is_no_space(),
        Error::Journal(error) => error.is_no_space(),
        Error::NoSpace { .. } => true,
        _ => false,
    }
}

/// Does `work`; when the disk is full, gives the reserve back and does it once more.
///
/// # Errors
///
/// As `work`, the second time if there was one.
pub fn with_reserve<T>(pool: &Pool, mut work: impl FnMut() -> Result<T>) -> Result<T> {
    match work() {
        Err(error) if would_help(&error) => {
            if release(pool)? {
                return work();
            }
            Err(error)
        }
        outcome => outcome,
    }
}

/// Gives the reserve back; `false` when it was given back before.
fn release(pool: &Pool) -> Result<bool> {
    let path = pool.layout().reserve();
    let held = file::metadata(&path)?.is_some_and(|meta| meta.len() > 0);
    if !held {
        return Ok(false);
    }
    // Cut, not removed: the file tells `pool gc` that there is a reserve to be filled again.
    file::truncate(&path, 0)?;
    // Freed extents can be given out again only once the transaction that freed them is on the disk.
    pool.commit()?;
    Ok(true)
}
