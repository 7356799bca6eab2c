//! What transactions came to, from the files before and after them.

use std::fs;
use std::path::Path;

use conffile_diff::dpkg::history_log;
use profile_db::journal::{Action, Attention, Commits, PackageChange, PackageCounts};
use profile_db::model::{Owner, Time};
use profile_db::state::State;

use super::*;
use crate::transaction::package_state::{EXTENDED_STATES, STATUS};

fn row(kind: TransactionKind, command: &str) -> Transaction {
    Transaction {
        number: 7.try_into().unwrap(),
        profile: "abcdefgh".parse().unwrap(),
        base: "v1".parse().unwrap(),
        kind,
        state: State::Open,
        state_before_undo: None,
        command: command.to_owned(),
        user: None,
        uid: None,
        front_end: "apt-get".to_owned(),
        owner: Owner {
            pid: 1,
            start_time: 1,
            pid_ns: 1,
            boot_id: String::new(),
            soft_reboots: 0,
        },
        started: Time::from_millisecond(0).unwrap(),
        ended: None,
        pre: None,
        post: None,
        problem: None,
        unprotected_reason: None,
        attention: Attention::None,
        undoes: None,
        undone_by: None,
        noticed: Vec::new(),
        pinned: false,
        commits: Commits { begun: 1, ended: 0 },
        packages: PackageCounts::default(),
        files_gone: None,
    }
}

