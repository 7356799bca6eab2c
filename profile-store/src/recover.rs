//! Recovery: what an interrupted change left is finished or taken back; idempotent.
//!
//! Runs by `flipper-profile recover`, and at boot once profiles are booted; `run` does its profile's part. A command that finds
//! something pending of its profile refuses and names it. Old or new, never a mixture:
//! each pending operation of the journal says what it was about, and the disk says how far it came.

mod packages;

use std::time::{Duration, Instant};

use profile_db::journal::{Durability, Journal, Pending, Transaction, TransactionKind};
use profile_db::model::{ProfileId, Time, TransactionNumber};
use profile_sys::{btrfs, file};

use crate::error::{Error, Result};
use crate::operation::Intent;
use crate::pool::{JOURNAL_WAIT, Pool, PoolLock};
use crate::progress::Progress;
use crate::replacement::Recovered;
use crate::retention::{self, Clock, Victim};
use crate::transaction::{self, World, reserve, rows};
use crate::{base, forget, profile, replacement, staging, undo};

/// What recovery did, in the user's words.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Report {
    /// Changes that were finished.
    pub finished: Vec<String>,
    /// Changes that were taken back.
    pub taken_back: Vec<String>,
    /// Package transactions that were found without an end, and are recorded as interrupted now.
    pub interrupted: Vec<TransactionNumber>,
    /// Package changes that no hook saw, and are recorded now.
    pub noticed: Vec<TransactionNumber>,
    /// Garbage of crashes that was collected.
    pub collected: usize,
    /// Transactions whose snapshots went by the rules of their profile.
    pub pruned: Vec<Victim>,
    /// What cannot be recovered now, with the reason.
    pub left: Vec<String>,
}

