//! *Replacement*: giving a profile another upper in one step. Undo, redo, reset, and later rebase,
//! switch and import, all end here.
//!
//! ```text
//! built     staging/<word>/profile is the new subvolume, whole, with its profile.json and guard
//! recorded  the journal names it (Intent::Replace) with the UUID of the live one
//! exchanged renameat2(RENAME_EXCHANGE) of the two, then a btrfs commit
//! finished  what belongs to it beside the upper is done, then the journal says done; the old
//!           subvolume, now in staging, is collected
//! ```
//!
//! A crash before `exchanged` reaches the disk leaves the old state, after it the new one; the UUID
//! under the profile's path tells which, so nothing else has to be recorded in between.

use std::path::PathBuf;

use profile_db::journal::{Durability, Finish, Journal, OperationId, Outcome};
use profile_db::model::{ProfileId, SnapshotName, Time, TransactionNumber};
use profile_sys::{btrfs, file};
use uuid::Uuid;

use crate::error::Result;
use crate::layout::Layout;
use crate::operation::{self, Ending, Intent};
use crate::pool::Pool;
use crate::staging::{self, Staging};
use crate::view::View;
use crate::{profile, state_paths};

/// Name of the profile's subvolume in a staging directory.
pub const STAGED_PROFILE: &str = "profile";
/// Name of the state subvolume in a staging directory.
pub const STAGED_STATE: &str = "state";

/// A replacement that is built and about to happen.
#[derive(Debug)]
pub struct Replacement {
    /// The profile.
    pub profile: ProfileId,
    /// Its staging directory, with the new subvolume as [`STAGED_PROFILE`] and, when the state is
    /// replaced too, [`STAGED_STATE`].
    pub staging: Staging,
    /// What the journal says when it is finished.
    pub ending: Ending,
}

/// Carries out a replacement. The profile must be mounted nowhere and the pool's lock be held.
///
/// When this returns the new upper is in force on disk.
///
/// # Errors
///
/// An effect failed: `recover` finishes or takes back what was begun.
pub fn replace(pool: &Pool, journal: &Journal, replacement: Replacement, now: Time) -> Result<()> {
    let layout = pool.layout();
    let old = btrfs::subvolume_info(&layout.profile(&replacement.profile))?.uuid;
    let staged_state = replacement.staging.part(STAGED_STATE);
    let old_state = match file::exists(&staged_state)? {
        true => Some(btrfs::subvolume_info(&layout.state(&replacement.profile))?.uuid),
        false => None,
    };
    profile::set_guard(&replacement.staging.part(STAGED_PROFILE))?;
    // What was built must be on disk before it can be exchanged in.
    pool.commit()?;
    let intent = Intent::Replace {
        profile: replacement.profile,
        staging: replacement.staging.word().to_owned(),
        old,
        old_state,
        ending: replacement.ending.clone(),
    };
    let operation = operation::record(journal, &intent, Some(replacement.ending.transaction), now)?;
    let carried_out = (|| {
        exchange(
            pool,
            &replacement.profile,
            &replacement.staging,
            old,
            old_state,
        )?;
        keep_state(
            pool,
            &replacement.staging,
            replacement.ending.transaction,
            old_state,
        )?;
        finish(
            pool,
            journal,
            operation,
            &replacement.profile,
            &replacement.ending,
            now,
        )
    })();
    carried_out.map_err(|error| operation::interrupted(replacement.ending.transaction, error))?;
    replacement.staging.discard_or_leave();
    Ok(())
}

/// Where the state stands that transaction `number` replaced, until it is collected.
pub(crate) fn trashed_state(layout: &Layout, number: TransactionNumber) -> PathBuf {
    layout.trash().join(number.to_string()).join(STAGED_STATE)
}

/// Keeps the replaced state in trash, so that the transaction can be undone whole.
fn keep_state(
    pool: &Pool,
    staging: &Staging,
    number: TransactionNumber,
    old_state: Option<Uuid>,
) -> Result<()> {
    let staged = staging.part(STAGED_STATE);
    if old_state.is_none() || !file::exists(&staged)? {
        return Ok(());
    }
    let kept = trashed_state(pool.layout(), number);
    let directory = pool.layout().trash().join(number.to_string());
    if !file::exists(&directory)? {
        file::create_directory(&directory, 0o700)?;
    }
    Ok(file::rename_no_replace(&staged, &kept)?)
}

