use super::*;

fn paths(paths: &[&str]) -> BTreeSet<PathBuf> {
    paths.iter().map(PathBuf::from).collect()
}

fn nginx() -> Unit {
    Unit {
        id: "nginx.service".into(),
        is_active: true,
        files: paths(&["/usr/lib/systemd/system/nginx.service"]),
        programs: paths(&["/usr/sbin/nginx"]),
        mapped: paths(&["/usr/sbin/nginx", "/usr/lib/x86_64-linux-gnu/libssl.so.3"]),
        ..Unit::default()
    }
}

fn changed(list: &[(&str, Fate)]) -> BTreeMap<PathBuf, Fate> {
    list.iter()
        .map(|(path, fate)| (PathBuf::from(path), *fate))
        .collect()
}

fn lists(services: &Services) -> [Vec<&str>; 3] {
    [&services.stop, &services.restart, &services.by_hand]
        .map(|list| list.iter().map(String::as_str).collect())
}

const NONE: Vec<&str> = Vec::new();

#[test]
fn a_unit_that_loses_its_file_or_its_program_is_stopped() {
    for path in ["usr/lib/systemd/system/nginx.service", "usr/sbin/nginx"] {
        let services = decide(&changed(&[(path, Fate::Goes)]), &[nginx()]);
        assert_eq!(
            lists(&services),
            [vec!["nginx.service"], NONE, NONE],
            "{path}"
        );
    }
}

#[test]
fn a_unit_of_which_anything_changes_is_restarted() {
    for path in [
        "usr/lib/systemd/system/nginx.service",
        "usr/sbin/nginx",
        "usr/lib/x86_64-linux-gnu/libssl.so.3",
        // A link into usr names the same file.
        "lib/x86_64-linux-gnu/libssl.so.3",
        "sbin/nginx",
        "etc/systemd/system/nginx.service.d/new.conf",
        "etc/systemd/system/service.d/all.conf",
    ] {
        let services = decide(&changed(&[(path, Fate::Changes)]), &[nginx()]);
        assert_eq!(
            lists(&services),
            [NONE, vec!["nginx.service"], NONE],
            "{path}"
        );
    }
    // A library that goes leaves the service its programs: it comes back with what it finds then.
    let library = "usr/lib/x86_64-linux-gnu/libssl.so.3";
    let services = decide(&changed(&[(library, Fate::Goes)]), &[nginx()]);
    assert_eq!(lists(&services), [NONE, vec!["nginx.service"], NONE]);
}

#[test]
fn what_does_not_concern_it_leaves_it_alone() {
    for path in [
        "usr/share/doc/nginx/copyright",
        "etc/nginx/nginx.conf",
        "usr/sbin/nginx-debug",
        "etc/systemd/system/ssh.service.d/a.conf",
    ] {
        let services = decide(&changed(&[(path, Fate::Changes)]), &[nginx()]);
        assert_eq!(lists(&services), [NONE, NONE, NONE], "{path}");
    }
    let idle = Unit {
        is_active: false,
        ..nginx()
    };
    let services = decide(&changed(&[("usr/sbin/nginx", Fate::Goes)]), &[idle]);
    assert!(services.is_nothing(), "{services:?}");
}

#[test]
fn an_instance_follows_its_template() {
    let cluster = Unit {
        id: "postgresql@17-main.service".into(),
        is_active: true,
        files: paths(&["/usr/lib/systemd/system/postgresql@.service"]),
        programs: paths(&["/usr/bin/pg_ctlcluster"]),
        mapped: paths(&["/usr/lib/postgresql/17/bin/postgres"]),
        ..Unit::default()
    };
    let program = decide(
        &changed(&[("usr/lib/postgresql/17/bin/postgres", Fate::Changes)]),
        std::slice::from_ref(&cluster),
    );
    assert_eq!(program.restart, ["postgresql@17-main.service"]);
    let added = "etc/systemd/system/postgresql@.service.d/limits.conf";
    let drop_in = decide(
        &changed(&[(added, Fate::Changes)]),
        std::slice::from_ref(&cluster),
    );
    assert_eq!(drop_in.restart, ["postgresql@17-main.service"]);
    let gone = decide(
        &changed(&[("usr/lib/systemd/system/postgresql@.service", Fate::Goes)]),
        &[cluster],
    );
    assert_eq!(gone.stop, ["postgresql@17-main.service"]);
}

