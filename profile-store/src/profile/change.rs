//! Renaming, setting and deleting profiles.

use profile_db::ProfileFile;
use profile_db::journal::{
    Durability, Finish, Journal, NewTransaction, Outcome, Transaction, TransactionKind,
};
use profile_db::model::{Kind, ProfileId, ProfileName, Time, TransactionNumber};
use profile_sys::file;

use super::{base_for, read, require_name_free, write_file};
use crate::actor::Actor;
use crate::error::{Error, Result};
use crate::operation::{self, Ending, Intent};
use crate::pool::{Pool, PoolLock};
use crate::replacement::{self, STAGED_PROFILE, STAGED_STATE};
use crate::retention::rules::{self, Rules};
use crate::transaction::reserve;
use crate::view::View;
use crate::{in_use, recover, state_paths};

/// Gives a profile another name. Only the name in profile.json changes, so this is allowed while
/// the profile is mounted.
///
/// # Errors
///
/// The profile is built in, or the name is taken.
pub fn rename(
    pool: &Pool,
    id: &ProfileId,
    name: &ProfileName,
    actor: &Actor,
    now: Time,
) -> Result<ProfileFile> {
    let lock = pool.lock()?;
    let mut profile = read(pool, id)?;
    refuse_built_in(&profile, "renamed")?;
    if profile.name == *name {
        return Ok(profile);
    }
    require_name_free(pool, name)?;
    profile.name = name.clone();
    change_file(pool, &lock, profile, TransactionKind::Rename, actor, now)
}

/// Sets one key of a profile: `description`, `home` (`profile` or `shared`), `state-paths`
/// (absolute paths separated by commas), and the policies of retention.
///
/// # Errors
///
/// The key is not known or the value is not valid.
pub fn set(
    pool: &Pool,
    id: &ProfileId,
    key: &str,
    value: &str,
    actor: &Actor,
    now: Time,
) -> Result<ProfileFile> {
    let lock = pool.lock()?;
    let mut profile = read(pool, id)?;
    apply(&mut profile, key, value)?;
    if key == state_paths::POLICY_STATE_PATHS && !value.is_empty() {
        let (base, _) = base_for(pool, &profile)?;
        let view = View::read_only(pool, &pool.layout().profile(id), &base)?;
        state_paths::check_extra_in(view.path(), value)?;
        view.close()?;
    }
    profile.check().map_err(|error| Error::Setting {
        key: key.to_owned(),
        detail: error.to_string(),
    })?;
    change_file(pool, &lock, profile, TransactionKind::Set, actor, now)
}

/// Puts one value into the file; an empty value takes a policy away.
fn apply(profile: &mut ProfileFile, key: &str, value: &str) -> Result<()> {
    let refuse = |detail: String| {
        Err(Error::Setting {
            key: key.to_owned(),
            detail,
        })
    };
    match key {
        "description" => {
            profile.description = value.to_owned();
            return Ok(());
        }
        state_paths::POLICY_HOME => {
            if !["", "profile", "shared"].contains(&value) {
                return refuse(format!(
                    "'{}' is neither profile nor shared",
                    value.escape_debug()
                ));
            }
        }
        state_paths::POLICY_STATE_PATHS => {
            state_paths::check_extra(value)?;
        }
        key if rules::POLICIES.contains(&key) => {
            if let (false, Err(detail)) = (value.is_empty(), Rules::check(key, value)) {
                return refuse(detail);
            }
        }
        _ => {
            return refuse(format!(
                "there is no such key; description, home, state-paths, {} can be set",
                rules::POLICIES.join(", ")
            ));
        }
    }
    if value.is_empty() {
        profile.policies.remove(key);
    } else {
        profile.policies.insert(key.to_owned(), value.into());
    }
    Ok(())
}

/// Writes a changed profile file as one transaction. One atomic write: a crash leaves the old file
/// or the new one, and at most an open row, which `recover` drops or ends by [`is_written`].
fn change_file(
    pool: &Pool,
    lock: &PoolLock,
    mut profile: ProfileFile,
    kind: TransactionKind,
    actor: &Actor,
    now: Time,
) -> Result<ProfileFile> {
    let journal = pool.journal()?;
    // What an earlier one left open is told from the time in the file, which this one overwrites.
    recover::before_change(pool, &journal, lock, &profile.id, now)?;
    let number = begin(pool, &journal, &profile, kind, actor, now)?;
    profile.modified = now;
    if let Err(error) = write_file(&pool.layout().profile(&profile.id), &profile) {
        // It may have its new name already, and only the sync after that has failed.
        if read(pool, &profile.id).is_ok_and(|on_disk| on_disk.modified != now) {
            journal.drop_empty(number)?;
            return Err(error);
        }
        return Err(operation::interrupted(number, error));
    }
    end(&journal, number, now).map_err(|error| operation::interrupted(number, error))?;
    Ok(profile)
}

/// Whether the file of an open row of `rename` or `set` was written: row and file have the moment in
/// common.
pub(crate) fn is_written(pool: &Pool, row: &Transaction) -> bool {
    matches!(row.kind, TransactionKind::Rename | TransactionKind::Set)
        && read(pool, &row.profile).is_ok_and(|on_disk| on_disk.modified == row.started)
}

/// Writes the end of a change that is done.
pub(crate) fn end(journal: &Journal, number: TransactionNumber, ended: Time) -> Result<()> {
    journal.finish(number, &done(ended))?;
    Ok(())
}

fn done(ended: Time) -> Finish {
    Finish {
        outcome: Outcome::Done,
        ended: Some(ended),
        problem: None,
    }
}

