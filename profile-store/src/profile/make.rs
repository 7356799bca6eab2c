//! New profiles: from the template (create) or from another profile (clone).
//!
//! Each is two snapshots, upper and state, whatever their size. Everything is built in staging; the
//! state and the origin get their places first, the profile itself last, in one rename: a profile
//! that has a name is whole.

use std::path::{Path, PathBuf};

use profile_db::ProfileFile;
use profile_db::journal::{Durability, Finish, Outcome, TransactionKind};
use profile_db::model::{
    BaseVersion, Kind, ProfileId, ProfileName, SnapshotName, Time, TransactionNumber,
};
use profile_db::profile_file::{BaseRef, Origin};
use profile_sys::{btrfs, file};

use super::change::new_row;
use super::{base_for, read_file, require_name_free, set_guard, write_file};
use crate::actor::Actor;
use crate::error::{Error, Result};
use crate::layout::GUARD;
use crate::operation::{self, Intent};
use crate::pool::Pool;
use crate::replacement::{STAGED_PROFILE, STAGED_STATE};
use crate::staging::Staging;
use crate::transaction::reserve;
use crate::view::View;
use crate::{base, identity, recover, state_paths};

/// What `create` is asked for.
#[derive(Debug, Clone)]
pub struct CreateProfile {
    /// Its name.
    pub name: ProfileName,
    /// The base it stands on; the current one when absent.
    pub base: Option<BaseVersion>,
    /// Free text.
    pub description: String,
    /// Built-in or user.
    pub kind: Kind,
}

/// A profile that was made and the transaction that records it.
#[derive(Debug, Clone)]
pub struct Made {
    /// Its file.
    pub profile: ProfileFile,
    /// The row of its making.
    pub transaction: TransactionNumber,
}

/// Creates a profile.
///
/// # Errors
///
/// The name is taken, the base is missing or damaged, the disk is full.
pub fn create(pool: &Pool, request: &CreateProfile, actor: &Actor, now: Time) -> Result<Made> {
    let _lock = pool.lock()?;
    require_name_free(pool, &request.name)?;
    let version = match &request.base {
        Some(version) => version.clone(),
        None => base::current(pool)?.ok_or_else(|| Error::NoSuchBase {
            version: "current".into(),
        })?,
    };
    let base = base::read(pool, &version)?;
    let (base_path, _) = base::locate(pool, &version)?;
    let mut profile = ProfileFile::new(
        unused_id(pool)?,
        request.name.clone(),
        Origin::Created,
        BaseRef {
            version,
            tree_hash: base.tree_hash,
        },
        now,
    );
    profile.kind = request.kind;
    profile.description.clone_from(&request.description);
    let plan = Plan {
        profile,
        from: pool.layout().template(),
        state: State::New { former: None },
        base: base_path,
        kind: TransactionKind::Create,
    };
    make(pool, plan, actor, now)
}

/// Clones a profile: one snapshot of its upper and, unless `with_state` is false, one of its state.
/// The source may be mounted: a btrfs snapshot is of one moment, between two transactions of the
/// filesystem (`create_pending_snapshot` of the kernel).
///
/// # Errors
///
/// The name is taken, the source's base is missing, the disk is full.
pub fn clone(
    pool: &Pool,
    source: &ProfileId,
    name: &ProfileName,
    with_state: bool,
    actor: &Actor,
    now: Time,
) -> Result<Made> {
    let _lock = pool.lock()?;
    require_name_free(pool, name)?;
    let source = super::read(pool, source)?;
    // A copy of what is half done would never be finished.
    recover::refuse_pending(&pool.journal()?, &source.id)?;
    let (base_path, _) = base_for(pool, &source)?;
    let mut profile = source.clone();
    profile.id = unused_id(pool)?;
    profile.name = name.clone();
    profile.kind = Kind::User;
    profile.origin = Origin::Cloned {
        from: source.id,
        name: source.name.clone(),
    };
    (profile.created, profile.modified) = (now, now);
    let layout = pool.layout();
    let former = layout.state(&source.id);
    let plan = Plan {
        profile,
        from: layout.profile(&source.id),
        state: match with_state {
            true => State::Snapshot(former),
            // It may be lost: `pool check` names this command then.
            false => State::New {
                former: file::exists(&former)?.then_some(former),
            },
        },
        base: base_path,
        kind: TransactionKind::Clone,
    };
    make(pool, plan, actor, now)
}

/// An id that no profile has and that names no snapshots or state of a former one.
fn unused_id(pool: &Pool) -> Result<ProfileId> {
    let layout = pool.layout();
    loop {
        let id = identity::new_profile_id()?;
        let taken = [
            layout.profile(&id),
            layout.snapshots(&id),
            layout.state(&id),
        ];
        let mut free = true;
        for path in &taken {
            free &= !file::exists(path)?;
        }
        if free {
            return Ok(id);
        }
    }
}

