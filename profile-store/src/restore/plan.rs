//! Reading the world for a restore and making the plan.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use profile_db::ProfileFile;
use profile_db::journal::{Journal, Transaction};
use profile_db::model::{Time, TransactionNumber};
use profile_sys::tree::Kind;
use profile_sys::{btrfs, file};

use super::notes::{self, Versions};
use super::{Refused, links};
use crate::delta::{self, Change, ChangeKind};
use crate::error::{Error, Result};
use crate::merged::Merged;
use crate::package_database::DPKG;
use crate::pool::{Pool, PoolLock};
use crate::staging::Staging;
use crate::standing::{Standing, standing};
use crate::state_paths::{self, DATA_MOUNT, StatePath};
use crate::undo::{self, Method, Outlook, Remake, look, row};
use crate::view::View;
use crate::{profile, recover};

/// What is mounted in every profile and is in no snapshot.
const MOUNTED: [&str; 6] = ["/dev", "/proc", "/run", "/sys", "/tmp", DATA_MOUNT];

/// Which of the two snapshots of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Before it.
    Pre,
    /// After it.
    Post,
}

/// Where a path is brought back from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct From {
    /// The transaction.
    pub number: TransactionNumber,
    /// Before or after it.
    pub side: Side,
}

/// What a restore would do. Paths are relative to the merged root.
#[derive(Debug)]
pub struct Plan {
    /// The profile.
    pub profile: ProfileFile,
    /// The path that is brought back.
    pub path: PathBuf,
    /// Name of the snapshot.
    pub snapshot: String,
    /// How: staged or live.
    pub method: Method,
    /// What differs, in order: `old` is what it becomes, `new` what stands there now.
    pub restore: Vec<Change>,
    /// Paths whose modification time is set back.
    pub times: Vec<PathBuf>,
    /// What is made anew by programs of the profile.
    pub remake: Remake,
    /// What should be known.
    pub notes: Vec<String>,
}

impl Plan {
    /// Whether there is nothing to do: times alone are not worth a transaction.
    pub fn is_nothing(&self) -> bool {
        self.restore.is_empty()
    }
}

/// A plan with everything that keeps it true: the pool's lock, and the snapshot it was made from.
#[derive(Debug)]
pub struct Prepared {
    /// What would be done.
    pub plan: Plan,
    /// What it means for what runs in the profile.
    pub outlook: Outlook,
    pub(super) snapshot: PathBuf,
    /// The base that the snapshot stands on.
    pub(super) base: PathBuf,
    pub(super) standing: Standing,
    pub(super) staging: Staging,
    pub(super) _lock: PoolLock,
}

impl Prepared {
    /// Has the plan carried out although something runs from what it replaces.
    pub fn insist(&mut self) {
        self.outlook.not_live.clear();
    }

    /// Drops the plan without doing anything.
    ///
    /// # Errors
    ///
    /// The staging directory cannot be deleted; `recover` tries again.
    pub fn cancel(self) -> Result<()> {
        self.staging.discard()
    }
}

/// Makes the plan for bringing `path` of a profile back. `path` is relative to the merged root, its directory
/// as the present tree has it.
///
/// # Errors
///
/// There is no such transaction or snapshot, [`Refused`], the profile is mounted where it cannot be reached, or
/// another command or a package manager is at work.
pub fn prepare(
    pool: &Pool,
    journal: &Journal,
    profile: &ProfileFile,
    path: &Path,
    from: From,
    now: Time,
) -> Result<Prepared> {
    let lock = pool.lock()?;
    // Whoever had the lock may have renamed it or set something.
    let profile = profile::read(pool, &profile.id)?;
    recover::before_change(pool, journal, &lock, &profile.id, now)?;
    let standing = standing(pool, &profile)?;
    row::refuse_open(journal, &profile)?;
    let transaction = undo::own(journal, &profile, from.number)?;
    let (name, snapshot) = snapshot(pool, &transaction, from.side)?;
    let then = profile::read_file(&snapshot)?;
    let (base, _) = profile::base_for(pool, &then)?;
    let staging = Staging::begin(pool)?;
    let wanted = Wanted {
        then,
        name,
        snapshot: &snapshot,
        base: &base,
    };
    let planned = plan(pool, profile, path, &wanted, &standing, &staging).and_then(|plan| {
        let changed = (plan.restore.as_slice(), [].as_slice());
        let outlook = look(
            pool,
            &plan.profile,
            &standing,
            changed,
            &staging.part(row::NOW),
        )?;
        Ok((plan, outlook))
    });
    match planned {
        Ok((plan, outlook)) => Ok(Prepared {
            plan,
            outlook,
            snapshot,
            base,
            standing,
            staging,
            _lock: lock,
        }),
        Err(error) => Err(error.taken_back(staging.discard())),
    }
}

