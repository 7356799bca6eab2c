//! What the front end says it is about to do.

use std::collections::BTreeMap;

use conffile_diff::dpkg;
use profile_db::journal::{Durability, Journal, PackageChange};
use profile_db::model::TransactionNumber;
use profile_db::state::State;

use super::caller::Caller;
use super::reconcile::drop_row;
use super::{World, outcome, rows, snapshots};
use crate::error::Result;

/// One package of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// Its name.
    pub name: String,
    /// Its architecture.
    pub architecture: String,
    /// The version that is installed.
    pub old_version: Option<String>,
    /// The version that will be; none when it is to be removed.
    pub new_version: Option<String>,
    /// Only what is unpacked already is configured.
    pub configure_only: bool,
}

/// Records the plan of the transaction that goes on for a front end, and says which it is; `None`
/// when there is none (the hook before it could not record one).
///
/// It is kept as the transaction's packages until its end replaces it by what happened. Not synced:
/// a plan that a power cut takes is found out from what dpkg did.
///
/// # Errors
///
/// The journal cannot be read or written.
pub fn plan(
    world: &World<'_>,
    journal: &Journal,
    caller: &Caller,
    packages: &[Planned],
) -> Result<Option<TransactionNumber>> {
    rows::held(journal, |journal| merge(world, journal, caller, packages))
}

fn merge(
    world: &World<'_>,
    journal: &Journal,
    caller: &Caller,
    packages: &[Planned],
) -> Result<Option<TransactionNumber>> {
    let Some(row) = rows::going_on(world, journal, &caller.owner)? else {
        return Ok(None);
    };
    // Earlier commits of a run stay; a package planned again is replaced.
    let mut merged: BTreeMap<(String, String), PackageChange> = journal
        .packages(row.number)?
        .into_iter()
        .map(|package| {
            (
                (package.name.clone(), package.architecture.clone()),
                package,
            )
        })
        .collect();
    for package in packages {
        let key = (package.name.clone(), package.architecture.clone());
        // apt plans the unpacking and the configuration of a package apart; the first says more.
        if package.configure_only && merged.contains_key(&key) {
            continue;
        }
        merged.insert(key, planned_row(package));
    }
    let merged: Vec<PackageChange> = merged.into_values().collect();
    let has_pre = row.pre.is_none() && snapshots::pre(world, row.number)?.is_some();
    journal.batch(Durability::Ordered, |journal| {
        if has_pre {
            snapshots::record_pre(journal, row.number)?;
        }
        journal.set_packages(row.number, &merged)
    })?;
    Ok(Some(row.number))
}

fn planned_row(package: &Planned) -> PackageChange {
    let action = match package.configure_only {
        true => dpkg::Action::Configure,
        false => outcome::planned_action(
            package.old_version.as_deref(),
            package.new_version.as_deref(),
        ),
    };
    PackageChange {
        name: package.name.clone(),
        architecture: package.architecture.clone(),
        action: rows::action(action),
        old_version: package.old_version.clone(),
        new_version: package.new_version.clone(),
        auto_before: None,
        auto_after: None,
        status_after: None,
    }
}

/// Forgets the transaction that was begun for a front end which, as its plan shows, changes another
/// root: an image build, a chroot. A run that has committed here before keeps its row.
///
/// # Errors
///
/// The journal cannot be written, or a snapshot cannot be deleted.
pub fn cancel(world: &World<'_>, journal: &Journal, caller: &Caller) -> Result<bool> {
    let Some(row) = rows::going_on(world, journal, &caller.owner)? else {
        return Ok(false);
    };
    if row.state != State::Open || row.commits.begun > 1 {
        return Ok(false);
    }
    drop_row(world, journal, row.number)?;
    Ok(true)
}