/// Puts a profile and its state into trash, from where `undo` brings it back until it is collected.
///
/// # Errors
///
/// The profile is built in, or is, or may be, mounted.
pub fn delete(pool: &Pool, id: &ProfileId, actor: &Actor, now: Time) -> Result<TransactionNumber> {
    let lock = pool.lock()?;
    let profile = read(pool, id)?;
    refuse_built_in(&profile, "deleted")?;
    in_use::require_free(pool, &profile)?;
    let journal = pool.journal()?;
    recover::before_change(pool, &journal, &lock, id, now)?;
    let number = begin(
        pool,
        &journal,
        &profile,
        TransactionKind::Delete,
        actor,
        now,
    )?;
    let trash = number.to_string();
    let intent = Intent::Delete {
        profile: *id,
        trash,
    };
    let operation = operation::record(&journal, &intent, Some(number), now)?;
    finish_deletion(pool, id, &number.to_string())
        .and_then(|()| {
            Ok(journal.batch(Durability::Durable, |journal| {
                journal.finish(number, &done(now))?;
                journal.complete(operation)
            })?)
        })
        .map_err(|error| operation::interrupted(number, error))?;
    Ok(number)
}

/// Carries a recorded deletion through; idempotent.
///
/// The profile loses its name first and in one rename; its state follows.
pub(crate) fn finish_deletion(pool: &Pool, id: &ProfileId, trash: &str) -> Result<()> {
    let layout = pool.layout();
    let directory = layout.trash().join(trash);
    if !file::exists(&directory)? {
        file::create_directory(&directory, 0o700)?;
    }
    for (live, name) in [
        (layout.profile(id), STAGED_PROFILE),
        (layout.state(id), STAGED_STATE),
    ] {
        if file::exists(&live)? {
            file::rename_no_replace(&live, &directory.join(name))?;
            pool.commit()?;
        }
    }
    Ok(())
}

/// Brings a deleted profile back from trash: the undo of its deletion.
///
/// # Errors
///
/// Its trash was collected, or its name is taken meanwhile.
pub fn restore_deleted(
    pool: &Pool,
    journal: &Journal,
    deletion: TransactionNumber,
    actor: &Actor,
    now: Time,
) -> Result<ProfileFile> {
    let layout = pool.layout();
    let trash = deletion.to_string();
    let trashed = layout.trash().join(&trash).join(STAGED_PROFILE);
    if !file::exists(&trashed)? {
        return Err(Error::NotUndoable {
            number: deletion,
            participle: "undone",
            detail: "the deleted profile was collected from trash".into(),
        });
    }
    let profile = super::read_file(&trashed)?;
    // One that was cut: `recover` carries it through, a second one would stand in its way.
    recover::refuse_pending(journal, &profile.id)?;
    require_name_free(pool, &profile.name)?;
    let mut row = new_row(&profile, TransactionKind::Undo, actor, now);
    row.undoes = Some(deletion);
    let number = journal.begin(&row)?;
    let intent = Intent::Restore {
        profile: profile.id,
        trash: trash.clone(),
        deletion,
    };
    let operation = operation::record(journal, &intent, Some(number), now)?;
    let ending = restoration_ending(number, deletion);
    finish_restoration(pool, &profile.id, &trash)
        .and_then(|()| replacement::finish(pool, journal, operation, &profile.id, &ending, now))
        .map_err(|error| operation::interrupted(number, error))?;
    Ok(profile)
}

/// How the undo of a deletion ends.
pub(crate) fn restoration_ending(undo: TransactionNumber, deletion: TransactionNumber) -> Ending {
    let mut ending = Ending::of(undo);
    ending.undoes.push(deletion);
    ending
}

/// Carries a recorded restoration through; idempotent. The state comes first: a profile that has a
/// name is whole.
pub(crate) fn finish_restoration(pool: &Pool, id: &ProfileId, trash: &str) -> Result<()> {
    let layout = pool.layout();
    let directory = layout.trash().join(trash);
    for (live, name) in [
        (layout.state(id), STAGED_STATE),
        (layout.profile(id), STAGED_PROFILE),
    ] {
        let trashed = directory.join(name);
        if !file::exists(&live)? && file::exists(&trashed)? {
            file::rename_no_replace(&trashed, &live)?;
            pool.commit()?;
        }
    }
    if file::exists(&directory)? {
        crate::staging::discard_directory(&directory)?;
    }
    Ok(())
}

pub(crate) fn refuse_built_in(profile: &ProfileFile, participle: &'static str) -> Result<()> {
    if profile.kind == Kind::BuiltIn {
        return Err(Error::BuiltIn {
            name: profile.name.to_string(),
            participle,
        });
    }
    Ok(())
}

/// A journal row of one of our own commands about a profile.
pub(crate) fn new_row(
    profile: &ProfileFile,
    kind: TransactionKind,
    actor: &Actor,
    now: Time,
) -> NewTransaction {
    NewTransaction {
        profile: profile.id,
        base: profile.base.version.clone(),
        kind,
        command: actor.command.clone(),
        user: actor.user.clone(),
        uid: actor.uid,
        front_end: actor.front_end.clone(),
        owner: actor.owner.clone(),
        started: now,
        undoes: None,
        noticed: Vec::new(),
    }
}

fn begin(
    pool: &Pool,
    journal: &Journal,
    profile: &ProfileFile,
    kind: TransactionKind,
    actor: &Actor,
    now: Time,
) -> Result<TransactionNumber> {
    let row = new_row(profile, kind, actor, now);
    reserve::with_reserve(pool, || Ok(journal.begin(&row)?))
}
