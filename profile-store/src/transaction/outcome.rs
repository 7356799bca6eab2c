//! What a transaction did to packages, and whether it went well: pure, from the states before and
//! after it and what the other sources say.

use std::collections::BTreeSet;

use conffile_diff::dpkg::{Action, Hints, HistoryEntry, Package, changes, notices};
use profile_db::journal::{self, Transaction, TransactionKind};

use super::package_state::PackageState;
use super::rows;

/// The answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Packages, as the journal keeps them.
    pub packages: Vec<journal::PackageChange>,
    /// What went wrong, when something did.
    pub problem: Option<String>,
    /// A mark or a selection changed on a package that is otherwise as it was.
    pub marks_changed: bool,
}

impl Outcome {
    /// Whether the package databases say nothing happened.
    pub fn is_nothing(&self) -> bool {
        self.packages.is_empty() && self.problem.is_none() && !self.marks_changed
    }
}

/// Compares both states.
///
/// `planned` is what the plan recorded: with it a reinstallation is known before apt's log says so,
/// and a package that failed again in the state it had failed in before is not forgotten.
pub fn outcome(
    row: &Transaction,
    before: &PackageState,
    after: &PackageState,
    planned: &[journal::PackageChange],
    history: Option<&HistoryEntry>,
) -> Outcome {
    let hints = hints(row, planned, history, after);
    let found = changes(before.side(), after.side(), &hints);
    let mut packages: Vec<_> = found
        .iter()
        .map(|change| {
            let now = after.status.get(&change.name, &change.architecture);
            let mut row = rows::package_row(change, now.and_then(rows::status_words));
            // A removal that failed half-way moved the state and nothing else.
            if row.action == journal::Action::Configure && removes(planned, &row) {
                row.action = journal::Action::Remove;
            }
            row
        })
        .collect();
    let mut involved: BTreeSet<(&str, &str)> = found
        .iter()
        .map(|change| (change.name.as_str(), change.architecture.as_str()))
        .collect();
    for (package, plan) in planned
        .iter()
        .filter_map(|plan| Some((still_broken(after, plan)?, plan)))
    {
        if involved.insert((&package.name, &package.architecture)) {
            packages.push(unchanged_row(package, plan, before, after));
        }
    }
    let broken = after.status.broken().filter(|package| {
        // `dpkg --configure -a` plans nothing and touches everything that is broken.
        involved.contains(&(package.name.as_str(), package.architecture.as_str()))
            || configures_all(row)
    });
    let mut problems: Vec<String> = broken
        .map(|package| format!("{} is {}", package.full_name(), package.state))
        .collect();
    if let Some(error) = history.and_then(|entry| entry.error.as_deref()) {
        problems.extend(
            planned
                .iter()
                .filter_map(|planned| not_reached(after, planned)),
        );
        problems.push(error.trim().to_owned());
    }
    let marks_changed = notices(before.side(), after.side())
        .iter()
        .any(|notice| !matches!(notice, conffile_diff::dpkg::Notice::Package(_)));
    Outcome {
        packages,
        problem: (!problems.is_empty()).then(|| problems.join("; ")),
        marks_changed,
    }
}

fn configures_all(row: &Transaction) -> bool {
    let words: Vec<&str> = row.command.split(' ').collect();
    row.kind == TransactionKind::Dpkg
        && (words.contains(&"--configure") || words.contains(&"--triggers-only"))
        && (words.contains(&"-a") || words.contains(&"--pending"))
}

fn still_broken<'a>(
    after: &'a PackageState,
    planned: &journal::PackageChange,
) -> Option<&'a Package> {
    let found = after.status.get(&planned.name, &planned.architecture);
    // A plan names the native architecture where dpkg's status says `all`.
    found
        .or_else(|| after.status.get(&planned.name, "all"))
        .filter(|package| package.state.is_broken())
}

