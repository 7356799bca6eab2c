use super::*;
use crate::journal::{Action, Change, ChangeRow, Filter, Finish, Newest, Outcome, PackageChange};
use crate::state::State;

fn package(name: &str, architecture: &str) -> PackageChange {
    PackageChange {
        name: name.to_owned(),
        architecture: architecture.to_owned(),
        action: Action::Install,
        old_version: None,
        new_version: Some("1".to_owned()),
        auto_before: None,
        auto_after: Some(false),
        status_after: None,
    }
}

fn change(path: &[u8]) -> ChangeRow {
    ChangeRow {
        path: path.to_vec(),
        change: Change::Content,
        before: None,
        after: None,
        attribution: None,
    }
}

/// Six transactions: odd ones of the first profile, even ones of another.
fn six() -> Place {
    let place = Place::new();
    for n in 1..=6_i64 {
        let mut new = transaction();
        if n % 2 == 0 {
            new.profile = "zzzzzzzz".parse().unwrap();
        }
        let number = place.journal.begin(&new).unwrap();
        if n <= 4 {
            let packages = [
                package("vim", "amd64"),
                package("vim", "i386"),
                package(&format!("p{n}"), "all"),
            ];
            place.journal.set_packages(number, &packages).unwrap();
        }
        let path = format!("/etc/d{}/f{n}", n % 3);
        place
            .journal
            .store_changes(number, &[change(path.as_bytes())])
            .unwrap();
        if n <= 5 {
            let outcome = if n == 3 {
                Outcome::Failed
            } else {
                Outcome::Done
            };
            place
                .journal
                .finish(
                    number,
                    &Finish {
                        outcome,
                        ended: None,
                        problem: None,
                    },
                )
                .unwrap();
        }
    }
    place
}

fn numbers(place: &Place, filter: &Filter) -> Vec<i64> {
    let found = place.journal.transactions(filter).unwrap();
    found.iter().map(|t| t.number.get()).collect()
}

#[test]
fn lists_newest_first_and_by_every_filter() {
    let place = six();
    let all = Filter::default();
    let n = |n| TransactionNumber::new(n).ok();
    let path = |path: &str| Filter {
        path: Some(path.into()),
        ..all.clone()
    };
    let package = |name: &str| Filter {
        package: Some(name.into()),
        ..all.clone()
    };
    for (filter, expected) in [
        (all.clone(), vec![6, 5, 4, 3, 2, 1]),
        (
            Filter {
                limit: Some(2),
                ..all.clone()
            },
            vec![6, 5],
        ),
        (
            Filter {
                limit: Some(0),
                ..all.clone()
            },
            vec![],
        ),
        (
            Filter {
                before: n(3),
                ..all.clone()
            },
            vec![2, 1],
        ),
        (
            Filter {
                after: n(4),
                ..all.clone()
            },
            vec![6, 5],
        ),
        (
            Filter {
                after: n(1),
                before: n(4),
                ..all.clone()
            },
            vec![3, 2],
        ),
        (
            Filter {
                profile: Some(profile()),
                ..all.clone()
            },
            vec![5, 3, 1],
        ),
        (
            Filter {
                states: vec![State::Open],
                ..all.clone()
            },
            vec![6],
        ),
        (
            Filter {
                states: vec![State::Failed, State::Open],
                ..all.clone()
            },
            vec![6, 3],
        ),
        (package("vim"), vec![4, 3, 2, 1]),
        (
            Filter {
                limit: Some(2),
                ..package("vim")
            },
            vec![4, 3],
        ),
        (package("vim:i386"), vec![4, 3, 2, 1]),
        (package("vim:arm64"), vec![]),
        (package("p2"), vec![2]),
        (package("nothing"), vec![]),
        (path("/etc/d1/f4"), vec![4]),
        (path("/etc/d1"), vec![4, 1]),
        (path("/etc"), vec![6, 5, 4, 3, 2, 1]),
        (path("/"), vec![6, 5, 4, 3, 2, 1]),
        (path("/etc/d"), vec![]),
        (path("/etc/d1/f4/below"), vec![]),
        (
            Filter {
                package: Some("vim".into()),
                profile: Some(profile()),
                before: n(4),
                ..path("/etc")
            },
            vec![3, 1],
        ),
        (
            Filter {
                package: Some("p1:all".into()),
                ..path("/etc")
            },
            vec![1],
        ),
    ] {
        assert_eq!(numbers(&place, &filter), expected, "{filter:?}");
    }
    let bad = Filter {
        path: Some(b"etc".to_vec()),
        ..all
    };
    assert_eq!(
        place.journal.transactions(&bad).unwrap_err().to_string(),
        "cannot list transactions: path 'etc' is not absolute, or has an empty part, '.' or '..'"
    );
}

