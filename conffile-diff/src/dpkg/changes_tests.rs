use proptest::prelude::*;

use super::*;

fn stanza(name: &str, architecture: &str, version: &str, status: &str) -> String {
    format!(
        "Package: {name}\nStatus: {status}\nArchitecture: {architecture}\nVersion: {version}\n\n"
    )
}

const OK: &str = "install ok installed";
const CONFIG: &str = "deinstall ok config-files";

fn compare_with(old: &str, new: &str, hints: &Hints) -> Vec<PackageChange> {
    let (a, b) = (
        Status::parse(old.as_bytes()).unwrap(),
        Status::parse(new.as_bytes()).unwrap(),
    );
    let auto = AutoMarks::parse(b"Package: lib\nArchitecture: amd64\nAuto-Installed: 1\n").unwrap();
    changes(
        Side {
            status: &a,
            bytes: old.as_bytes(),
            auto: &AutoMarks::default(),
        },
        Side {
            status: &b,
            bytes: new.as_bytes(),
            auto: &auto,
        },
        hints,
    )
}

fn compare(old: &str, new: &str) -> Vec<(String, Action)> {
    compare_with(old, new, &Hints::default())
        .into_iter()
        .map(|change| (change.name, change.action))
        .collect()
}

fn one(old: &str, new: &str) -> Action {
    let found = compare(old, new);
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].1
}

#[test]
fn names_every_action_by_the_states_alone() {
    let at = |version, status| stanza("a", "amd64", version, status);
    assert_eq!(one("", &at("1", OK)), Action::Install);
    assert_eq!(one(&at("1", CONFIG), &at("2", OK)), Action::Install);
    assert_eq!(one(&at("1", OK), &at("1.0~rc1+b2", OK)), Action::Upgrade);
    assert_eq!(one(&at("1:1", OK), &at("2", OK)), Action::Downgrade);
    assert_eq!(one(&at("1", OK), &at("1", CONFIG)), Action::Remove);
    assert_eq!(one(&at("1", OK), ""), Action::Remove);
    assert_eq!(one(&at("1", CONFIG), ""), Action::Purge);
    assert_eq!(
        one(&at("1", CONFIG), &at("", "purge ok not-installed")),
        Action::Purge
    );
    assert_eq!(one("", &at("1", CONFIG)), Action::Remove);
    let half = at("1", "install ok half-configured");
    assert_eq!(one(&half, &at("1", OK)), Action::Configure);
    assert_eq!(compare(&at("1", OK), &at("1", OK)), []);
    assert_eq!(compare(&at("1", CONFIG), &at("1", CONFIG)), []);
    assert_eq!(compare("", &at("", "unknown ok not-installed")), []);
}

#[test]
fn tells_purge_from_remove() {
    let with_conffile = format!(
        "{}Conffiles:\n /etc/a 00\n",
        stanza("a", "amd64", "1", OK).trim_end().to_owned() + "\n"
    );
    assert_eq!(one(&with_conffile, ""), Action::Purge);
    let without = stanza("a", "amd64", "1", OK);
    let mut hints = Hints::default();
    hints.purged.insert("a", Some("amd64"));
    assert_eq!(compare_with(&without, "", &hints)[0].action, Action::Purge);
    let all = Hints {
        purge_all: true,
        ..Hints::default()
    };
    assert_eq!(compare_with(&without, "", &all)[0].action, Action::Purge);
    // Even then: what is left with its configuration was removed only.
    let left = stanza("a", "amd64", "1", CONFIG);
    assert_eq!(
        compare_with(&without, &left, &all)[0].action,
        Action::Remove
    );
}

#[test]
fn sees_a_reinstallation_by_hint_or_by_another_archive() {
    let installed = stanza("a", "all", "1", OK);
    let entry =
        super::super::history_log::last(b"Start-Date: x\nReinstall: a:amd64 (1)\n").unwrap();
    let hints = Hints::from_history(&entry);
    assert_eq!(
        compare_with(&installed, &installed, &hints)[0].action,
        Action::Reinstall
    );
    let rebuilt = installed.replace("Architecture", "Depends: b\nArchitecture");
    assert_eq!(one(&installed, &rebuilt), Action::Reinstall);
    let waiting = installed.replace("Architecture", "Triggers-Pending: /x\nArchitecture");
    assert_eq!(compare(&installed, &waiting), []);
}

#[test]
fn pairs_a_package_that_changed_its_architecture() {
    let found = compare_with(
        &stanza("a", "all", "1", OK),
        &stanza("a", "amd64", "2", OK),
        &Hints::default(),
    );
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].action, Action::Upgrade);
    assert_eq!(found[0].architecture, "amd64");
    let mixed = stanza("a", "amd64", "1", OK) + &stanza("a", "i386", "1", OK);
    assert_eq!(
        compare(&stanza("a", "amd64", "1", OK), &mixed),
        [("a".to_owned(), Action::Install)]
    );
}

#[test]
fn records_marks_and_the_state_a_failure_left() {
    let found = compare_with(
        "",
        &stanza("lib", "amd64", "2", "install ok half-configured"),
        &Hints::default(),
    );
    assert_eq!(found[0].auto_before, None);
    assert_eq!(found[0].auto_after, Some(true));
    assert_eq!(found[0].unfinished(), Some(State::HalfConfigured));
    assert_eq!(found[0].new_version.as_deref(), Some("2"));
}

#[test]
fn orders_versions_as_dpkg_does() {
    use Ordering::{Equal, Greater, Less};
    for (a, b, expected) in [
        ("1.0", "1.0-0", Equal),
        ("0.5.12-12", "0~20170114-6", Greater),
        ("1.0~rc1", "1.0", Less),
        ("1:0.1", "9", Greater),
        ("1.0+b1", "1.0", Greater),
        (
            "99999999999999999999999",
            "99999999999999999999998",
            Greater,
        ),
        ("é", "f", "é".cmp("f")),
    ] {
        assert_eq!(compare_versions(a, b), expected, "{a} and {b}");
    }
}

proptest! {
    #[test]
    fn comparing_versions_never_panics(a in ".{0,12}", b in ".{0,12}") {
        prop_assert_eq!(compare_versions(&a, &b), compare_versions(&b, &a).reverse());
    }

    /// What changed forwards changed backwards, with the sides exchanged.
    #[test]
    fn every_change_has_its_opposite(rows in prop::collection::vec(("[a-e]", "(amd64|all|i386)", "[1-3]", 0..4usize, 0..4usize), 0..8)) {
        let states = [OK, CONFIG, "install ok half-configured", ""];
        let side = |pick: fn(&(String, String, String, usize, usize)) -> usize| {
            rows.iter().filter(|row| !states[pick(row)].is_empty())
                .map(|row| stanza(&row.0, &row.1, &row.2, states[pick(row)])).collect::<String>()
        };
        let (old, new) = (side(|row| row.3), side(|row| row.4));
        let names = |found: Vec<(String, Action)>| found.into_iter().map(|change| change.0).collect::<Vec<_>>();
        prop_assert_eq!(names(compare(&old, &new)).len(), names(compare(&new, &old)).len());
    }
}