/// Whether the plan was to remove the package of a row.
fn removes(planned: &[journal::PackageChange], row: &journal::PackageChange) -> bool {
    planned
        .iter()
        .any(|planned| planned.name == row.name && planned.action == journal::Action::Remove)
}

/// What to say of a planned package that apt's error kept from coming: dpkg forgets one whose preinst
/// failed, so no state tells of it.
fn not_reached(after: &PackageState, planned: &journal::PackageChange) -> Option<String> {
    let version = planned.new_version.as_deref()?;
    let is_there = after
        .status
        .named(&planned.name)
        .iter()
        .any(|package| package.state.is_present() && package.version == version);
    (!is_there).then(|| format!("{} {version} did not get installed", planned.name))
}

fn unchanged_row(
    package: &Package,
    planned: &journal::PackageChange,
    before: &PackageState,
    after: &PackageState,
) -> journal::PackageChange {
    let auto =
        |state: &PackageState| Some(state.auto.is_auto(&package.name, &package.architecture));
    journal::PackageChange {
        name: package.name.clone(),
        architecture: package.architecture.clone(),
        action: match planned.action {
            journal::Action::Remove => journal::Action::Remove,
            _ => journal::Action::Configure,
        },
        old_version: Some(package.version.clone()),
        new_version: Some(package.version.clone()),
        auto_before: auto(before),
        auto_after: auto(after),
        status_after: rows::status_words(package),
    }
}

/// What the states cannot show, from the plan, the command line and apt's log.
fn hints(
    row: &Transaction,
    planned: &[journal::PackageChange],
    history: Option<&HistoryEntry>,
    after: &PackageState,
) -> Hints {
    let mut hints = history.map(Hints::from_history).unwrap_or_default();
    let again = planned
        .iter()
        .filter(|package| package.action == journal::Action::Reinstall);
    for package in again {
        // A plan that was not carried out leaves no package in a state to be called installed.
        let installed = after
            .status
            .named(&package.name)
            .iter()
            .any(|now| now.state.is_present());
        if installed && history.is_none_or(|entry| entry.error.is_none()) {
            hints
                .reinstalled
                .insert(&package.name, Some(&package.architecture));
        }
    }
    let words: Vec<&str> = row.command.split(' ').skip(1).collect();
    let purges = words
        .iter()
        .any(|word| matches!(*word, "purge" | "--purge" | "-P" | "autopurge"));
    hints.purge_all |= purges;
    hints
}

/// What of a plan stands in the state afterwards, when nothing is known of the state before.
pub fn carried_out(
    planned: &[journal::PackageChange],
    after: &PackageState,
) -> Vec<journal::PackageChange> {
    let stands = |plan: &journal::PackageChange| {
        // A plan names the native architecture where dpkg's status says `all`.
        let mut named = after
            .status
            .named(&plan.name)
            .iter()
            .filter(|package| [plan.architecture.as_str(), "all"].contains(&&*package.architecture))
            .filter(|package| package.state.is_present());
        let Some(version) = plan.new_version.as_deref() else {
            return named.next().is_none().then(|| plan.clone());
        };
        let package = named.find(|package| package.version == version)?;
        Some(journal::PackageChange {
            architecture: package.architecture.clone(),
            auto_after: Some(after.auto.is_auto(&package.name, &package.architecture)),
            status_after: rows::status_words(package),
            ..plan.clone()
        })
    };
    planned.iter().filter_map(stands).collect()
}

/// Whether an action of the plan is a reinstallation: an archive of the version that is installed.
pub fn planned_action(old: Option<&str>, new: Option<&str>) -> Action {
    use std::cmp::Ordering::{Equal, Greater, Less};
    match (old, new) {
        (None, _) => Action::Install,
        (Some(_), None) => Action::Remove,
        (Some(old), Some(new)) => match conffile_diff::dpkg::changes::compare_versions(old, new) {
            Less => Action::Upgrade,
            Greater => Action::Downgrade,
            Equal => Action::Reinstall,
        },
    }
}

#[cfg(test)]
#[path = "outcome_tests.rs"]
mod tests;
