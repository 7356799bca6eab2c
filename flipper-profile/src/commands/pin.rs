//! `pin` and `unpin`: whether retention may delete the snapshots of a transaction.

use profile_store::pin;

use crate::changes;
use crate::cli::Pin;
use crate::commands::Outcome;
use crate::commands::history::number;
use crate::context::{Context, Result};
use crate::report::transaction::Pinned;

/// Pins the transaction, or takes the pin away.
///
/// # Errors
///
/// The profile has no such transaction, it has no snapshots to keep, or the journal cannot be written.
pub fn run(arguments: &Pin, pinned: bool, context: &Context) -> Result<Outcome> {
    let pool = context.pool()?;
    let profile = context.profile(&pool)?;
    context.catch_up(&pool, &profile);
    let _lock = pool.lock()?;
    let journal = pool.journal()?;
    let row = changes::transaction(&journal, &profile, number(arguments.number)?)?;
    let changed = pin::set(&pool, &journal, &row, pinned)?;
    Ok(Pinned {
        transaction: row.number.get(),
        command: row.command,
        pinned,
        changed,
    }
    .into())
}
