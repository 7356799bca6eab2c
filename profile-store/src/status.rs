//! Where a pool and a profile stand: what `status` tells.

use profile_db::ProfileFile;
use profile_db::journal::{Counts, Transaction};
use profile_db::model::Time;

use crate::error::Result;
use crate::pool::Pool;
use crate::recover;
use crate::retention::{self, Clock};
use crate::session::Session;

/// The standing of the pool and of one profile.
#[derive(Debug)]
pub struct Status {
    /// The profile that was asked about.
    pub profile: Option<ProfileFile>,
    /// The session of this process, when it runs in a profile.
    pub session: Option<Session>,
    /// Transactions the user must be told about: unprotected or interrupted, not acknowledged.
    pub unacknowledged: Vec<Transaction>,
    /// Transactions that are going on.
    pub open: Vec<Transaction>,
    /// Changes that were interrupted and wait for `recover`.
    pub pending: Vec<String>,
    /// The newest transaction of the profile.
    pub last: Option<Transaction>,
    /// How many transactions there are, by state.
    pub counts: Counts,
    /// Size of the pool in bytes.
    pub total_bytes: u64,
    /// Bytes that can still be written.
    pub free_bytes: u64,
    /// Bytes that the rules of the profiles want to stay free.
    pub wanted_bytes: u64,
    /// Whether there is less, or no room for metadata.
    pub short: bool,
    /// Transactions whose snapshots would go by the rules now, space being short or not.
    pub prunable: usize,
}

/// Collects the standing of the pool and, when one is given, of a profile.
///
/// # Errors
///
/// The journal cannot be read.
pub fn read(pool: &Pool, profile: Option<&ProfileFile>, now: Time) -> Result<Status> {
    let journal = pool.journal_read_only()?;
    let id = profile.map(|profile| &profile.id);
    let outlook = retention::outlook(pool, &journal, Clock::read(now))?;
    let short = outlook.space.is_short(outlook.wanted);
    let last = match id {
        Some(id) => journal.newest(id, profile_db::journal::Newest::Any)?,
        None => None,
    };
    Ok(Status {
        profile: profile.cloned(),
        session: Session::current()?,
        unacknowledged: journal.unacknowledged(id)?,
        open: journal.open_transactions(id)?,
        pending: recover::pending(&journal)?,
        last,
        counts: journal.counts(id)?,
        total_bytes: outlook.space.total,
        free_bytes: outlook.space.available,
        wanted_bytes: outlook.wanted,
        short,
        prunable: outlook.by_rule.len() + outlook.for_space.len(),
    })
}