/// Name and place of a snapshot of a transaction.
fn snapshot(pool: &Pool, row: &Transaction, side: Side) -> Result<(String, PathBuf)> {
    let recorded = match side {
        Side::Pre => &row.pre,
        Side::Post => &row.post,
    };
    let Some(name) = recorded else {
        return Err(Error::NotUndoable {
            number: row.number,
            participle: "restored from",
            detail: match (side, &row.unprotected_reason) {
                (Side::Pre, Some(_)) => "it was not protected: there is no snapshot from before",
                (Side::Pre, None) => "it has no snapshot from before, or none any more",
                (Side::Post, _) => "it has no snapshot from after it, or none any more",
            }
            .into(),
        });
    };
    let path = pool.layout().snapshots(&row.profile).join(name);
    match file::exists(&path)? {
        true => Ok((name.clone(), path)),
        false => Err(Error::SnapshotMissing { path }),
    }
}

/// The snapshot that a path is brought back from.
struct Wanted<'a> {
    then: ProfileFile,
    name: String,
    snapshot: &'a Path,
    base: &'a Path,
}

fn plan(
    pool: &Pool,
    profile: ProfileFile,
    path: &Path,
    wanted: &Wanted<'_>,
    standing: &Standing,
    staging: &Staging,
) -> Result<Plan> {
    let now = staging.part(row::NOW);
    btrfs::snapshot(&pool.layout().profile(&profile.id), &now, true)?;
    let (base, _) = profile::base_for(pool, &profile)?;
    let (then, present) = (
        Merged::new(wanted.snapshot, wanted.base),
        Merged::new(&now, &base),
    );
    let mut state = state_paths::of(&profile);
    state.extend(state_paths::of(&wanted.then));
    refuse(path, &state)?;
    let path = place(&then, path, &wanted.name)?;
    // Symlinks of that time may lead elsewhere.
    refuse(&path, &state)?;
    let mut restore = missing_directories(&present, &path)?;
    let views = [(wanted.snapshot, wanted.base), (&now, &base)]
        .map(|(profile, base)| View::read_only(pool, profile, base));
    let [view_then, view_now] = views;
    let (view_then, view_now) = (view_then?, view_now?);
    let delta = delta::below(view_then.path(), view_now.path(), &path, &state)?;
    let links = links::differing(view_then.path(), view_now.path(), &path, &state)?;
    restore.extend(delta.substantial().cloned());
    with_links(&mut restore, links);
    let parted = links::parted(view_then.path(), &restore)?;
    view_then.close()?;
    view_now.close()?;
    refuse_database(&path, &restore)?;
    undo::refuse_mounted(&profile, &standing.mounts()?, &restore)?;
    let mut notes = Vec::new();
    if wanted.then.base != profile.base {
        notes.push(format!(
            "{} is from a time when the profile stood on the base {}, it stands on {} now",
            wanted.name, wanted.then.base.version, profile.base.version
        ));
    }
    if let [first, more @ ..] = parted.as_slice() {
        let others = match more.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        notes.push(format!(
            "{}{others} had another name outside of what comes back, and is a file of its own now",
            absolute(first).display()
        ));
    }
    let versions = Versions::of(&then, &present, &restore)?;
    notes.extend(notes::of(&restore, &versions));
    Ok(Plan {
        times: times(&path, &restore, &delta.changes),
        method: match standing {
            Standing::Free => Method::Staged,
            Standing::Here | Standing::Entered(_) => Method::Live,
        },
        profile,
        path,
        snapshot: wanted.name.clone(),
        remake: Remake::of_paths(restore.iter().map(|change| change.path.as_path())),
        restore,
        notes,
    })
}

