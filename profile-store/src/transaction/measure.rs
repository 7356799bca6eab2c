//! What a transaction came to, measured between its two snapshots.

use std::path::Path;

use conffile_diff::dpkg::HistoryEntry;
use profile_db::journal::{Journal, PackageChange, Transaction};

use super::bookkeeping::is_bookkeeping;
use super::outcome::{Outcome, carried_out, outcome};
use super::package_state::{Glance, PackageState};
use super::settled::{Observed, settled};
use super::{World, history};
use crate::delta;
use crate::error::Result;
use crate::profile;
use crate::state_paths;

/// What is read for a comparison beside the snapshot that is being made.
#[derive(Debug)]
pub struct Beside {
    before: PackageState,
    present: Glance,
    history: Option<HistoryEntry>,
}

/// Reads all of it that is there before the snapshot afterwards is.
///
/// # Errors
///
/// A package database or apt's log cannot be read or parsed.
pub fn beside(world: &World<'_>, row: &Transaction, pre: &Path) -> Result<Beside> {
    Ok(Beside {
        before: PackageState::read(pre, &world.base_path(&row.base))?,
        present: Glance::at(&world.subvolume(), &world.base_path(&world.base))?,
        history: history::entry(world, row)?,
    })
}

/// Compares the packages of both snapshots; `planned` is what the plan recorded.
///
/// # Errors
///
/// A package database cannot be read or parsed.
pub fn packages(
    world: &World<'_>,
    row: &Transaction,
    beside: Beside,
    post: &Path,
    planned: &[PackageChange],
) -> Result<Outcome> {
    let after = beside
        .present
        .state_of(post, &world.base_path(&world.base))?;
    let history = beside.history.as_ref();
    Ok(outcome(row, &beside.before, &after, planned, history))
}

/// What a transaction without a snapshot did to packages: compared with the newest state that the
/// journal accounts for, or, where there is none to compare with, what of its plan stands now.
///
/// # Errors
///
/// The journal, a package database or apt's log cannot be read.
pub fn unprotected(
    world: &World<'_>,
    journal: &Journal,
    row: &Transaction,
    observed: Option<&Observed>,
    planned: &[PackageChange],
) -> Result<Vec<PackageChange>> {
    if let Some(observed) = observed {
        let history = history::entry(world, row)?;
        let (then, now) = (&observed.then, &observed.now);
        return Ok(outcome(row, then, now, planned, history.as_ref()).packages);
    }
    if planned.is_empty() || settled(world, journal, Some(row.number))?.is_some() {
        return Ok(Vec::new());
    }
    let now = PackageState::read(&world.subvolume(), &world.base_path(&world.base))?;
    Ok(carried_out(planned, &now))
}

/// Whether the whole change between both snapshots is what a package manager writes anyway.
///
/// Asked only where the package databases say nothing happened, so its cost falls on runs that did
/// nothing.
///
/// # Errors
///
/// The snapshots cannot be compared.
pub fn is_bookkeeping_only(
    world: &World<'_>,
    row: &Transaction,
    pre: &Path,
    post: &Path,
) -> Result<bool> {
    let file = profile::read(world.pool, &world.profile)?;
    let state = state_paths::of(&file);
    let (old_base, new_base) = (world.base_path(&row.base), world.base_path(&world.base));
    let delta = delta::between(world.pool, (pre, &old_base), (post, &new_base), &state)?;
    let own =
        |path: &Path| is_bookkeeping(std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str()));
    Ok(delta.substantial().all(|change| own(&change.path)))
}

/// What the plan recorded for a transaction that is going on.
///
/// # Errors
///
/// The journal cannot be read.
pub fn planned(journal: &Journal, row: &Transaction) -> Result<Vec<PackageChange>> {
    Ok(journal.packages(row.number)?)
}
