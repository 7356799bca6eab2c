//! The row of a change that brings content back, and the snapshots that belong to it: what undo and restore do
//! alike around their own work.

use std::path::Path;

use profile_db::ProfileFile;
use profile_db::journal::Journal;
use profile_db::model::{ProfileId, SnapshotName, Time, TransactionNumber};
use profile_sys::{btrfs, file};

use crate::error::{Error, Result};
use crate::operation;
use crate::pool::Pool;
use crate::profile;
use crate::replacement::STAGED_PROFILE;
use crate::staging::Staging;
use crate::standing::busy;

/// Name of the snapshot of the present profile in the staging directory, from which the plan is made.
pub(crate) const NOW: &str = "now";

/// A transaction that is still going on would be torn in the middle.
///
/// # Errors
///
/// There is one, or the journal cannot be read.
pub(crate) fn refuse_open(journal: &Journal, profile: &ProfileFile) -> Result<()> {
    if journal.open_transactions(Some(&profile.id))?.is_empty() {
        return Ok(());
    }
    Err(busy(profile))
}

/// Keeps the snapshot that the plan was made from as the state before the change.
///
/// # Errors
///
/// An effect failed.
pub(crate) fn keep_present(
    pool: &Pool,
    journal: &Journal,
    id: &ProfileId,
    staging: &Staging,
    number: TransactionNumber,
) -> Result<()> {
    let pre = SnapshotName::Pre(number);
    keep_snapshot(&staging.part(NOW), &pool.layout().snapshot(id, pre))?;
    Ok(journal.set_pre(number, &pre.to_string())?)
}

/// Moves a sealed snapshot to another directory. The kernel refuses that for a read-only subvolume
/// (its `..` changes), so it is unsealed for the moment; a crash in between leaves an open row
/// without an intent, which `recover` drops with the snapshot.
fn keep_snapshot(from: &Path, to: &Path) -> Result<()> {
    btrfs::set_read_only(from, false)?;
    file::rename_no_replace(from, to)?;
    Ok(btrfs::set_read_only(to, true)?)
}

/// Makes the changed copy in the staging directory the state after the change: dates it and keeps a snapshot of
/// it. Returns the snapshot's name.
///
/// # Errors
///
/// An effect failed.
pub(crate) fn keep_changed(
    pool: &Pool,
    profile: &ProfileFile,
    staging: &Staging,
    number: TransactionNumber,
    now: Time,
) -> Result<String> {
    let staged = staging.part(STAGED_PROFILE);
    let mut changed = profile.clone();
    changed.modified = now;
    profile::write_file(&staged, &changed)?;
    let post = SnapshotName::Post(number);
    btrfs::snapshot(&staged, &pool.layout().snapshot(&profile.id, post), true)?;
    Ok(post.to_string())
}

/// What a failure comes to: without a recorded intent nothing has happened, and the row goes; with
/// one the change is in the middle, and `recover` decides.
pub(crate) fn after_failure(
    pool: &Pool,
    journal: &Journal,
    id: &ProfileId,
    number: TransactionNumber,
    error: Error,
) -> Error {
    if matches!(error, Error::Interrupted { .. }) {
        return error;
    }
    let cleaned = (|| {
        let pending = journal.pending_operations()?;
        if pending
            .iter()
            .any(|one| one.operation.transaction == Some(number))
        {
            return Ok(false);
        }
        let open = journal.open_transactions(Some(id))?;
        if open.iter().any(|row| row.number == number) {
            drop_row(pool, journal, id, number)?;
        }
        Ok(true)
    })();
    match cleaned {
        Ok(true) => error,
        Ok(false) => operation::interrupted(number, error),
        Err(rollback) => error.taken_back(Err(rollback)),
    }
}

/// Takes back the row of a change of ours that never began, with the snapshots it has taken.
pub(crate) fn drop_row(
    pool: &Pool,
    journal: &Journal,
    id: &ProfileId,
    number: TransactionNumber,
) -> Result<()> {
    for name in [SnapshotName::Pre(number), SnapshotName::Post(number)] {
        let path = pool.layout().snapshot(id, name);
        if file::exists(&path)? {
            btrfs::delete_subvolume_tree(&path)?;
        }
    }
    Ok(journal.drop_empty(number)?)
}
