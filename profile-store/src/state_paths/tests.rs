use super::*;

#[test]
fn state_covers_the_mount_point_and_what_is_below() {
    let paths = defaults();
    assert!(covers(&paths, Path::new("var/log")));
    assert!(covers(&paths, Path::new("var/log/apt/history.log")));
    assert!(!covers(&paths, Path::new("var/logs")));
    assert!(!covers(&paths, Path::new("var")));
}

#[test]
fn system_directories_are_refused_as_state() {
    for path in [
        "/etc",
        "/",
        "/var",
        "/usr/share",
        "var/lib/x",
        "/a/../b",
        "/a/./b",
        "/a/",
        "/lib",
        "/lib/modules",
        "/lib64",
        "/bin",
        "/sbin/x",
        "/var/run",
        "/var/lock/x",
    ] {
        assert!(check_extra(path).is_err(), "{path}");
    }
    check_extra("/var/lib/mysql, /library").unwrap();
}

#[test]
fn state_paths_do_not_overlap() {
    for policy in [
        "/home/x",
        "/root/.cache",
        "/var/log",
        "/var/cache",
        "/opt/db,/opt/db/log",
        "/opt/db/log,/opt/db",
        "/opt,/opt",
    ] {
        let error = check_extra(policy).unwrap_err().to_string();
        assert!(error.contains("overlaps"), "{policy}: {error}");
    }
    check_extra("/opt/db,/opt/db2").unwrap();
}

#[test]
fn a_symlink_does_not_make_a_system_directory_or_another_state_path_state() {
    use std::os::unix::fs::symlink;

    let merged = tempfile::tempdir().unwrap();
    let at = |path: &str| merged.path().join(path);
    for directory in ["etc/x", "usr/lib", "home/ann", "opt/db", "plain"] {
        std::fs::create_dir_all(at(directory)).unwrap();
    }
    for (path, target) in [
        ("settings", "/etc/x"),
        ("opt/lib", "../usr/lib"),
        ("people", "home"),
        ("loop", "loop"),
        ("same", "/opt/db"),
    ] {
        symlink(target, at(path)).unwrap();
    }
    for policy in [
        "/settings",
        "/opt/lib",
        "/opt/lib/new",
        "/people/ann",
        "/loop",
        "/opt/db,/same",
    ] {
        check_extra(policy).unwrap();
        assert!(check_extra_in(merged.path(), policy).is_err(), "{policy}");
    }
    check_extra_in(merged.path(), "/opt/db,/plain,/not/there").unwrap();
}

#[test]
fn a_symlink_that_came_later_is_not_followed_into_the_system() {
    use std::os::unix::fs::symlink;

    let merged = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(merged.path().join("etc/db")).unwrap();
    symlink("/etc", merged.path().join("opt")).unwrap();
    assert_eq!(mount_point(merged.path(), &extra("/opt/db")).unwrap(), None);
    let lists = defaults()
        .into_iter()
        .find(|path| path.path.ends_with("lists"));
    std::fs::create_dir_all(merged.path().join("var/lib/apt/lists")).unwrap();
    assert!(
        mount_point(merged.path(), &lists.unwrap())
            .unwrap()
            .is_some()
    );
}

