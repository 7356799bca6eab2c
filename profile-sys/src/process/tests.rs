use std::process::Command;

use super::*;

#[test]
fn a_name_may_hold_spaces_and_parentheses() {
    let line = b"42 (a) b (c) S 7 1 1 0 -1 4 0 0 0 0 0 0 0 0 20 0 1 0 987654 1 2";
    let stat = Stat::parse(line).expect("a line as the kernel writes it");
    assert_eq!(
        (stat.comm.as_str(), stat.ppid, stat.start_time),
        ("a) b (c", 7, 987_654)
    );
}

proptest::proptest! {
    #[test]
    fn never_panics_on_a_status(text in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        // Only that it returns.
        let _ = Stat::parse(&text);
    }

    #[test]
    fn whatever_a_program_is_called_the_fields_behind_are_found(
        name in "[^\\x00]{0,15}", ppid in 0..u32::MAX, start in 0..u64::MAX,
    ) {
        let line = format!("1 ({name}) S {ppid} {} {start} 9 9", "0 ".repeat(16) + "0");
        let stat = Stat::parse(line.as_bytes()).expect("a whole line");
        proptest::prop_assert_eq!((stat.comm, stat.ppid, stat.start_time), (name, ppid, start));
    }
}

#[test]
fn refuses_a_short_line() {
    assert_eq!(Stat::parse(b"42 (a) S 7"), None);
    assert_eq!(Stat::parse(b""), None);
    assert_eq!(Stat::parse(b"42 )a( S 7"), None);
}

#[test]
fn this_process_is_alive_and_survives_serialisation_of_its_fields() {
    let identity = current().expect("/proc");
    assert_eq!(identity.pid, std::process::id());
    assert_eq!(liveness(&identity).expect("/proc"), Liveness::Alive);
}

#[test]
fn a_number_given_away_again_and_another_boot_are_dead() {
    let mut identity = current().expect("/proc");
    identity.start_time += 1;
    assert_eq!(liveness(&identity).expect("/proc"), Liveness::Dead);
    let mut identity = current().expect("/proc");
    identity.boot_id = "another".into();
    assert_eq!(liveness(&identity).expect("/proc"), Liveness::Dead);
}

#[test]
fn a_child_dies_as_a_zombie_already() {
    let mut child = Command::new("/bin/sleep")
        .arg("100")
        .spawn()
        .expect("sleep");
    let identity = of(child.id()).expect("running");
    assert_eq!(liveness(&identity).expect("/proc"), Liveness::Alive);
    child.kill().expect("kill");
    // Not waited for: it stays as a zombie, but its end takes a moment.
    for _ in 0..500 {
        if liveness(&identity).expect("/proc") == Liveness::Dead {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert_eq!(liveness(&identity).expect("/proc"), Liveness::Dead);
    child.wait().expect("wait");
    assert_eq!(info(child.id()).expect("/proc"), None);
}

#[test]
fn ancestors_begin_with_the_parent() {
    let mut child = Command::new("/bin/sleep")
        .arg("100")
        .env("FOO", "a=b")
        .spawn()
        .expect("sleep");
    let found = ancestors(child.id()).expect("/proc");
    assert_eq!(found.first().map(|info| info.pid), Some(std::process::id()));
    assert_eq!(
        info(child.id()).expect("/proc").expect("running").ppid,
        std::process::id()
    );
    // spawn returns when the child has left our memory, a moment before its arguments are in place.
    let expected = [b"/bin/sleep".to_vec(), b"100".to_vec()];
    let is_there = || info(child.id()).expect("/proc").expect("running").cmdline == expected;
    assert!((0..500).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(2));
        is_there()
    }));
    let variables = environ(child.id()).expect("/proc").expect("running");
    assert!(variables.contains(&(b"FOO".to_vec(), b"a=b".to_vec())));
    child.kill().expect("kill");
    child.wait().expect("wait");
}

#[test]
fn splits_arguments_keeping_empty_ones() {
    assert_eq!(
        split_at_nul(b"a\0\0b\0"),
        [b"a".to_vec(), Vec::new(), b"b".to_vec()]
    );
    assert!(split_at_nul(b"").is_empty());
}
