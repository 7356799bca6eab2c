//! Bringing the journal up to what is there: what hooks and commands do first.

use super::caller::Caller;
use super::notes::{self, About, Left, Note};
use super::reconcile::{Closed, package_rows, reconcile};
use super::settled::{Observed, observe};
use super::{World, reconcile as closing, rows, snapshots};
use crate::error::Result;
use crate::pool::PoolLock;
use profile_db::journal::{
    Finish, Journal, NewTransaction, Outcome as Ended, Transaction, TransactionKind,
};
use profile_db::model::{Owner, Time, TransactionNumber};
use profile_db::state::State;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caught {
    /// Transactions that hooks could not record and that are recorded now.
    pub imported: Vec<TransactionNumber>,
    /// Rows whose process was gone.
    pub closed: Vec<Closed>,
    /// The transaction that stands for package changes past our hooks.
    pub unseen: Option<TransactionNumber>,
    /// Marks and selections that changed outside transactions; they belong to the next one.
    pub noticed: Vec<String>,
}

/// Records what hooks left beside the journal, closes rows whose process is gone, and notices package
/// changes that no hook saw.
///
/// Cheap when there is nothing to do: a few listings, queries and lstat calls.
///
/// # Errors
///
/// The journal, a snapshot or a package database cannot be read or written. What was done before that
/// stays done, and the next call goes on.
pub fn catch_up(
    world: &World<'_>,
    journal: &Journal,
    lock: &PoolLock,
    now: Time,
) -> Result<Caught> {
    let notes = notes::all(world.pool.layout(), &world.profile)?;
    let mut caught = Caught::default();
    for left in notes
        .iter()
        .filter(|left| left.note.about == About::Unprotected)
    {
        caught.imported.extend(import(world, journal, left)?);
    }
    caught.closed = reconcile(world, journal, lock)?;
    let seen: Vec<&Left> = notes
        .iter()
        .filter(|left| left.note.about == About::Unseen)
        .collect();
    if let Some(observed) = observe(world, journal)? {
        if observed.packages.is_empty() {
            caught.noticed = observed.words;
        } else {
            caught.unseen = Some(record(
                world,
                journal,
                &observed,
                seen.last().map(|left| &left.note),
                now,
            )?);
        }
    }
    // Whatever they told about is accounted for now, or was never a change. While a transaction goes
    // on, they wait.
    if !seen.is_empty() && journal.open_transactions(Some(&world.profile))?.is_empty() {
        for left in seen {
            notes::remove(left)?;
        }
    }
    Ok(caught)
}

/// Makes rows of what the first hook of a process could not write, before its last hook looks for the
/// row: without it that hook would take the change for one that nobody knew of.
pub(super) fn import_of(world: &World<'_>, journal: &Journal, owner: &Owner) -> Result<()> {
    for left in notes::all(world.pool.layout(), &world.profile)? {
        if left.note.about == About::Unprotected && left.note.owner == *owner {
            import(world, journal, &left)?;
        }
    }
    Ok(())
}

/// Makes a row of a note; `None` when there is one already.
fn import(world: &World<'_>, journal: &Journal, left: &Left) -> Result<Option<TransactionNumber>> {
    let note = &left.note;
    let reason = note
        .reason
        .clone()
        .unwrap_or_else(|| "the hook could not work".to_owned());
    // A process may commit several times: the row of this commit began with the note, or still goes on.
    let of_commit = |row: &Transaction| {
        row.owner == note.owner && (row.started == note.at || row.ended.is_none())
    };
    let known = rows::recent(world, journal)?.into_iter().find(of_commit);
    let imported = match known {
        // The hook had begun its row before it failed or ran out of time: its snapshot came late, if
        // it came at all, and must not pass for the state before.
        Some(row) if row.state == State::Open && row.pre.is_none() && row.started == note.at => {
            let finish = Finish {
                outcome: Ended::Skipped(reason),
                ended: None,
                problem: None,
            };
            journal.finish(row.number, &finish)?;
            snapshots::delete_both(world, row.number)?;
            Some(row.number)
        }
        Some(_) => None,
        None => Some(rows::durably(world, journal, |journal| {
            let number = journal.begin(&from_note(note))?;
            // Not yet ended: whether its process still works is for `reconcile` to find out.
            journal.finish(
                number,
                &Finish {
                    outcome: Ended::Skipped(reason.clone()),
                    ended: None,
                    problem: None,
                },
            )?;
            Ok(number)
        })?),
    };
    notes::remove(left)?;
    Ok(imported)
}