/// A state with packages (name, version, status words) and automatic marks.
fn state(packages: &[(&str, &str, &str)], auto: &[&str]) -> PackageState {
    let top = tempfile::tempdir().unwrap();
    let put = |name: &str, text: String| {
        let path = top.path().join("upper").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let status: Vec<String> = packages
        .iter()
        .map(|(name, version, words)| {
            format!("Package: {name}\nStatus: {words}\nArchitecture: amd64\nVersion: {version}\n")
        })
        .collect();
    put(STATUS, status.join("\n"));
    let marks: Vec<String> = auto
        .iter()
        .map(|name| format!("Package: {name}\nArchitecture: amd64\nAuto-Installed: 1\n"))
        .collect();
    put(EXTENDED_STATES, marks.join("\n"));
    PackageState::read(top.path(), Path::new("/nonexistent")).unwrap()
}

const OK: &str = "install ok installed";

fn planned(name: &str, action: Action, new: Option<&str>) -> PackageChange {
    PackageChange {
        name: name.to_owned(),
        architecture: "amd64".to_owned(),
        action,
        old_version: None,
        new_version: new.map(str::to_owned),
        auto_before: None,
        auto_after: None,
        status_after: None,
    }
}

fn apt(command: &str, before: &PackageState, after: &PackageState) -> Outcome {
    outcome(
        &row(TransactionKind::Apt, command),
        before,
        after,
        &[],
        None,
    )
}

fn actions(outcome: &Outcome) -> Vec<(&str, Action)> {
    outcome
        .packages
        .iter()
        .map(|change| (change.name.as_str(), change.action.clone()))
        .collect()
}

#[test]
fn a_run_that_did_nothing_is_nothing() {
    let same = state(&[("a", "1", OK)], &["a"]);
    assert!(apt("apt install a", &same, &same).is_nothing());
    let marked = apt("apt install a", &same, &state(&[("a", "1", OK)], &[]));
    assert!(marked.packages.is_empty() && !marked.is_nothing());
}

#[test]
fn what_came_is_recorded_with_its_mark() {
    let found = apt(
        "apt install a",
        &state(&[], &[]),
        &state(&[("a", "1", OK), ("lib", "2", OK)], &["lib"]),
    );
    assert_eq!(
        actions(&found),
        [("a", Action::Install), ("lib", Action::Install)]
    );
    assert_eq!(found.packages[0].auto_after, Some(false));
    assert_eq!(found.packages[1].auto_after, Some(true));
    assert_eq!(found.packages[1].status_after, None);
    assert_eq!(found.problem, None);
}

#[test]
fn a_purge_of_a_package_that_leaves_nothing_is_known_by_the_command() {
    let (before, after) = (state(&[("a", "1", OK)], &[]), state(&[], &[]));
    assert_eq!(
        actions(&apt("apt-get -y purge a", &before, &after)),
        [("a", Action::Purge)]
    );
    assert_eq!(
        actions(&apt("apt-get remove --purge a", &before, &after)),
        [("a", Action::Purge)]
    );
    assert_eq!(
        actions(&apt("apt-get remove a", &before, &after)),
        [("a", Action::Remove)]
    );
    let bare = outcome(
        &row(TransactionKind::Dpkg, "dpkg -P a"),
        &before,
        &after,
        &[],
        None,
    );
    assert_eq!(actions(&bare), [("a", Action::Purge)]);
}

#[test]
fn a_planned_reinstallation_is_one_when_nothing_speaks_against_it() {
    let same = state(&[("a", "1", OK)], &[]);
    let plan = [planned("a", Action::Reinstall, Some("1"))];
    let row = row(TransactionKind::Apt, "apt install --reinstall a");
    assert_eq!(
        actions(&outcome(&row, &same, &same, &plan, None)),
        [("a", Action::Reinstall)]
    );
    let failed = history_log::last(b"Start-Date: x\nError: Sub-process dpkg\n");
    let found = outcome(&row, &same, &same, &plan, failed.as_ref());
    assert!(found.packages.is_empty());
    assert_eq!(found.problem.as_deref(), Some("Sub-process dpkg"));
}

#[test]
fn a_failure_names_the_packages_that_are_not_whole() {
    let after = state(
        &[
            ("a", "1", "install ok half-configured"),
            ("old", "1", "install ok unpacked"),
        ],
        &[],
    );
    let before = state(&[("old", "1", "install ok unpacked")], &[]);
    let found = apt("apt install a", &before, &after);
    assert_eq!(
        found.packages[0].status_after.as_deref(),
        Some("install ok half-configured")
    );
    // Not touched by this one, so not its problem.
    assert_eq!(found.problem.as_deref(), Some("a:amd64 is half-configured"));
}

#[test]
fn what_failed_again_is_not_forgotten() {
    let same = state(&[("a", "1", "install ok half-configured")], &[]);
    let row_apt = row(TransactionKind::Apt, "apt -f install");
    let found = outcome(
        &row_apt,
        &same,
        &same,
        &[planned("a", Action::Configure, Some("1"))],
        None,
    );
    assert_eq!(actions(&found), [("a", Action::Configure)]);
    assert!(found.problem.is_some());
    let bare = outcome(
        &row(TransactionKind::Dpkg, "dpkg --configure -a"),
        &same,
        &same,
        &[],
        None,
    );
    assert_eq!(bare.problem.as_deref(), Some("a:amd64 is half-configured"));
}

#[test]
fn a_package_whose_preinst_failed_is_named_though_dpkg_forgot_it() {
    let same = state(&[], &[]);
    let failed = history_log::last(b"Start-Date: x\nError: Sub-process dpkg\n");
    let row = row(TransactionKind::Apt, "apt install a");
    let plan = [planned("a", Action::Install, Some("1"))];
    let found = outcome(&row, &same, &same, &plan, failed.as_ref());
    assert_eq!(
        found.problem.as_deref(),
        Some("a 1 did not get installed; Sub-process dpkg")
    );
}

#[test]
fn a_removal_that_failed_half_way_is_a_removal() {
    let before = state(&[("a", "1", OK)], &[]);
    let after = state(&[("a", "1", "deinstall ok half-installed")], &[]);
    let row = row(TransactionKind::Apt, "apt remove a");
    let found = outcome(
        &row,
        &before,
        &after,
        &[planned("a", Action::Remove, None)],
        None,
    );
    assert_eq!(actions(&found), [("a", Action::Remove)]);
    assert_eq!(found.problem.as_deref(), Some("a:amd64 is half-installed"));
}

#[test]
fn without_a_state_before_what_stands_of_the_plan_counts() {
    let now = state(
        &[
            ("a", "2", OK),
            ("b", "1", "install ok unpacked"),
            ("d", "1", OK),
        ],
        &["a"],
    );
    let plan = [
        planned("a", Action::Upgrade, Some("2")),
        planned("b", Action::Install, Some("1")),
        planned("c", Action::Remove, None),
        planned("d", Action::Remove, None),
        planned("e", Action::Install, Some("1")),
    ];
    let found = carried_out(&plan, &now);
    let names: Vec<&str> = found.iter().map(|change| change.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!(found[0].auto_after, Some(true));
    assert_eq!(
        found[1].status_after.as_deref(),
        Some("install ok unpacked")
    );
}
