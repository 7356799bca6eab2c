//! Reading the world for an undo and making the plan.

use std::collections::BTreeMap;
use std::path::PathBuf;

use conffile_diff::dpkg::hold::Held;
use profile_db::ProfileFile;
use profile_db::journal::{Journal, Transaction, TransactionKind};
use profile_db::model::{SnapshotName, Time, TransactionNumber};
use profile_sys::btrfs;

use super::decisions::Decisions;
use super::join::Joined;
use super::outlook::{self, Outlook};
use super::plan::{self, Method, Plan, Sorted};
use super::several::Built;
use super::sides::{self, Sides};
use super::step::Reading;
use super::{Which, choose, hold, left_behind, row};
use crate::delta;
use crate::error::{Error, Result};
use crate::pool::{Pool, PoolLock};
use crate::progress::Progress;
use crate::staging::Staging;
use crate::standing::{Standing, standing};
use crate::{recover, state_paths};

/// What is done with a transaction.
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

/// What an undo is told besides the transactions.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    /// Take back also what others changed meanwhile; with [`Which::After`], whatever came after.
    pub exact: bool,
    /// Take the later transactions that stand in the way back as well.
    pub cascade: bool,
    /// What was decided about what stands in the way.
    pub decisions: Decisions,
}

/// Where the content that the paths get stands.
#[derive(Debug)]
pub(super) enum Source {
    /// In the snapshot before the one transaction; paths with both changes are joined.
    Before(Sides),
    /// In the staging directory, where several steps made it.
    Built,
    /// In this snapshot of the profile, whole.
    Snapshot(SnapshotName),
}

/// A plan with everything that keeps it true: the pool's lock, and the snapshot it was made from.
#[derive(Debug)]
pub struct Prepared {
    /// What would be done.
    pub plan: Plan,
    /// What it means for what runs in the profile.
    pub outlook: Outlook,
    pub(super) verb: Verb,
    pub(super) hold: bool,
    pub(super) source: Source,
    pub(super) standing: Standing,
    pub(super) staging: Staging,
    pub(super) _lock: PoolLock,
}

impl Prepared {
    /// Has the plan carried out although something runs from what it replaces.
    pub fn insist(&mut self) {
        self.outlook.not_live.clear();
    }

    /// Has the packages that go back to an older version held, in the same step.
    pub fn hold(&mut self) {
        self.hold = true;
    }

    /// The status that holds, where that is wished and something goes back.
    pub(super) fn held(&self) -> Option<Held> {
        (self.hold && !self.plan.older.packages.is_empty()).then(|| self.plan.older.clone())
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

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// Undo or redo.
    pub verb: Verb,
    /// Which transactions.
    pub which: Which,
    /// What is told besides.
    pub wishes: Wishes,
}

/// Makes the plan for taking transactions of `profile` back.
///
/// # Errors
///
/// There is no such transaction, it cannot be taken back, the profile is mounted where it cannot be
/// reached, or another command holds the pool.
pub fn prepare(
    pool: &Pool,
    journal: &Journal,
    profile: &ProfileFile,
    request: &Request,
    now: Time,
    progress: &mut dyn Progress,
) -> Result<Prepared> {
    let verb = request.verb;
    let lock = pool.lock()?;
    // Whoever had the lock may have renamed it or set something.
    let profile = &crate::profile::read(pool, &profile.id)?;
    recover::before_change(pool, journal, &lock, &profile.id, now)?;
    let standing = standing(pool, profile)?;
    let transactions = choose(journal, profile, verb, &request.which)?;
    let is_reset = |one: &&Transaction| one.kind == TransactionKind::Reset;
    if let (Some(reset), Standing::Here | Standing::Entered(_)) =
        (transactions.iter().find(is_reset), &standing)
    {
        return Err(Error::NotUndoable {
            number: reset.number,
            participle: verb.participle(),
            detail: "a reset also emptied what is mounted beside the profile's tree; leave the profile first"
                .into(),
        });
    }
    row::refuse_open(journal, profile)?;
    let planning = Planning {
        reading: Reading {
            pool,
            journal,
            profile,
            wishes: &request.wishes,
        },
        verb,
        standing: &standing,
        staging: Staging::begin(pool)?,
    };
    let planned = planning
        .plan(&request.which, transactions, progress)
        .and_then(|(mut plan, source)| {
            planning.look_at_state(&mut plan)?;
            // A redo takes up what the undo took back, its hold included.
            if verb == Verb::Undo {
                plan.older = hold::look(pool, &plan, &source, &planning.staging, &planning.now())?;
            }
            let changed = (plan.restore.as_slice(), plan.joined.as_slice());
            let outlook = outlook::look(pool, profile, &standing, changed, &planning.now())?;
            Ok((plan, source, outlook))
        });
    match planned {
        Ok((plan, source, outlook)) => Ok(Prepared {
            plan,
            outlook,
            verb,
            hold: false,
            source,
            staging: planning.staging,
            standing,
            _lock: lock,
        }),
        Err(error) => Err(error.taken_back(planning.staging.discard())),
    }
}

struct Planning<'a> {
    reading: Reading<'a>,
    verb: Verb,
    standing: &'a Standing,
    staging: Staging,
}