fn from_note(note: &Note) -> NewTransaction {
    NewTransaction {
        profile: note.profile,
        base: note.base.clone(),
        kind: note.kind.clone(),
        command: note.command.clone(),
        user: note.user.clone(),
        uid: note.uid,
        front_end: note.front_end.clone(),
        owner: note.owner.clone(),
        started: note.at,
        undoes: None,
        noticed: Vec::new(),
    }
}

/// What stands in a row's place for what nobody told.
const NOT_KNOWN: &str = "(not known: no hook saw it)";
/// The first of the notices of such a row.
const PAST_HOOKS: &str = "changed past the hooks of flipper-profile, found afterwards";

/// Makes a transaction of package changes that no hook saw, between the newest known state and now:
/// it can be shown and undone like any other.
pub(super) fn record(
    world: &World<'_>,
    journal: &Journal,
    observed: &Observed,
    seen: Option<&Note>,
    now: Time,
) -> Result<TransactionNumber> {
    let mut noticed = vec![PAST_HOOKS.to_owned()];
    noticed.extend(observed.words.iter().cloned());
    let mut new = match seen {
        Some(note) => from_note(note),
        None => NewTransaction {
            profile: world.profile,
            base: world.base.clone(),
            kind: TransactionKind::Dpkg,
            command: NOT_KNOWN.to_owned(),
            user: None,
            uid: None,
            front_end: "dpkg".to_owned(),
            owner: own_identity()?,
            started: now,
            undoes: None,
            noticed: Vec::new(),
        },
    };
    new.noticed = noticed;
    let number = journal.begin(&new)?;
    finish_record(world, journal, number, observed, now)?;
    Ok(number)
}

/// The second half of [`record`], for a row that has begun.
pub(super) fn finish_record(
    world: &World<'_>,
    journal: &Journal,
    number: TransactionNumber,
    observed: &Observed,
    now: Time,
) -> Result<State> {
    snapshots::take_pre_of(world, number, &observed.settled.snapshot)?;
    let post = snapshots::take_post(world, number)?;
    let packages = package_rows(&observed.packages, &observed.now);
    let broken: Vec<String> = observed
        .packages
        .iter()
        .filter(|change| change.state_after.is_broken())
        .map(|change| {
            format!(
                "{}:{} is {}",
                change.name, change.architecture, change.state_after
            )
        })
        .collect();
    let (outcome, problem) = match broken.as_slice() {
        [] => (Ended::Done, None),
        _ => (Ended::Failed, Some(broken.join("; "))),
    };
    rows::durably(world, journal, |journal| {
        snapshots::record(journal, number, post)?;
        journal.set_packages(number, &packages)?;
        journal.end_commit(number)?;
        journal.finish(
            number,
            &Finish {
                outcome: outcome.clone(),
                ended: Some(now),
                problem: problem.clone(),
            },
        )
    })
}

fn own_identity() -> Result<Owner> {
    Caller::itself()?.ok_or_else(|| crate::Error::NeedsRecover {
        what: "a package change that was found cannot be recorded without /proc".to_owned(),
    })
}

/// Closes the row that an earlier commit of the same living process left open: a daemon or a terminal
/// program whose last commit ended without its post.
pub(super) fn close_left_open(
    world: &World<'_>,
    journal: &Journal,
    row: &Transaction,
) -> Result<Closed> {
    closing::close(world, journal, row)
}
