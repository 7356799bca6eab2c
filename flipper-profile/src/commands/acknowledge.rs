//! `acknowledge`: the end of a message that somebody has read.

use profile_store::undo;

use crate::changes;
use crate::cli::Acknowledge;
use crate::commands::Outcome;
use crate::commands::history::number;
use crate::context::{Context, Result};
use crate::report::transaction::Acknowledged;

/// Acknowledges one transaction, or all of the profile.
///
/// # Errors
///
/// The profile has no such transaction, or the journal cannot be written.
pub fn run(arguments: &Acknowledge, context: &Context) -> Result<Outcome> {
    let pool = context.pool()?;
    let profile = context.profile(&pool)?;
    context.catch_up(&pool, &profile);
    // The message that an undo which waited was dropped ends with the others.
    let waited = undo::waiting(&pool, &profile.id)?.filter(|one| one.dropped.is_some());
    if arguments.number.is_none() && waited.is_some() {
        undo::withdraw(&pool, &profile.id)?;
    }
    let _lock = pool.lock()?;
    let journal = pool.journal()?;
    let rows = match arguments.number {
        Some(named) => vec![changes::transaction(&journal, &profile, number(named)?)?],
        None => journal.unacknowledged(Some(&profile.id))?,
    };
    let mut acknowledged = Vec::new();
    for row in rows.iter().filter(|row| !row.acknowledged()) {
        journal.acknowledge(row.number)?;
        acknowledged.push(row.number.get());
    }
    Ok(Acknowledged { acknowledged }.into())
}
