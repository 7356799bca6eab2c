//! Prints what changed between two of dpkg's databases: `changes OLD_ROOT NEW_ROOT`.
//!
//! One line for each package: what happened, its full name, both versions, the state afterwards.
//! Made for comparing with other sources: apt's history log, dpkg's own log.

use std::path::{Path, PathBuf};

use conffile_diff::dpkg::changes::Side;
use conffile_diff::dpkg::{AutoMarks, Hints, Status, changes, history_log};

fn read(root: &Path) -> (Vec<u8>, Status, AutoMarks) {
    let bytes = std::fs::read(root.join("var/lib/dpkg/status")).expect("no status file");
    let status = Status::parse(&bytes).expect("cannot parse the status file");
    let marks = std::fs::read(root.join("var/lib/apt/extended_states")).unwrap_or_default();
    let marks = AutoMarks::parse(&marks).expect("cannot parse the automatic marks");
    (bytes, status, marks)
}

fn main() {
    let roots: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [old, new] = roots.as_slice() else {
        panic!("usage: changes OLD_ROOT NEW_ROOT");
    };
    let log = std::fs::read(new.join("var/log/apt/history.log")).unwrap_or_default();
    let hints = history_log::last(&log).map(|entry| Hints::from_history(&entry));
    let (old, new) = (read(old), read(new));
    let side = |(bytes, status, auto): &'static (Vec<u8>, Status, AutoMarks)| Side {
        status,
        bytes,
        auto,
    };
    let (old, new) = (Box::leak(Box::new(old)), Box::leak(Box::new(new)));
    for change in changes(side(old), side(new), &hints.unwrap_or_default()) {
        println!(
            "{:?} {}:{} {} {} {}",
            change.action,
            change.name,
            change.architecture,
            change.old_version.as_deref().unwrap_or("-"),
            change.new_version.as_deref().unwrap_or("-"),
            change.state_after
        );
    }
}
