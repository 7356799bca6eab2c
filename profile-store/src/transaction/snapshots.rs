//! The snapshots of a transaction: made, replaced, deleted.
//!
//! Each is a read-only snapshot of the whole profile subvolume, its name made of the transaction's
//! number. The kernel makes it within one committed transaction of btrfs, so it is durable and whole
//! when the call returns.

use std::path::{Path, PathBuf};

use profile_db::journal::{self, Journal, Transaction};
use profile_db::model::{SnapshotName, TransactionNumber};
use profile_sys::{btrfs, file};

use super::World;
use super::reserve;
use crate::error::Result;

/// Makes the snapshot before a transaction, and says its name.
///
/// # Errors
///
/// It cannot be made, not even with the reserve.
pub fn take_pre(world: &World<'_>, number: TransactionNumber) -> Result<SnapshotName> {
    take(world, &world.subvolume(), SnapshotName::Pre(number))
}

/// Makes the snapshot before a transaction from an older snapshot: what the profile was before
/// something was found out late.
///
/// # Errors
///
/// As [`take_pre`].
pub fn take_pre_of(
    world: &World<'_>,
    number: TransactionNumber,
    older: &Path,
) -> Result<SnapshotName> {
    take(world, older, SnapshotName::Pre(number))
}

/// As [`take_post`], of an older snapshot: what the profile was when the transaction was left.
///
/// # Errors
///
/// As [`take_pre`].
pub fn take_post_of(
    world: &World<'_>,
    number: TransactionNumber,
    older: &Path,
) -> Result<SnapshotName> {
    let name = SnapshotName::Post(number);
    delete(&world.snapshot(name))?;
    take(world, older, name)
}

/// Makes the snapshot after a transaction, in place of an earlier one of the same transaction.
///
/// # Errors
///
/// As [`take_pre`].
pub fn take_post(world: &World<'_>, number: TransactionNumber) -> Result<SnapshotName> {
    let name = SnapshotName::Post(number);
    delete(&world.snapshot(name))?;
    take(world, &world.subvolume(), name)
}

/// The snapshot before a transaction, when it exists, whether or not the journal got to know.
///
/// # Errors
///
/// The directory cannot be looked at.
pub fn pre(world: &World<'_>, number: TransactionNumber) -> Result<Option<PathBuf>> {
    existing(world.snapshot(SnapshotName::Pre(number)))
}

/// The snapshot after a transaction, when it exists.
///
/// # Errors
///
/// The directory cannot be looked at.
pub fn post(world: &World<'_>, number: TransactionNumber) -> Result<Option<PathBuf>> {
    existing(world.snapshot(SnapshotName::Post(number)))
}

/// Writes down that the snapshot before exists.
///
/// # Errors
///
/// The journal cannot be written.
pub fn record_pre(journal: &Journal, number: TransactionNumber) -> journal::Result<()> {
    journal.set_pre(number, &SnapshotName::Pre(number).to_string())
}

/// Writes down which snapshot after there is.
///
/// # Errors
///
/// The journal cannot be written.
pub fn record_post(
    journal: &Journal,
    number: TransactionNumber,
    post: Option<SnapshotName>,
) -> journal::Result<()> {
    journal.set_post(number, post.map(|name| name.to_string()).as_deref())
}

/// Writes down both.
///
/// # Errors
///
/// The journal cannot be written.
pub fn record(
    journal: &Journal,
    number: TransactionNumber,
    post: SnapshotName,
) -> journal::Result<()> {
    record_pre(journal, number)?;
    record_post(journal, number, Some(post))
}

/// The snapshot that a row names as the state after it, when it exists. Not always one of its own: an
/// undo by exchange brings back a state that has a snapshot already.
///
/// # Errors
///
/// The directory cannot be looked at.
pub fn recorded_post(world: &World<'_>, row: &Transaction) -> Result<Option<PathBuf>> {
    match row.post.as_deref().map(str::parse::<SnapshotName>) {
        Some(Ok(name)) => existing(world.snapshot(name)),
        Some(Err(_)) | None => Ok(None),
    }
}

/// Deletes both snapshots of a transaction that is none.
///
/// # Errors
///
/// One cannot be deleted; it is collected later, since no row names it.
pub fn delete_both(world: &World<'_>, number: TransactionNumber) -> Result<()> {
    delete(&world.snapshot(SnapshotName::Pre(number)))?;
    delete(&world.snapshot(SnapshotName::Post(number)))
}

/// Deletes a snapshot if it is there.
///
/// # Errors
///
/// It is there and cannot be deleted.
pub fn delete(path: &Path) -> Result<()> {
    if file::exists(path)? {
        btrfs::delete_subvolume(path)?;
    }
    Ok(())
}

fn existing(path: PathBuf) -> Result<Option<PathBuf>> {
    Ok(file::exists(&path)?.then_some(path))
}

fn take(world: &World<'_>, source: &Path, name: SnapshotName) -> Result<SnapshotName> {
    let path = world.snapshot(name);
    reserve::with_reserve(world.pool, || {
        // Made with the profile; missing only in a pool that lost it.
        file::create_directory_all(&world.pool.layout().snapshots(&world.profile), 0o700)?;
        Ok(btrfs::snapshot(source, &path, true)?)
    })?;
    Ok(name)
}
