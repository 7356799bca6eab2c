//! Where a pool and a profile stand: what `status` tells.

use profile_db::ProfileFile;
use profile_db::journal::{Counts, Transaction};
use profile_sys::btrfs;

use crate::error::Result;
use crate::pool::Pool;
use crate::recover;
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
}

/// Collects the standing of the pool and, when one is given, of a profile.
///
/// # Errors
///
/// The journal cannot be read.
pub fn read(pool: &Pool, profile: Option<&ProfileFile>) -> Result<Status> {
    let journal = pool.journal_read_only()?;
    let id = profile.map(|profile| &profile.id);
    let usage = btrfs::usage(pool.layout().top())?;
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
        total_bytes: usage.total,
        free_bytes: usage.available,
    })
}
