//! The bytes that are given back when the disk is full, so that a snapshot and its row can be written.

use profile_sys::{btrfs, file};

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

/// Free space below which deleting is begun with the reserve given back, in bytes: what the journal
/// and the metadata of a few snapshots take.
const TIGHT_BYTES: u64 = 8 * 1024 * 1024;
/// The reserve is filled again when this many times its size is free.
const PLENTY: u64 = 8;

/// Gives the reserve back when the pool is full, before a change that frees space: such a change
/// must work at zero bytes free.
///
/// # Errors
///
/// The reserve cannot be cut, which takes no space.
pub fn make_room(pool: &Pool) -> Result<()> {
    let usage = btrfs::usage(pool.layout().top())?;
    let tight = usage.available < TIGHT_BYTES
        || (usage.unallocated < TIGHT_BYTES && usage.metadata_free < TIGHT_BYTES);
    if tight {
        release(pool)?;
    }
    Ok(())
}

/// Fills the reserve again when it was given back and there is plenty of space.
///
/// # Errors
///
/// Its file cannot be looked at; that there is no space for it after all is none.
pub fn refill(pool: &Pool) -> Result<()> {
    let path = pool.layout().reserve();
    if file::metadata(&path)?.is_some_and(|meta| meta.len() > 0) {
        return Ok(());
    }
    let usage = btrfs::usage(pool.layout().top())?;
    let size = crate::pool::reserve_bytes(usage.total);
    if usage.available / PLENTY < size {
        return Ok(());
    }
    match file::allocate(&path, size) {
        Err(error) if error.is_no_space() => Ok(()),
        outcome => Ok(outcome?),
    }
}
