//! Collecting what nothing names any more: trash, and the snapshots of profiles that are gone.
//!
//! Nothing is collected that a profile, an open transaction or a pending operation names, and what
//! cannot be parsed is kept.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use profile_db::journal::{self, Filter, Journal};
use profile_db::model::{ProfileId, SnapshotName, Time, TransactionNumber};
use profile_sys::{btrfs, file};

use crate::error::Result;
use crate::operation::Intent;
use crate::pool::Pool;
use crate::progress::Progress;
use crate::replacement::STAGED_PROFILE;
use crate::retention::{self, Clock, Sizes, Space, Victim, sizes};
use crate::transaction::{reserve, rows};
use crate::{changes, in_use, profile, recover, staging};

/// What was, or would be, collected.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Collected {
    /// Transactions whose trash went: a deleted profile, or a state that a reset replaced.
    pub trash: Vec<TransactionNumber>,
    /// Former profiles whose snapshots went.
    pub former_profiles: Vec<ProfileId>,
    /// Snapshots that no transaction has: of one that was dropped in the middle, or whose hook was given
    /// up before its snapshot was made.
    pub unnamed: Vec<PathBuf>,
    /// Staging directories of interrupted operations.
    pub staging: usize,
    /// Transactions whose snapshots went by the rules of their profile: nobody is asked about these.
    pub pruned: Vec<Victim>,
    /// Those that would go besides, oldest first, until enough is free; only told by [`list`].
    pub for_space: Vec<Victim>,
    /// About how much comes free with the snapshots that [`list`] tells.
    pub frees: Sizes,
    /// Bytes that can be written now at least.
    pub free: u64,
    /// Bytes that the rules want to stay free.
    pub to_stay_free: u64,
    /// Snapshots that an interrupted deletion left.
    pub swept: usize,
    /// Entries that were kept because they cannot be told.
    pub kept: Vec<String>,
}

/// How long a list measures at most what deleting would free.
const MEASURING: Duration = Duration::from_millis(300);
/// How long is waited at most until deleted snapshots have become free space.
const PATIENCE: Duration = Duration::from_secs(300);

/// Tells what [`collect`] would collect.
///
/// # Errors
///
/// Something cannot be read.
pub fn list(pool: &Pool, now: Time, progress: &mut dyn Progress) -> Result<Collected> {
    run(pool, None, now, progress)
}

/// Collects what was listed, and whatever nobody could want back. What undo could bring back and came after
/// the list is kept: nobody was asked about it.
///
/// # Errors
///
/// Something cannot be read or deleted; what was collected before that is gone.
pub fn collect(
    pool: &Pool,
    listed: &Collected,
    now: Time,
    progress: &mut dyn Progress,
) -> Result<Collected> {
    run(pool, Some(listed), now, progress)
}

/// Why something is kept that came after the list.
const NOT_LISTED: &str = "it came after the list";

fn run(
    pool: &Pool,
    listed: Option<&Collected>,
    now: Time,
    progress: &mut dyn Progress,
) -> Result<Collected> {
    let lock = pool.lock()?;
    reserve::make_room(pool)?;
    let journal = pool.journal()?;
    let layout = pool.layout();
    let mut collected = Collected::default();
    let mounted = in_use::of(pool)?;
    // Under the pool's lock nobody begins an operation that needs a staging directory or trash.
    let pending = journal.pending_operations()?;
    let mut needed: Vec<TransactionNumber> = Vec::new();
    for pending in &pending {
        needed.extend(pending.operation.transaction);
        // What comes back from trash lies there under the number of its deletion.
        if let Some(Intent::Restore { deletion, .. }) = recover::intent(pending)? {
            needed.push(deletion);
        }
    }
    progress.begin("collecting trash");
    for name in file::list(&layout.trash())? {
        let directory = layout.trash().join(&name);
        let Some(number) = deletion(&name).filter(|number| !needed.contains(number)) else {
            collected
                .kept
                .push(format!("trash {}", name.to_string_lossy()));
            continue;
        };
        let trashed = directory.join(STAGED_PROFILE);
        if file::exists(&trashed)? {
            if let Some(why) = mounted.names(pool, &trashed)? {
                collected.kept.push(format!("trash {number}: {why}"));
                continue;
            }
        }
        match listed {
            Some(listed) if !listed.trash.contains(&number) => {
                collected.kept.push(format!("trash {number}: {NOT_LISTED}"));
                continue;
            }
            Some(_) => staging::discard_directory(&directory)?,
            None => {}
        }
        collected.trash.push(number);
    }
    former_profiles(pool, &journal, listed, now, progress, &mut collected)?;
    unnamed(pool, &journal, listed.is_none(), &mut collected)?;
    let clock = Clock::read(now);
    let outlook = retention::outlook(pool, &journal, clock)?;
    collected.to_stay_free = outlook.wanted;
    if listed.is_none() {
        collected.kept.extend(outlook.kept);
        collected.pruned = outlook.by_rule;
        collected.for_space = outlook.for_space;
        let until = Instant::now() + MEASURING;
        let snapshots = [collected.pruned.as_slice(), &collected.for_space].concat();
        collected.frees = sizes::of_victims(pool, &journal, &snapshots, until)?;
    } else {
        let until = Instant::now() + PATIENCE;
        let pruned = retention::run(pool, &journal, &lock, clock, until, progress)?;
        collected.pruned = pruned.victims;
        collected.swept = pruned.swept;
        collected.kept.extend(pruned.kept);
        collected.staging = staging::collect(layout, &|word| {
            pending
                .iter()
                .any(|one| one.operation.payload.to_string().contains(word))
        })?;
        pool.commit()?;
        reserve::refill(pool)?;
    }
    collected.free = Space::of(pool)?.available;
    Ok(collected)
}

