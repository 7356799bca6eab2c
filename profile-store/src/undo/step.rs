//! One transaction of those that are taken back: what of it goes back, and what stands in the way.

use std::path::Path;

use conffile_diff::merge::{Owner, Settled, Side};
use profile_db::ProfileFile;
use profile_db::journal::{Filter, Journal, Transaction};
use profile_db::model::TransactionNumber;
use profile_db::state::State;
use profile_sys::tree::Root;

use super::decisions::Decisions;
use super::derived::Remake;
use super::plan::{self, Obstacle, Sorted};
use super::sides::{self, Made, Sides};
use super::world::{Decided, World};
use super::{Wishes, alternatives, culprits, left_behind, members, packages, range, whole};
use crate::delta::Delta;
use crate::error::{Error, Result};
use crate::pool::Pool;

/// What every step reads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading<'a> {
    pub pool: &'a Pool,
    pub journal: &'a Journal,
    pub profile: &'a ProfileFile,
    pub wishes: &'a Wishes,
}

impl Reading<'_> {
    /// Sorts what a transaction changed, taken back from the snapshot `now`, since when `since` changed; `later`
    /// are the transactions that stay.
    pub(super) fn step(
        &self,
        transaction: &Transaction,
        sides: &Sides,
        now: &Path,
        since: &Delta,
        later: &[Transaction],
    ) -> Result<Sorted> {
        let mut made = sides::made(self.pool, self.journal, transaction, sides)?;
        let world = World::new(self.pool, sides, now);
        let left_behind = match self.wishes.exact {
            true => Vec::new(),
            false => {
                let packages = left_behind::packages_of(self.journal, transaction)?;
                left_behind::take_out(&mut made, since, transaction, &packages, &world)?
            }
        };
        let attributed: Vec<bool> = made
            .verdicts
            .iter()
            .map(|verdict| self.wishes.exact || verdict.is_attributed())
            .collect();
        let decisions = &self.wishes.decisions;
        let mut settled = Settled::default();
        for (name, side) in &decisions.packages {
            settled.add(Owner::Package(name.clone()), *side);
        }
        // Each turn decides about at least one more package or account.
        loop {
            let mut sorted = self.sort(&made, &attributed, since, &world, &settled)?;
            let unmet = packages::unmet(&world, self.journal, later, &sorted.joined)?;
            if settle_more(&mut settled, decisions, &sorted.conflicts, &unmet) {
                continue;
            }
            let chosen = match sorted.joined.is_empty() {
                true => Vec::new(),
                false => alternatives::settle(&world.present()?, &mut sorted)?,
            };
            if changes_users(&sorted) {
                let [before, ..] = world.trees()?;
                members::settle(&world.present()?, &Root::open(before)?, &mut sorted)?;
            }
            if !sorted.conflicts.is_empty() {
                self.name_culprits(&world, later, &mut sorted.conflicts)?;
            }
            sorted.conflicts.extend(unmet);
            sorted.left_behind = left_behind;
            sorted.remake = Remake::of(&sorted.joined, chosen);
            return Ok(sorted);
        }
    }

    /// Sorts the changes by what is decided until now.
    fn sort(
        &self,
        made: &Made,
        attributed: &[bool],
        since: &Delta,
        world: &World<'_>,
        settled: &Settled,
    ) -> Result<Sorted> {
        let decided = Decided {
            world,
            decisions: &self.wishes.decisions,
            settled,
        };
        if *settled == Settled::default() {
            return plan::sort(&made.delta, attributed, since, &decided);
        }
        let kept = whole::kept(&made.delta, &made.verdicts, settled);
        let taken = whole::paths(&world.trees()?, settled)?;
        let mut left = Vec::new();
        let (delta, attributed) = whole::without(&made.delta, attributed, |number, change| {
            if kept[number] {
                left.push(change.path.clone());
            }
            kept[number] || taken.contains(&change.path)
        });
        let mut sorted = plan::sort(&delta, &attributed, since, &decided)?;
        for path in &taken {
            sorted.restore.extend(world.back(path)?);
        }
        sorted
            .restore
            .sort_by(|one, other| one.path.cmp(&other.path));
        sorted.kept.extend(left);
        Ok(sorted)
    }

    /// Transactions of the profile after this one that are in force, newest first, without `besides`, and without
    /// the undos that took only others of them back: both together have changed nothing.
    pub(super) fn later(
        &self,
        number: TransactionNumber,
        besides: &[Transaction],
    ) -> Result<Vec<Transaction>> {
        let mut later = self.journal.transactions(&Filter {
            profile: Some(self.profile.id),
            after: Some(number),
            states: vec![State::Done, State::Failed, State::Interrupted],
            ..Filter::default()
        })?;
        later.retain(|one| !besides.iter().any(|other| other.number == one.number));
        let mut found = Vec::with_capacity(later.len());
        for one in later {
            let undone = range::taken_back(self.journal, &one)?;
            if !range::comes_to_nothing(&undone, |other| other > number) {
                found.push(one);
            }
        }
        Ok(found)
    }

    /// Says for every conflict which later transactions changed the path, or the records in it that are in
    /// question.
    fn name_culprits(
        &self,
        world: &World<'_>,
        later: &[Transaction],
        conflicts: &mut [plan::Conflict],
    ) -> Result<()> {
        let [before, ..] = world.trees()?;
        let before = Root::open(before)?;
        for transaction in later {
            let sides = match sides::sides(self.pool, transaction, "compared") {
                Ok(sides) => sides,
                // Without its snapshots the list of its paths is left; a rename has none, and changed none.
                Err(Error::NotUndoable { .. } | Error::SnapshotMissing { .. }) => {
                    let rows = self.journal.changes(transaction.number)?;
                    let changed = culprits::Changed::listed(&rows.unwrap_or_default());
                    for conflict in conflicts.iter_mut() {
                        if changed.has(&conflict.path) {
                            conflict.by.push(transaction.number);
                        }
                    }
                    continue;
                }
                Err(error) => return Err(error),
            };
            let made = sides::made(self.pool, self.journal, transaction, &sides)?;
            let changed = culprits::Changed::compared(&made.delta);
            let its = World::new(self.pool, &sides, &sides.post);
            for conflict in conflicts.iter_mut() {
                if changed.has(&conflict.path)
                    && culprits::changed_records(&its, &before, conflict)?
                {
                    conflict.by.push(transaction.number);
                }
            }
        }
        Ok(())
    }
}

