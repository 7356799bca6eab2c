use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};

use super::*;

fn site(top: &Path) -> Site {
    for name in ["root", "upper", "base"] {
        fs::create_dir_all(top.join(name)).unwrap();
    }
    Site {
        root: top.join("root"),
        upper: top.join("upper"),
        base: top.join("base"),
    }
}

#[test]
fn only_directories_of_the_base_are_in_the_way() {
    let top = tempfile::tempdir().unwrap();
    let site = site(top.path());
    for path in [
        "root/usr/share/a",
        "base/usr/share/a",
        "root/usr/share/new",
        "upper/usr/share/new",
        "root/usr/lib",
        "base/usr/lib",
    ] {
        fs::create_dir_all(top.path().join(path)).unwrap();
    }
    fs::write(top.path().join("root/usr/share/file"), "").unwrap();
    symlink("usr/lib", top.path().join("root/lib")).unwrap();
    let of = |path: &str| site.directory_of_base(Path::new(path)).unwrap();
    assert_eq!(of("/usr/share/a"), Some("usr/share/a".into()));
    assert_eq!(of("/usr/share/new"), None, "of the upper alone");
    assert_eq!(of("/usr/share/file"), None);
    assert_eq!(of("/usr/share/none"), None);
    assert_eq!(
        of("/lib"),
        None,
        "a symlink to a directory is replaced as a symlink"
    );
    assert_eq!(of("relative"), None);
    assert_eq!(of("/"), None);
}

#[test]
fn an_inner_directory_goes_with_its_outer_one() {
    let paths: Vec<PathBuf> = ["b/c", "a", "b", "ab", "a"]
        .iter()
        .map(PathBuf::from)
        .collect();
    assert_eq!(
        outermost(&paths),
        [
            &PathBuf::from("a"),
            &PathBuf::from("ab"),
            &PathBuf::from("b")
        ]
    );
}

/// A root with one directory, and the entry of a journal for it.
fn directory(top: &Path) -> (PathBuf, PathBuf, Entry) {
    let (path, copy) = (top.join("etc/d"), top.join("etc/.flipper-profile-x-0"));
    fs::create_dir_all(path.join("sub")).unwrap();
    fs::write(path.join("sub/file"), "content").unwrap();
    (
        path,
        copy,
        Entry {
            path: "etc/d".into(),
            copy: ".flipper-profile-x-0".into(),
        },
    )
}

#[test]
fn the_copy_takes_the_place() {
    let top = tempfile::tempdir().unwrap();
    let (path, copy, entry) = directory(top.path());
    assert_eq!(
        places(top.path(), &entry).unwrap(),
        (path.clone(), copy.clone())
    );
    let before = fs::metadata(&path).unwrap();
    tree::copy_tree(&path, &copy, &|_| false, &|_, _| true).unwrap();
    replace(&path, &copy).unwrap();
    let after = fs::metadata(&path).unwrap();
    assert_ne!(before.ino(), after.ino());
    assert_eq!(
        (before.mode(), before.mtime_nsec()),
        (after.mode(), after.mtime_nsec())
    );
    assert_eq!(fs::read(path.join("sub/file")).unwrap(), b"content");
    assert!(!copy.exists());
    // Cut in the middle of the removal: the rest goes, the copy comes.
    tree::copy_tree(&path, &copy, &|_| false, &|_, _| true).unwrap();
    fs::remove_dir_all(path.join("sub")).unwrap();
    replace(&path, &copy).unwrap();
    assert!(path.join("sub/file").exists());
}

#[test]
fn finished_late_it_takes_no_place_that_a_package_took() {
    let top = tempfile::tempdir().unwrap();
    let (path, copy, entry) = directory(top.path());
    let payload = Payload {
        directories: vec![entry],
    };
    let steps = [copied(0)];
    tree::copy_tree(&path, &copy, &|_| false, &|_, _| true).unwrap();
    fs::remove_dir_all(&path).unwrap();
    fs::write(&path, "the package's file").unwrap();
    finish_steps(top.path(), &payload, &steps).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"the package's file");
    assert!(!copy.exists());
    // Where nothing stands the copy comes.
    fs::remove_file(&path).unwrap();
    fs::create_dir(&copy).unwrap();
    finish_steps(top.path(), &payload, &steps).unwrap();
    assert!(path.is_dir() && !copy.exists());
}

#[test]
fn a_damaged_record_touches_nothing() {
    for (path, copy) in [
        ("../etc", "x"),
        ("/etc", "x"),
        ("", "x"),
        ("etc", "../x"),
        ("etc", ""),
        ("etc/%2e%2e/usr", "x"),
        ("%", "x"),
    ] {
        let entry = Entry {
            path: path.into(),
            copy: copy.into(),
        };
        assert!(
            places(Path::new("/nowhere"), &entry).is_err(),
            "{path} {copy}"
        );
    }
}
