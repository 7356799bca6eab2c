//! Carrying out an undo: beside the profile and exchanged in, or live through the merged mount.

use std::path::{Path, PathBuf};

use profile_db::journal::{Action, Durability, Journal, Transaction, TransactionKind};
use profile_db::model::{SnapshotName, Time, TransactionNumber};
use profile_sys::tree::Root;
use profile_sys::{btrfs, file};

use super::hold;
use super::join::{self, Joined};
use super::live::{LiveReplay, Task, replay_live};
use super::plan::{Method, Plan};
use super::prepare::{Prepared, Source, Verb};
use super::replay::{Replayed, replay};
use super::row;
use super::sides::Sides;
use crate::actor::Actor;
use crate::delta::Change;
use crate::error::{Error, Result};
use crate::operation::Ending;
use crate::pool::Pool;
use crate::profile::{self, identity_of_present, new_row};
use crate::progress::Progress;
use crate::replacement::{self, Replacement, STAGED_PROFILE, STAGED_STATE};
use crate::state_paths;
use crate::transaction::reserve;
use crate::view::View;

/// Name of the tree that a replay goes by, in its staging directory.
const WANTED: &str = "wanted";

/// What an undo did.
#[derive(Debug)]
pub struct Applied {
    /// The undo's own transaction.
    pub number: TransactionNumber,
    /// What it did: undo or redo.
    pub kind: TransactionKind,
    /// The plan that was carried out.
    pub plan: Plan,
    /// What the replay restored, removed and left; empty for an exchange.
    pub replayed: Replayed,
}

/// Carries out a plan that has no conflicts.
///
/// When this returns the profile is, on disk, as it was before the transaction, apart from what the
/// plan keeps.
///
/// # Errors
///
/// The plan has conflicts, a package manager started meanwhile, or an effect failed; then `recover`
/// finishes or takes back what was begun.
pub fn apply(
    pool: &Pool,
    journal: &Journal,
    prepared: Prepared,
    actor: &Actor,
    now: Time,
    progress: &mut dyn Progress,
) -> Result<Applied> {
    let transaction = &prepared.plan.transaction;
    let in_the_way = match &prepared {
        Prepared { plan, .. } if !plan.conflicts.is_empty() => Some("there are conflicts"),
        Prepared { outlook, .. } if !outlook.not_live.is_empty() => {
            Some("programs that run in the profile need what it replaces")
        }
        _ => None,
    };
    if let Some(detail) = in_the_way {
        let number = transaction.number;
        prepared.cancel()?;
        return Err(Error::NotUndoable {
            number,
            participle: "undone",
            detail: detail.into(),
        });
    }
    let kind = match (prepared.verb, prepared.plan.transactions.as_slice()) {
        (Verb::Redo, _) => TransactionKind::Redo,
        (Verb::Undo, [one]) if one.kind == TransactionKind::Undo => TransactionKind::Redo,
        (Verb::Undo, _) => TransactionKind::Undo,
    };
    let mut row = new_row(&prepared.plan.profile, kind.clone(), actor, now);
    row.undoes = Some(transaction.number);
    let several: Vec<TransactionNumber> = numbers(&prepared.plan.transactions);
    let number = reserve::with_reserve(pool, || {
        Ok(journal.batch(Durability::Durable, |journal| {
            let number = journal.begin(&row)?;
            if several.len() > 1 {
                journal.set_undone(number, &several)?;
            }
            Ok(number)
        })?)
    })?;
    let id = prepared.plan.profile.id;
    match carry_out(pool, journal, prepared, number, &kind, now, progress) {
        Ok((plan, replayed)) => Ok(Applied {
            number,
            kind,
            plan,
            replayed,
        }),
        Err(error) => Err(row::after_failure(pool, journal, &id, number, error)),
    }
}

