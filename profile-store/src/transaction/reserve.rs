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

/// Below this size the rest of the reserve is given back at once, in bytes.
const LAST_SLICE_BYTES: u64 = 1024 * 1024;

/// Does `work`; when the disk is full, gives half of the reserve back and does it again, for as long
/// as there is a reserve. Not all at once: between a hook's pre and its post dpkg takes whatever is
/// free.
///
/// # Errors
///
/// As `work`, the last time.
pub fn with_reserve<T>(pool: &Pool, mut work: impl FnMut() -> Result<T>) -> Result<T> {
    loop {
        match work() {
            Err(error) if would_help(&error) => {
                if !release(pool, |held| held / 2)? {
                    return Err(error);
                }
            }
            outcome => return outcome,
        }
    }
}

/// Cuts the reserve to what `kept` says of its size; `false` when there is none any more.
fn release(pool: &Pool, kept: impl Fn(u64) -> u64) -> Result<bool> {
    let path = pool.layout().reserve();
    let held = file::metadata(&path)?.map_or(0, |meta| meta.len());
    if held == 0 {
        return Ok(false);
    }
    let kept = Some(kept(held))
        .filter(|size| *size >= LAST_SLICE_BYTES)
        .unwrap_or(0);
    // Cut, not removed: the file tells `pool gc` that there is a reserve to be filled again.
    file::truncate(&path, kept)?;
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
        release(pool, |_| 0)?;
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
    let usage = btrfs::usage(pool.layout().top())?;
    let size = crate::pool::reserve_bytes(usage.total);
    if file::metadata(&path)?.is_some_and(|meta| meta.len() >= size) {
        return Ok(());
    }
    if usage.available / PLENTY < size {
        return Ok(());
    }
    match file::allocate(&path, size) {
        Err(error) if error.is_no_space() => Ok(()),
        outcome => Ok(outcome?),
    }
}
