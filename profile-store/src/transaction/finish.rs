//! The end of a commit: the snapshot after it, what it did, how it went.

use std::time::Duration;

use profile_db::journal::{
    Finish, Journal, Outcome as Ended, PackageChange, Transaction, TransactionKind,
};
use profile_db::model::{SnapshotName, Time, TransactionNumber};
use profile_db::redact;
use profile_db::state::State;

use super::caller::Caller;
use super::early::Early;
use super::front_end::Grouping;
use super::measure::Beside;
use super::notes::{About, Note};
use super::reconcile::drop_row;
use super::{World, catch_up, history, measure, reason, rows, settled, snapshots};
use crate::error::{Error, Result};
use crate::pool::PoolLock;

/// How a transaction stands after [`finish`].
#[derive(Debug)]
pub enum Finished {
    /// There is no row for this process, and nothing changed that would need one.
    NothingToDo,
    /// It had changed nothing and is forgotten.
    Dropped(TransactionNumber),
    /// It ended, in this state.
    Ended(TransactionNumber, State),
    /// A commit of a run ended; the run goes on.
    GoesOn(TransactionNumber),
    /// It ended, and the snapshot after it could not be made.
    WithoutPost(TransactionNumber, Error),
}

/// Ends the commit of a front end. `early` is the snapshot after it, when its making has begun.
///
/// # Errors
///
/// The journal or a package database cannot be read or written. The row stays open then, and is
/// closed when its process is gone.
pub fn finish(
    world: &World<'_>,
    journal: &Journal,
    lock: Option<&PoolLock>,
    caller: &Caller,
    kind: TransactionKind,
    now: Time,
    early: Option<Early>,
) -> Result<Finished> {
    let found = rows::held(journal, |journal| {
        catch_up::import_of(world, journal, &caller.owner)?;
        let row = rows::going_on(world, journal, &caller.owner)?;
        let planned = match &row {
            Some(row) => journal.packages(row.number)?,
            None => Vec::new(),
        };
        let meant = |row: &Transaction, early: &Early| {
            row.number == early.number() && row.state != State::Skipped
        };
        let (Some(row), Some(early)) = (&row, &early) else {
            return Ok(Found::Row(row.map(Box::new), planned));
        };
        if !meant(row, early) || snapshots::pre(world, row.number)?.is_none() {
            return Ok(Found::Row(Some(Box::new(row.clone())), planned));
        }
        // While the snapshot is made.
        let begun = Begun::read(world, row.clone(), planned);
        // Opening the journal anew takes as long as this mostly waits.
        Ok(match early.wait_for(MOMENT) {
            Some(taken) => Found::Ended(begun.finish(world, journal, caller, now, taken)?),
            None => Found::Making(Box::new(begun)),
        })
    })?;
    let (row, planned) = match (found, early) {
        (Found::Ended(finished), _) => return Ok(finished),
        (Found::Making(begun), early) => {
            let taken = match early {
                Some(early) => early.wait(world),
                None => snapshots::take_post(world, begun.row.number),
            };
            return begun.finish(world, journal, caller, now, taken);
        }
        (Found::Row(row, planned), early) => {
            if let Some(early) = early {
                early.discard(world)?;
            }
            (row.map(|row| *row), planned)
        }
    };
    match row {
        Some(row) if row.state == State::Skipped => {
            finish_unprotected(world, journal, &row, &planned, caller, now)
        }
        Some(row) if snapshots::pre(world, row.number)?.is_some() => {
            let taken = snapshots::take_post(world, row.number);
            Begun::read(world, row, planned).finish(world, journal, caller, now, taken)
        }
        // The hook before it was killed between the row and the snapshot.
        Some(row) => {
            let closed = super::reconcile::close(world, journal, &row)?;
            Ok(closed.state.map_or(Finished::Dropped(row.number), |state| {
                Finished::Ended(row.number, state)
            }))
        }
        None => finish_unbegun(world, journal, lock, caller, kind, now),
    }
}

/// How long the journal is held for a snapshot that is being made: others wait meanwhile, and a slow card takes
/// seconds for one.
const MOMENT: Duration = Duration::from_millis(40);

/// What the first look into the journal comes to.
enum Found {
    /// The snapshot was there in a moment, and all is recorded.
    Ended(Finished),
    /// The snapshot is still being made for this row.
    Making(Box<Begun>),
    /// No snapshot is being made for it.
    Row(Option<Box<Transaction>>, Vec<PackageChange>),
}

/// A transaction that is going on and has a snapshot before it.
struct Begun {
    row: Transaction,
    planned: Vec<PackageChange>,
    beside: Result<Beside>,
}

impl Begun {
    /// With what is read while the snapshot afterwards is made.
    fn read(world: &World<'_>, row: Transaction, planned: Vec<PackageChange>) -> Self {
        let beside = measure::beside(world, &row, &world.snapshot(SnapshotName::Pre(row.number)));
        Self {
            row,
            planned,
            beside,
        }
    }

