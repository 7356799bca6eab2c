//! `diff`: what a transaction changed, text files line by line.

use crate::changes;
use crate::cli::Diff;
use crate::commands::Outcome;
use crate::commands::history::{absolute, number};
use crate::context::{Context, Result};
use crate::report;

/// Shows the differences.
///
/// # Errors
///
/// The profile has no such transaction, or it has no snapshots to compare.
pub fn run(arguments: &Diff, context: &Context) -> Result<Outcome> {
    let pool = context.pool()?;
    let profile = context.profile(&pool)?;
    context.catch_up(&pool, &profile);
    let journal = pool.journal_read_only()?;
    let row = changes::transaction(&journal, &profile, number(arguments.number)?)?;
    let below = arguments.path.as_deref().map(absolute).transpose()?;
    let changes = changes::with_text(&pool, &row, below.as_deref(), context.screen.out.verbose)?;
    Ok(report::change::Diff {
        transaction: row.number.get(),
        changes,
    }
    .into())
}