/// Exchanges profile and state with the staged ones, unless that has happened already.
fn exchange(
    pool: &Pool,
    id: &ProfileId,
    staging: &Staging,
    old: Uuid,
    old_state: Option<Uuid>,
) -> Result<()> {
    let layout = pool.layout();
    let live = layout.profile(id);
    if btrfs::subvolume_info(&live)?.uuid == old {
        file::exchange(&staging.part(STAGED_PROFILE), &live)?;
        // The commit point. The state follows it: with the new upper in force, recover only goes forward.
        pool.commit()?;
    }
    if let Some(old_state) = old_state {
        let live_state = layout.state(id);
        if btrfs::subvolume_info(&live_state)?.uuid == old_state {
            file::exchange(&staging.part(STAGED_STATE), &live_state)?;
            pool.commit()?;
        }
    }
    Ok(())
}

/// Ends a replacement, a replay or a restoration: what belongs to it beside the upper, then the journal.
///
/// # Errors
///
/// An effect failed or the journal cannot be written; the intent stays recorded.
pub(crate) fn finish(
    pool: &Pool,
    journal: &Journal,
    operation: OperationId,
    id: &ProfileId,
    ending: &Ending,
    now: Time,
) -> Result<()> {
    if ending.packages_return {
        make_state_directories(pool, id, ending)?;
    }
    // One SQLite transaction: a crash leaves all of it or none.
    journal.batch(Durability::Durable, |journal| {
        if let Some(post) = &ending.post {
            journal.set_post(ending.transaction, Some(post))?;
        }
        // In this order: what an undo among several brings back may be another one of them.
        for back in &ending.brings_back {
            journal.clear_undone(*back)?;
        }
        for undone in &ending.undoes {
            journal.mark_undone(*undone, ending.transaction)?;
        }
        let done = Finish {
            outcome: Outcome::Done,
            ended: Some(now),
            problem: None,
        };
        journal.finish(ending.transaction, &done)?;
        journal.complete(operation)
    })?;
    Ok(())
}

/// Makes directories below state paths again that the packages which came back ship; on disk when this
/// returns.
fn make_state_directories(pool: &Pool, id: &ProfileId, ending: &Ending) -> Result<()> {
    let Some(Ok(post)) = ending.post.as_deref().map(str::parse::<SnapshotName>) else {
        return Ok(());
    };
    let profile = profile::read(pool, id)?;
    let (base, _) = profile::base_for(pool, &profile)?;
    // The snapshot, not the profile: that may be mounted, and an upper is nobody else's lower.
    let view = View::read_only(pool, &pool.layout().snapshot(id, post), &base)?;
    let made = state_paths::make_missing_package_directories(pool.layout(), &profile, view.path())?;
    view.close()?;
    if !made.is_empty() {
        pool.commit()?;
    }
    Ok(())
}

/// What `recover` did with an interrupted replacement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovered {
    /// The new state is in force.
    Finished,
    /// The old state is in force, nothing changed.
    TakenBack,
}

/// Finishes or takes back an interrupted replacement; idempotent.
///
/// # Errors
///
/// An effect failed; the intent stays recorded.
pub(crate) fn recover(
    pool: &Pool,
    journal: &Journal,
    operation: OperationId,
    intent: (&ProfileId, &str, Uuid, Option<Uuid>, &Ending),
    now: Time,
) -> Result<Recovered> {
    let (id, word, old, old_state, ending) = intent;
    let layout = pool.layout();
    let live = layout.profile(id);
    let exchanged = file::exists(&live)? && btrfs::subvolume_info(&live)?.uuid != old;
    if !exchanged {
        for name in [
            SnapshotName::Pre(ending.transaction),
            SnapshotName::Post(ending.transaction),
        ] {
            let snapshot = layout.snapshot(id, name);
            if file::exists(&snapshot)? {
                btrfs::delete_subvolume_tree(&snapshot)?;
            }
        }
        discard(pool, word)?;
        journal.batch(Durability::Durable, |journal| {
            journal.complete(operation)?;
            journal.drop_empty(ending.transaction)
        })?;
        return Ok(Recovered::TakenBack);
    }
    if let Some(staging) = Staging::take_over(layout, word)? {
        exchange(pool, id, &staging, old, old_state)?;
        keep_state(pool, &staging, ending.transaction, old_state)?;
    }
    finish(pool, journal, operation, id, ending, now)?;
    discard(pool, word)?;
    Ok(Recovered::Finished)
}

fn discard(pool: &Pool, word: &str) -> Result<()> {
    let path = pool.layout().staging().join(word);
    if file::exists(&path)? {
        staging::discard_directory(&path)?;
    }
    Ok(())
}
