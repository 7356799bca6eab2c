//! Reading the world for an undo and making the plan.

use std::cell::OnceCell;
use std::path::Path;

use profile_db::ProfileFile;
use profile_db::journal::{Filter, Journal, Transaction, TransactionKind};
use profile_db::model::Time;
use profile_db::state::State;
use profile_sys::btrfs;
use profile_sys::mountinfo::Mount;
use profile_sys::tree::{Kind, Root};

use super::join::{self, Joined, Trees};
use super::plan::{self, Method, Plan, Present};
use super::sides::{self, Sides};
use super::{Which, choose, packages};
use crate::delta::{self, Change, Delta};
use crate::error::{Error, Result};
use crate::pool::{Pool, PoolLock};
use crate::staging::Staging;
use crate::standing::{Standing, busy, standing};
use crate::view::View;
use crate::{recover, state_paths};

/// Name of the snapshot of the present profile in the staging directory.
pub(super) const NOW: &str = "now";

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Take a transaction back.
    Undo,
    /// Take an undo back.
    Redo,
}

impl Verb {
    /// The verb itself.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Undo => "undo",
            Self::Redo => "redo",
        }
    }

    /// Its participle.
    pub fn participle(self) -> &'static str {
        match self {
            Self::Undo => "undone",
            Self::Redo => "redone",
        }
    }
}

/// A plan with everything that keeps it true: the pool's lock, and the snapshot it was made from.
#[derive(Debug)]
pub struct Prepared {
    /// What would be done.
    pub plan: Plan,
    pub(super) verb: Verb,
    pub(super) sides: Sides,
    pub(super) standing: Standing,
    pub(super) staging: Staging,
    pub(super) _lock: PoolLock,
}

impl Prepared {
    /// Drops the plan without doing anything.
    ///
    /// # Errors
    ///
    /// The staging directory cannot be deleted; `recover` tries again.
    pub fn cancel(self) -> Result<()> {
        self.staging.discard()
    }
}

/// Makes the plan for taking one transaction of `profile` back. With `exact`, what changed
/// meanwhile is taken back as well.
///
/// # Errors
///
/// There is no such transaction, it cannot be taken back, the profile is mounted where it cannot be
/// reached, or another command holds the pool.
pub fn prepare(
    pool: &Pool,
    journal: &Journal,
    profile: &ProfileFile,
    verb: Verb,
    which: Which,
    exact: bool,
    now: Time,
) -> Result<Prepared> {
    let lock = pool.lock()?;
    // Whoever had the lock may have renamed it or set something.
    let profile = &crate::profile::read(pool, &profile.id)?;
    recover::before_change(pool, journal, &lock, &profile.id, now)?;
    let standing = standing(pool, profile)?;
    let transaction = choose(journal, profile, verb, which)?;
    if transaction.kind == TransactionKind::Reset && !matches!(standing, Standing::Free) {
        return Err(Error::NotUndoable {
            number: transaction.number,
            participle: verb.participle(),
            detail: "a reset also emptied what is mounted beside the profile's tree; leave the profile first"
                .into(),
        });
    }
    refuse_open(journal, profile)?;
    let sides = sides::sides(pool, &transaction, verb.participle())?;
    require_present_base(profile, &sides, &transaction, verb)?;
    let staging = Staging::begin(pool)?;
    match make_plan(
        pool,
        journal,
        profile,
        &transaction,
        &sides,
        &standing,
        &staging,
        exact,
    ) {
        Ok(plan) => Ok(Prepared {
            plan,
            verb,
            sides,
            standing,
            staging,
            _lock: lock,
        }),
        Err(error) => Err(error.taken_back(staging.discard())),
    }
}

/// A transaction that is still going on would be torn in the middle.
fn refuse_open(journal: &Journal, profile: &ProfileFile) -> Result<()> {
    if journal.open_transactions(Some(&profile.id))?.is_empty() {
        return Ok(());
    }
    Err(busy(profile))
}

fn require_present_base(
    profile: &ProfileFile,
    sides: &Sides,
    transaction: &Transaction,
    verb: Verb,
) -> Result<()> {
    if crate::profile::read_file(&sides.pre)?.base == profile.base {
        return Ok(());
    }
    Err(Error::NotUndoable {
        number: transaction.number,
        participle: verb.participle(),
        detail: "the profile has moved to another base since".into(),
    })
}

#[allow(clippy::too_many_arguments)]
fn make_plan(
    pool: &Pool,
    journal: &Journal,
    profile: &ProfileFile,
    transaction: &Transaction,
    sides: &Sides,
    standing: &Standing,
    staging: &Staging,
    exact: bool,
) -> Result<Plan> {
    let now = staging.part(NOW);
    btrfs::snapshot(&pool.layout().profile(&profile.id), &now, true)?;
    let later = later(journal, profile, transaction)?;
    let state = state_paths::of(profile);
    let since = delta::between(
        pool,
        (&sides.post, &sides.base),
        (&now, &sides.base),
        &state,
    )?;
    let untouched = matches!(standing, Standing::Free) && since.changes.is_empty();
    if untouched {
        if let Some(restored) = whole(journal, transaction, exact)? {
            return Ok(Plan {
                transaction: transaction.clone(),
                profile: profile.clone(),
                method: Method::Exchange,
                restored,
                restore: Vec::new(),
                times: Vec::new(),
                meanwhile: Vec::new(),
                joined: Vec::new(),
                already: 0,
                conflicts: Vec::new(),
                later: later.iter().map(|later| later.number).collect(),
            });
        }
    }
    let made = sides::made(pool, journal, transaction, sides)?;
    let attributed: Vec<bool> = made
        .verdicts
        .iter()
        .map(|verdict| exact || verdict.is_attributed())
        .collect();
    let world = World {
        pool,
        base: &sides.base,
        before: (&sides.pre, OnceCell::new()),
        after: (&sides.post, OnceCell::new()),
        now: (&now, OnceCell::new()),
    };
    let sorted = plan::sort(&made.delta, &attributed, &since, &world)?;
    let unmet = packages::unmet(&world, journal, &later, &sorted.joined)?;
    let method = match standing {
        Standing::Free if untouched && sorted.meanwhile.is_empty() => Method::Exchange,
        Standing::Free => Method::Staged,
        Standing::Here | Standing::Entered(_) => Method::Live,
    };
    let mut conflicts = sorted.conflicts;
    match conflicts.is_empty() {
        true => refuse_mounted(profile, &standing.mounts()?, &sorted.restore)?,
        false => name_culprits(pool, journal, &later, &mut conflicts)?,
    }
    conflicts.extend(unmet);
    let joined = sorted
        .joined
        .iter()
        .filter(|(_, joined)| *joined != Joined::Mine);
    Ok(Plan {
        transaction: transaction.clone(),
        profile: profile.clone(),
        method,
        restored: (sorted.restore.len() + joined.count()) as u64,
        restore: sorted.restore,
        times: sorted.times,
        meanwhile: sorted.meanwhile,
        joined: sorted.joined,
        already: sorted.already,
        conflicts,
        later: later.iter().map(|transaction| transaction.number).collect(),
    })
}

