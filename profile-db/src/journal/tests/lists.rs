use proptest::prelude::*;

use super::*;
use crate::journal::{Change, ChangeRow, Error, FileType, Filter, list_form, paths};

fn any_change() -> impl Strategy<Value = ChangeRow> {
    let path = proptest::collection::vec("[a-c\\n\u{ff}é -]{1,3}", 0..4)
        .prop_map(|parts| format!("/{}", parts.join("/")).into_bytes())
        .prop_map(|mut path| {
            // Not UTF-8, now and then.
            if path.len() > 5 {
                path[2] = 0xfe;
            }
            path
        })
        .prop_filter("plain", |path| paths::parts(path).is_some());
    let file_type =
        || proptest::option::of((0..FileType::ALL.len()).prop_map(|i| FileType::ALL[i]));
    (
        path,
        0..Change::ALL.len(),
        file_type(),
        file_type(),
        proptest::option::of(any::<String>()),
    )
        .prop_map(|(path, change, before, after, attribution)| ChangeRow {
            path,
            change: Change::ALL[change],
            before,
            after,
            attribution,
        })
}

fn change(path: &str) -> ChangeRow {
    ChangeRow {
        path: path.into(),
        change: Change::Created,
        before: None,
        after: Some(FileType::File),
        attribution: Some("nginx".to_owned()),
    }
}

#[test]
fn only_absolute_plain_paths_have_parts() {
    assert_eq!(paths::parts(b"/"), Some(vec![]));
    assert_eq!(paths::parts(b"/a/b\n"), Some(vec![&b"a"[..], &b"b\n"[..]]));
    for path in [
        &b""[..],
        b"a",
        b"//",
        b"/a/",
        b"/a//b",
        b"/./a",
        b"/a/..",
        b"/a\0",
    ] {
        assert_eq!(paths::parts(path), None, "{path:?}");
    }
}

#[test]
fn a_new_list_replaces_the_old_one_in_the_index_too() {
    let place = Place::new();
    let (one, two) = (place.begin(), place.begin());
    let journal = &place.journal;
    journal
        .store_changes(
            one,
            &[change("/etc/a"), change("/etc/a/b"), change("/usr/x")],
        )
        .unwrap();
    journal.store_changes(two, &[change("/usr/x")]).unwrap();
    journal.store_changes(one, &[change("/usr/y")]).unwrap();
    let below = |path: &str| -> Vec<i64> {
        let filter = Filter {
            path: Some(path.into()),
            ..Filter::default()
        };
        let found = journal.transactions(&filter).unwrap();
        found.iter().map(|t| t.number.get()).collect()
    };
    assert_eq!(below("/etc"), [0; 0]);
    assert_eq!(below("/etc/a/b"), [0; 0]);
    assert_eq!(below("/usr"), [2, 1]);
    assert_eq!(below("/usr/x"), [2]);
    assert_eq!(below("/usr/y"), [1]);
    assert_eq!(journal.changes(one).unwrap(), Some(vec![change("/usr/y")]));
    assert_eq!(entries(journal, one), Some(1));
    assert_eq!(journal.integrity_check().unwrap(), [""; 0]);
}

fn entries(journal: &Journal, number: TransactionNumber) -> Option<u64> {
    let summary = journal.changes_summary(number).unwrap();
    summary.map(|summary| summary.entries)
}

#[test]
fn a_summary_counts_what_has_no_attribution() {
    let place = Place::new();
    let n = place.begin();
    assert_eq!(place.journal.changes_summary(n).unwrap(), None);
    let mut list = [change("/a"), change("/b"), change("/c")];
    list[0].attribution = Some("a package".to_owned());
    list[1].attribution = None;
    list[2].attribution = None;
    place.journal.store_changes(n, &list).unwrap();
    let summary = place.journal.changes_summary(n).unwrap().unwrap();
    assert_eq!((summary.entries, summary.meanwhile), (3, Some(2)));
}

#[test]
fn an_empty_list_is_a_list() {
    let place = Place::new();
    let n = place.begin();
    assert_eq!(place.journal.changes(n).unwrap(), None);
    place.journal.store_changes(n, &[]).unwrap();
    assert_eq!(place.journal.changes(n).unwrap(), Some(vec![]));
    assert_eq!(entries(&place.journal, n), Some(0));
}

