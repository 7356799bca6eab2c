//! What an entered profile is made of, and what of it is seen outside.

use std::fs;

use crate::support::{Fixture, json_text, wait_until};

#[test]
fn loop_the_root_is_the_overlay_with_forced_options() {
    let fixture = Fixture::new();
    let (upper, base) = fixture.remember_upper();
    let mounts = fixture.printed("cat /proc/self/mountinfo");
    let root = mounts
        .lines()
        .find(|line| line.split(' ').nth(4) == Some("/"))
        .unwrap();
    assert!(
        root.contains(&format!(" overlay flipper-profile:{upper}:{base} ")),
        "{root}"
    );
    assert!(root.contains("redirect_dir=nofollow"), "{root}");
    let points: Vec<&str> = mounts
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .collect();
    for point in [
        "/proc", "/sys", "/dev", "/run", "/tmp", "/data", "/root", "/var/log", "/home",
    ] {
        assert!(points.contains(&point), "{point} in {points:?}");
    }
    // Nothing of the pool but @data and the state.
    for line in mounts.lines().filter(|line| line.contains(" - btrfs ")) {
        let from = line.split(' ').nth(3).unwrap();
        assert!(from == "/@data" || from.starts_with("/@state/"), "{line}");
    }
    // The pid namespace is its own, /sys refuses writes.
    assert_eq!(
        fixture
            .run("test -e /proc/1/exe && ! touch /sys/x 2>/dev/null")
            .status
            .code(),
        Some(0)
    );
}

#[test]
fn loop_nothing_is_seen_or_kept_outside() {
    let fixture = Fixture::new();
    let before = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let session = fixture.session("sleep 100");
    assert_eq!(fs::read_to_string("/proc/self/mountinfo").unwrap(), before);
    // The entry that waits lets go of the host's mounts when its command runs: it stands in an empty root.
    let own = format!("/proc/{}/mountinfo", session.child.id());
    let own = || fs::read_to_string(&own).unwrap();
    wait_until("the entry in an empty root", || own().lines().count() == 1);
}

#[test]
fn loop_what_is_written_goes_to_the_profile_and_stays() {
    let fixture = Fixture::new();
    fixture.printed("echo kept >/etc/new; echo gone >/run/new; echo gone >/tmp/new; echo log >/var/log/new; rm /etc/hostname");
    fixture.wait_until_gone();
    assert_eq!(fixture.printed("cat /etc/new /var/log/new"), "kept\nlog\n");
    assert_eq!(
        fixture.printed("ls /tmp; test ! -e /run/new; test ! -e /etc/hostname"),
        ""
    );
}

#[test]
fn loop_the_session_file_says_what_is_mounted() {
    let fixture = Fixture::new();
    let session = fixture.printed("cat /run/flipper-profile/session.json");
    assert_eq!(json_text(&session, "mode"), "entered");
    assert_eq!(json_text(&session, "base"), "one");
    assert!(
        json_text(&session, "device").starts_with("/dev/loop"),
        "{session}"
    );
}

#[test]
fn loop_names_are_resolved_as_on_the_host_and_the_profile_stays_clean() {
    let fixture = Fixture::new();
    let host = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    assert_eq!(fixture.printed("cat /etc/resolv.conf"), host);
    // A system with a local resolver has a link into /run.
    fixture.wait_until_gone();
    let covered = fixture.run("rm /etc/resolv.conf");
    assert!(!covered.status.success(), "a mount point cannot be removed");
}

#[test]
fn loop_services_are_told_not_to_start() {
    let fixture = Fixture::new();
    assert_eq!(
        fixture.run("/usr/sbin/policy-rc.d x start").status.code(),
        Some(101)
    );
    assert_eq!(
        fixture.run("test -e /run/systemd/system").status.code(),
        Some(1)
    );
    // Removed by somebody: put back. Replaced: covered.
    fixture.printed("rm /usr/sbin/policy-rc.d");
    fixture.wait_until_gone();
    assert_eq!(
        fixture.run("/usr/sbin/policy-rc.d x start").status.code(),
        Some(101)
    );
    fixture.printed("echo '#!/bin/sh' >/usr/sbin/policy-rc.d");
    fixture.wait_until_gone();
    assert_eq!(
        fixture.run("/usr/sbin/policy-rc.d x start").status.code(),
        Some(101)
    );
}