/// Refuses what the kernel would refuse in the middle: removing or replacing what something is mounted on.
fn refuse_mounted(profile: &ProfileFile, mounts: &[Mount], restore: &[Change]) -> Result<()> {
    let mount_points = plan::mounted_on(mounts, restore);
    match mount_points.is_empty() {
        true => Ok(()),
        false => Err(Error::MountedOn {
            name: profile.name.to_string(),
            mount_points,
        }),
    }
}

/// How many paths a transaction changed, when the journal knows that all of them are its own: then
/// taking it back whole keeps nothing, and nothing needs to be compared.
fn whole(journal: &Journal, transaction: &Transaction, exact: bool) -> Result<Option<u64>> {
    let summary = journal.changes_summary(transaction.number)?;
    Ok(summary
        .filter(|summary| exact || summary.meanwhile == Some(0))
        .map(|summary| summary.entries))
}

/// Later transactions of the profile that are in force, newest first.
fn later(
    journal: &Journal,
    profile: &ProfileFile,
    transaction: &Transaction,
) -> Result<Vec<Transaction>> {
    Ok(journal.transactions(&Filter {
        profile: Some(profile.id),
        after: Some(transaction.number),
        states: vec![State::Done, State::Failed, State::Interrupted],
        ..Filter::default()
    })?)
}

/// Says for every conflict which later transactions changed the path.
fn name_culprits(
    pool: &Pool,
    journal: &Journal,
    later: &[Transaction],
    conflicts: &mut [plan::Conflict],
) -> Result<()> {
    for transaction in later {
        let delta = match sides::sides(pool, transaction, "compared") {
            Ok(sides) => sides::made(pool, journal, transaction, &sides)?.delta,
            // A rename or a collected snapshot has nothing to compare; the conflict stands all the same.
            Err(Error::NotUndoable { .. } | Error::SnapshotMissing { .. }) => Delta::default(),
            Err(error) => return Err(error),
        };
        for conflict in conflicts.iter_mut() {
            if delta.get(&conflict.path).is_some() {
                conflict.by.push(transaction.number);
            }
        }
    }
    Ok(())
}

/// The merged trees before and after the transaction and now, each mounted when it is first asked about.
pub(super) struct World<'a> {
    pool: &'a Pool,
    base: &'a Path,
    before: (&'a Path, OnceCell<View>),
    after: (&'a Path, OnceCell<View>),
    now: (&'a Path, OnceCell<View>),
}

impl World<'_> {
    fn view<'b>(&'b self, of: &'b (&Path, OnceCell<View>)) -> Result<&'b View> {
        let (snapshot, view) = of;
        if let Some(view) = view.get() {
            return Ok(view);
        }
        let mounted = View::read_only(self.pool, snapshot, self.base)?;
        Ok(view.get_or_init(|| mounted))
    }
}

impl World<'_> {
    /// The merged tree as it is.
    pub(super) fn present(&self) -> Result<Root> {
        Ok(Root::open(self.view(&self.now)?.path())?)
    }
}

impl Present for World<'_> {
    fn joined(&self, path: &Path) -> Result<Joined> {
        let root = |view: &View| Root::open(view.path());
        let (ancestor, mine, other) = (
            root(self.view(&self.after)?)?,
            root(self.view(&self.now)?)?,
            root(self.view(&self.before)?)?,
        );
        let trees = Trees {
            ancestor: &ancestor,
            mine: &mine,
            other: &other,
        };
        join::join(&trees, path)
    }

    fn is_as_before(&self, path: &Path) -> Result<bool> {
        let (before, now) = (self.view(&self.before)?, self.view(&self.now)?);
        // By real directories only, as the replay goes: a symlink on the way leads to another path.
        let physical = |view: &View| Root::open(view.path())?.lstat(path);
        match (physical(before)?, physical(now)?) {
            (None, None) => Ok(true),
            (Some(a), Some(b)) => {
                let kind = delta::differs(before.path(), now.path(), path, &a, &b)?;
                Ok(kind.is_none_or(|kind| kind == delta::ChangeKind::Times))
            }
            _ => Ok(false),
        }
    }

    fn is_directory(&self, path: &Path) -> Result<bool> {
        let now = Root::open(self.view(&self.now)?.path())?;
        Ok(now
            .lstat(path)?
            .is_some_and(|meta| meta.kind == Kind::Directory))
    }
}