impl Report {
    /// Whether anything was done or found.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What the journal says is pending, without doing anything about it.
///
/// # Errors
///
/// The journal cannot be read.
pub fn pending(journal: &Journal) -> Result<Vec<String>> {
    Ok(journal.pending_operations()?.iter().map(words).collect())
}

fn words(pending: &Pending) -> String {
    let profile = pending
        .operation
        .profile
        .as_ref()
        .map(|id| format!(" of profile {id}"))
        .unwrap_or_default();
    match pending.operation.transaction {
        Some(number) => format!("{}{profile} (transaction {number})", pending.operation.kind),
        None => format!("{}{profile}", pending.operation.kind),
    }
}

/// How long old snapshots are deleted at most, and waited for until they are free space.
const PRUNING: Duration = Duration::from_secs(60);

/// Finishes or takes back everything that a crash left in the pool.
///
/// # Errors
///
/// The journal or the pool cannot be read at all; a single change that cannot be recovered is in
/// [`Report::left`].
pub fn run(pool: &Pool, now: Time, progress: &mut dyn Progress) -> Result<Report> {
    let lock = pool.lock()?;
    run_locked(pool, &lock, now, progress)
}

/// As [`run`], with the pool's lock held by the caller.
///
/// # Errors
///
/// As [`run`].
pub fn run_locked(
    pool: &Pool,
    lock: &PoolLock,
    now: Time,
    progress: &mut dyn Progress,
) -> Result<Report> {
    reserve::make_room(pool)?;
    let journal = pool.journal()?;
    let mut report = Report::default();
    for pending in journal.pending_operations()? {
        progress.begin(&format!("recovering: {}", words(&pending)));
        if let Err(error) = operation(pool, &journal, &pending, now, &mut report) {
            report.left.push(format!("{}: {error}", words(&pending)));
        }
    }
    progress.begin("looking for interrupted transactions");
    drop_own_rows(pool, &journal, &mut report)?;
    for (id, profile) in profile::all(pool)? {
        match profile {
            Ok(_) => one_profile(pool, &journal, lock, &id, now, &mut report)?,
            Err(error) => report.left.push(format!("profile {id}: {error}")),
        }
    }
    let needed: Vec<String> = journal
        .pending_operations()?
        .iter()
        .filter_map(|pending| intent(pending).ok().flatten())
        .filter_map(|intent| intent.staging().map(ToOwned::to_owned))
        .collect();
    report.collected +=
        staging::collect(pool.layout(), &|word| needed.iter().any(|one| one == word))?;
    report.collected += orphan_base_files(pool)?;
    seal_bases(pool, &mut report, progress)?;
    prune(pool, &journal, lock, now, progress, &mut report);
    pool.commit()?;
    reserve::refill(pool)?;
    Ok(report)
}

/// Finishes or takes back what a crash left of one profile, as [`run`] does, before it is entered: what is
/// installed into one that is half undone would meet an old package database.
///
/// # Errors
///
/// The journal cannot be read; nothing was looked at then. [`Error::NeedsRecover`] when something cannot be
/// finished now, [`Error::PackageManagerBusy`] or [`Error::Locked`] when somebody is at work.
pub fn of_profile(pool: &Pool, id: &ProfileId, now: Time) -> Result<Report> {
    let journal = rows::journal_within(pool, JOURNAL_WAIT)?;
    let mut report = Report::default();
    match refuse_pending(&journal, id) {
        Err(Error::NeedsRecover { .. }) => {}
        outcome => return outcome.map(|()| report),
    }
    // A command that is at work on it holds the lock until its change is done.
    let _lock = pool.lock()?;
    reserve::make_room(pool)?;
    for pending in journal.pending_operations()? {
        if pending.operation.profile.as_ref() != Some(id) || intent(&pending)?.is_none() {
            continue;
        }
        operation(pool, &journal, &pending, now, &mut report).map_err(|error| match error {
            Error::PackageManagerBusy { .. } => error,
            error => Error::NeedsRecover {
                what: format!("{}: {error}", words(&pending)),
            },
        })?;
    }
    refuse_pending(&journal, id)?;
    pool.commit()?;
    reserve::refill(pool)?;
    Ok(report)
}

pub(crate) fn intent(pending: &Pending) -> Result<Option<Intent>> {
    Intent::from_record(&pending.operation.kind, &pending.operation.payload)
}

/// What every change of a profile does first, under the pool's lock: rows that a dead command left
/// without an intent go, package transactions without an end are closed, and an interrupted change
/// of this profile is refused over: it must be finished or taken back first.
///
/// # Errors
///
/// [`Error::NeedsRecover`], or the journal cannot be read or written.
pub fn before_change(
    pool: &Pool,
    journal: &Journal,
    lock: &PoolLock,
    id: &ProfileId,
    now: Time,
) -> Result<()> {
    reserve::make_room(pool)?;
    refuse_pending(journal, id)?;
    drop_own_rows(pool, journal, &mut Report::default())?;
    transaction::catch_up(&World::of_profile(pool, id)?, journal, lock, now)?;
    Ok(())
}

/// Refuses a change of a profile that has an unfinished one.
///
/// # Errors
///
/// [`Error::NeedsRecover`].
pub(crate) fn refuse_pending(journal: &Journal, id: &ProfileId) -> Result<()> {
    refuse(&journal.pending_operations()?, id)
}

/// As [`refuse_pending`], of what was read already.
pub(crate) fn refuse(pending: &[Pending], id: &ProfileId) -> Result<()> {
    for pending in pending {
        if pending.operation.profile.as_ref() == Some(id) && intent(pending)?.is_some() {
            return Err(Error::NeedsRecover {
                what: words(pending),
            });
        }
    }
    Ok(())
}

/// Finishes or takes back one operation.
fn operation(
    pool: &Pool,
    journal: &Journal,
    pending: &Pending,
    now: Time,
    report: &mut Report,
) -> Result<()> {
    let Some(intent) = intent(pending)? else {
        return package_operation(pool, journal, pending, report);
    };
    if held(pool, &intent)? {
        // Another command is at work on it right now.
        return Ok(());
    }
    let finished = match &intent {
        Intent::Make { profile, staging } => {
            let whole = profile::finish_making(pool, profile, staging)?;
            end_row(journal, pending, whole, now)?;
            whole
        }
        Intent::Replace {
            profile,
            staging,
            old,
            old_state,
            ending,
        } => {
            let parts = (profile, staging.as_str(), *old, *old_state, ending);
            replacement::recover(pool, journal, pending.id, parts, now)? == Recovered::Finished
        }
        Intent::Delete { profile, trash } => {
            profile::finish_deletion(pool, profile, trash)?;
            end_row(journal, pending, true, now)?;
            true
        }
        Intent::Restore {
            profile,
            trash,
            deletion,
        } => {
            profile::finish_restoration(pool, profile, trash)?;
            let undo = pending
                .operation
                .transaction
                .ok_or_else(|| Error::NeedsRecover {
                    what: words(pending),
                })?;
            let ending = profile::restoration_ending(undo, *deletion);
            replacement::finish(pool, journal, pending.id, profile, &ending, now)?;
            true
        }
        Intent::Forget { profile, path } => {
            let number = pending
                .operation
                .transaction
                .ok_or_else(|| Error::NeedsRecover {
                    what: words(pending),
                })?;
            let of = (profile, path.to_path());
            forget::finish(pool, journal, pending.id, number, (of.0, &of.1), now)?;
            true
        }
        Intent::Replay {
            profile,
            task,
            ending,
        } => {
            let profile = profile::read(pool, profile)?;
            let replayed = undo::replay_again(pool, &profile, task, ending)?;
            for path in replayed.changed {
                let path = path.to_path();
                report.left.push(format!(
                    "/{} was changed since the change was interrupted, and stays as it is",
                    path.display()
                ));
            }
            let ending = ending.clone();
            let notes =
                undo::finish_replay(pool, journal, pending.id, &profile, task, ending, now)?;
            report.left.extend(notes);
            true
        }
    };
    let list = if finished {
        &mut report.finished
    } else {
        &mut report.taken_back
    };
    list.push(words(pending));
    Ok(())
}

/// Whether a living process works on the intent: it holds the staging directory's lock.
fn held(pool: &Pool, intent: &Intent) -> Result<bool> {
    let Some(word) = intent.staging() else {
        return Ok(false);
    };
    if !file::exists(&pool.layout().staging().join(word))? {
        return Ok(false);
    }
    Ok(staging::Staging::take_over(pool.layout(), word)?.is_none())
}

/// Closes the row of one of our own commands: done, or dropped when it never happened.
fn end_row(journal: &Journal, pending: &Pending, finished: bool, now: Time) -> Result<()> {
    use profile_db::journal::{Finish, Outcome};
    journal.batch(Durability::Durable, |journal| {
        if let Some(number) = pending.operation.transaction {
            if finished {
                journal.finish(
                    number,
                    &Finish {
                        outcome: Outcome::Done,
                        ended: Some(now),
                        problem: None,
                    },
                )?;
            } else {
                journal.drop_empty(number)?;
            }
        }
        journal.complete(pending.id)
    })?;
    Ok(())
}

/// An operation of the hooks: directories that were being prepared before dpkg unpacked.
fn package_operation(
    pool: &Pool,
    journal: &Journal,
    pending: &Pending,
    report: &mut Report,
) -> Result<()> {
    let id = pending
        .operation
        .profile
        .as_ref()
        .ok_or_else(|| Error::NeedsRecover {
            what: words(pending),
        })?;
    if packages::finish(pool, journal, pending, &profile::read(pool, id)?)? {
        report.finished.push(words(pending));
    }
    Ok(())
}

/// Rows of our own commands whose process died before it recorded an intent: nothing happened, so
/// the row and the snapshot it may have taken go. What is one write has no intent: its row is ended when
/// the write has happened.
fn drop_own_rows(pool: &Pool, journal: &Journal, report: &mut Report) -> Result<()> {
    let pending: Vec<TransactionNumber> = journal
        .pending_operations()?
        .iter()
        .filter_map(|pending| pending.operation.transaction)
        .collect();
    for row in journal.open_transactions(None)? {
        let own = !matches!(row.kind, TransactionKind::Apt | TransactionKind::Dpkg);
        if !own || pending.contains(&row.number) || is_alive(&row)? {
            continue;
        }
        if profile::is_written(pool, &row) {
            profile::end(journal, row.number, row.started)?;
            report.finished.push(format!(
                "{} of profile {} (transaction {})",
                row.kind, row.profile, row.number
            ));
            continue;
        }
        undo::row::drop_row(pool, journal, &row.profile, row.number)?;
        report.taken_back.push(format!(
            "{} of profile {} (transaction {})",
            row.kind, row.profile, row.number
        ));
    }
    Ok(())
}

/// Whether the process of a row may still be at work. It held the pool's lock from before it wrote
/// the row, and we hold that now: only this very process can be its owner.
fn is_alive(row: &Transaction) -> Result<bool> {
    let own = profile_sys::process::current()?;
    Ok(row.owner.pid == own.pid
        && row.owner.start_time == own.start_time
        && row.owner.pid_ns == own.pid_ns)
}

/// Package transactions of one profile whose process is gone.
fn one_profile(
    pool: &Pool,
    journal: &Journal,
    lock: &PoolLock,
    id: &ProfileId,
    now: Time,
    report: &mut Report,
) -> Result<()> {
    let world = World::of_profile(pool, id)?;
    match transaction::catch_up(&world, journal, lock, now) {
        Ok(caught) => {
            report
                .interrupted
                .extend(caught.closed.iter().map(|closed| closed.number));
            report.noticed.extend(caught.imported);
            report.noticed.extend(caught.unseen);
        }
        Err(error) => report
            .left
            .push(format!("transactions of profile {id}: {error}")),
    }
    Ok(())
}

/// Deletes what the rules of the profiles no longer keep: this runs by a timer, `pool gc` does not. What stays
/// for a reason is no fault, and `pool gc` tells it.
fn prune(
    pool: &Pool,
    journal: &Journal,
    lock: &PoolLock,
    now: Time,
    progress: &mut dyn Progress,
    report: &mut Report,
) {
    let until = Instant::now() + PRUNING;
    let clock = Clock::read(now);
    match retention::run(pool, journal, lock, clock, until, progress) {
        Ok(pruned) => {
            report.collected += pruned.swept;
            report.pruned = pruned.victims;
        }
        Err(error) => report.left.push(format!("old snapshots: {error}")),
    }
}

/// Base files without a base: `base add` or `base remove` was cut between the two.
fn orphan_base_files(pool: &Pool) -> Result<usize> {
    let layout = pool.layout();
    let versions = base::versions(pool)?;
    let mut removed = 0;
    for name in file::list(&layout.base_files())? {
        let known = versions
            .iter()
            .any(|version| layout.base_file(version).file_name() == Some(name.as_os_str()));
        if !known {
            file::remove_file(&layout.base_files().join(&name))?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// Seals a base that was cut between its name and its seal, or while it was to be removed. Only the
/// very subvolume that was promoted, with the very tree: nothing writes to a base, so anything else
/// is damage and stays for `pool check` to tell.
fn seal_bases(pool: &Pool, report: &mut Report, progress: &mut dyn Progress) -> Result<()> {
    for version in base::versions(pool)? {
        let path = pool.layout().base(&version);
        if btrfs::is_read_only(&path)? {
            continue;
        }
        let problems = base::verify(pool, &version, progress)?;
        if problems.len() == 1 {
            btrfs::set_read_only(&path, true)?;
            report
                .finished
                .push(format!("sealing of the base {version}"));
        } else {
            report
                .left
                .push(format!("base {version}: {}", problems.join("; ")));
        }
    }
    Ok(())
}