#[test]
fn what_holds_the_user_is_left_to_the_user() {
    let change = changed(&[
        ("usr/lib/x86_64-linux-gnu/libssl.so.3", Fate::Changes),
        ("usr/sbin/nginx", Fate::Changes),
    ]);
    for unit in [
        Unit {
            id: "getty@tty1.service".into(),
            ..nginx()
        },
        Unit {
            id: "dbus.service".into(),
            ..nginx()
        },
        Unit {
            refuses: true,
            ..nginx()
        },
        Unit {
            holds_caller: true,
            ..nginx()
        },
    ] {
        let services = decide(&change, std::slice::from_ref(&unit));
        assert_eq!(lists(&services), [NONE, NONE, vec![unit.id.as_str()]]);
    }
    // Even what goes: stopping it would end the undo in the middle.
    let own = Unit {
        holds_caller: true,
        ..nginx()
    };
    let services = decide(&changed(&[("usr/sbin/nginx", Fate::Goes)]), &[own]);
    assert_eq!(lists(&services), [NONE, NONE, vec!["nginx.service"]]);
}

#[test]
fn units_are_read_anew_only_when_a_file_of_one_changed() {
    for (path, reload) in [
        ("usr/lib/systemd/system/nginx.service", true),
        ("lib/systemd/system/x.timer", true),
        (
            "etc/systemd/system/multi-user.target.wants/nginx.service",
            true,
        ),
        ("etc/init.d/nginx", true),
        ("etc/systemd/system", false),
        ("usr/sbin/nginx", false),
        ("etc/systemd/journald.conf", false),
    ] {
        assert_eq!(
            decide(&changed(&[(path, Fate::Changes)]), &[]).reload,
            reload,
            "{path}"
        );
    }
}

#[test]
fn restarting_nothing_leaves_all_of_it_to_the_user() {
    let mut services = decide(&changed(&[("usr/sbin/nginx", Fate::Changes)]), &[nginx()]);
    services.add_wanted(["ssh.service".to_owned()]);
    services.restart_nothing();
    let by_hand = vec!["nginx.service", "ssh.service"];
    assert_eq!(lists(&services), [NONE, NONE, by_hand]);
    assert_eq!(services.start, NONE);
}

#[test]
fn what_comes_and_is_wanted_is_started_sockets_first() {
    let change = changed(&[("usr/sbin/nginx", Fate::Changes)]);
    let mut services = decide(&change, &[nginx()]);
    let wanted = [
        "docker.service",
        "docker.socket",
        "gdm.service",
        "nginx.service",
        "apt.timer",
        "docker.socket",
    ];
    services.add_wanted(wanted.map(str::to_owned));
    assert_eq!(
        services.start,
        ["apt.timer", "docker.socket", "docker.service"]
    );
    // One that runs already is restarted; one that takes the screen is left to the user.
    assert_eq!(
        lists(&services),
        [NONE, vec!["nginx.service"], vec!["gdm.service"]]
    );
    assert!(!services.is_nothing());
}

#[test]
fn a_unit_is_in_one_list_at_most_whatever_changes() {
    let all = [
        "usr/lib/systemd/system/nginx.service",
        "usr/sbin/nginx",
        "usr/lib/x86_64-linux-gnu/libssl.so.3",
        "usr/share/x",
    ];
    // Every combination of the paths, each absent, changing or going.
    for mut number in 0..3_u32.pow(4) {
        let mut change = BTreeMap::new();
        for path in all {
            match number % 3 {
                1 => change.insert(PathBuf::from(path), Fate::Changes),
                2 => change.insert(PathBuf::from(path), Fate::Goes),
                _ => None,
            };
            number /= 3;
        }
        let services = decide(&change, &[nginx()]);
        let named: usize = lists(&services).iter().map(Vec::len).sum();
        let concerns = change.keys().any(|path| !path.ends_with("x"));
        assert_eq!(named, usize::from(concerns), "{change:?}: {services:?}");
    }
}
