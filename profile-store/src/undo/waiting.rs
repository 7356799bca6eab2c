//! An undo that waits until nothing runs in its profile, and is carried out before the profile starts next.
//!
//! What is kept is the request alone ([`WaitingUndo`]). The plan is made anew when it is carried out: what was edited
//! meanwhile is merged and kept like every later change, a package transaction since may have taken the ground from
//! it, and then nothing is changed and the reason is kept for `status`.

use std::collections::BTreeSet;

use conffile_diff::merge::Side;
use profile_db::format::Format;
use profile_db::journal::Journal;
use profile_db::model::{ProfileId, Time, TransactionNumber};
use profile_db::state::State;
use profile_db::{ProfileFile, WaitingUndo, waiting_undo};
use profile_sys::file;
use serde_json::Map;

use super::plan::{Conflict, Method};
use super::{Applied, Decisions, Prepared, Request, Verb, Which, Wishes, apply, prepare};
use crate::actor::Actor;
use crate::error::{Error, Result};
use crate::pool::Pool;
use crate::profile;
use crate::progress::Progress;
use crate::standing::{Standing, standing};
use crate::transaction::reserve;

/// Paths that a reason names at most.
const NAMED: usize = 3;

/// What became of an undo that waited.
#[derive(Debug)]
pub enum Waited {
    /// It is carried out.
    Done(Box<Applied>),
    /// It does not fit any more: nothing was changed, and it waits no longer.
    Dropped(Box<WaitingUndo>),
}

/// The undo of a profile that waits, or was dropped and not acknowledged.
///
/// # Errors
///
/// The file cannot be read or parsed.
pub fn waiting(pool: &Pool, id: &ProfileId) -> Result<Option<WaitingUndo>> {
    let path = pool.layout().waiting_undo(id);
    if !file::exists(&path)? {
        return Ok(None);
    }
    let bytes = file::read_limited(&path, waiting_undo::SIZE_MAX as u64 + 1)?;
    WaitingUndo::parse(&bytes)
        .map(Some)
        .map_err(|source| Error::PoolPart { path, source })
}

/// Has a plan without conflicts wait until its profile starts next. Nothing of the profile changes now.
///
/// # Errors
///
/// There are conflicts, another one waits already, or the file cannot be written.
pub fn wait(
    pool: &Pool,
    prepared: Prepared,
    wishes: &Wishes,
    actor: &Actor,
    now: Time,
) -> Result<WaitingUndo> {
    let plan = &prepared.plan;
    let refused = if !plan.conflicts.is_empty() {
        Some("there are conflicts".to_owned())
    } else {
        waiting(pool, &plan.profile.id)?
            .filter(|other| other.dropped.is_none())
            .map(|other| {
                format!(
                    "`{}` waits for the next start already; `flipper-profile undo --withdraw` takes that back",
                    other.command
                )
            })
    };
    if let Some(detail) = refused {
        let error = Error::NotUndoable {
            number: plan.transaction.number,
            participle: prepared.verb.participle(),
            detail,
        };
        return Err(error.taken_back(prepared.cancel()));
    }
    let waiting = WaitingUndo {
        format: Format::new(WaitingUndo::KNOWN.version),
        profile: plan.profile.id,
        redo: prepared.verb == Verb::Redo,
        transactions: plan.transactions.iter().map(|one| one.number).collect(),
        exact: wishes.exact,
        keep_mine: wishes.decisions.all == Some(Side::Mine),
        hold: prepared.hold,
        command: actor.command.clone(),
        user: actor.user.clone(),
        uid: actor.uid,
        asked: now,
        dropped: None,
        unknown: Map::new(),
    };
    // Under the pool's lock, which the plan holds.
    match write(pool, &waiting) {
        Ok(()) => prepared.cancel().map(|()| waiting),
        Err(error) => Err(error.taken_back(prepared.cancel())),
    }
}

/// Takes back an undo that waits, or the message that it was dropped; `None` where there is none.
///
/// # Errors
///
/// Another command is at work, or the file cannot be read or removed.
pub fn withdraw(pool: &Pool, id: &ProfileId) -> Result<Option<WaitingUndo>> {
    let _lock = pool.lock()?;
    let found = waiting(pool, id)?;
    if found.is_some() {
        remove(pool, id)?;
    }
    Ok(found)
}

