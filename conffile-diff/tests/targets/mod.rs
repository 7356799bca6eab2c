//! What every parser must keep to, whatever it is given: for the tests here and for the fuzzer in `tests/fuzz`.

#![allow(dead_code, missing_docs)]

use conffile_diff::attribution::{Attribution, Change, ChangedPath, PackageFacts};
use conffile_diff::dpkg::changes::{Side, compare_versions};
use conffile_diff::dpkg::info as lists;
use conffile_diff::dpkg::{
    AutoMarks, Hints, Status, changes, edit as editing, history_log, notices,
};
use conffile_diff::text;

pub fn two_states(old: &[u8], new: &[u8]) {
    let (Ok(old_status), Ok(new_status)) = (Status::parse(old), Status::parse(new)) else {
        return;
    };
    let auto = AutoMarks::default();
    let side = |status, bytes| Side {
        status,
        bytes,
        auto: &auto,
    };
    let (old, new) = (side(&old_status, old), side(&new_status, new));
    assert!(changes(old, new, &Hints::default()).len() <= notices(old, new).len());
    assert!(notices(new, new).is_empty());
}

pub fn marks(bytes: &[u8]) {
    if let Ok(marks) = AutoMarks::parse(bytes) {
        assert!(
            marks
                .iter()
                .all(|(name, architecture)| marks.is_auto(name, architecture))
        );
    }
}

pub fn history(bytes: &[u8]) {
    assert_eq!(history_log::last(bytes), history_log::entries(bytes).pop());
}

pub fn info(bytes: &[u8]) {
    assert!(lists::parse_list(bytes).iter().all(|path| path[0] == b'/'));
    lists::parse_conffiles(bytes);
    lists::parse_ucf_registry(bytes);
    lists::parse_name(bytes);
}

pub fn edit(stanza: &[u8]) {
    if let Ok(edited) = editing::set_field(stanza, "Status", "install ok installed") {
        assert!(!edited.is_empty());
    }
}

pub fn texts(old: &[u8], new: &[u8]) {
    let same = text::difference(old, new, "a", "b") == text::Difference::Same;
    assert_eq!(same, old == new);
}

pub fn versions(a: &str, b: &str) {
    assert_eq!(compare_versions(a, b), compare_versions(b, a).reverse());
}

pub fn attribution(bytes: &[u8]) {
    let facts = PackageFacts {
        name: "x".into(),
        paths: lists::parse_list(bytes),
        texts: vec![bytes.to_vec()],
        ..PackageFacts::default()
    };
    let attribution = Attribution::new(vec![facts], [bytes]);
    let changed: Vec<ChangedPath<'_>> = bytes
        .split(|&byte| byte == b' ')
        .map(|path| ChangedPath {
            path,
            change: Change::Added,
            directory: path.len() % 2 == 0,
        })
        .collect();
    assert_eq!(attribution.judge(&changed).len(), changed.len());
}
