//! Carrying out a restore: beside the profile and exchanged in, or live through the merged mount.

use std::path::{Path, PathBuf};

use profile_db::journal::{Journal, TransactionKind};
use profile_db::model::{Time, TransactionNumber};
use profile_sys::btrfs;

use super::Refused;
use super::plan::{Plan, Prepared};
use crate::actor::Actor;
use crate::error::Result;
use crate::operation::Ending;
use crate::pool::Pool;
use crate::profile::{self, new_row};
use crate::progress::Progress;
use crate::replacement::{self, Replacement, STAGED_PROFILE};
use crate::transaction::reserve;
use crate::undo::{self, LiveReplay, Method, Replayed, Task, replay, row};
use crate::view::View;

/// What a restore did.
#[derive(Debug)]
pub struct Applied {
    /// Its own transaction.
    pub number: TransactionNumber,
    /// The plan that was carried out.
    pub plan: Plan,
    /// What was restored, removed and left.
    pub replayed: Replayed,
}

/// Carries out a plan.
///
/// When this returns the paths are, on disk, as the snapshot has them.
///
/// # Errors
///
/// [`Refused::InUse`], a package manager started meanwhile, or an effect failed; then `recover` finishes or takes back
/// what was begun.
pub fn apply(
    pool: &Pool,
    journal: &Journal,
    prepared: Prepared,
    actor: &Actor,
    now: Time,
    progress: &mut dyn Progress,
) -> Result<Applied> {
    if let Some((needed, _)) = prepared.outlook.not_live.first() {
        let absolute = |path: &Path| Path::new("/").join(path);
        let refused = Refused::InUse {
            path: absolute(&prepared.plan.path),
            needed: absolute(needed),
        };
        prepared.cancel()?;
        return Err(refused.into());
    }
    let id = prepared.plan.profile.id;
    let row = new_row(&prepared.plan.profile, TransactionKind::Restore, actor, now);
    let number = reserve::with_reserve(pool, || Ok(journal.begin(&row)?))?;
    carry_out(pool, journal, prepared, number, now, progress)
        .map_err(|error| row::after_failure(pool, journal, &id, number, error))
}

fn carry_out(
    pool: &Pool,
    journal: &Journal,
    prepared: Prepared,
    number: TransactionNumber,
    now: Time,
    progress: &mut dyn Progress,
) -> Result<Applied> {
    let id = prepared.plan.profile.id;
    row::keep_present(pool, journal, &id, &prepared.staging, number)?;
    let ending = Ending::of(number);
    progress.begin("restoring");
    let (plan, replayed) = match prepared.plan.method {
        Method::Live => live(pool, journal, prepared, ending, now)?,
        Method::Exchange | Method::Staged => {
            beside(pool, journal, prepared, ending, now, progress)?
        }
    };
    Ok(Applied {
        number,
        plan,
        replayed,
    })
}

/// Changes a copy of the profile in staging and exchanges it in.
fn beside(
    pool: &Pool,
    journal: &Journal,
    prepared: Prepared,
    mut ending: Ending,
    now: Time,
    progress: &mut dyn Progress,
) -> Result<(Plan, Replayed)> {
    let Prepared {
        plan,
        snapshot,
        base,
        staging,
        _lock,
        ..
    } = prepared;
    let layout = pool.layout();
    let id = plan.profile.id;
    let staged = staging.part(STAGED_PROFILE);
    btrfs::snapshot(&layout.profile(&id), &staged, false)?;
    // Each over its own base.
    let (present_base, _) = profile::base_for(pool, &plan.profile)?;
    let view = View::read_only(pool, &snapshot, &base)?;
    let merged = View::writable(pool, &staged, &present_base)?;
    let mut replayed = replay(
        view.path(),
        merged.path(),
        &paths(&plan),
        &plan.times,
        progress,
    )?;
    view.close()?;
    plan.remake.make(merged.path(), &mut replayed)?;
    merged.close()?;
    let number = ending.transaction;
    ending.post = Some(row::keep_changed(
        pool,
        &plan.profile,
        &staging,
        number,
        now,
    )?);
    let replacement = Replacement {
        profile: id,
        staging,
        ending,
    };
    replacement::replace(pool, journal, replacement, now)?;
    Ok((plan, replayed))
}

/// Replays the paths through the merged mount of the mounted profile.
fn live(
    pool: &Pool,
    journal: &Journal,
    prepared: Prepared,
    ending: Ending,
    now: Time,
) -> Result<(Plan, Replayed)> {
    let Prepared {
        plan,
        outlook,
        snapshot,
        standing,
        staging,
        _lock,
        ..
    } = prepared;
    let mut task = Task::new(pool, &snapshot, &staging, &paths(&plan), &plan.times);
    task.remake = plan.remake.clone();
    task.services = outlook.services;
    let live = LiveReplay {
        profile: &plan.profile,
        standing: &standing,
        task,
        ending,
    };
    let replayed = undo::replay_live(pool, journal, live, staging, now)?;
    Ok((plan, replayed))
}

/// Everything that is replayed, parents before children.
fn paths(plan: &Plan) -> Vec<PathBuf> {
    plan.restore
        .iter()
        .map(|change| change.path.clone())
        .collect()
}
