//! Fault points, in a process of their own: this test program starts itself with the variables set.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output};

use profile_sys::file;

/// What the started program does, in the directory it is given.
const WORK: &str = "FLIPPER_TEST_FAULT_DIRECTORY";

/// The program under test.
#[test]
#[ignore = "started by the other tests, in a process of its own"]
fn worker() {
    let directory = std::env::var_os(WORK).expect("started by another test");
    let directory = Path::new(&directory);
    let work = || -> profile_sys::Result<()> {
        file::write_atomic(&directory.join("file"), b"new content", 0o600)?;
        file::rename(&directory.join("file"), &directory.join("renamed"))?;
        file::remove_tree(&directory.join("tree"))
    };
    match work() {
        Ok(()) => {}
        Err(error) if error.is_no_space() => std::process::exit(28),
        Err(error) => panic!("{error:?}"),
    }
}

fn prepared() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("temp dir");
    fs::write(directory.path().join("file"), "old").expect("write");
    fs::create_dir_all(directory.path().join("tree/a/b")).expect("mkdir");
    fs::write(directory.path().join("tree/c"), "").expect("write");
    directory
}

fn run(directory: &Path, variables: &[(&str, &str)]) -> Output {
    Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "worker", "--ignored", "--test-threads=1"])
        .env(WORK, directory)
        .envs(variables.iter().copied())
        .output()
        .expect("it starts")
}

fn trace(directory: &Path) -> Vec<String> {
    let path = directory.join("trace");
    let text = path.to_str().expect("utf-8").to_owned();
    assert!(
        run(directory, &[("FLIPPER_FAULT_TRACE", &text)])
            .status
            .success()
    );
    let lines = fs::read_to_string(path).expect("trace");
    lines
        .lines()
        .map(|line| line.split(' ').nth(1).expect("a name").to_owned())
        .collect()
}

const EFFECTS: [&str; 6] = [
    "write",
    "rename",
    "sync-directory",
    "rename",
    "remove-tree",
    "remove-the-rest-of",
];

#[test]
fn the_trace_lists_every_effect_in_order() {
    assert_eq!(trace(prepared().path()), EFFECTS);
}

#[test]
fn killed_at_any_effect_the_file_is_old_or_new() {
    for number in 1..=EFFECTS.len() {
        let directory = prepared();
        let output = run(
            directory.path(),
            &[("FLIPPER_FAULT_AT", &number.to_string())],
        );
        assert_eq!(output.status.signal(), Some(libc::SIGKILL), "at {number}");
        let content = |name: &str| fs::read_to_string(directory.path().join(name)).ok();
        let (file, renamed) = (content("file"), content("renamed"));
        let expected = match number {
            1 | 2 => (Some("old"), None),
            3 | 4 => (Some("new content"), None),
            _ => (None, Some("new content")),
        };
        assert_eq!(
            (file.as_deref(), renamed.as_deref()),
            expected,
            "at {number}"
        );
        let tree = directory.path().join("tree");
        let left = if tree.exists() {
            fs::read_dir(tree).expect("list").count()
        } else {
            0
        };
        assert_eq!(
            left,
            if number == 6 { 1 } else { 2 },
            "at {number}: the tree"
        );
    }
    let directory = prepared();
    let output = run(directory.path(), &[("FLIPPER_FAULT_AT", "7")]);
    assert!(output.status.success(), "there is no seventh effect");
}

#[test]
fn an_effect_is_found_by_its_name_and_count() {
    let directory = prepared();
    let output = run(directory.path(), &[("FLIPPER_FAULT_AT", "rename:2")]);
    assert_eq!(output.status.signal(), Some(libc::SIGKILL));
    assert_eq!(
        fs::read(directory.path().join("file")).expect("read"),
        b"new content"
    );
}

#[test]
fn a_full_disk_happens_once_and_is_an_error_like_any_other() {
    let directory = prepared();
    let variables = [
        ("FLIPPER_FAULT_AT", "rename"),
        ("FLIPPER_FAULT_ACTION", "enospc"),
    ];
    let output = run(directory.path(), &variables);
    assert_eq!(output.status.code(), Some(28));
    let names = file::list(directory.path()).expect("list");
    assert_eq!(names, ["file", "tree"], "the temporary file was removed");
    assert_eq!(
        fs::read(directory.path().join("file")).expect("read"),
        b"old"
    );
}

#[test]
fn a_stopped_program_goes_on_when_it_is_continued() {
    let directory = prepared();
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "worker", "--ignored", "--test-threads=1"])
        .env(WORK, directory.path())
        .env("FLIPPER_FAULT_AT", "rename")
        .env("FLIPPER_FAULT_ACTION", "stop")
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("it starts");
    let pid = nix::unistd::Pid::from_raw(child.id() as i32);
    let flags = nix::sys::wait::WaitPidFlag::WUNTRACED;
    let stopped = nix::sys::wait::waitpid(pid, Some(flags)).expect("wait");
    assert!(
        matches!(stopped, nix::sys::wait::WaitStatus::Stopped(..)),
        "{stopped:?}"
    );
    assert_eq!(
        fs::read(directory.path().join("file")).expect("read"),
        b"old"
    );
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGCONT).expect("continue");
    assert!(child.wait().expect("wait").success());
    assert_eq!(
        fs::read(directory.path().join("renamed")).expect("read"),
        b"new content"
    );
}
