use std::os::unix::fs::symlink;

use super::*;

/// A profile and a base of files named with their content; a directory ends in a slash.
fn merged(upper: &[&str], base: &[&str]) -> (tempfile::TempDir, Merged) {
    let top = tempfile::tempdir().unwrap();
    for (side, names) in [("profile/upper", upper), ("base", base)] {
        std::fs::create_dir_all(top.path().join(side)).unwrap();
        for name in names {
            let path = top.path().join(side).join(name);
            match name.ends_with('/') {
                true => std::fs::create_dir_all(path).unwrap(),
                false => {
                    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                    std::fs::write(path, format!("{side} {name}")).unwrap();
                }
            }
        }
    }
    let tree = Merged::new(&top.path().join("profile"), &top.path().join("base"));
    (top, tree)
}

#[test]
fn the_upper_hides_the_base() {
    let (top, tree) = merged(&["etc/both", "usr"], &["etc/both", "etc/base", "usr/x"]);
    assert_eq!(
        tree.read(Path::new("etc/both")).unwrap(),
        b"profile/upper etc/both"
    );
    assert_eq!(tree.read(Path::new("etc/base")).unwrap(), b"base etc/base");
    assert_eq!(tree.list(Path::new("etc")).unwrap(), ["base", "both"]);
    // A file where the base has a directory hides all of it.
    assert_eq!(tree.find(Path::new("usr/x")).unwrap(), None);
    assert_eq!(tree.find(Path::new("none/x")).unwrap(), None);
    let root = tree.find(Path::new("")).unwrap().unwrap();
    assert_eq!(root.side, top.path().join("profile/upper"));
}

#[test]
fn a_path_is_what_its_symlinks_make_of_it() {
    let (top, tree) = merged(&["usr/bin/x"], &["usr/lib/", "etc/file"]);
    symlink("usr/bin", top.path().join("base/bin")).unwrap();
    symlink("/etc/file", top.path().join("base/link")).unwrap();
    for (typed, place) in [
        ("/bin/x", "usr/bin/x"),
        ("/bin/new/er", "usr/bin/new/er"),
        ("/usr/lib/../bin/x", "usr/bin/x"),
        ("/link", "link"),
        ("/bin", "bin"),
        ("/", ""),
        ("/bin/..", "usr"),
    ] {
        let found = tree.place(Path::new(typed)).unwrap();
        assert_eq!(found.as_deref(), Some(Path::new(place)), "{typed}");
    }
    assert_eq!(tree.place(Path::new("/etc/file/x/y")).unwrap(), None);
}

#[test]
fn trees_are_compared_path_by_path() {
    let (_one, older) = merged(&["etc/a", "etc/gone"], &["etc/same"]);
    let (_other, newer) = merged(&["etc/a", "etc/new"], &[]);
    let differ = |path: &str| older.differ(&newer, Path::new(path)).unwrap();
    assert_eq!(differ("etc/a"), None);
    assert_eq!(differ("etc/gone"), Some(ChangeKind::Removed));
    assert_eq!(differ("etc/new"), Some(ChangeKind::Added));
    assert_eq!(differ("etc/same"), Some(ChangeKind::Removed));
    std::fs::write(newer.upper.as_ref().unwrap().join("etc/a"), "x").unwrap();
    assert_eq!(differ("etc/a"), Some(ChangeKind::Content));
}

#[test]
fn packages_own_what_their_lists_have() {
    let info = "var/lib/dpkg/info";
    let names = [format!("{info}/one.list"), format!("{info}/two:amd64.list")];
    let (top, tree) = merged(&[&names[0]], &[&names[1], &format!("{info}/one.md5sums")]);
    let write = |side: &str, name: &str, text: &str| {
        std::fs::write(top.path().join(side).join(name), text).unwrap();
    };
    write("profile/upper", &names[0], "/.\n/etc\n/etc/x\n");
    write("base", &names[1], "/.\n/etc\n/lib/y\n");
    let owners = |path: &str| tree.owners(Path::new(path)).unwrap();
    assert_eq!(owners("etc/x"), [("one".to_owned(), None)]);
    assert_eq!(
        owners("usr/lib/y"),
        [("two".to_owned(), Some("amd64".to_owned()))]
    );
    assert_eq!(owners("etc").len(), 2);
    assert!(owners("etc/z").is_empty());
}
