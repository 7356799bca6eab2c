//! Replaying paths through the merged mount of a mounted profile, and finishing that after a crash.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use profile_db::ProfileFile;
use profile_db::journal::Journal;
use profile_db::model::{SnapshotName, Time};
use profile_sys::{btrfs, file};
use serde::{Deserialize, Serialize};

use super::derived::Remake;
use super::meanwhile;
use super::replay::{Replayed, replay};
use super::services::{self, Services};

use crate::error::{Error, Result};
use crate::operation::{self, Ending, Intent, PathText};
use crate::pool::Pool;
use crate::progress::Silent;
use crate::staging::Staging;
use crate::standing::{Standing, busy, standing};
use crate::view::View;
use crate::{profile, replacement};

/// Paths of a mounted profile that are about to be replayed.
#[derive(Debug)]
pub(crate) struct LiveReplay<'a> {
    /// The profile.
    pub profile: &'a ProfileFile,
    /// Where it stands.
    pub standing: &'a Standing,
    /// What is replayed.
    pub task: Task,
    /// What the journal says when it is finished.
    pub ending: Ending,
}

/// Replays paths through the merged mount of a mounted profile, and ends the transaction; `staging` is what the
/// plan was made with.
///
/// # Errors
///
/// A package manager is at work in the profile, or somebody changed one of the paths since the plan was made:
/// nothing was changed then. An effect failed: the intent stays recorded, and `recover` finishes it.
pub(crate) fn replay_live(
    pool: &Pool,
    journal: &Journal,
    live: LiveReplay<'_>,
    staging: Staging,
    now: Time,
) -> Result<Replayed> {
    let LiveReplay {
        profile,
        standing,
        task,
        ending,
    } = live;
    let intent = Intent::Replay {
        profile: profile.id,
        task: Box::new(task.clone()),
        ending: ending.clone(),
    };
    // Durable before the first path changes: from here on a crash is finished by `recover`.
    let operation = operation::record(journal, &intent, Some(ending.transaction), now)?;
    // After the intent, which knows what has to run again; before any file goes under it.
    let outcome = services::stop(standing, &task.services).and_then(|()| {
        replay_where_it_stands(pool, profile, standing, &task, &ending, Turn::First)
    });
    let mut replayed = match outcome {
        Ok(replayed) => replayed,
        Err(error @ (Error::PackageManagerBusy { .. } | Error::Services { .. })) => {
            // Nothing was changed: a service or dpkg's lock was in the way, or somebody was faster.
            let down = services::start_again(standing, &task.services)?;
            journal.complete(operation)?;
            staging.discard()?;
            return Err(match down.is_empty() {
                true => error,
                false => Error::Services {
                    detail: format!("{error}; {}", down.join("; ")),
                },
            });
        }
        Err(error) => return Err(error),
    };
    let notes = finish_replay(pool, journal, operation, profile, &task, ending, now)?;
    replayed.notes.extend(notes);
    staging.discard_or_leave();
    Ok(replayed)
}

/// Whether a replay is begun or gone on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// Nothing of it was done.
    First,
    /// It was interrupted.
    Again,
}

/// Replays through the mounted tree of the profile, or, when it is mounted nowhere any more, through a
/// private mount of it.
fn replay_where_it_stands(
    pool: &Pool,
    profile: &ProfileFile,
    standing: &Standing,
    task: &Task,
    ending: &Ending,
    turn: Turn,
) -> Result<Replayed> {
    let failed = "the change of the entered profile failed: ";
    standing.with_merged(pool, profile, failed, |pool, merged| {
        let mut paths: Vec<PathBuf> = task.paths.iter().map(PathText::to_path).collect();
        let times: Vec<PathBuf> = task.times.iter().map(PathText::to_path).collect();
        // Under dpkg's lock now, which the plan was made without.
        let before = pool
            .layout()
            .snapshot(&profile.id, SnapshotName::Pre(ending.transaction));
        let changed = meanwhile::changed(pool, profile, &before, &paths)?;
        if turn == Turn::First && !changed.is_empty() {
            return Err(busy(profile));
        }
        let snapshot = pool.layout().top().join(task.view_of.to_path());
        // Its own: what is restored may be older than a rebase.
        let (base, _) = profile::base_for(pool, &profile::read_file(&snapshot)?)?;
        let view = View::read_only(pool, &snapshot, &base)?;
        let others = match turn {
            Turn::First => HashSet::new(),
            Turn::Again => meanwhile::of_others(view.path(), merged, changed)?,
        };
        paths.retain(|path| !others.contains(path));
        let mut replayed = replay(view.path(), merged, &paths, &times, &mut Silent)?;
        replayed.changed = others
            .iter()
            .map(|path| PathText::from(path.as_path()))
            .collect();
        view.close()?;
        task.remake.make(merged, &mut replayed)?;
        Ok(replayed)
    })
}

