//! Chains of processes as /proc shows them, and what they come to.

use super::*;

/// A chain from its nearest process on; the words of a command line stand between blanks.
fn chain(processes: &[(u32, &str, &str)]) -> Vec<Info> {
    let parents = processes.iter().skip(1).map(|process| process.0).chain([0]);
    processes
        .iter()
        .zip(parents)
        .map(|(&(pid, comm, cmdline), ppid)| Info {
            pid,
            ppid,
            comm: comm.to_owned(),
            cmdline: cmdline
                .split(' ')
                .map(|word| word.as_bytes().to_vec())
                .collect(),
            start_time: u64::from(pid) * 100,
        })
        .collect()
}

const HOOK: &str = "sh -c -- test";

/// Front end, its grouping, and the pids of the committing process and of the owner.
fn told(processes: &[(u32, &str, &str)]) -> Option<(String, Grouping, u32, u32)> {
    told_when(Started::Directly, processes)
}

fn told_when(
    started: Started,
    processes: &[(u32, &str, &str)],
) -> Option<(String, Grouping, u32, u32)> {
    let chain = chain(processes);
    recognise(&chain, started).map(|found| {
        (
            found.name,
            found.grouping,
            chain[found.commit].pid,
            chain[found.owner].pid,
        )
    })
}

#[test]
fn one_transaction_per_process_of_apt() {
    for (comm, line, name) in [
        ("apt", "apt install jq", "apt"),
        ("apt-get", "/usr/bin/apt-get -y install jq", "apt-get"),
        ("aptitude", "aptitude install jq", "aptitude"),
        ("aptitude-curses", "aptitude-curses", "aptitude"),
    ] {
        let found = told(&[
            (31, "sh", HOOK),
            (30, comm, line),
            (20, "bash", "-bash"),
            (2, "sshd", "sshd: root@pts/0"),
            (1, "systemd", "/sbin/init"),
        ]);
        assert_eq!(found, Some((name.to_owned(), Grouping::Commit, 30, 30)));
    }
}

#[test]
fn pre_plan_and_post_of_one_apt_name_the_same_process() {
    let rest = [
        (30, "apt-get", "apt-get install jq"),
        (20, "bash", "-bash"),
        (1, "systemd", "/sbin/init"),
    ];
    let mut pre = vec![(33, "sh", HOOK), (32, "apt-get", "apt-get install jq")];
    pre.extend(rest);
    let mut plan = vec![(34, "sh", "sh -c test")];
    plan.extend(rest);
    let expected = Some(("apt-get".to_owned(), Grouping::Commit, 30, 30));
    assert_eq!(told_when(Started::ByCopy, &pre), expected);
    assert_eq!(told_when(Started::Directly, &plan), expected);
}

#[test]
fn the_shell_may_have_become_the_hook() {
    let found = told(&[
        (30, "apt-get", "apt-get install jq"),
        (1, "run", "flipper-profile run demo"),
    ]);
    assert_eq!(found.unwrap().2, 30);
}

#[test]
fn unattended_upgrades_is_one_run_though_it_forks_for_each_commit() {
    let script = "/usr/bin/python3 /usr/bin/unattended-upgrade -v";
    let found = told(&[
        (53, "sh", HOOK),
        (52, "unattended-upgr", script),
        (50, "unattended-upgr", script),
        (
            40,
            "apt.systemd.dai",
            "/bin/sh /usr/lib/apt/apt.systemd.daily install",
        ),
        (
            39,
            "apt.systemd.dai",
            "/bin/sh /usr/lib/apt/apt.systemd.daily lock_is_held install",
        ),
        (1, "systemd", "/sbin/init"),
    ]);
    assert_eq!(
        found,
        Some(("unattended-upgrades".to_owned(), Grouping::Run, 52, 50))
    );
}

#[test]
fn the_daemon_that_waits_for_shutdown_is_no_run() {
    // The kernel's name of both is `unattended-upgr`.
    let daemon = "/usr/bin/python3 /usr/share/unattended-upgrades/unattended-upgrade-shutdown --wait-for-signal";
    let found = told(&[
        (53, "sh", HOOK),
        (52, "apt-get", "apt-get -y upgrade"),
        (50, "unattended-upgr", daemon),
    ]);
    assert_eq!(
        found,
        Some(("apt-get".to_owned(), Grouping::Commit, 52, 52))
    );
}