fn carry_out(
    pool: &Pool,
    journal: &Journal,
    prepared: Prepared,
    number: TransactionNumber,
    kind: &TransactionKind,
    now: Time,
    progress: &mut dyn Progress,
) -> Result<(Plan, Replayed)> {
    let id = prepared.plan.profile.id;
    row::keep_present(pool, journal, &id, &prepared.staging, number)?;
    let ending = ending(journal, number, &prepared.plan)?;
    progress.begin(match kind {
        TransactionKind::Redo => "redoing",
        _ => "undoing",
    });
    match prepared.plan.method {
        Method::Exchange | Method::Staged => beside(pool, journal, prepared, ending, now, progress),
        Method::Live => live(pool, journal, prepared, ending, now),
    }
}

/// Which rows of the journal change with this undo.
fn ending(journal: &Journal, number: TransactionNumber, plan: &Plan) -> Result<Ending> {
    let mut ending = Ending::of(number);
    ending.undoes = numbers(&plan.transactions);
    for transaction in &plan.transactions {
        ending.packages_return |= journal
            .packages(transaction.number)?
            .iter()
            .any(|package| matches!(package.action, Action::Remove | Action::Purge));
        match (&transaction.kind, transaction.undoes) {
            // The undo of an undo brings back what that had undone.
            (TransactionKind::Undo, _) => {
                ending
                    .brings_back
                    .extend(journal.undone(transaction.number)?);
            }
            // The undo of a redo: the undo that it took back is in force again, and with it the original
            // transactions are undone.
            (TransactionKind::Redo, Some(undo)) => {
                ending.brings_back.push(undo);
                ending.undoes.extend(journal.undone(undo)?);
            }
            _ => {}
        }
    }
    Ok(ending)
}

fn numbers(transactions: &[Transaction]) -> Vec<TransactionNumber> {
    transactions.iter().map(|one| one.number).collect()
}

/// Builds the new upper in staging, where that was not done, and exchanges it in.
fn beside(
    pool: &Pool,
    journal: &Journal,
    prepared: Prepared,
    mut ending: Ending,
    now: Time,
    progress: &mut dyn Progress,
) -> Result<(Plan, Replayed)> {
    let held = prepared.held();
    let Prepared {
        plan,
        source,
        staging,
        ..
    } = prepared;
    let layout = pool.layout();
    let id = plan.profile.id;
    let staged = staging.part(STAGED_PROFILE);
    let (base, _) = profile::base_for(pool, &plan.profile)?;
    let mut replayed = Replayed::default();
    let mut changed = plan.profile.clone();
    let whole = match (plan.method, &source) {
        (Method::Exchange, Source::Snapshot(name)) => Some(name.to_string()),
        (Method::Exchange, _) => plan.transaction.pre.clone(),
        _ => None,
    };
    if let Some(name) = whole {
        btrfs::snapshot(&layout.snapshots(&id).join(&name), &staged, false)?;
        let snapshot = profile::read_file(&staged)?;
        changed = identity_of_present(&plan.profile, snapshot, now);
        // The state afterwards is one that has a snapshot, unless something is held in it: it serves both.
        ending.post = held.is_none().then_some(name);
    } else {
        if let Source::Before(sides) = &source {
            btrfs::snapshot(&layout.profile(&id), &staged, false)?;
            let mine = layout.snapshot(&id, SnapshotName::Pre(ending.transaction));
            let wanted = wanted(pool, &plan.joined, sides, &mine, staging.part(WANTED))?;
            let view = View::read_only(pool, &wanted, &base)?;
            let merged = View::writable(pool, &staged, &base)?;
            let paths = paths_of(&plan.restore, &plan.joined);
            replayed = replay(view.path(), merged.path(), &paths, &plan.times, progress)?;
            merged.close()?;
            view.close()?;
        }
        if !plan.remake.is_nothing() {
            let merged = View::writable(pool, &staged, &base)?;
            plan.remake.make(merged.path(), &mut replayed)?;
            merged.close()?;
        }
    }
    if let Some(held) = &held {
        hold::write(pool, held, &staged, &base)?;
    }
    match &ending.post {
        Some(_) => profile::write_file(&staged, &changed)?,
        None => {
            let number = ending.transaction;
            ending.post = Some(row::keep_changed(pool, &changed, &staging, number, now)?);
        }
    }
    stage_state(pool, &plan, &staging.part(STAGED_STATE))?;
    let replacement = Replacement {
        profile: id,
        staging,
        ending,
    };
    replacement::replace(pool, journal, replacement, now)?;
    Ok((plan, replayed))
}