#[test]
fn finds_what_undo_and_redo_take() {
    let place = six();
    let newest = |which| {
        let found = place.journal.newest(&profile(), which).unwrap();
        found.map(|t| t.number.get())
    };
    assert_eq!(newest(Newest::Any), Some(5));
    assert_eq!(newest(Newest::Undoable), Some(5));
    assert_eq!(newest(Newest::Redoable), None);
    let five = TransactionNumber::new(5).unwrap();
    let mut undo = transaction();
    undo.kind = TransactionKind::Undo;
    undo.undoes = Some(five);
    let undo = place.journal.begin(&undo).unwrap();
    place
        .journal
        .finish(
            undo,
            &Finish {
                outcome: Outcome::Done,
                ended: None,
                problem: None,
            },
        )
        .unwrap();
    place.journal.mark_undone(five, undo).unwrap();
    assert_eq!(newest(Newest::Any), Some(7));
    assert_eq!(
        newest(Newest::Undoable),
        Some(3),
        "said again it walks further back"
    );
    assert_eq!(newest(Newest::Redoable), Some(7));
    let redo = place.begin();
    place.journal.clear_undone(five).unwrap();
    place.journal.mark_undone(undo, redo).unwrap();
    assert_eq!(newest(Newest::Redoable), None);
    assert_eq!(newest(Newest::Undoable), Some(5));
}

#[test]
fn counts_by_state() {
    let place = six();
    let counts = place.journal.counts(None).unwrap();
    assert_eq!(
        (counts.transactions, counts.open, counts.done, counts.failed),
        (6, 1, 4, 1)
    );
    let counts = place.journal.counts(Some(&profile())).unwrap();
    assert_eq!(
        (counts.transactions, counts.open, counts.done, counts.failed),
        (3, 0, 2, 1)
    );
    assert!(place.journal.knows_profile(&profile()).unwrap());
    assert!(
        !place
            .journal
            .knows_profile(&"unknown1".parse().unwrap())
            .unwrap()
    );
    assert_eq!(place.journal.open_transactions(None).unwrap().len(), 1);
    assert!(
        place
            .journal
            .open_transactions(Some(&profile()))
            .unwrap()
            .is_empty()
    );
}

/// Every listing walks an index in the order of the answer: nothing is sorted,
/// no table is read from end to end except for the listing of everything.
#[test]
fn every_listing_is_indexed() {
    let place = six();
    let plan = |sql: &str, values: Vec<rusqlite::types::Value>| -> String {
        let connection = place.connection();
        let mut statement = connection
            .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
            .unwrap();
        let lines: Vec<String> = statement
            .query_map(rusqlite::params_from_iter(values), |row| row.get(3))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        lines.join("; ")
    };
    let all = Filter::default();
    let etc = Filter {
        path: Some(b"/etc".to_vec()),
        ..all.clone()
    };
    let vim = Filter {
        package: Some("vim".into()),
        ..all.clone()
    };
    let n = TransactionNumber::new(3).ok();
    for (filter, expected) in [
        (all.clone(), "SCAN t"),
        (
            Filter {
                before: n,
                ..all.clone()
            },
            "SEARCH t USING INTEGER PRIMARY KEY (rowid<?)",
        ),
        (
            Filter {
                profile: Some(profile()),
                ..all.clone()
            },
            "SEARCH t USING INDEX transactions_by_profile (profile=?)",
        ),
        (
            Filter {
                profile: Some(profile()),
                before: n,
                states: vec![State::Done, State::Failed],
                ..all.clone()
            },
            "SEARCH t USING INDEX transactions_by_profile (profile=? AND rowid<?)",
        ),
        (
            Filter {
                profile: Some(profile()),
                states: vec![State::Open],
                ..all.clone()
            },
            "SEARCH t USING INDEX transactions_open (profile=?)",
        ),
        (
            vim.clone(),
            "SEARCH p USING INDEX packages_by_name (name=?); SEARCH t USING INTEGER PRIMARY KEY (rowid=?)",
        ),
        (
            Filter {
                profile: Some(profile()),
                before: n,
                ..vim
            },
            "SEARCH p USING INDEX packages_by_name (name=? AND txn<?); SEARCH t USING INTEGER PRIMARY KEY (rowid=?)",
        ),
        (
            etc.clone(),
            "SEARCH i USING PRIMARY KEY (path=?); SEARCH t USING INTEGER PRIMARY KEY (rowid=?)",
        ),
        (
            Filter {
                profile: Some(profile()),
                before: n,
                ..etc
            },
            "SEARCH i USING PRIMARY KEY (path=? AND txn<?); SEARCH t USING INTEGER PRIMARY KEY (rowid=?)",
        ),
    ] {
        let query = place.journal.query_of(&filter).unwrap().unwrap();
        let found = plan(&query.sql, query.values).replace("COVERING INDEX", "INDEX");
        assert_eq!(found, expected, "{}", query.sql);
    }
    let columns = place.journal.columns();
    for (condition, index) in [
        ("t.state = 'open'", "transactions_open"),
        ("t.attention = 1", "transactions_attention"),
        ("t.pinned = 1", "transactions_pinned"),
    ] {
        let found = plan(
            &format!(
                "SELECT {columns} FROM transactions t WHERE {condition} AND t.profile = ?1 ORDER BY t.number DESC"
            ),
            vec![profile().to_string().into()],
        );
        assert_eq!(found, format!("SEARCH t USING INDEX {index} (profile=?)"));
    }
    let newest = plan(
        "SELECT t.number FROM transactions t WHERE t.profile = ?1 AND t.state = 'done' \
         AND t.kind = 'undo' ORDER BY t.number DESC LIMIT 1",
        vec![profile().to_string().into()],
    );
    assert_eq!(
        newest,
        "SEARCH t USING INDEX transactions_by_profile (profile=?)"
    );
}
