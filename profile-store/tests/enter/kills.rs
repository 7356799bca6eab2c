//! Whatever is killed: nothing stays mounted, and the next entry works.

use std::fs;
use std::process::{Command, Stdio};

use crate::support::{Fixture, enter, kill, wait_until};

/// The next entry works, and after it nothing is left.
fn works_again(fixture: &Fixture) {
    let output = fixture.run("echo again");
    assert_eq!(
        (output.status.code(), &output.stdout[..]),
        (Some(0), &b"again\n"[..]),
        "{output:?}"
    );
    fixture.wait_until_gone();
}

#[test]
fn loop_the_death_of_the_holder_ends_every_session() {
    let fixture = Fixture::new();
    fixture.remember_upper();
    let (mut one, mut two) = (fixture.session("sleep 100"), fixture.session("sleep 100"));
    kill(fixture.holder().expect("a holder"));
    // At once: what the dying holder still has must not be in the way.
    works_again(&fixture);
    assert_eq!((one.end(), two.end()), (Some(137), Some(137)));
    fixture.wait_until_gone();
}

#[test]
fn loop_the_death_of_an_entry_ends_its_command_and_no_other() {
    let fixture = Fixture::new();
    fixture.remember_upper();
    let mut staying = fixture.session("sleep 100");
    let mut dying = fixture.session("touch /run/there; exec sleep 1000");
    kill(dying.child.id());
    dying.end();
    wait_until("its command is gone", || {
        !fixture
            .printed("cat /proc/[0-9]*/cmdline")
            .contains("sleep\u{0}1000")
    });
    kill(staying.child.id());
    staying.end();
    fixture.wait_until_gone();
    works_again(&fixture);
}

#[test]
fn loop_everything_killed_at_once_leaves_nothing() {
    let fixture = Fixture::new();
    fixture.remember_upper();
    let (mut one, mut two) = (fixture.session("sleep 100"), fixture.session("sleep 100"));
    let holder = fixture.holder().expect("a holder");
    let pids = [one.child.id(), holder, two.child.id()].map(|pid| pid.to_string());
    assert!(
        Command::new("kill")
            .arg("-KILL")
            .args(&pids)
            .status()
            .unwrap()
            .success()
    );
    one.end();
    two.end();
    fixture.wait_until_gone();
    works_again(&fixture);
}

#[test]
fn loop_a_stopped_entry_does_not_keep_a_dead_holders_mounts() {
    let fixture = Fixture::new();
    fixture.remember_upper();
    let mut stopped = fixture.session("sleep 100");
    crate::support::signal(stopped.child.id(), "STOP");
    kill(fixture.holder().expect("a holder"));
    let output = fixture.run("echo again");
    assert_eq!(output.stdout, b"again\n", "{output:?}");
    crate::support::signal(stopped.child.id(), "CONT");
    assert_eq!(stopped.end(), Some(137));
    fixture.wait_until_gone();
}

/// Every effect of starting a holder and a session, killed there.
#[test]
fn loop_a_kill_at_any_point_leaves_nothing() {
    let fixture = Fixture::new();
    let (upper, _) = fixture.remember_upper();
    fixture.wait_until_gone();
    let trace = fixture.directory.path().join("trace");
    let output = fixture
        .entry("true")
        .env("FLIPPER_FAULT_TRACE", &trace)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    fixture.wait_until_gone();
    let text = fs::read_to_string(&trace).unwrap();
    // Each process goes on counting where its parent stood, so one number can be reached by several: the entry,
    // the launcher, the holder and the command. All of them die there.
    let last = text
        .lines()
        .filter_map(|line| line.split(' ').next()?.parse::<u32>().ok())
        .max()
        .unwrap();
    assert!(text.contains(" mount-overlay-on ") && last > 20, "{text}");
    for number in 1..=last {
        let output = fixture
            .entry("true")
            .env("FLIPPER_FAULT_AT", number.to_string())
            .stdout(Stdio::null())
            .output()
            .unwrap();
        let mounts = fixture.mounts();
        assert!(
            output.status.success()
                || !mounts.iter().any(|line| line.contains(&upper))
                || fixture.holder().is_none(),
            "point {number}: {mounts:?}"
        );
        fixture.wait_until_gone();
    }
    works_again(&fixture);
}

#[test]
fn loop_a_profile_that_is_mounted_elsewhere_is_refused() {
    let fixture = Fixture::new();
    let (upper, base) = fixture.remember_upper();
    fixture.wait_until_gone();
    let place = fixture.directory.path().join("elsewhere");
    for name in ["a", "b", "m"] {
        fs::create_dir_all(place.join(name)).unwrap();
    }
    // Only the source string tells; the layers could be reached by any path by now.
    let script = format!(
        "mount -t overlay flipper-profile:{upper}:{base} -o lowerdir=a:b m && echo mounted && exec sleep 100"
    );
    let mut other = Command::new("unshare")
        .args(["--mount", "sh", "-c", &script])
        .current_dir(&place)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = [0; 8];
    std::io::Read::read_exact(other.stdout.as_mut().unwrap(), &mut said).unwrap();
    let output = fixture.run("true");
    assert_eq!(output.status.code(), Some(125));
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("in use"),
        "{output:?}"
    );
    other.kill().unwrap();
    other.wait().unwrap();
    works_again(&fixture);
}

#[test]
fn loop_a_profile_that_is_gone_or_a_base_that_vanished_is_refused() {
    let fixture = Fixture::new();
    let output = enter()
        .arg("run")
        .arg(&fixture.image)
        .args(["nobody", "--", "true"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(125), "{output:?}");
    fixture.wait_until_gone();
}
