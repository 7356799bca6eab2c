//! The beginning of a transaction: the row, then the snapshot.

use std::path::Path;
use std::time::Duration;

use profile_db::journal::{
    Durability, Finish, Journal, NewTransaction, Outcome as Ended, Transaction, TransactionKind,
};
use profile_db::model::{Time, TransactionNumber};
use profile_db::state::State;

use super::caller::Caller;
use super::front_end::Grouping;
use super::reconcile::drop_row;
use super::{
    World, catch_up, covered, materialise, package_state, reason, reserve, rows, snapshots,
};
use crate::error::{Error, Result};
use crate::pool::PoolLock;
use crate::recover;

/// A second hook of the same commit comes within moments; a later one is of another commit.
const SAME_COMMIT_MILLISECONDS: i64 = 60_000;

/// How often a hook looks whether another command is done with this profile, and how long it pauses.
const LOOKS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(50);

/// What a hook asks for.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The process and the person behind it.
    pub caller: &'a Caller,
    /// Apt or Dpkg.
    pub kind: TransactionKind,
    /// When.
    pub now: Time,
    /// Why no snapshot is wanted, when none is.
    pub switched_off: Option<&'a str>,
    /// Where the profile's merged tree is mounted.
    pub merged: &'a Path,
    /// The change does not happen without a snapshot: then it leaves no row either.
    pub required: bool,
}

/// How a transaction stands after [`begin`].
#[derive(Debug)]
pub enum Started {
    /// A new one, with its snapshot.
    Begun(TransactionNumber),
    /// It goes on: another commit of a run, or a second hook of one commit.
    Joined {
        /// Its number.
        number: TransactionNumber,
        /// What could not be dealt with before it. Its row stands, and says nothing of it.
        noticed: Vec<String>,
    },
    /// It is recorded, without protection because that was asked for.
    SwitchedOff(TransactionNumber),
    /// It is recorded, without protection because something failed.
    Unprotected(TransactionNumber, Error),
}

/// Begins a transaction for a front end, or joins the one that goes on for it.
///
/// `lock` is given when the pool's lock was free: then the journal is first brought up to what is
/// there. A hook does not wait for it. A commit of a run takes no second snapshot; the run's post is
/// deleted with the next commit's beginning and made anew at its end.
///
/// # Errors
///
/// Nothing could be recorded. A snapshot that fails is no error here: the transaction is then
/// recorded as unprotected.
pub fn begin(
    world: &World<'_>,
    journal: &Journal,
    lock: Option<&PoolLock>,
    request: &Request<'_>,
) -> Result<Started> {
    if lock.is_none() {
        let_end(world, journal)?;
    }
    let number = match rows::held(journal, |journal| enter(world, journal, lock, request))? {
        Entered::Settled(started) => {
            mark(request, None);
            return Ok(started);
        }
        Entered::Row(number) => number,
    };
    // Before the snapshot, so that nothing is left to do when that is there.
    mark(request, Some(number));
    // That it exists is written down with what becomes known next, the plan or the end: its name says
    // whose it is, and asking the journal again would hold apt up.
    match snapshots::take_pre(world, number) {
        Ok(_) => Ok(Started::Begun(number)),
        Err(error) if request.required => {
            drop_row(world, journal, number)?;
            Err(error)
        }
        Err(error) => {
            reserve::with_reserve(world.pool, || {
                let outcome = Ended::Skipped(reason::whole(&error));
                Ok(journal.finish(
                    number,
                    &Finish {
                        outcome,
                        ended: None,
                        problem: None,
                    },
                )?)
            })?;
            Ok(Started::Unprotected(number, error))
        }
    }
}

/// Leaves word for the trigger and the last hook. A shortcut: without it the journal tells the same.
fn mark(request: &Request<'_>, begun: Option<TransactionNumber>) {
    let _ = covered::mark(&request.caller.owner, begun);
}

