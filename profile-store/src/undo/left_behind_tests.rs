use conffile_diff::attribution::{Reason, Verdict};
use profile_sys::tree::Kind;

use super::*;
use crate::delta::{Change, ChangeKind};

fn package(name: &str, action: Action) -> PackageChange {
    PackageChange {
        name: name.into(),
        architecture: "all".into(),
        action,
        old_version: None,
        new_version: None,
        auto_before: None,
        auto_after: None,
        status_after: None,
    }
}

fn change(path: &str, kind: ChangeKind) -> Change {
    Change {
        path: path.into(),
        kind,
        old: None,
        new: Some(Kind::File),
    }
}

fn delta(paths: &[&str]) -> Delta {
    Delta {
        changes: paths
            .iter()
            .map(|path| change(path, ChangeKind::Added))
            .collect(),
    }
}

fn made(paths: &[&str]) -> Made {
    let verdict = |_: &&str| Verdict::Attributed(Reason::Distribution);
    Made {
        delta: delta(paths),
        verdicts: paths.iter().map(verdict).collect(),
    }
}

fn postgresql() -> (Directories, BTreeMap<String, Vec<PathBuf>>) {
    let shipped = BTreeMap::from([(
        "postgresql-common".to_owned(),
        [
            "usr/bin/pg_ctlcluster",
            "var",
            "var/lib",
            "var/lib/postgresql",
            "var/lib/postgresql/README",
        ]
        .map(PathBuf::from)
        .to_vec(),
    )]);
    (
        directories(&[package("postgresql-common", Action::Install)], &shipped),
        shipped,
    )
}

const MADE: &[&str] = &[
    "usr/bin/pg_ctlcluster",
    "var/lib/postgresql",
    "var/lib/postgresql/17/main/base/1",
    "var/lib/postgresql/17/main/base/2",
    "var/lib/postgresql/README",
    "var/lib/postgresql-x",
];

fn apart(since: &Delta, throughout: bool) -> (Vec<PathBuf>, Made) {
    let (directories, shipped) = postgresql();
    let paths: HashSet<&Path> = shipped.values().flatten().map(PathBuf::as_path).collect();
    let mut made = made(MADE);
    let kept = set_apart(&mut made, since, &directories, &paths, &|_| throughout);
    (kept, made)
}

#[test]
fn data_that_was_changed_stays_whole_and_what_is_shipped_goes() {
    for (since, throughout) in [
        (delta(&["var/lib/postgresql/17/main/base/2"]), false),
        // There before and after: its service changed it while the transaction went on.
        (Delta::default(), true),
    ] {
        let (kept, made) = apart(&since, throughout);
        assert_eq!(kept, [PathBuf::from("var/lib/postgresql")]);
        let rest: Vec<&str> = made
            .delta
            .changes
            .iter()
            .filter_map(|change| change.path.to_str())
            .collect();
        assert_eq!(
            rest,
            [
                "usr/bin/pg_ctlcluster",
                "var/lib/postgresql",
                "var/lib/postgresql/README",
                "var/lib/postgresql-x"
            ]
        );
        assert_eq!(made.verdicts.len(), rest.len());
    }
}

#[test]
fn data_that_nobody_changed_goes_with_the_rest() {
    let only_time = Delta {
        changes: vec![change(
            "var/lib/postgresql/17/main/base/1",
            ChangeKind::Times,
        )],
    };
    for since in [
        Delta::default(),
        only_time,
        // Its own directory, what the package ships in it, another directory.
        delta(&["var/lib/postgresql"]),
        delta(&["var/lib/postgresql/README"]),
        delta(&["var/lib/postgresql-x/1"]),
    ] {
        let (kept, made) = apart(&since, false);
        assert_eq!(
            (kept.len(), made.delta.changes.len(), made.verdicts.len()),
            (0, MADE.len(), MADE.len()),
            "{since:?}"
        );
    }
}

#[test]
fn the_systems_own_directories_are_nobodys_data() {
    let shipped = BTreeMap::from([(
        "dpkg".to_owned(),
        [
            "var/lib/dpkg",
            "var/lib/dpkg/info",
            "var/lib",
            "var/log",
            "var/lib/thing",
        ]
        .map(PathBuf::from)
        .to_vec(),
    )]);
    let found = directories(&[package("dpkg", Action::Upgrade)], &shipped);
    let found: Vec<&PathBuf> = found.keys().collect();
    assert_eq!(found, [Path::new("var/lib/thing")]);
}

#[test]
fn what_becomes_of_the_program_is_told() {
    for (action, program, word) in [
        (Action::Install, Program::Goes, "the program goes"),
        (Action::Upgrade, Program::Changes, "may be newer"),
        (Action::Purge, Program::Returns, "program that comes back"),
    ] {
        let found = directories(&[package("mariadb-server", action)], &BTreeMap::new());
        let (name, becomes) = &found[Path::new("var/lib/mysql")];
        assert_eq!((name.as_str(), *becomes), ("mariadb-server", program));
        let left = LeftBehind {
            path: "var/lib/mysql".into(),
            package: name.clone(),
            program,
            since: TransactionNumber::new(12).unwrap(),
        };
        let words = left.words();
        assert!(
            words.contains(word) && words.contains("transaction 12"),
            "{words}"
        );
    }
}
