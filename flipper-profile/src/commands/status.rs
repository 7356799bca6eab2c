//! `status`: where a profile stands.

use profile_db::model::Time;
use profile_db::state::State;
use profile_store::session::Mode;
use profile_store::{in_use, status, undo};

use crate::commands::Outcome;
use crate::context::{Context, Result};
use crate::report::status::{Space, Status, Waiting};
use crate::report::transaction::Transaction;

/// Tells where the profile stands.
///
/// # Errors
///
/// There is no such profile or the journal cannot be read.
pub fn run(context: &Context) -> Result<Outcome> {
    let pool = context.pool()?;
    let profile = context.profile(&pool)?;
    context.catch_up(&pool, &profile);
    let standing = status::read(&pool, Some(&profile), Time::now())?;
    let session = context
        .session(&pool)?
        .filter(|session| session.profile == profile.id);
    let unacknowledged: Vec<Transaction> = standing
        .unacknowledged
        .iter()
        .map(Transaction::from)
        .collect();
    let of_state = |state: State| {
        unacknowledged
            .iter()
            .filter(|row| row.state == state.as_str() && row.reason.is_none())
            .cloned()
            .collect()
    };
    let report = Status {
        profile: profile.id.to_string(),
        profile_name: profile.name.to_string(),
        base: profile.base.version.to_string(),
        mode: session.map(|session| match session.mode {
            Mode::Entered => "entered".to_owned(),
            Mode::Booted => "booted".to_owned(),
        }),
        in_use: in_use::of_profile(&pool, &profile)?,
        last: standing.last.as_ref().map(Transaction::from),
        open: standing.open.iter().map(Transaction::from).collect(),
        unprotected: unacknowledged
            .iter()
            .filter(|row| row.reason.is_some())
            .cloned()
            .collect(),
        interrupted: of_state(State::Interrupted),
        failed: of_state(State::Failed),
        pending: standing.pending,
        waiting: undo::waiting(&pool, &profile.id)?.map(Waiting::from),
        size: standing.total_bytes,
        free: standing.free_bytes,
        space: Space {
            to_stay_free: standing.wanted_bytes,
            short: standing.short,
            old_snapshots: standing.prunable as u64,
        },
    };
    Ok(report.into())
}