/// Another command has the pool's lock: what it has written down to do to this profile it may give up
/// again in a moment, as a live undo does that finds dpkg's lock taken.
fn let_end(world: &World<'_>, journal: &Journal) -> Result<()> {
    for _ in 0..LOOKS {
        let pending = journal.pending_operations()?;
        if recover::refuse(&pending, &world.profile).is_ok() {
            break;
        }
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

/// What the journal alone settles.
enum Entered {
    /// No snapshot is to be taken.
    Settled(Started),
    /// A row that needs its snapshot.
    Row(TransactionNumber),
}

fn enter(
    world: &World<'_>,
    journal: &Journal,
    lock: Option<&PoolLock>,
    request: &Request<'_>,
) -> Result<Entered> {
    // What an earlier hook prepared and a power cut left half-way. Not while another command is at
    // work, which may be doing it.
    let mut noticed = Vec::new();
    let pending = journal.pending_operations()?;
    if lock.is_some() {
        for pending in pending.iter().filter(|one| materialise::is_of(world, one)) {
            if let Err(error) = materialise::finish(journal, pending, request.merged) {
                noticed.push(failed("an earlier change of directories", &error));
            }
        }
    }
    if let Some(row) = rows::going_on(world, journal, &request.caller.owner)? {
        if join(world, journal, &row, request)? {
            let number = row.number;
            return Ok(Entered::Settled(Started::Joined { number, noticed }));
        }
    }
    // A snapshot of a profile that is half undone would be of no state that ever was.
    let half_done = match recover::refuse(&pending, &world.profile) {
        Ok(()) => None,
        Err(error) if request.switched_off.is_none() && request.required => return Err(error),
        Err(error) => Some(error),
    };
    // What can be made up for later costs this change no snapshot.
    if let (Some(lock), None) = (lock, &half_done) {
        let caught = reserve::with_reserve(world.pool, || {
            catch_up::catch_up(world, journal, lock, request.now)
        });
        match caught {
            Ok(caught) => noticed.extend(caught.noticed),
            Err(error) => noticed.push(failed("what happened before this", &error)),
        }
    }
    let caller = request.caller;
    let new = NewTransaction {
        profile: world.profile,
        base: world.base.clone(),
        kind: request.kind.clone(),
        command: caller.command.clone(),
        user: caller.user.clone(),
        uid: caller.uid,
        front_end: caller.front_end.clone(),
        owner: caller.owner.clone(),
        started: request.now,
        undoes: None,
        noticed,
    };
    if let Some(reason) = request.switched_off {
        let number =
            reserve::with_reserve(world.pool, || begin_unprotected(journal, &new, reason))?;
        return Ok(Entered::Settled(Started::SwitchedOff(number)));
    }
    if let Some(error) = half_done {
        let reason = reason::whole(&error);
        let number =
            reserve::with_reserve(world.pool, || begin_unprotected(journal, &new, &reason))?;
        return Ok(Entered::Settled(Started::Unprotected(number, error)));
    }
    let number = reserve::with_reserve(world.pool, || Ok(journal.begin(&new)?))?;
    Ok(Entered::Row(number))
}

/// What stands in the row of something that could not be dealt with before it.
fn failed(what: &str, error: &Error) -> String {
    format!("{what} could not be dealt with: {}", reason::whole(error))
}

fn begin_unprotected(
    journal: &Journal,
    new: &NewTransaction,
    reason: &str,
) -> Result<TransactionNumber> {
    Ok(journal.batch(Durability::Durable, |journal| {
        let number = journal.begin(new)?;
        let outcome = Ended::Skipped(reason.to_owned());
        journal.finish(
            number,
            &Finish {
                outcome,
                ended: None,
                problem: None,
            },
        )?;
        Ok(number)
    })?)
}

/// Goes on with a row of the same process; false when that row is of an earlier commit and was closed.
fn join(
    world: &World<'_>,
    journal: &Journal,
    row: &Transaction,
    request: &Request<'_>,
) -> Result<bool> {
    let number = row.number;
    if request.caller.grouping == Grouping::Run {
        // Before the count: with a post from before this commit and an equal count, a cut here would
        // look like a run that had ended well.
        journal.set_post(number, None)?;
        journal.begin_commit(number)?;
        if let Some(post) = snapshots::post(world, number)? {
            snapshots::delete(&post)?;
        }
        return Ok(true);
    }
    let age = request.now.as_millisecond() - row.started.as_millisecond();
    let fresh = row.state == State::Open
        && row.commits.ended == 0
        && (0..SAME_COMMIT_MILLISECONDS).contains(&age);
    if fresh {
        if let Some(pre) = snapshots::pre(world, number)? {
            if package_state::unchanged(&pre, &world.subvolume(), &world.base_path(&world.base))? {
                return Ok(true);
            }
        }
    }
    catch_up::close_left_open(world, journal, row)?;
    Ok(false)
}
