//! `show`: one transaction.

use std::time::{Duration, Instant};

use profile_store::retention::Measure;

use crate::changes;
use crate::cli::Show;
use crate::commands::Outcome;
use crate::commands::history::number;
use crate::context::{Context, Result};
use crate::report::transaction::{Package, Shown, Transaction};

/// As long as this its snapshots are measured at most, apart from a first look.
const MEASURING: Duration = Duration::from_secs(5);

/// Shows the transaction with its packages and paths.
///
/// # Errors
///
/// The profile has no such transaction, or its snapshots cannot be compared.
pub fn run(arguments: &Show, context: &Context) -> Result<Outcome> {
    let pool = context.pool()?;
    let profile = context.profile(&pool)?;
    context.catch_up(&pool, &profile);
    let journal = context.journal(&pool)?;
    let row = changes::transaction(&journal, &profile, number(arguments.number)?)?;
    let mut progress = context.progress();
    // What was compared before is in the journal.
    if row.post.is_some() && journal.changes_summary(row.number)?.is_none() {
        progress.begin("comparing");
    }
    let mut measure = Measure::of(&pool, &journal, &profile.id)?;
    let frees = measure.frees(row.number, Instant::now() + MEASURING)?;
    measure.remember()?;
    let shown = Shown {
        frees,
        transaction: Transaction::from(&row),
        profile_name: Some(profile.name.to_string()),
        packages: journal
            .packages(row.number)?
            .iter()
            .map(Package::from)
            .collect(),
        changes: changes::list(&pool, &journal, &row)?,
    };
    Ok(shown.into())
}
