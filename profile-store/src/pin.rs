//! Pins: transactions whose snapshots are kept whatever retention says.

use profile_db::journal::{Journal, Transaction};
use profile_sys::file;

use crate::error::{Error, Result};
use crate::pool::Pool;

/// Pins a transaction, or takes the pin away; says whether that changed anything. Under the pool's lock, so
/// that nobody deletes the snapshots in between.
///
/// # Errors
///
/// [`Error::NothingToPin`] when the transaction has no snapshot that a pin could keep; a pin is always
/// taken away. The journal cannot be written.
pub fn set(pool: &Pool, journal: &Journal, row: &Transaction, pinned: bool) -> Result<bool> {
    if pinned && !has_snapshot(pool, row)? {
        return Err(Error::NothingToPin {
            number: row.number,
            detail: match &row.unprotected_reason {
                Some(_) => "it was not protected: there is no snapshot from before",
                None => "it has no snapshots, or none any more",
            },
        });
    }
    if row.pinned == pinned {
        return Ok(false);
    }
    journal.set_pinned(row.number, pinned)?;
    Ok(true)
}

/// Whether a snapshot of the transaction is still there.
fn has_snapshot(pool: &Pool, row: &Transaction) -> Result<bool> {
    for name in [&row.pre, &row.post].into_iter().flatten() {
        if file::exists(&pool.layout().snapshots(&row.profile).join(name))? {
            return Ok(true);
        }
    }
    Ok(false)
}