/// Carries out what waits for the profile, when it is mounted nowhere.
///
/// `actor` is whoever starts the profile; the row names who asked.
///
/// # Errors
///
/// Another command is at work, or an effect failed: it goes on waiting, or `recover` finishes it.
pub fn carry_out(
    pool: &Pool,
    journal: &Journal,
    profile: &ProfileFile,
    actor: &Actor,
    now: Time,
    progress: &mut dyn Progress,
) -> Result<Option<Waited>> {
    let Some(waiting) = waiting(pool, &profile.id)?.filter(|one| one.dropped.is_none()) else {
        return Ok(None);
    };
    if !matches!(standing(pool, profile)?, Standing::Free) {
        return Ok(None);
    }
    // Taken back by hand meanwhile, or by us before a crash: the file is removed last.
    if are_undone(journal, &waiting.transactions)? {
        let _lock = pool.lock()?;
        remove(pool, &profile.id)?;
        return Ok(None);
    }
    let actor = Actor {
        command: waiting.command.clone(),
        user: waiting.user.clone(),
        uid: waiting.uid,
        ..actor.clone()
    };
    let request = request(&waiting);
    let mut prepared = match prepare(pool, journal, profile, &request, now, progress) {
        Ok(prepared) => prepared,
        Err(
            error @ (Error::NotUndoable { .. }
            | Error::NoSuchTransaction { .. }
            | Error::NothingTo { .. }
            | Error::SnapshotMissing { .. }),
        ) => return dropped(pool, waiting, error.to_string()).map(Some),
        Err(error) => return Err(error),
    };
    if !prepared.plan.conflicts.is_empty() {
        let reason = reason(&prepared.plan.conflicts);
        prepared.cancel()?;
        return dropped(pool, waiting, reason).map(Some);
    }
    if prepared.plan.method == Method::Live {
        // Somebody has started it since we looked.
        prepared.cancel()?;
        return Ok(None);
    }
    if waiting.hold {
        prepared.hold();
    }
    let applied = apply(pool, journal, prepared, &actor, now, progress)?;
    // Last: a crash before this finds the transactions undone, and removes it then.
    remove(pool, &profile.id)?;
    Ok(Some(Waited::Done(Box::new(applied))))
}

/// Carries out what waits in every profile of the pool that is mounted nowhere; by name of the profile.
///
/// # Errors
///
/// The profiles or the journal cannot be read. That one cannot be carried out now stops no other.
pub fn carry_out_all(
    pool: &Pool,
    actor: &Actor,
    now: Time,
    progress: &mut dyn Progress,
) -> Result<Vec<(String, Result<Waited>)>> {
    let journal = pool.journal()?;
    let mut found = Vec::new();
    for (_, profile) in profile::all(pool)? {
        // One that cannot be read is told by `recover`.
        let Ok(profile) = profile else { continue };
        let waited = match carry_out(pool, &journal, &profile, actor, now, progress) {
            // Whoever has it mounted starts it again some time.
            Err(Error::ProfileInUse { .. }) => continue,
            waited => waited.transpose(),
        };
        if let Some(waited) = waited {
            found.push((profile.name.to_string(), waited));
        }
    }
    Ok(found)
}

impl Waited {
    /// What became of it, in one sentence.
    pub fn words(&self) -> String {
        match self {
            Self::Done(applied) => format!(
                "the {} of transaction {} that waited is done; it is transaction {}",
                applied.kind, applied.plan.transaction.number, applied.number
            ),
            Self::Dropped(waiting) => format!(
                "`{}` was not carried out: {}; nothing was changed, and it waits no longer",
                waiting.command,
                waiting.dropped.as_deref().unwrap_or_default()
            ),
        }
    }
}

/// What is asked for now.
fn request(waiting: &WaitingUndo) -> Request {
    let numbers: BTreeSet<TransactionNumber> = waiting.transactions.iter().copied().collect();
    let which = match waiting.transactions.as_slice() {
        [one] => Which::Number(*one),
        _ => Which::These(numbers),
    };
    Request {
        verb: match waiting.redo {
            true => Verb::Redo,
            false => Verb::Undo,
        },
        which,
        wishes: Wishes {
            exact: waiting.exact,
            cascade: false,
            decisions: Decisions {
                all: waiting.keep_mine.then_some(Side::Mine),
                ..Decisions::default()
            },
        },
    }
}

fn are_undone(journal: &Journal, transactions: &[TransactionNumber]) -> Result<bool> {
    for number in transactions {
        if journal.transaction(*number)?.state != State::Undone {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Why it is dropped: what came in its way since.
fn reason(conflicts: &[Conflict]) -> String {
    let named: Vec<String> = conflicts
        .iter()
        .take(NAMED)
        .map(|one| format!("/{}: {}", one.path.display(), one.obstacle.words()))
        .collect();
    let more = match conflicts.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    format!("it stands in the way now: {}{more}", named.join("; "))
}

fn dropped(pool: &Pool, mut waiting: WaitingUndo, reason: String) -> Result<Waited> {
    let _lock = pool.lock()?;
    waiting.dropped = Some(reason);
    write(pool, &waiting)?;
    Ok(Waited::Dropped(Box::new(waiting)))
}

fn write(pool: &Pool, waiting: &WaitingUndo) -> Result<()> {
    let layout = pool.layout();
    reserve::with_reserve(pool, || {
        file::create_directory_all(&layout.waiting(), 0o700)?;
        let path = layout.waiting_undo(&waiting.profile);
        Ok(file::write_atomic(&path, &waiting.to_bytes(), 0o600)?)
    })
}

fn remove(pool: &Pool, id: &ProfileId) -> Result<()> {
    let path = pool.layout().waiting_undo(id);
    if file::exists(&path)? {
        file::remove_file(&path)?;
        pool.commit()?;
    }
    Ok(())
}
