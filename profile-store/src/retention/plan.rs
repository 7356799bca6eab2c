//! Which snapshots go, decided from data alone.
//!
//! Order is by number: a device without a clock starts in 1970. Age counts only while the clock is
//! synchronised, and then by the latest time that any transaction up to this one was recorded at: a clock that
//! stood behind makes nothing old.

use std::collections::HashSet;

use profile_db::journal::WithSnapshots;
use profile_db::model::{SnapshotName, Time, TransactionNumber};
use profile_db::state::State;

use super::rules::Rules;

const DAY_MILLISECONDS: i64 = 24 * 60 * 60 * 1000;

/// What the clock says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// The time, if it can be believed.
    pub now: Time,
    /// Whether it can.
    pub synchronised: bool,
}

impl Clock {
    /// The machine's clock at the moment `now`. One that nobody vouches for is not believed.
    pub fn read(now: Time) -> Self {
        let synchronised = profile_sys::clock::is_synchronised().unwrap_or(false);
        Self { now, synchronised }
    }
}

/// Which rule a transaction's snapshots go by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// There are more than are kept.
    Most,
    /// They are older than is kept.
    Days,
    /// Space is short.
    Space,
}

impl Why {
    /// One word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Most => "keep-most",
            Self::Days => "keep-days",
            Self::Space => "keep-free",
        }
    }
}

/// What goes of one profile.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// What count and age say, oldest first.
    pub by_rule: Vec<(TransactionNumber, Why)>,
    /// What may go besides, oldest first and one by one, for as long as space is short.
    pub for_space: Vec<TransactionNumber>,
}

/// Decides which transactions of a profile lose their snapshots; `rows` has all that have some, oldest first.
///
/// Never among them: the newest that the rules name, pinned ones, those that go on or whose end nobody wrote
/// down yet, those in `needed` (an operation names them), and those whose snapshots have names that are none.
pub fn decide(
    rows: &[WithSnapshots],
    needed: &HashSet<TransactionNumber>,
    rules: &Rules,
    clock: Clock,
) -> Plan {
    let mut plan = Plan::default();
    let newest = rules.newest.max(1) as usize;
    let mut latest = i64::MIN;
    for (index, row) in rows.iter().enumerate() {
        latest = latest.max(row.ended.unwrap_or(row.started).as_millisecond());
        // How many there are from this one on.
        let from_here = rows.len() - index;
        if from_here <= newest || !may_go(row, needed) {
            continue;
        }
        let too_many = rules.most.is_some_and(|most| from_here > most as usize);
        let too_old = clock.synchronised
            && rules.days.is_some_and(|days| {
                latest < clock.now.as_millisecond() - i64::from(days) * DAY_MILLISECONDS
            });
        match (too_many, too_old) {
            (true, _) => plan.by_rule.push((row.number, Why::Most)),
            (false, true) => plan.by_rule.push((row.number, Why::Days)),
            (false, false) => plan.for_space.push(row.number),
        }
    }
    plan
}

fn may_go(row: &WithSnapshots, needed: &HashSet<TransactionNumber>) -> bool {
    let ended = match row.state {
        State::Open => false,
        State::Skipped | State::Failed => row.ended.is_some(),
        State::Done | State::Interrupted | State::Undone => true,
    };
    ended && !row.pinned && !needed.contains(&row.number) && names(row).is_some()
}

/// The snapshots that a row names; none when one of the names is none.
fn names(row: &WithSnapshots) -> Option<Vec<SnapshotName>> {
    [&row.pre, &row.post]
        .into_iter()
        .flatten()
        .map(|name| name.parse().ok())
        .collect()
}

/// The snapshots below a profile's directory that no row names any more: of transactions that are `gone`,
/// whose row says that retention took their files. Another transaction may still need one of them: an undo
/// that brought a state back has that state's snapshot as its own.
pub fn unneeded(
    present: &[SnapshotName],
    rows: &[WithSnapshots],
    gone: &HashSet<TransactionNumber>,
) -> Vec<SnapshotName> {
    let mut needed = HashSet::new();
    for row in rows {
        match names(row) {
            Some(names) => needed.extend(names),
            // It may mean any of them.
            None => return Vec::new(),
        }
    }
    present
        .iter()
        .copied()
        .filter(|name| {
            let row = name.transaction();
            !needed.contains(name) && row.is_some_and(|number| gone.contains(&number))
        })
        .collect()
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
