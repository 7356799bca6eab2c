//! Maintainer scripts and lists: which package a changed path is of.

#![no_main]

use conffile_diff::attribution::{Attribution, Change, ChangedPath, PackageFacts};
use conffile_diff::dpkg::info;
use conffile_diff::text;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let facts = PackageFacts {
        name: "x".into(),
        paths: info::parse_list(bytes),
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
    let (old, new) = bytes.split_at(bytes.len() / 2);
    let same = text::difference(old, new, "a", "b") == text::Difference::Same;
    assert_eq!(same, old == new);
});
