//! Whatever is killed: nothing stays mounted, and the next entry works.

use std::fs;
use std::process::{Command, Stdio};

use crate::support::{Fixture, enter, kill, signal_all, wait_until};

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
    signal_all(&[one.child.id(), holder, two.child.id()], "KILL");
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

/// Runs an entry once for every effect of it, with a fault at that effect; how many of them failed.
///
/// Each process goes on counting where its parent stood, so one number is reached by several: the entry, the
/// launcher, the holder and the command. The fault strikes all of them.
fn fault_everywhere(fixture: &Fixture, action: &str, expected: &[i32]) -> u32 {
    let trace = fixture.directory.path().join("trace");
    let output = fixture
        .entry("true")
        .env("FLIPPER_FAULT_TRACE", &trace)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    fixture.wait_until_gone();
    let text = fs::read_to_string(&trace).unwrap();
    let numbers = text
        .lines()
        .filter_map(|line| line.split(' ').next()?.parse::<u32>().ok());
    let last = numbers.max().unwrap();
    assert!(
        text.contains(" mount-overlay-on ") && text.contains(" end-the-processes-of "),
        "{text}"
    );
    let mut failed = 0;
    for number in 1..=last {
        let output = fixture
            .entry("true")
            .envs([
                ("FLIPPER_FAULT_AT", number.to_string().as_str()),
                ("FLIPPER_FAULT_ACTION", action),
            ])
            .output()
            .unwrap();
        // No code: the entry itself was killed.
        let code = output.status.code();
        assert!(
            code.is_none_or(|code| code == 0 || expected.contains(&code)),
            "{number}: {output:?}"
        );
        failed += u32::from(!output.status.success());
        fixture.wait_until_gone();
    }
    failed
}

#[test]
fn loop_a_kill_at_any_point_leaves_nothing() {
    let fixture = Fixture::new();
    fixture.remember_upper();
    fixture.wait_until_gone();
    // 125: the holder was killed while it started. 137: the command was, before it became the program.
    assert!(fault_everywhere(&fixture, "kill", &[125, 137]) > 20);
    works_again(&fixture);
}

#[test]
fn loop_a_full_disk_at_any_point_leaves_nothing() {
    let fixture = Fixture::new();
    fixture.remember_upper();
    fixture.wait_until_gone();
    // 137: the holder could not go on once the command had started, and its end is that of the command.
    assert!(fault_everywhere(&fixture, "enospc", &[125, 137]) > 20);
    works_again(&fixture);
}

#[test]
fn loop_a_full_disk_can_be_entered_to_empty_it() {
    let fixture = Fixture::new();
    // Never entered before: not even the files of the locks are there.
    let filled = fixture.run_as(
        "other",
        "cat /dev/zero >/data/fill 2>/dev/null; i=0; while echo x >/data/$i && [ $i -lt 3000 ]; do i=$((i+1)); done 2>/dev/null; true",
    );
    assert!(filled.status.success(), "{filled:?}");
    fixture.wait_until_gone();
    for _ in 0..2 {
        let output = fixture.run("echo in");
        assert_eq!(output.stdout, b"in\n", "{output:?}");
        fixture.wait_until_gone();
    }
    fixture.printed("rm /data/fill; echo x >/etc/new");
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
