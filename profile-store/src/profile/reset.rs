//! Reset: a profile becomes its origin again. The former upper stays as the pre snapshot of the
//! transaction, so a reset can be undone.

use std::path::Path;

use profile_db::ProfileFile;
use profile_db::journal::TransactionKind;
use profile_db::model::{ProfileId, SnapshotName, Time, TransactionNumber};
use profile_sys::{btrfs, file};

use super::change::new_row;
use super::{base_for, read, read_file, write_file};
use crate::actor::Actor;
use crate::error::{Error, Result};
use crate::operation::Ending;
use crate::pool::Pool;
use crate::replacement::{self, Replacement, STAGED_PROFILE, STAGED_STATE};
use crate::staging::Staging;
use crate::view::View;
use crate::{in_use, recover, state_paths};

/// Resets a profile to its origin. /home and /root are kept unless `all`.
///
/// # Errors
///
/// The profile is, or may be, mounted; its origin or base is gone; the disk is full.
pub fn reset(
    pool: &Pool,
    id: &ProfileId,
    all: bool,
    actor: &Actor,
    now: Time,
) -> Result<TransactionNumber> {
    let lock = pool.lock()?;
    let present = read(pool, id)?;
    in_use::require_free(pool, &present)?;
    let layout = pool.layout();
    let origin = layout.snapshot(id, SnapshotName::Origin);
    if !file::exists(&origin)? {
        return Err(Error::SnapshotMissing { path: origin });
    }
    let profile = identity_of_present(&present, read_file(&origin)?, now);
    base_for(pool, &profile)?;
    let journal = pool.journal()?;
    recover::before_change(pool, &journal, &lock, id, now)?;
    let staging = Staging::begin(pool)?;
    let number = journal.begin(&new_row(&present, TransactionKind::Reset, actor, now))?;
    let built = stage(pool, &profile, &origin, &staging, all).and_then(|()| {
        Ok(btrfs::snapshot(
            &layout.profile(id),
            &layout.snapshot(id, SnapshotName::Pre(number)),
            true,
        )?)
    });
    if let Err(error) = built {
        journal.drop_empty(number)?;
        staging.discard()?;
        return Err(error);
    }
    journal.set_pre(number, &SnapshotName::Pre(number).to_string())?;
    let mut ending = Ending::of(number);
    ending.post = Some(SnapshotName::Origin.to_string());
    replacement::replace(
        pool,
        &journal,
        Replacement {
            profile: *id,
            staging,
            ending,
        },
        now,
    )?;
    Ok(number)
}

/// The file of a profile that is made from a snapshot: identity and policies of the present one,
/// everything that belongs to the content from the snapshot (design, section 2).
pub(crate) fn identity_of_present(
    present: &ProfileFile,
    mut snapshot: ProfileFile,
    now: Time,
) -> ProfileFile {
    snapshot.id = present.id;
    snapshot.name = present.name.clone();
    snapshot.kind = present.kind;
    snapshot.origin = present.origin.clone();
    snapshot.created = present.created;
    snapshot.modified = now;
    snapshot.description.clone_from(&present.description);
    snapshot.policies.clone_from(&present.policies);
    snapshot
}

/// Builds the new upper and the new state beside the present ones.
fn stage(
    pool: &Pool,
    profile: &ProfileFile,
    origin: &Path,
    staging: &Staging,
    all: bool,
) -> Result<()> {
    let staged = staging.part(STAGED_PROFILE);
    btrfs::snapshot(origin, &staged, false)?;
    write_file(&staged, profile)?;
    let state = staging.part(STAGED_STATE);
    btrfs::snapshot(&pool.layout().state(&profile.id), &state, false)?;
    let (base, _) = base_for(pool, profile)?;
    let view = View::read_only(pool, &staged, &base)?;
    empty_state(profile, &state, view.path(), all)?;
    view.close()
}

/// Empties a state subvolume that is not in use, and seeds it again from the merged tree; what is
/// kept on reset stays, and directories that packages own stay as empty directories.
fn empty_state(profile: &ProfileFile, state: &Path, merged: &Path, all: bool) -> Result<()> {
    let mut paths = state_paths::of(profile);
    paths.retain(|path| !path.shared && (all || !path.kept_on_reset));
    state_paths::renew(state, &paths, merged)
}
