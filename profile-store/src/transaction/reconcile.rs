//! Closing the rows of transactions whose process is gone.
//!
//! A post may never come: apt was killed, the power went, Ctrl-C hit another hook, or the transaction
//! is of a run (unattended-upgrades) that nobody announces the end of. The next hook, command or
//! boot decides by what is there.

use std::path::PathBuf;

use profile_db::journal::{
    Durability, Filter, Finish, Journal, Outcome as Ended, Transaction, TransactionKind,
};
use profile_db::model::{SnapshotName, Time, TransactionNumber};
use profile_db::state::State;
use profile_sys::tree;

use super::package_state::{self, PackageState, STATUS};
use super::{World, liveness, measure, rows, settled, snapshots};
use crate::error::Result;
use crate::pool::PoolLock;

/// A row that was open and is not any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed {
    /// Its number.
    pub number: TransactionNumber,
    /// Its state now; `None` when it had changed nothing and was dropped.
    pub state: Option<State>,
}

/// Why a change is unprotected when its hook died before the snapshot.
const NO_SNAPSHOT: &str = "the hook ended before it had taken a snapshot";

/// Closes every row of package changes in this profile whose process is gone.
///
/// The pool's lock keeps two of these from closing the same row at once. Rows of undo and the like
/// are not touched: they have operations that `recover` finishes.
///
/// # Errors
///
/// The journal, a snapshot or a package database cannot be read or written. Rows closed before that
/// stay closed.
pub fn reconcile(world: &World<'_>, journal: &Journal, _lock: &PoolLock) -> Result<Vec<Closed>> {
    let mut closed = Vec::new();
    let mut found = journal.open_transactions(Some(&world.profile))?;
    let old: Vec<TransactionNumber> = found.iter().map(|row| row.number).collect();
    let unended = rows::unended(world, journal)?;
    found.extend(unended.into_iter().filter(|row| !old.contains(&row.number)));
    // Oldest first: each is measured against what stood before it.
    found.sort_by_key(|row| row.number);
    for row in found {
        if is_of_packages(&row) && liveness::is_gone(world, &row.owner)? {
            closed.push(close(world, journal, &row)?);
        }
    }
    Ok(closed)
}

fn is_of_packages(row: &Transaction) -> bool {
    matches!(row.kind, TransactionKind::Apt | TransactionKind::Dpkg)
}

/// Closes one row whose process no longer works on it.
///
/// # Errors
///
/// As [`reconcile`].
pub fn close(world: &World<'_>, journal: &Journal, row: &Transaction) -> Result<Closed> {
    if row.state == State::Skipped {
        return close_unprotected(world, journal, row, None);
    }
    let post = snapshots::post(world, row.number)?;
    match (snapshots::pre(world, row.number)?, post) {
        (None, _) => close_unprotected(world, journal, row, Some(NO_SNAPSHOT)),
        (Some(_), Some(post)) if row.commits.begun == row.commits.ended && row.post.is_some() => {
            let last = last_written(world, &post)?.filter(|time| *time >= row.started);
            // A row that has ended says when, or it would be closed again and again.
            let ended = Some(last.unwrap_or(row.started));
            let outcome = if row.state == State::Failed {
                Ended::Failed
            } else {
                Ended::Done
            };
            let state = journal.finish(
                row.number,
                &Finish {
                    outcome,
                    ended,
                    problem: None,
                },
            )?;
            Ok(Closed {
                number: row.number,
                state: Some(state),
            })
        }
        (Some(_), _) => close_interrupted(world, journal, row),
    }
}

/// The time of dpkg's last word in a snapshot: the end of a run whose end nobody announced.
fn last_written(world: &World<'_>, snapshot: &std::path::Path) -> Result<Option<Time>> {
    let Some(path) = package_state::find(snapshot, &world.base_path(&world.base), STATUS.as_ref())?
    else {
        return Ok(None);
    };
    let Some(meta) = tree::lstat(&path)? else {
        return Ok(None);
    };
    let milliseconds = i64::try_from(meta.mtime_ns / 1_000_000).unwrap_or(0);
    Ok(Time::from_millisecond(milliseconds).ok())
}