/// Adds the names whose links are to be others, and which differ in nothing else.
fn with_links(restore: &mut Vec<Change>, links: BTreeSet<PathBuf>) {
    let known: BTreeSet<PathBuf> = restore.iter().map(|change| change.path.clone()).collect();
    let file = Some(Kind::File);
    restore.extend(links.difference(&known).map(|path| Change {
        path: path.clone(),
        kind: ChangeKind::Metadata,
        old: file,
        new: file,
    }));
    restore.sort_by(|a, b| a.path.cmp(&b.path));
}

/// The path as the snapshot has it: its directories may have been called otherwise then.
fn place(then: &Merged, path: &Path, snapshot: &str) -> Result<PathBuf> {
    if then.find(path)?.is_some() {
        return Ok(path.to_path_buf());
    }
    if let Some(other) = then.place(path)? {
        if then.find(&other)?.is_some() {
            return Ok(other);
        }
    }
    Err(Refused::Missing {
        path: absolute(path),
        snapshot: snapshot.to_owned(),
    }
    .into())
}

fn absolute(path: &Path) -> PathBuf {
    Path::new("/").join(path)
}

/// Refuses what is in no snapshot, or must not come back alone.
fn refuse(path: &Path, state: &[StatePath]) -> Result<()> {
    if path.as_os_str().is_empty() {
        return Err(Refused::Root.into());
    }
    let asked = absolute(path);
    if let Some(mount) = MOUNTED.iter().find(|mount| asked.starts_with(mount)) {
        return Err(Refused::NoPart {
            path: asked,
            mount: mount.into(),
        }
        .into());
    }
    if let Some(covering) = state.iter().find(|one| path.starts_with(one.relative())) {
        return Err(Refused::State {
            path: asked,
            state: covering.path.clone(),
        }
        .into());
    }
    if path.starts_with(DPKG) {
        return Err(Refused::PackageDatabase {
            path: asked,
            database: absolute(Path::new(DPKG)),
        }
        .into());
    }
    Ok(())
}

/// A directory that holds dpkg's database can come back only while that stays as it is.
fn refuse_database(path: &Path, restore: &[Change]) -> Result<()> {
    match restore.iter().find(|change| change.path.starts_with(DPKG)) {
        Some(change) => Err(Refused::PackageDatabase {
            path: absolute(path),
            database: absolute(&change.path),
        }
        .into()),
        None => Ok(()),
    }
}

/// The directories above the path that are gone: they come back with it, alone.
fn missing_directories(present: &Merged, path: &Path) -> Result<Vec<Change>> {
    let mut missing = Vec::new();
    for above in path.ancestors().skip(1) {
        match present.find(above)?.map(|entry| entry.meta.kind) {
            Some(Kind::Directory) => break,
            Some(_) => {
                return Err(Refused::NoDirectory {
                    path: absolute(path),
                    above: absolute(above),
                }
                .into());
            }
            None => missing.push(Change::directory_that_went(above)),
        }
    }
    missing.reverse();
    Ok(missing)
}

/// The paths whose time alone is set back: those that differ in nothing else, and the directories of what is
/// brought back, whose times that work would change. The directory that the path itself is in has changed.
fn times(path: &Path, restore: &[Change], delta: &[Change]) -> Vec<PathBuf> {
    let only_time = delta
        .iter()
        .filter(|change| change.kind == ChangeKind::Times)
        .map(|change| change.path.as_path());
    let around = restore
        .iter()
        .filter_map(|change| change.path.parent())
        .filter(|parent| parent.starts_with(path));
    let times: BTreeSet<&Path> = only_time.chain(around).collect();
    times.into_iter().map(Path::to_path_buf).collect()
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
