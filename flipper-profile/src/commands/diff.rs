//! `diff`: what a transaction changed, text files line by line.

use crate::changes::{self, Times};
use crate::cli::Diff;
use crate::commands::history::number;
use crate::commands::{Outcome, path};
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
    let named = |of: i64| changes::transaction(&journal, &profile, number(of)?);
    let (first, last) = (named(arguments.span.first)?, named(arguments.span.last)?);
    let row = changes::as_one(&first, &last)?;
    let below = match &arguments.path {
        Some(path) => Some(path::in_profile(path, context, &pool, &profile)?),
        None => None,
    };
    let times = match (context.screen.out.verbose, context.screen.json) {
        (true, _) => Times::Told,
        (false, true) => Times::OfFiles,
        (false, false) => Times::Untold,
    };
    let mut progress = context.progress();
    progress.begin("comparing");
    let changes = changes::with_text(&pool, &row, below.as_deref(), times)?;
    Ok(report::change::Diff {
        transaction: first.number.get(),
        last: last.number.get(),
        changes,
    }
    .into())
}