#[test]
fn renewing_follows_no_symlink_and_keeps_what_packages_own() {
    use std::os::unix::fs::symlink;

    let directory = tempfile::tempdir().unwrap();
    let at = |path: &str| directory.path().join(path);
    for path in [
        "host",
        "state/opt/db/owned",
        "state/opt/db/made",
        "merged/var/lib/dpkg/info",
        "merged/opt/db/owned",
    ] {
        std::fs::create_dir_all(at(path)).unwrap();
    }
    std::fs::write(at("host/kept"), "").unwrap();
    std::fs::write(at("state/opt/db/owned/old"), "").unwrap();
    std::fs::write(at("merged/opt/db/new"), "").unwrap();
    std::fs::write(
        at("merged/var/lib/dpkg/info/db.list"),
        "/opt\n/opt/db\n/opt/db/owned\n/opt/db/link\n",
    )
    .unwrap();
    symlink(at("host"), at("state/opt/db/link")).unwrap();
    renew(&at("state"), &[extra("/opt/db")], &at("merged")).unwrap();
    assert_eq!(file::list(&at("state/opt/db")).unwrap(), ["new", "owned"]);
    assert!(file::list(&at("state/opt/db/owned")).unwrap().is_empty());

    // Reached through a symlink it is not the profile's own.
    std::fs::remove_dir_all(at("state/opt")).unwrap();
    symlink(at("host"), at("state/opt")).unwrap();
    std::fs::create_dir(at("host/db")).unwrap();
    std::fs::write(at("host/db/kept"), "").unwrap();
    renew(&at("state"), &[extra("/opt/db")], &at("merged")).unwrap();
    assert!(at("host/db/kept").exists() && at("host/kept").exists());
}

#[test]
fn a_state_path_without_a_place_loses_its_directory_when_it_is_renewed() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    std::fs::create_dir_all(state.join("opt/db/x")).unwrap();
    std::fs::create_dir_all(directory.path().join("merged/var/lib/dpkg/info")).unwrap();
    renew(
        &state,
        &[extra("/opt/db")],
        &directory.path().join("merged"),
    )
    .unwrap();
    assert!(!state.join("opt/db").exists());
}

#[test]
fn a_file_of_a_package_is_no_directory_of_it() {
    let merged = tempfile::tempdir().unwrap();
    let info = merged.path().join("var/lib/dpkg/info");
    std::fs::create_dir_all(&info).unwrap();
    let list = "/.\n/opt\n/opt/app\n/opt/app/empty\n/opt/app/a file\n/usr/x\n";
    std::fs::write(info.join("app:amd64.list"), list).unwrap();
    std::fs::write(info.join("app:amd64.md5sums"), "0123  opt/app/a file\n").unwrap();
    std::fs::write(
        info.join("other.list"),
        "/.\n/opt\n/opt/app\n/opt/app/more\n",
    )
    .unwrap();
    let found = package_directories(merged.path(), &[extra("/opt")]).unwrap();
    let expected = ["opt/app", "opt/app/empty", "opt/app/more"].map(PathBuf::from);
    assert_eq!(found, HashSet::from(expected));
}

#[test]
fn what_stands_in_a_directorys_place_is_left_and_not_followed() {
    use std::os::unix::fs::symlink;

    let (state, host) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    symlink(host.path(), state.path().join("link")).unwrap();
    std::fs::write(state.path().join("file"), "").unwrap();
    let root = tree::Root::open(state.path()).unwrap();
    let make = |path: &str| make_directories(&root, Path::new(path)).unwrap();
    assert!(!make("link/below") && !make("file/below"));
    assert!(make("a/b") && !make("a/b") && make("a/c"));
    assert!(state.path().join("a/c").is_dir());
    assert_eq!(std::fs::read_dir(host.path()).unwrap().count(), 0);
}

#[test]
fn a_symlink_on_the_way_means_a_place_in_the_tree_and_one_at_the_end_is_respected() {
    use std::os::unix::fs::symlink;

    let merged = tempfile::tempdir().unwrap();
    let at = |path: &str| merged.path().join(path);
    std::fs::create_dir_all(at("opt/var/log")).unwrap();
    std::fs::create_dir(at("data")).unwrap();
    symlink("/opt/var", at("var")).unwrap();
    symlink("/data", at("srv")).unwrap();
    let found = |path: &str| place_in(merged.path(), Path::new(path)).unwrap();
    assert_eq!(found("/var/log"), Some(at("opt/var/log")));
    assert_eq!(found("/data"), Some(at("data")));
    assert_eq!(found("/srv"), None);
    assert_eq!(found("/home"), None);
}
