//! What `info` and `list` tell about a profile.

use profile_db::ProfileFile;
use profile_db::journal::{Filter, Transaction};
use profile_db::model::ProfileId;
use profile_sys::btrfs;

use super::read;
use crate::error::Result;
use crate::in_use;
use crate::pool::Pool;

/// Everything about one profile.
#[derive(Debug, Clone)]
pub struct ProfileInfo {
    /// Its file.
    pub profile: ProfileFile,
    /// Bytes of the upper that the base does not have: what the profile itself takes on disk.
    pub own_bytes: u64,
    /// Bytes of its state.
    pub state_bytes: u64,
    /// How many transactions it has.
    pub transactions: u64,
    /// The newest transaction.
    pub last: Option<Transaction>,
    /// Why it counts as in use, when it does.
    pub in_use: Option<String>,
}

/// Collects everything about one profile.
///
/// # Errors
///
/// There is no such profile, or the journal cannot be read.
pub fn info(pool: &Pool, id: &ProfileId) -> Result<ProfileInfo> {
    let profile = read(pool, id)?;
    let layout = pool.layout();
    let journal = pool.journal_read_only()?;
    let last = journal.transactions(&Filter {
        profile: Some(*id),
        limit: Some(1),
        ..Filter::default()
    })?;
    let upper = btrfs::tree_extents(&layout.profile(id))?;
    // Copying up is a reflink: an extent that the base has too costs the profile nothing.
    let own_bytes = match super::base_for(pool, &profile) {
        Ok((base, _)) => upper.disk_bytes_not_in(&btrfs::tree_extents(&base)?),
        Err(_) => upper.disk_bytes(),
    } + upper.inline_bytes;
    let state = btrfs::tree_size(&layout.state(id))?;
    Ok(ProfileInfo {
        own_bytes,
        state_bytes: state.disk_bytes + state.inline_bytes,
        transactions: journal.counts(Some(id))?.transactions,
        last: last.into_iter().next(),
        in_use: in_use::of_profile(pool, &profile)?,
        profile,
    })
}