#[test]
fn a_bad_path_stores_nothing() {
    let place = Place::new();
    let n = place.begin();
    let error = place
        .journal
        .store_changes(n, &[change("/a"), change("/a/../b")])
        .unwrap_err();
    assert!(matches!(error, Error::BadPath { .. }), "{error}");
    assert_eq!(place.journal.changes(n).unwrap(), None);
    let none = TransactionNumber::new(9).unwrap();
    assert!(matches!(
        place.journal.store_changes(none, &[]),
        Err(Error::NoSuchTransaction { .. })
    ));
}

#[test]
fn an_unknown_encoding_is_said() {
    let place = Place::new();
    let n = place.begin();
    place.journal.store_changes(n, &[change("/a")]).unwrap();
    place
        .connection()
        .execute("UPDATE path_lists SET encoding = 'zstd-1'", [])
        .unwrap();
    let message = place.journal.changes(n).unwrap_err().to_string();
    assert!(message.ends_with(
        "the list of paths of transaction 1 is wrong: its encoding is 'zstd-1', this tool knows zlib-1"
    ), "{message}");
}

#[test]
fn a_huge_list_is_refused_without_taking_the_memory() {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut encoder, &vec![0u8; 1 << 20]).unwrap();
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 1 << 12);
    assert_eq!(
        list_form::decode_bounded(&bomb, 1 << 16)
            .unwrap_err()
            .to_string(),
        "it has more than 65536 bytes"
    );
}

proptest! {
    #[test]
    fn lists_round_trip(changes in proptest::collection::vec(any_change(), 0..20)) {
        let stored = list_form::encode(&changes).unwrap();
        prop_assert_eq!(list_form::decode(&stored).unwrap(), changes);
    }

    #[test]
    fn damaged_lists_are_errors_or_lists_but_no_panics(
        changes in proptest::collection::vec(any_change(), 1..5), at in any::<prop::sample::Index>(), byte in any::<u8>()
    ) {
        let mut stored = list_form::encode(&changes).unwrap();
        let at = at.index(stored.len());
        stored[at] = byte;
        let _ = list_form::decode(&stored);
        let _ = list_form::decode(&stored[..at]);
        // And past the compression.
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, &stored).unwrap();
        let _ = list_form::decode(&encoder.finish().unwrap());
    }

    #[test]
    fn a_list_cut_anywhere_is_an_error(changes in proptest::collection::vec(any_change(), 1..5), at in any::<prop::sample::Index>()) {
        let stored = list_form::encode(&changes).unwrap();
        let at = at.index(stored.len());
        prop_assert!(list_form::decode(&stored[..at]).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// The index answers what a search through every list would.
    #[test]
    fn the_index_agrees_with_the_lists(
        lists in proptest::collection::vec(proptest::collection::vec(any_change(), 0..8), 1..6),
        replaced in proptest::collection::vec(any_change(), 0..8),
    ) {
        let place = Place::new();
        let mut lists = lists;
        for list in &lists {
            place.journal.store_changes(place.begin(), list).unwrap();
        }
        place.journal.store_changes(TransactionNumber::new(1).unwrap(), &replaced).unwrap();
        lists[0] = replaced;
        let every_path = lists.iter().flatten().map(|c| c.path.clone());
        let asked: std::collections::BTreeSet<Vec<u8>> = every_path
            .flat_map(|path| {
                let parts: Vec<Vec<u8>> = paths::parts(&path).unwrap().iter().map(|p| p.to_vec()).collect();
                (0..=parts.len()).map(move |n| [b"/".to_vec(), parts[..n].join(&b'/')].concat())
            })
            .chain([b"/nowhere".to_vec()])
            .collect();
        for path in asked {
            let mut below = path.clone();
            if path != b"/" {
                below.push(b'/');
            }
            let expected: Vec<i64> = (1..=lists.len() as i64)
                .rev()
                .filter(|n| {
                    lists[*n as usize - 1].iter().any(|c| c.path == path || c.path.starts_with(&below))
                })
                .collect();
            let filter = Filter { path: Some(path.clone()), ..Filter::default() };
            let found: Vec<i64> = place.journal.transactions(&filter).unwrap().iter().map(|t| t.number.get()).collect();
            prop_assert_eq!(found, expected, "{:?}", path);
        }
        for (n, list) in lists.iter().enumerate() {
            let number = TransactionNumber::new(n as i64 + 1).unwrap();
            let stored = place.journal.changes(number).unwrap();
            prop_assert_eq!(stored.as_ref(), Some(list));
        }
        prop_assert_eq!(place.journal.integrity_check().unwrap(), Vec::<String>::new());
    }
}
