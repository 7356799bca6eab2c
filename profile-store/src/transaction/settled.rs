//! What happened to packages outside transactions.
//!
//! The package databases of now are compared with those in the newest post snapshot: what differs
//! was changed by `apt-mark`, by `dpkg --set-selections`, by hand, or by a dpkg whose hooks did not
//! run. Usually nothing did, and both files are the same inodes with the same times: then this costs
//! four lstat calls.

use std::path::PathBuf;

use conffile_diff::dpkg::{Notice, PackageChange, notices};
use profile_db::journal::{self, Journal, Transaction, TransactionKind};
use profile_db::model::{SnapshotName, TransactionNumber};
use profile_db::state::State;

use super::World;
use super::package_state::{self, PackageState};
use super::rows;
use super::snapshots;
use crate::error::Result;

/// The newest state that the journal accounts for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// The snapshot that holds it.
    pub snapshot: PathBuf,
    /// The base below it.
    pub base: PathBuf,
    /// Changes recorded since, by transactions that have no snapshot, oldest first.
    pub explained: Vec<journal::PackageChange>,
}

/// What is not accounted for.
#[derive(Debug, Clone)]
pub struct Observed {
    /// Where it is compared with.
    pub settled: Settled,
    /// Changed marks and selections, in words.
    pub words: Vec<String>,
    /// Changed packages.
    pub packages: Vec<PackageChange>,
    /// The state it is compared with: the snapshot's, with what was recorded since.
    pub then: PackageState,
    /// The present state.
    pub now: PackageState,
}

/// Finds the newest state that the journal accounts for, `before` a transaction when one is given; `None` when a transaction is going on, or
/// when there is no snapshot to compare with.
///
/// # Errors
///
/// The journal or the snapshots cannot be read.
pub fn settled(
    world: &World<'_>,
    journal: &Journal,
    before: Option<TransactionNumber>,
) -> Result<Option<Settled>> {
    let mut explained = Vec::new();
    // A profile without a row is its origin too.
    let mut began_here = true;
    for row in rows::newest_first(world, journal, before) {
        let row = row?;
        let step = step(&row);
        began_here = step == Step::Origin;
        match step {
            Step::InFlux => return Ok(None),
            Step::Passed => {
                // The rows come newest first.
                let mut packages = journal.packages(row.number)?;
                packages.append(&mut explained);
                explained = packages;
            }
            Step::Origin => break,
            Step::At => {
                let Some(snapshot) = snapshots::recorded_post(world, &row)? else {
                    return Ok(None);
                };
                return Ok(Some(Settled {
                    snapshot,
                    base: world.base_path(&row.base),
                    explained,
                }));
            }
        }
    }
    let origin = world.snapshot(SnapshotName::Origin);
    let exists = profile_sys::file::exists(&origin)?;
    Ok((began_here && exists).then(|| Settled {
        snapshot: origin,
        base: world.base_path(&world.base),
        explained,
    }))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Packages may be changing at this moment.
    InFlux,
    /// Its post snapshot accounts for everything before it.
    At,
    /// It has no snapshot, but says what it changed.
    Passed,
    /// The profile was its origin then.
    Origin,
}

fn step(row: &Transaction) -> Step {
    let goes_on = match row.state {
        State::Open => true,
        State::Skipped | State::Failed => row.ended.is_none(),
        State::Done | State::Interrupted | State::Undone => false,
    };
    match (&row.kind, &row.post) {
        _ if goes_on && row.commits.begun > row.commits.ended => Step::InFlux,
        (_, Some(_)) => Step::At,
        (TransactionKind::Create | TransactionKind::Clone, None) => Step::Origin,
        (TransactionKind::Rename | TransactionKind::Set, None) => Step::Passed,
        // Unprotected, or its post snapshot could not be made: its packages are recorded.
        (TransactionKind::Apt | TransactionKind::Dpkg, None) => Step::Passed,
        // An undo without a post, or something a newer version does: what the profile was then is
        // not known, and guessing would invent transactions.
        (_, None) => Step::InFlux,
    }
}

/// What changed in the package databases that no transaction accounts for; `None` when nothing did
/// or when that cannot be told.
///
/// # Errors
///
/// As [`settled`], or a package database cannot be parsed.
pub fn observe(world: &World<'_>, journal: &Journal) -> Result<Option<Observed>> {
    observe_before(world, journal, None)
}

/// As [`observe`], against what was accounted for before a transaction.
///
/// # Errors
///
/// As [`observe`].
pub fn observe_before(
    world: &World<'_>,
    journal: &Journal,
    before: Option<TransactionNumber>,
) -> Result<Option<Observed>> {
    let Some(settled) = settled(world, journal, before)? else {
        return Ok(None);
    };
    let base = world.base_path(&world.base);
    let now_at = world.subvolume();
    let by_snapshots = settled.explained.is_empty() && settled.base == base;
    if by_snapshots && package_state::unchanged(&settled.snapshot, &now_at, &base)? {
        return Ok(None);
    }
    let then = PackageState::read(&settled.snapshot, &settled.base)?;
    let now = PackageState::read(&now_at, &base)?;
    if by_snapshots && then.same_bytes(&now) {
        return Ok(None);
    }
    let then = then.with_recorded(&settled.explained, &now)?;
    let mut found = notices(then.side(), now.side());
    // Marks of what was recorded without a snapshot are not known from before: nothing to notice.
    let recorded = |name: &String| settled.explained.iter().any(|change| change.name == *name);
    found.retain(|notice| match notice {
        Notice::Mark { name, .. } | Notice::Selection { name, .. } => !recorded(name),
        Notice::Package(_) => true,
    });
    let words = rows::noticed_words(&found);
    let packages: Vec<PackageChange> = found
        .into_iter()
        .filter_map(|notice| match notice {
            Notice::Package(change) => Some(change),
            Notice::Mark { .. } | Notice::Selection { .. } => None,
        })
        .collect();
    if words.is_empty() && packages.is_empty() {
        return Ok(None);
    }
    Ok(Some(Observed {
        settled,
        words,
        packages,
        then,
        now,
    }))
}