impl Planning<'_> {
    fn plan(
        &self,
        which: &Which,
        transactions: Vec<Transaction>,
        progress: &mut dyn Progress,
    ) -> Result<(Plan, Source)> {
        let Reading {
            pool,
            profile,
            wishes,
            ..
        } = self.reading;
        btrfs::snapshot(&pool.layout().profile(&profile.id), &self.now(), true)?;
        if let (Which::After(number), true) = (which, wishes.exact) {
            return self.exactly_after(*number, transactions);
        }
        let asked = match transactions.as_slice() {
            [] => {
                return Err(Error::NothingTo {
                    name: profile.name.to_string(),
                    verb: self.verb.as_str(),
                });
            }
            [one] => {
                let (plan, sides) = self.one(one)?;
                let in_the_way = plan
                    .conflicts
                    .iter()
                    .any(|conflict| !conflict.by.is_empty());
                if !(wishes.cascade && in_the_way) {
                    return Ok((plan, Source::Before(sides)));
                }
                one.clone()
            }
            [newest, ..] => newest.clone(),
        };
        let (transactions, built) = self.cascade(transactions, progress)?;
        let mut plan = self.plan_of(asked, built.sorted)?;
        plan.transactions = transactions;
        // The copy has what was joined: it is a path like the others.
        plan.joined = Vec::new();
        plan.restored = plan.restore.len() as u64;
        Ok((plan, Source::Built))
    }

    /// Adds what of the transactions' packages no undo reaches at all.
    fn look_at_state(&self, plan: &mut Plan) -> Result<()> {
        let Reading {
            pool,
            journal,
            profile,
            ..
        } = self.reading;
        for transaction in &plan.transactions {
            let packages = left_behind::packages_of(journal, transaction)?;
            let found = left_behind::in_state(pool.layout(), profile, transaction, &packages)?;
            plan.left_behind.extend(found);
        }
        Ok(())
    }

    /// A snapshot of the present, in the staging directory.
    fn now(&self) -> PathBuf {
        self.staging.part(row::NOW)
    }

    /// Builds the copy; where it is wished, with the transactions that stand in the way until none does.
    fn cascade(
        &self,
        transactions: Vec<Transaction>,
        progress: &mut dyn Progress,
    ) -> Result<(Vec<Transaction>, Built)> {
        let Reading {
            journal,
            profile,
            wishes,
            ..
        } = self.reading;
        let mut all: BTreeMap<TransactionNumber, Transaction> = transactions
            .into_iter()
            .map(|one| (one.number, one))
            .collect();
        loop {
            let list: Vec<Transaction> = all.values().rev().cloned().collect();
            let built = self
                .reading
                .build(self.verb, &list, &self.staging, progress)?;
            let culprits: Vec<TransactionNumber> = built
                .sorted
                .conflicts
                .iter()
                .flat_map(|conflict| conflict.by.iter().copied())
                .filter(|number| !all.contains_key(number))
                .collect();
            if culprits.is_empty() || !wishes.cascade {
                return Ok((list, built));
            }
            built.discard()?;
            for number in culprits {
                for one in choose(journal, profile, Verb::Undo, &Which::Number(number))? {
                    all.insert(one.number, one);
                }
            }
        }
    }

    /// Takes one transaction back from the present.
    fn one(&self, transaction: &Transaction) -> Result<(Plan, Sides)> {
        let Reading {
            pool,
            journal,
            profile,
            wishes,
        } = self.reading;
        let sides = sides::sides(pool, transaction, self.verb.participle())?;
        require_present_base(profile, &sides, transaction, self.verb)?;
        let now = self.now();
        let since = delta::between(
            pool,
            (&sides.post, &sides.base),
            (&now, &sides.base),
            &state_paths::of(profile),
        )?;
        let untouched = matches!(self.standing, Standing::Free) && since.changes.is_empty();
        if untouched && wishes.decisions == Decisions::default() {
            if let Some(restored) = whole(journal, transaction, wishes.exact)? {
                let mut plan = self.plan_of(transaction.clone(), Sorted::default())?;
                (plan.method, plan.restored) = (Method::Exchange, restored);
                return Ok((plan, sides));
            }
        }
        let later = self.reading.later(transaction.number, &[])?;
        let sorted = self
            .reading
            .step(transaction, &sides, &now, &since, &later)?;
        let all_of_it = untouched
            && sorted.meanwhile.is_empty()
            && sorted.left_behind.is_empty()
            && is_plain(&sorted);
        let mut plan = self.plan_of(transaction.clone(), sorted)?;
        if all_of_it {
            plan.method = Method::Exchange;
        }
        Ok((plan, sides))
    }

    /// The snapshot after a transaction becomes the profile.
    fn exactly_after(
        &self,
        number: TransactionNumber,
        transactions: Vec<Transaction>,
    ) -> Result<(Plan, Source)> {
        let Reading {
            pool,
            journal,
            profile,
            ..
        } = self.reading;
        let target = journal.transaction(number)?;
        let sides = sides::sides(pool, &target, "gone back to")?;
        require_present_base(profile, &sides, &target, self.verb)?;
        let name: SnapshotName = target
            .post
            .as_deref()
            .and_then(|name| name.parse().ok())
            .ok_or(Error::SnapshotMissing {
                path: sides.post.clone(),
            })?;
        let delta = delta::between(
            pool,
            (&sides.post, &sides.base),
            (&self.now(), &sides.base),
            &state_paths::of(profile),
        )?;
        let (restore, times) = delta.apart();
        let sorted = Sorted {
            restore,
            times,
            ..Sorted::default()
        };
        let [newest, ..] = transactions.as_slice() else {
            return Err(Error::NothingTo {
                name: profile.name.to_string(),
                verb: self.verb.as_str(),
            });
        };
        let mut plan = self.plan_of(newest.clone(), sorted)?;
        plan.transactions = transactions;
        if matches!(self.standing, Standing::Free) {
            plan.method = Method::Exchange;
        }
        Ok((plan, Source::Snapshot(name)))
    }

    /// The plan of what was sorted, staged or live.
    fn plan_of(&self, transaction: Transaction, sorted: Sorted) -> Result<Plan> {
        let Reading { profile, .. } = self.reading;
        if sorted.conflicts.is_empty() {
            plan::refuse_mounted(profile, &self.standing.mounts()?, &sorted.restore)?;
        }
        let is_written = |(_, joined): &&(PathBuf, Joined)| joined.is_written();
        let written = sorted.joined.iter().filter(is_written);
        Ok(Plan {
            transactions: vec![transaction.clone()],
            transaction,
            profile: profile.clone(),
            method: match self.standing {
                Standing::Free => Method::Staged,
                Standing::Here | Standing::Entered(_) => Method::Live,
            },
            restored: (sorted.restore.len() + written.clone().count()) as u64,
            merged: written.map(|(path, _)| path.clone()).collect(),
            remake: sorted.remake,
            restore: sorted.restore,
            times: sorted.times,
            meanwhile: sorted.meanwhile,
            kept: sorted.kept,
            left_behind: sorted.left_behind,
            joined: sorted.joined,
            older: Held::default(),
            already: sorted.already,
            conflicts: sorted.conflicts,
        })
    }
}

/// Refuses a transaction that stands on another base than the profile.
///
/// # Errors
///
/// It does, or the snapshot's profile file cannot be read.
pub(super) fn require_present_base(
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

/// How many paths a transaction changed, when the journal knows that all of them are its own: then
/// taking it back whole keeps nothing, and nothing needs to be compared.
fn whole(journal: &Journal, transaction: &Transaction, exact: bool) -> Result<Option<u64>> {
    let summary = journal.changes_summary(transaction.number)?;
    Ok(summary
        .filter(|summary| exact || summary.meanwhile == Some(0))
        .map(|summary| summary.entries))
}

/// Whether everything goes back as it was: nothing of it was decided otherwise.
fn is_plain(sorted: &Sorted) -> bool {
    sorted.kept.is_empty() && sorted.joined.is_empty()
}