/// Which transaction put a directory into trash.
fn deletion(name: &OsStr) -> Option<TransactionNumber> {
    name.to_str()?.parse().ok()
}

/// Snapshots of living profiles whose transaction has no row. A row is durable before its snapshot is made,
/// so none of a hook at work is among them.
fn unnamed(pool: &Pool, journal: &Journal, dry_run: bool, collected: &mut Collected) -> Result<()> {
    let layout = pool.layout();
    let mut snapshots = Vec::new();
    for (id, _) in profile::all(pool)? {
        let directory = layout.snapshots(&id);
        if !file::exists(&directory)? {
            continue;
        }
        for name in file::list(&directory)? {
            let parsed = name.to_str().map(str::parse::<SnapshotName>);
            if let Some(Ok(SnapshotName::Pre(number) | SnapshotName::Post(number))) = parsed {
                snapshots.push((directory.join(&name), number));
            }
        }
    }
    // All at once: the journal makes a connection for every call else.
    let unnamed = rows::held(journal, |journal| {
        let mut unnamed = Vec::new();
        for (path, number) in snapshots {
            match journal.transaction(number) {
                Ok(_) => {}
                Err(journal::Error::NoSuchTransaction { .. }) => unnamed.push(path),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(unnamed)
    })?;
    for path in unnamed {
        if !dry_run {
            btrfs::delete_subvolume_tree(&path)?;
        }
        let shown = path.strip_prefix(layout.top()).unwrap_or(&path);
        collected.unnamed.push(shown.to_path_buf());
    }
    Ok(())
}

/// Snapshots of profiles that neither live nor lie in trash. Their lists of changed paths are
/// stored first, so that the history can still be asked for a path.
fn former_profiles(
    pool: &Pool,
    journal: &Journal,
    listed: Option<&Collected>,
    now: Time,
    progress: &mut dyn Progress,
    collected: &mut Collected,
) -> Result<()> {
    let layout = pool.layout();
    let mut kept: Vec<ProfileId> = profile::all(pool)?.into_iter().map(|(id, _)| id).collect();
    for name in file::list(&layout.trash())? {
        // It is still there when nothing is to be deleted.
        if deletion(&name).is_some_and(|number| collected.trash.contains(&number)) {
            continue;
        }
        let trashed = layout.trash().join(&name).join(STAGED_PROFILE);
        if file::exists(&trashed)? {
            kept.push(profile::read_file(&trashed)?.id);
        }
    }
    progress.begin("collecting snapshots");
    'profiles: for name in file::list(&layout.all_snapshots())? {
        let Some(id) = name
            .to_str()
            .and_then(|text| text.parse::<ProfileId>().ok())
        else {
            collected
                .kept
                .push(format!("snapshots {}", name.to_string_lossy()));
            continue;
        };
        if kept.contains(&id) {
            continue;
        }
        if let Some(listed) = listed {
            if !listed.former_profiles.contains(&id) {
                collected
                    .kept
                    .push(format!("snapshots of {id}: {NOT_LISTED}"));
                continue;
            }
            let filter = Filter {
                profile: Some(id),
                ..Filter::default()
            };
            for row in journal.transactions(&filter)? {
                if row.pre.is_none() || row.post.is_none() {
                    continue;
                }
                if let Err(error) = changes::keep(pool, journal, &row) {
                    collected.kept.push(format!("snapshots of {id}: {error}"));
                    continue 'profiles;
                }
                journal.forget_snapshots(row.number, now)?;
            }
            for snapshot in file::list(&layout.snapshots(&id))? {
                btrfs::delete_subvolume_tree(&layout.snapshots(&id).join(snapshot))?;
            }
            file::remove_directory(&layout.snapshots(&id))?;
        }
        collected.former_profiles.push(id);
    }
    Ok(())
}