/// A reset put the former state into trash: its undo brings back of it what is missing now, while it is
/// there. What was kept or written since stays: neither undo nor reset rewinds it.
fn stage_state(pool: &Pool, plan: &Plan, staged: &Path) -> Result<()> {
    for transaction in &plan.transactions {
        let trashed = replacement::trashed_state(pool.layout(), transaction.number);
        if transaction.kind != TransactionKind::Reset || !file::exists(&trashed)? {
            continue;
        }
        if !file::exists(staged)? {
            btrfs::snapshot(&pool.layout().state(&plan.profile.id), staged, false)?;
        }
        for path in state_paths::of(&plan.profile) {
            let former = trashed.join(path.relative());
            if !path.shared && file::exists(&former)? {
                state_paths::bring_back(&former, &staged.join(path.relative()))?;
            }
        }
    }
    Ok(())
}

/// Everything that is replayed, parents before children.
pub(super) fn paths_of(restore: &[Change], joined: &[(PathBuf, Joined)]) -> Vec<PathBuf> {
    let joined = joined
        .iter()
        .filter(|(_, joined)| joined.is_written())
        .map(|(path, _)| path);
    let restored = restore.iter().map(|change| &change.path);
    let mut paths: Vec<PathBuf> = restored.chain(joined).cloned().collect();
    paths.sort();
    paths
}

/// The profile whose merged tree has every path as it is to be: the snapshot from before the transaction, or,
/// where paths get both changes, a copy of it made as `into` with those written in. `mine` is a snapshot of the
/// present.
///
/// # Errors
///
/// An effect failed.
pub(super) fn wanted(
    pool: &Pool,
    joined: &[(PathBuf, Joined)],
    sides: &Sides,
    mine: &Path,
    into: PathBuf,
) -> Result<PathBuf> {
    if joined.is_empty() {
        return Ok(sides.pre.clone());
    }
    btrfs::snapshot(&sides.pre, &into, false)?;
    let mine = View::read_only(pool, mine, &sides.base)?;
    let other = View::read_only(pool, &sides.pre, &sides.base)?;
    let merged = View::writable(pool, &into, &sides.base)?;
    let roots = [merged.path(), mine.path(), other.path()].map(Root::open);
    let [merged_root, mine_root, other_root] = roots;
    join::write(&merged_root?, &mine_root?, &other_root?, joined)?;
    for view in [merged, mine, other] {
        view.close()?;
    }
    Ok(into)
}

/// Replays the plan through the merged mount of the mounted profile.
fn live(
    pool: &Pool,
    journal: &Journal,
    prepared: Prepared,
    ending: Ending,
    now: Time,
) -> Result<(Plan, Replayed)> {
    let held = prepared.held();
    let Prepared {
        plan,
        outlook,
        source,
        standing,
        staging,
        _lock,
        ..
    } = prepared;
    let layout = pool.layout();
    let id = plan.profile.id;
    let mut wanted = match &source {
        Source::Before(sides) => {
            let mine = layout.snapshot(&id, SnapshotName::Pre(ending.transaction));
            wanted(pool, &plan.joined, sides, &mine, staging.part(WANTED))?
        }
        Source::Built => staging.part(STAGED_PROFILE),
        Source::Snapshot(name) => layout.snapshot(&id, *name),
    };
    if let Some(held) = held {
        wanted = hold::copy(pool, &held, &wanted, &staging)?;
    }
    let paths = paths_of(&plan.restore, &plan.joined);
    let mut task = Task::new(pool, &wanted, &staging, &paths, &plan.times);
    task.remake = plan.remake.clone();
    task.services = outlook.services;
    let live = LiveReplay {
        profile: &plan.profile,
        standing: &standing,
        task,
        ending,
    };
    let replayed = replay_live(pool, journal, live, staging, now)?;
    Ok((plan, replayed))
}
