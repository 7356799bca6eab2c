//! Commands in a profile, one and several.

use std::io::Write;
use std::process::Stdio;

use crate::support::{Fixture, Session, signal, wait_until};

#[test]
fn loop_a_command_gives_its_status_or_that_of_env() {
    let fixture = Fixture::new();
    for (words, expected) in [
        (&["sh", "-c", "exit 0"][..], 0),
        (&["sh", "-c", "exit 7"], 7),
        (&["sh", "-c", "kill -TERM $$"], 143),
        (&["sh", "-c", "kill -KILL $$"], 137),
        (&["no-such-program"], 127),
        (&["/no/such/program"], 127),
        (&["/etc"], 126),
        (&["/etc/hostname"], 126),
    ] {
        let output = fixture.command(words).output().unwrap();
        assert_eq!(
            output.status.code(),
            Some(expected),
            "{words:?}: {output:?}"
        );
        // An own failure is said, the command's is not.
        assert_eq!(
            output.stderr.is_empty(),
            expected != 126 && expected != 127,
            "{words:?}"
        );
    }
    fixture.wait_until_gone();
}

#[test]
fn loop_input_and_output_pass_through() {
    let fixture = Fixture::new();
    let mut child = fixture
        .entry("cat; echo err >&2")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"a\0b").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (&output.stdout[..], &output.stderr[..]),
        (&b"a\0b"[..], &b"err\n"[..])
    );
}

#[test]
fn loop_the_environment_is_the_profiles_and_the_directory_roots() {
    let fixture = Fixture::new();
    let output = fixture
        .entry("pwd; env")
        .env_clear()
        .envs([
            ("LC_ALL", "C"),
            ("PATH", "/bin:/usr/bin"),
            ("SECRET", "x"),
            ("FLIPPER_POOL", "/p"),
            ("SUDO_USER", "ann"),
        ])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "/root");
    for line in [
        "HOME=/root",
        "LC_ALL=C",
        "SUDO_USER=ann",
        "FLIPPER_PROFILE=work",
        "debian_chroot=work",
    ] {
        assert!(lines.contains(&line), "{line} in {text}");
    }
    assert!(
        !text.contains("SECRET") && !text.contains("FLIPPER_POOL"),
        "{text}"
    );
}

#[test]
fn loop_without_a_command_a_login_shell_runs() {
    let fixture = Fixture::new();
    let mut child = fixture
        .command(&[])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(b"echo $0; exit 5\n")
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(5));
    assert_eq!(output.stdout, b"-sh\n", "{output:?}");
}

#[test]
fn loop_a_second_entry_joins_the_first_and_outlives_it() {
    let fixture = Fixture::new();
    let mut first = fixture.session("touch /tmp/here; cat /tmp/none; sleep 0.3");
    let (mut second, joined) = joined(&fixture);
    // In the first one's /tmp.
    wait_until("the first one's file is seen", || {
        fixture.look("/tmp/here").status.success()
    });
    assert_eq!(first.end(), Some(0));
    // The end of the first one's output is seen although the holder it started lives on.
    assert_eq!(namespace(&fixture), joined);
    signal(second.child.id(), "TERM");
    assert_eq!(second.end(), Some(143));
    fixture.wait_until_gone();
    assert_eq!(fixture.holder(), None);
}

fn joined(fixture: &Fixture) -> (Session, String) {
    (fixture.session("sleep 100"), namespace(fixture))
}

/// The mount namespace that an entry gets.
fn namespace(fixture: &Fixture) -> String {
    fixture.printed("readlink /proc/self/ns/mnt /proc/self/ns/pid")
}

#[test]
fn loop_entries_at_once_make_one_holder() {
    const ENTRIES: usize = 8;
    let fixture = Fixture::new();
    // Each waits until all of them are in, which they never are when there are two holders: /tmp is theirs.
    let script = format!(
        "touch /tmp/in.$$; while [ \"$(ls /tmp | cat -n | cat)\" ]; do set -- /tmp/in.*; \
         [ $# -ge {ENTRIES} ] && break; sleep 0.02; done; readlink /proc/self/ns/mnt"
    );
    let entries: Vec<_> = (0..ENTRIES)
        .map(|_| {
            fixture
                .entry(&script)
                .stdout(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let mut namespaces: Vec<String> = entries
        .into_iter()
        .map(|entry| {
            let output = entry.wait_with_output().unwrap();
            assert!(output.status.success(), "{output:?}");
            String::from_utf8(output.stdout).unwrap()
        })
        .collect();
    namespaces.dedup();
    assert_eq!(namespaces.len(), 1, "{namespaces:?}");
    fixture.wait_until_gone();
}

#[test]
fn loop_entries_one_after_the_other_never_meet_a_holder_that_ends() {
    let fixture = Fixture::new();
    for round in 0..40 {
        let output = fixture.run("exit 3");
        assert_eq!(output.status.code(), Some(3), "round {round}: {output:?}");
    }
    fixture.wait_until_gone();
}

#[test]
fn loop_what_a_session_leaves_running_ends_with_the_last_session() {
    let fixture = Fixture::new();
    let mut other = fixture.session("sleep 100");
    let output = fixture.run("sleep 1000 >/dev/null 2>&1 & echo $!");
    let pid = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    assert_eq!(
        fixture
            .run(&format!("readlink /proc/{pid}/exe"))
            .status
            .code(),
        Some(0)
    );
    signal(other.child.id(), "TERM");
    other.end();
    fixture.wait_until_gone();
}

#[test]
fn loop_work_from_outside_is_done_inside() {
    let fixture = Fixture::new();
    assert!(
        !fixture.look("/etc/hostname").status.success(),
        "nobody has it"
    );
    let _session = fixture.session("echo x >/run/inside; sleep 100");
    wait_until("the file is written", || {
        fixture.look("/run/inside").stdout == b"x\n"
    });
    assert_eq!(fixture.look("/etc/hostname").stdout, b"tiny\n");
    assert!(!fixture.look("/no/such/file").status.success());
}