#[test]
fn a_release_upgrade_is_one_run_whatever_it_starts() {
    let run = [
        (
            60,
            "do-release-upgr",
            "/usr/bin/python3 /usr/bin/do-release-upgrade",
        ),
        (10, "bash", "-bash"),
        (1, "systemd", "/sbin/init"),
    ];
    let worker = (
        62,
        "dist-upgrade.py",
        "/usr/bin/python3 -u /tmp/x/dist-upgrade.py --mode=server",
    );
    for nearest in [
        (70, "dpkg", "dpkg --configure -a"),
        (70, "apt-get", "apt-get -y install ubuntu-minimal"),
        (
            70,
            "dist-upgrade.py",
            "/usr/bin/python3 -u /tmp/x/dist-upgrade.py --mode=server",
        ),
    ] {
        let mut processes = vec![(71, "sh", HOOK), nearest, worker];
        processes.extend(run);
        assert_eq!(
            told(&processes),
            Some(("do-release-upgrade".to_owned(), Grouping::Run, 70, 60))
        );
    }
}

#[test]
fn a_daemon_owns_nothing_its_child_that_commits_does() {
    let found = told(&[
        (82, "sh", HOOK),
        (81, "packagekitd", "/usr/libexec/packagekitd"),
        (80, "packagekitd", "/usr/libexec/packagekitd"),
        (1, "systemd", "/sbin/init"),
    ]);
    let expected = Some(("packagekitd".to_owned(), Grouping::Commit, 81, 81));
    assert_eq!(found, expected);
    // Only the one copy that libapt makes for its scripts is passed over.
    let pre = told_when(
        Started::ByCopy,
        &[
            (84, "sh", HOOK),
            (83, "packagekitd", "/usr/libexec/packagekitd"),
            (81, "packagekitd", "/usr/libexec/packagekitd"),
            (80, "packagekitd", "/usr/libexec/packagekitd"),
            (1, "systemd", "/sbin/init"),
        ],
    );
    assert_eq!(pre, expected);
}

#[test]
fn an_unknown_program_is_called_by_its_name() {
    for (comm, line, name) in [
        (
            "python3",
            "python3 /opt/tools/my-updater.py --all",
            "my-updater.py",
        ),
        ("python3", "python3 -c import apt", "python3"),
        ("updater", "/opt/updater", "updater"),
        ("perl", "perl /usr/bin/thing", "thing"),
        ("perl", "perl5.40.1 -w /usr/bin/thing", "thing"),
        ("thing", "", "thing"),
    ] {
        let found = told(&[
            (31, "sh", HOOK),
            (30, comm, line),
            (1, "systemd", "/sbin/init"),
        ])
        .unwrap();
        assert_eq!(
            (found.0.as_str(), found.1),
            (name, Grouping::Commit),
            "{line}"
        );
    }
}

#[test]
fn nobody_is_left_when_the_shell_was_inherited() {
    assert_eq!(
        told(&[(31, "sh", HOOK), (1, "systemd", "/sbin/init")]),
        None
    );
    assert_eq!(told(&[(31, "sh", HOOK)]), None);
    assert_eq!(told(&[]), None);
}

#[test]
fn a_script_is_no_shell() {
    let found = told(&[
        (31, "sh", HOOK),
        (30, "install-all", "/bin/sh /usr/local/bin/install-all"),
        (1, "x", "x"),
    ]);
    assert_eq!(found.unwrap().0, "install-all");
}

#[test]
fn the_dpkg_that_started_the_hook_is_found() {
    let bare = chain(&[
        (31, "sh", HOOK),
        (30, "dpkg", "dpkg -i a.deb"),
        (20, "bash", "bash"),
    ]);
    assert_eq!(dpkg(&bare).unwrap().pid, 30);
    let apt = chain(&[(31, "sh", HOOK), (30, "apt", "apt install a")]);
    assert_eq!(dpkg(&apt), None);
}

#[test]
fn a_command_line_can_be_typed_again() {
    let words = |text: &[&str]| {
        text.iter()
            .map(|word| word.as_bytes().to_vec())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        command_line(&words(&["apt-get", "-y", "install", "jq=1.7.1-6"])),
        "apt-get -y install jq=1.7.1-6"
    );
    assert_eq!(
        command_line(&words(&["apt", "-o", "A=b c", "install", "it's", "", "a*"])),
        r"apt -o 'A=b c' install 'it'\''s' '' 'a*'"
    );
}