/// Finishes an interrupted replay, wherever the profile stands now: every path is replayed whole, so
/// those that were done are done again with the same result. What somebody changed since stays.
///
/// # Errors
///
/// The profile is mounted where it cannot be reached, a package manager is at work in it, or an
/// effect failed; the intent stays recorded.
pub(crate) fn replay_again(
    pool: &Pool,
    profile: &ProfileFile,
    task: &Task,
    ending: &Ending,
) -> Result<Replayed> {
    let standing = standing(pool, profile)?;
    replay_where_it_stands(pool, profile, &standing, task, ending, Turn::Again)
}

/// Takes the snapshot of the state after a replay, has the services that it concerns run again and closes its
/// transaction; idempotent. Returns what does not run again.
///
/// # Errors
///
/// The snapshot cannot be taken or the journal not be written; the intent stays recorded.
pub fn finish_replay(
    pool: &Pool,
    journal: &Journal,
    operation: profile_db::journal::OperationId,
    profile: &ProfileFile,
    task: &Task,
    mut ending: Ending,
    now: Time,
) -> Result<Vec<String>> {
    let layout = pool.layout();
    let name = SnapshotName::Post(ending.transaction);
    let post = layout.snapshot(&profile.id, name);
    if file::exists(&post)? {
        btrfs::delete_subvolume_tree(&post)?;
    }
    btrfs::snapshot(&layout.profile(&profile.id), &post, true)?;
    ending.post = Some(name.to_string());
    // Between the snapshot, which has nothing that they write, and the end of the intent, which names them.
    let notes = match task.services.is_nothing() {
        true => Vec::new(),
        false => services::bring_back(&standing(pool, profile)?, &task.services)?,
    };
    replacement::finish(pool, journal, operation, &profile.id, &ending, now)?;
    Ok(notes)
}

/// The paths of a replay, as they stand in the journal and cross into the profile's namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// The snapshot whose content the paths get, relative to the pool's top.
    pub view_of: PathText,
    /// The staging directory that it is in, when it is in one.
    #[serde(default)]
    pub staging: Option<String>,
    /// What is made anew.
    #[serde(default)]
    pub remake: Remake,
    /// The paths, relative to the merged root, parents before children.
    pub paths: Vec<PathText>,
    /// Paths whose time alone is set back.
    pub times: Vec<PathText>,
    /// What is stopped before and runs again after it.
    #[serde(default)]
    pub services: Services,
}

impl Task {
    /// Of the paths that get the content of the snapshot at `wanted`, which may be in the staging directory.
    pub(crate) fn new(
        pool: &Pool,
        wanted: &Path,
        staging: &Staging,
        paths: &[PathBuf],
        times: &[PathBuf],
    ) -> Self {
        let layout = pool.layout();
        let text = |paths: &[PathBuf]| {
            let paths = paths.iter().map(PathBuf::as_path);
            paths.map(PathText::from).collect()
        };
        let is_staged = !wanted.starts_with(layout.all_snapshots());
        Self {
            view_of: PathText::from(wanted.strip_prefix(layout.top()).unwrap_or(wanted)),
            staging: is_staged.then(|| staging.word().to_owned()),
            remake: Remake::default(),
            paths: text(paths),
            times: text(times),
            services: Services::default(),
        }
    }
}