/// Whether the users change by it, which only few transactions do.
fn changes_users(sorted: &Sorted) -> bool {
    let passwd = Path::new(members::PASSWD);
    sorted.restore.iter().any(|change| change.path == passwd)
        || sorted.joined.iter().any(|(path, _)| path == passwd)
}

/// Takes up what is decided about packages and accounts that stand in the way; whether there was anything.
fn settle_more(
    settled: &mut Settled,
    decisions: &Decisions,
    conflicts: &[plan::Conflict],
    unmet: &[plan::Conflict],
) -> bool {
    let mut more = false;
    for conflict in conflicts.iter().chain(unmet) {
        match &conflict.obstacle {
            Obstacle::ChangedSince(records) => {
                for record in records {
                    if let Some((owner, side)) = decisions.owner(&conflict.path, record) {
                        more |= settled.add(owner, side);
                    }
                }
            }
            // What a package that stays needs can stay with it; to take the package away would be another undo.
            Obstacle::Packages { broken, behind } => {
                let name = broken.package.split(':').next().unwrap_or_default();
                if decisions.package(name) == Some(Side::Mine) {
                    for name in behind {
                        more |= settled.add(Owner::Package(name.clone()), Side::Mine);
                    }
                }
            }
            Obstacle::DirectoryGone | Obstacle::HoldsMore => {}
        }
    }
    more
}