fn close_interrupted(world: &World<'_>, journal: &Journal, row: &Transaction) -> Result<Closed> {
    let number = row.number;
    // What was changed since by a later transaction is that one's: it begins where this one was left.
    let post_name = match next_pre(world, journal, number)? {
        Some(left) => snapshots::take_post_of(world, number, &left)?,
        None => snapshots::take_post(world, number)?,
    };
    let pre = world.snapshot(SnapshotName::Pre(number));
    let post = world.snapshot(post_name);
    let planned = measure::planned(journal, row)?;
    let outcome = measure::packages(
        world,
        row,
        measure::beside(world, row, &pre)?,
        &post,
        &planned,
    )?;
    if outcome.is_nothing() && measure::is_bookkeeping_only(world, row, &pre, &post)? {
        drop_row(world, journal, number)?;
        return Ok(Closed {
            number,
            state: None,
        });
    }
    let (ended_as, ended) = match row.state {
        // A run in which a commit had failed before it was cut: it stays failed.
        State::Failed => (
            Ended::Failed,
            Some(last_written(world, &post)?.unwrap_or(row.started)),
        ),
        // When it ended nobody knows.
        _ => (Ended::Interrupted, None),
    };
    let state = rows::durably(world, journal, |journal| {
        snapshots::record(journal, number, post_name)?;
        journal.set_packages(number, &outcome.packages)?;
        journal.finish(
            number,
            &Finish {
                outcome: ended_as.clone(),
                ended,
                problem: outcome.problem.clone(),
            },
        )
    })?;
    Ok(Closed {
        number,
        state: Some(state),
    })
}

/// The snapshot before the oldest of the later transactions that have one.
fn next_pre(
    world: &World<'_>,
    journal: &Journal,
    number: TransactionNumber,
) -> Result<Option<PathBuf>> {
    let later = journal.transactions(&Filter {
        profile: Some(world.profile),
        after: Some(number),
        ..Filter::default()
    })?;
    // They come newest first.
    for row in later.iter().rev() {
        if let Some(pre) = snapshots::pre(world, row.number)? {
            return Ok(Some(pre));
        }
    }
    Ok(None)
}

/// Ends a row that has no snapshot of before: what it changed is measured against what the journal
/// accounted for then. `reason` is given when the row is not yet marked as unprotected.
fn close_unprotected(
    world: &World<'_>,
    journal: &Journal,
    row: &Transaction,
    reason: Option<&str>,
) -> Result<Closed> {
    let number = row.number;
    let observed = settled::observe_before(world, journal, Some(number))?;
    let found = observed
        .as_ref()
        .map(|observed| observed.packages.as_slice())
        .unwrap_or_default();
    if reason.is_some() && found.is_empty() {
        drop_row(world, journal, number)?;
        return Ok(Closed {
            number,
            state: None,
        });
    }
    let planned = measure::planned(journal, row)?;
    let packages = measure::unprotected(world, journal, row, observed.as_ref(), &planned)?;
    let reason = reason
        .or(row.unprotected_reason.as_deref())
        .unwrap_or(NO_SNAPSHOT)
        .to_owned();
    let ended = last_written(world, &world.subvolume())?
        .filter(|time| *time >= row.started)
        .unwrap_or(row.started);
    let state = rows::durably(world, journal, |journal| {
        journal.set_packages(number, &packages)?;
        journal.finish(
            number,
            &Finish {
                outcome: Ended::Skipped(reason.clone()),
                ended: Some(ended),
                problem: None,
            },
        )
    })?;
    Ok(Closed {
        number,
        state: Some(state),
    })
}

/// Observed changes as the journal keeps them.
pub(super) fn package_rows(
    found: &[conffile_diff::dpkg::PackageChange],
    now: &PackageState,
) -> Vec<profile_db::journal::PackageChange> {
    found
        .iter()
        .map(|change| {
            let package = now.status.get(&change.name, &change.architecture);
            rows::package_row(change, package.and_then(rows::status_words))
        })
        .collect()
}

/// Forgets a transaction that changed nothing.
///
/// The row goes first: snapshots without a row are collected, a row without its snapshots would have
/// to be explained.
///
/// # Errors
///
/// The journal cannot be written, or a snapshot cannot be deleted.
pub fn drop_row(world: &World<'_>, journal: &Journal, number: TransactionNumber) -> Result<()> {
    journal.batch(Durability::Ordered, |journal| {
        journal.set_packages(number, &[])?;
        journal.drop_empty(number)
    })?;
    snapshots::delete_both(world, number)
}
