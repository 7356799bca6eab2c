use super::*;

fn change(path: &str, kind: ChangeKind) -> Change {
    Change {
        path: path.into(),
        kind,
        old: Some(Kind::File),
        new: Some(Kind::File),
    }
}

fn refused(path: &str) -> Option<Refused> {
    match refuse(Path::new(path), &state_paths::defaults()) {
        Ok(()) => None,
        Err(Error::NotRestorable(refused)) => Some(refused),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn what_is_in_no_snapshot_or_must_not_come_alone_is_refused() {
    for (path, wanted) in [
        ("run/x", "/run"),
        ("data", "/data"),
        ("proc/1/maps", "/proc"),
    ] {
        match refused(path) {
            Some(Refused::NoPart { mount, .. }) => assert_eq!(mount, Path::new(wanted)),
            other => panic!("{path}: {other:?}"),
        }
    }
    assert!(matches!(refused("var/log/x"), Some(Refused::State { .. })));
    assert_eq!(refused(""), Some(Refused::Root));
    assert!(matches!(refused("root"), Some(Refused::State { .. })));
    for path in ["var/lib/dpkg", "var/lib/dpkg/info/x.list"] {
        assert!(
            matches!(refused(path), Some(Refused::PackageDatabase { .. })),
            "{path}"
        );
    }
    for path in ["etc", "var", "var/lib/dpkgx", "runner", "etc/run"] {
        assert_eq!(refused(path), None, "{path}");
    }
}

#[test]
fn a_directory_that_holds_a_changed_database_is_refused() {
    let lib = Path::new("var/lib");
    let other = [change("var/lib/x", ChangeKind::Content)];
    assert!(refuse_database(lib, &other).is_ok());
    let database = [change("var/lib/dpkg/status", ChangeKind::Content)];
    let error = refuse_database(lib, &database).unwrap_err();
    assert!(
        error.to_string().contains("/var/lib/dpkg/status"),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("undo N"));
}

#[test]
fn links_come_beside_what_differs_anyway() {
    let mut restore = vec![change("opt/b", ChangeKind::Content)];
    with_links(
        &mut restore,
        ["opt/a", "opt/b", "opt/c"].map(PathBuf::from).into(),
    );
    let found: Vec<_> = restore
        .iter()
        .map(|change| (change.path.to_str().unwrap(), change.kind))
        .collect();
    assert_eq!(
        found,
        [
            ("opt/a", ChangeKind::Metadata),
            ("opt/b", ChangeKind::Content),
            ("opt/c", ChangeKind::Metadata)
        ]
    );
}

#[test]
fn directories_of_what_is_restored_keep_their_times() {
    let restore = [
        change("etc/d/a", ChangeKind::Content),
        change("etc/d/e/b", ChangeKind::Content),
    ];
    let delta = [
        change("etc/d/a", ChangeKind::Content),
        change("etc/d/e/b", ChangeKind::Content),
        change("etc/d/t", ChangeKind::Times),
    ];
    let found = times(Path::new("etc/d"), &restore, &delta);
    assert_eq!(found, ["etc/d", "etc/d/e", "etc/d/t"].map(PathBuf::from));
    // Of a single file the directory is somebody else's.
    let found = times(Path::new("etc/d/a"), &restore[..1], &delta[..1]);
    assert!(found.is_empty());
}

/// A profile whose upper has these files (or, ending in a slash, directories), over an empty base.
fn tree(names: &[&str]) -> (tempfile::TempDir, Merged) {
    let top = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(top.path().join("profile/upper")).unwrap();
    std::fs::create_dir_all(top.path().join("base")).unwrap();
    for name in names {
        let path = top.path().join("profile/upper").join(name);
        match name.ends_with('/') {
            true => std::fs::create_dir_all(path).unwrap(),
            false => std::fs::write(path, "").unwrap(),
        }
    }
    let merged = Merged::new(&top.path().join("profile"), &top.path().join("base"));
    (top, merged)
}

#[test]
fn directories_that_are_gone_come_with_the_path() {
    let (_top, present) = tree(&["opt/", "file"]);
    let missing = missing_directories(&present, Path::new("opt/a/b/c")).unwrap();
    let paths: Vec<_> = missing.iter().map(|change| change.path.as_path()).collect();
    assert_eq!(paths, [Path::new("opt/a"), Path::new("opt/a/b")]);
    assert!(
        missing_directories(&present, Path::new("opt/x"))
            .unwrap()
            .is_empty()
    );
    let error = missing_directories(&present, Path::new("file/x")).unwrap_err();
    assert_eq!(error.situation(), "not-restorable");
}

#[test]
fn a_path_is_looked_for_as_the_snapshot_calls_it() {
    let (top, then) = tree(&["usr/bin/", "usr/bin/x"]);
    std::os::unix::fs::symlink("usr/bin", top.path().join("profile/upper/bin")).unwrap();
    let found = |path: &str| place(&then, Path::new(path), "1-pre");
    assert_eq!(found("usr/bin/x").unwrap(), Path::new("usr/bin/x"));
    assert_eq!(found("bin/x").unwrap(), Path::new("usr/bin/x"));
    assert_eq!(found("bin").unwrap(), Path::new("bin"));
    for path in ["usr/bin/y", "none/x"] {
        assert_eq!(
            found(path).unwrap_err().situation(),
            "not-restorable",
            "{path}"
        );
    }
}