    fn finish(
        self,
        world: &World<'_>,
        journal: &Journal,
        caller: &Caller,
        now: Time,
        taken: Result<SnapshotName>,
    ) -> Result<Finished> {
        let Self {
            row,
            planned,
            beside,
        } = self;
        let (row, planned) = (&row, &planned);
        let number = row.number;
        let pre = world.snapshot(SnapshotName::Pre(number));
        let (post_name, missing) = match taken {
            Ok(name) => (Some(name), None),
            Err(error) => (None, Some(error)),
        };
        // Without it the present is measured: nothing else works on packages while this hook runs.
        let post = post_name.map_or_else(|| world.subvolume(), |name| world.snapshot(name));
        let outcome = measure::packages(world, row, beside?, &post, planned)?;
        let first_commit = row.commits.begun <= 1;
        if first_commit
            && outcome.is_nothing()
            && post_name.is_some()
            && measure::is_bookkeeping_only(world, row, &pre, &post)?
        {
            drop_row(world, journal, number)?;
            return Ok(Finished::Dropped(number));
        }
        let mut problem = outcome.problem.clone();
        if let Some(error) = &missing {
            let text = format!("no snapshot afterwards: {}", reason::whole(error));
            problem = Some(problem.map_or(text.clone(), |problem| format!("{problem}; {text}")));
        }
        let failed = outcome.problem.is_some() || row.state == State::Failed;
        let command = better_command(world, row)?;
        let goes_on = caller.grouping == Grouping::Run;
        let state = rows::durably(world, journal, |journal| {
            snapshots::record_pre(journal, number)?;
            snapshots::record_post(journal, number, post_name)?;
            journal.set_packages(number, &outcome.packages)?;
            if let Some(command) = &command {
                journal.set_command(number, command)?;
            }
            journal.end_commit(number)?;
            let ended = (!goes_on).then_some(now);
            match (failed, goes_on) {
                // A run is done when its process has gone.
                (false, true) => Ok(State::Open),
                (false, false) => journal.finish(
                    number,
                    &Finish {
                        outcome: Ended::Done,
                        ended,
                        problem: problem.clone(),
                    },
                ),
                (true, _) => journal.finish(
                    number,
                    &Finish {
                        outcome: Ended::Failed,
                        ended,
                        problem: problem.clone(),
                    },
                ),
            }
        })?;
        Ok(match missing {
            Some(error) => Finished::WithoutPost(number, error),
            None if goes_on => Finished::GoesOn(number),
            None => Finished::Ended(number, state),
        })
    }
}

/// PackageKit's daemon has one command line for everything; apt's log says what it was asked to do.
fn better_command(world: &World<'_>, row: &Transaction) -> Result<Option<String>> {
    if row.front_end != "packagekitd" {
        return Ok(None);
    }
    let entry = history::entry(world, row)?;
    Ok(entry
        .and_then(|entry| entry.command_line)
        .map(|line| redact::command(&line)))
}

/// Records what an unprotected transaction did, measured against the newest state that is accounted
/// for, and tries to have a snapshot of now, so that the next one is measured against that.
fn finish_unprotected(
    world: &World<'_>,
    journal: &Journal,
    row: &Transaction,
    planned: &[PackageChange],
    caller: &Caller,
    now: Time,
) -> Result<Finished> {
    let number = row.number;
    let observed = settled::observe_before(world, journal, Some(number))?;
    let packages = measure::unprotected(world, journal, row, observed.as_ref(), planned)?;
    let reason = row.unprotected_reason.clone().unwrap_or_default();
    let wanted = !reason.starts_with(SWITCHED_OFF);
    let post = if wanted {
        snapshots::take_post(world, number).ok()
    } else {
        None
    };
    let goes_on = caller.grouping == Grouping::Run;
    let state = rows::durably(world, journal, |journal| {
        journal.set_packages(number, &packages)?;
        snapshots::record_post(journal, number, post)?;
        journal.end_commit(number)?;
        let ended = (!goes_on).then_some(now);
        journal.finish(
            number,
            &Finish {
                outcome: Ended::Skipped(reason.clone()),
                ended,
                problem: None,
            },
        )
    })?;
    Ok(if goes_on {
        Finished::GoesOn(number)
    } else {
        Finished::Ended(number, state)
    })
}

/// Why a transaction is unprotected when the user wanted it so.
pub const SWITCHED_OFF: &str = "switched off by request";

/// A post without a pre: our package came with this very run, or the pre was lost. What changed is
/// recorded from the newest known state on.
fn finish_unbegun(
    world: &World<'_>,
    journal: &Journal,
    lock: Option<&PoolLock>,
    caller: &Caller,
    kind: TransactionKind,
    now: Time,
) -> Result<Finished> {
    let Some(_lock) = lock else {
        return Ok(Finished::NothingToDo);
    };
    let Some(observed) = settled::observe(world, journal)? else {
        return Ok(Finished::NothingToDo);
    };
    if observed.packages.is_empty() {
        return Ok(Finished::NothingToDo);
    }
    let note = Note::new(
        About::Unseen,
        &world.profile,
        &world.base,
        kind,
        caller,
        now,
    );
    let number = catch_up::record(world, journal, &observed, Some(&note), now)?;
    let state = journal.transaction(number)?.state;
    Ok(Finished::Ended(number, state))
}