struct Plan {
    profile: ProfileFile,
    /// The subvolume whose snapshot becomes the profile.
    from: PathBuf,
    state: State,
    base: PathBuf,
    kind: TransactionKind,
}

/// Where a profile's state comes from.
enum State {
    /// A snapshot of this one.
    Snapshot(PathBuf),
    /// Seeded from the merged tree, with the directories that packages own as `former` has them.
    New { former: Option<PathBuf> },
}

fn make(pool: &Pool, plan: Plan, actor: &Actor, now: Time) -> Result<Made> {
    let journal = pool.journal()?;
    let profile = plan.profile.clone();
    let row = new_row(&profile, plan.kind.clone(), actor, now);
    let transaction = reserve::with_reserve(pool, || Ok(journal.begin(&row)?))?;
    let staging = Staging::begin(pool)?;
    // The intent is durable before anything gets a place outside staging.
    let intent = Intent::Make {
        profile: profile.id,
        staging: staging.word().to_owned(),
    };
    let operation = operation::record(&journal, &intent, Some(transaction), now)?;
    let Err(error) = or_whole(pool, &profile.id, place(pool, &plan, &staging)) else {
        journal.batch(Durability::Durable, |journal| {
            let done = Finish {
                outcome: Outcome::Done,
                ended: Some(now),
                problem: None,
            };
            journal.finish(transaction, &done)?;
            journal.complete(operation)
        })?;
        staging.discard_or_leave();
        return Ok(Made {
            profile,
            transaction,
        });
    };
    drop(staging);
    let word = intent.staging().unwrap_or_default();
    let taken_back = finish_making(pool, &profile.id, word).and_then(|_| {
        Ok(journal.batch(Durability::Durable, |journal| {
            journal.drop_empty(transaction)?;
            journal.complete(operation)
        })?)
    });
    Err(error.taken_back(taken_back))
}

/// Whether the profile exists now decides, not where making it failed: the rename is the commit point.
fn or_whole(pool: &Pool, id: &ProfileId, placed: Result<()>) -> Result<()> {
    match placed {
        Err(_) if file::exists(&pool.layout().profile(id))? => Ok(()),
        placed => placed,
    }
}

/// Builds everything in staging and puts it in its place, the profile last.
fn place(pool: &Pool, plan: &Plan, staging: &Staging) -> Result<()> {
    let layout = pool.layout();
    let id = &plan.profile.id;
    let (staged, staged_state) = (staging.part(STAGED_PROFILE), staging.part(STAGED_STATE));
    btrfs::snapshot(&plan.from, &staged, false)?;
    write_file(&staged, &plan.profile)?;

    file::create_directory(&layout.snapshots(id), 0o700)?;
    drop_guard_stub(&staged)?;
    btrfs::snapshot(&staged, &layout.snapshot(id, SnapshotName::Origin), true)?;
    match &plan.state {
        State::Snapshot(from) => btrfs::snapshot(from, &staged_state, false)?,
        State::New { former } => {
            btrfs::create_subvolume(&staged_state)?;
            let view = View::read_only(pool, &staged, &plan.base)?;
            let former = former.as_deref();
            state_paths::fill_new(&staged_state, former, &plan.profile, view.path())?;
            view.close()?;
        }
    }
    file::rename_no_replace(&staged_state, &layout.state(id))?;
    set_guard(&staged)?;
    pool.commit()?;
    file::rename_no_replace(&staged, &layout.profile(id))?;
    pool.commit()
}

/// A snapshot of a profile has an empty directory where the guard was; it goes before the origin
/// snapshot is taken, so that no snapshot differs from another by it. That snapshot has to be the next
/// thing, see [`set_guard`].
fn drop_guard_stub(subvolume: &Path) -> Result<()> {
    let stub = subvolume.join(GUARD);
    if file::exists(&stub)? {
        file::remove_directory(&stub)?;
    }
    Ok(())
}

/// Finishes or takes back an interrupted making; true when the profile exists. Idempotent.
///
/// # Errors
///
/// An effect failed; the intent stays recorded.
pub fn finish_making(pool: &Pool, id: &ProfileId, word: &str) -> Result<bool> {
    let layout = pool.layout();
    let whole = file::exists(&layout.profile(id))?;
    if !whole {
        let state = layout.state(id);
        if file::exists(&state)? {
            btrfs::delete_subvolume_tree(&state)?;
        }
        let snapshots = layout.snapshots(id);
        if file::exists(&snapshots)? {
            crate::staging::discard_directory(&snapshots)?;
        }
    } else {
        // A whole profile can be read; if not, that is damage and is said as such.
        read_file(&layout.profile(id))?;
    }
    let staged = layout.staging().join(word);
    if file::exists(&staged)? {
        crate::staging::discard_directory(&staged)?;
    }
    Ok(whole)
}
