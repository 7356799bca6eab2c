use std::io::Read;

use super::*;

#[test]
fn a_program_gets_a_clean_environment() {
    let output = Command::new("env")
        .env("EXTRA", "1")
        .run_ok()
        .expect("env runs");
    let text = String::from_utf8(output.stdout).expect("utf-8");
    let mut names: Vec<&str> = text
        .lines()
        .filter_map(|line| line.split('=').next())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["EXTRA", "LC_ALL", "PATH"]);
}

#[test]
fn failure_names_program_arguments_status_and_what_it_said() {
    let error = Command::new("sh")
        .args(["-c", "echo nonsense >&2; exit 3"])
        .run_ok()
        .expect_err("3");
    let text = error.to_string();
    assert!(
        text.contains("sh -c") && text.contains("exit status 3"),
        "{text}"
    );
    assert!(text.ends_with("nonsense"), "{text}");
}

#[test]
fn a_missing_program_is_told_apart() {
    let error = Command::new("no-such-program-here")
        .run()
        .expect_err("missing");
    assert!(matches!(error, Error::CommandMissing { .. }));
}

#[test]
fn only_the_end_of_a_long_complaint_is_kept() {
    let script = "yes x | head -c 100000 >&2; echo the end >&2; exit 1";
    match Command::new("sh").args(["-c", script]).run_ok() {
        Err(Error::CommandFailed { stderr, .. }) => {
            assert!(stderr.ends_with("the end") && stderr.len() <= STDERR_KEPT_BYTES);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_pipe_reports_the_producer_first() {
    let producer = || Command::new("sh").args(["-c", "echo a; exit 5"]);
    let error = pipe(producer(), Command::new("cat")).expect_err("5");
    assert!(error.to_string().contains("exit status 5"), "{error}");
    let error = pipe(Command::new("yes"), Command::new("false")).expect_err("false");
    assert!(error.to_string().starts_with("program") || error.to_string().starts_with("false"));
    pipe(Command::new("echo").arg("x"), Command::new("grep").arg("x")).expect("both succeed");
}

#[test]
fn a_stream_ends_with_the_failure_of_its_program() {
    let mut text = String::new();
    let mut good = Command::new("echo").arg("whole").stream().expect("starts");
    good.read_to_string(&mut text).expect("succeeds");
    assert_eq!(text, "whole\n");
    let mut bad = Command::new("sh")
        .args(["-c", "echo part; exit 2"])
        .stream()
        .expect("starts");
    let error = bad.read_to_string(&mut text).expect_err("2");
    assert!(error.to_string().contains("exit status 2"), "{error}");
}
