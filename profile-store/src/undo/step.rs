//! One transaction of those that are taken back: what of it goes back, and what stands in the way.

use std::path::Path;

use profile_db::ProfileFile;
use profile_db::journal::{Filter, Journal, Transaction};
use profile_db::model::TransactionNumber;
use profile_db::state::State;

use super::plan::{self, Sorted};
use super::sides::{self, Sides};
use super::world::World;
use super::{Wishes, packages};
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
        let made = sides::made(self.pool, self.journal, transaction, sides)?;
        let attributed: Vec<bool> = made
            .verdicts
            .iter()
            .map(|verdict| self.wishes.exact || verdict.is_attributed())
            .collect();
        let world = World::new(self.pool, sides, now);
        let mut sorted = plan::sort(&made.delta, &attributed, since, &world)?;
        if !sorted.conflicts.is_empty() {
            self.name_culprits(later, &mut sorted.conflicts)?;
        }
        let unmet = packages::unmet(&world, self.journal, later, &sorted.joined)?;
        sorted.conflicts.extend(unmet);
        Ok(sorted)
    }

    /// Transactions of the profile after this one that are in force, newest first, without `besides`.
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
        Ok(later)
    }

    /// Says for every conflict which later transactions changed the path.
    fn name_culprits(&self, later: &[Transaction], conflicts: &mut [plan::Conflict]) -> Result<()> {
        for transaction in later {
            let delta = match sides::sides(self.pool, transaction, "compared") {
                Ok(sides) => sides::made(self.pool, self.journal, transaction, &sides)?.delta,
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
}
