//! The built program as people and programs meet it, run without root and without a terminal.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

/// User and group of nobody.
const NOBODY: u32 = 65534;

/// A copy of the program that nobody can reach, whatever directory it was built in.
fn program() -> &'static Path {
    static COPY: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = COPY.get_or_init(|| {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("flipper-profile");
        fs::copy(env!("CARGO_BIN_EXE_flipper-profile"), &path).unwrap();
        open_to_all(directory.path());
        open_to_all(&path);
        (directory, path)
    });
    path
}

fn open_to_all(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn command(line: &[&str]) -> Command {
    let mut command = as_nobody(Command::new(program()));
    command.args(line);
    command
}

/// Where the tests run as root, the program does not.
fn as_nobody(mut command: Command) -> Command {
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::null())
        .current_dir("/");
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        command.gid(NOBODY).uid(NOBODY);
    }
    command
}

fn run(line: &[&str]) -> Output {
    command(line).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Exit status, standard output and standard error in one text.
fn shown(output: &Output) -> String {
    format!(
        "exit {}\n--- stdout\n{}--- stderr\n{}",
        output.status.code().unwrap_or(-1),
        text(&output.stdout),
        text(&output.stderr)
    )
}

/// A complete command line for each verb.
const LINES: &[&[&str]] = &[
    &["pool", "create", "/nowhere/x.img", "--size", "1G"],
    &["pool", "info"],
    &["pool", "check"],
    &["pool", "upgrade"],
    &["pool", "gc"],
    &["base", "add", "13", "--from-tar", "/nowhere.tar"],
    &["base", "list"],
    &["base", "info", "13"],
    &["base", "verify", "13"],
    &["base", "remove", "13"],
    &["create", "tv"],
    &["list"],
    &["info", "tv"],
    &["clone", "tv", "tv2"],
    &["rename", "tv", "tv2"],
    &["delete", "tv"],
    &["reset", "tv"],
    &["set", "tv", "home=shared"],
    &["run", "tv"],
    &["history"],
    &["show", "1"],
    &["diff", "1"],
    &["undo"],
    &["redo"],
    &["status"],
    &["acknowledge"],
    &["blame", "/etc/x"],
    &["restore", "/etc/x", "--from", "1"],
    &["forget", "/etc/secret"],
    &["pin", "1"],
    &["unpin", "1"],
    &["recover"],
];

#[test]
fn without_root_it_fails_with_the_way_out() {
    let expected = "\
exit 1
--- stdout
--- stderr
error: pool info must be run as root
hint: try it again with sudo
note: nothing was changed
";
    assert_eq!(shown(&run(&["pool", "info"])), expected);
}

#[test]
fn every_verb_answers_with_one_json_object() {
    for line in LINES {
        let output = run(&[&["--json"], *line].concat());
        let verb: Vec<&str> = line
            .iter()
            .copied()
            .take(if ["pool", "base"].contains(&line[0]) {
                2
            } else {
                1
            })
            .collect();
        let object: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", shown(&output)));
        assert_eq!(
            object["schema"],
            format!("flipper-profile/{}/1", verb.join("-"))
        );
        assert_eq!(object["ok"], false);
        assert_eq!(object["error"]["code"], 1, "{line:?}");
        assert_eq!(object["error"]["situation"], "not-root");
        assert_eq!(object["error"]["state"], "nothing was changed");
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(text(&output.stderr), "", "{line:?}");
    }
}

#[test]
fn every_verb_has_a_line_here() {
    let help = run(&["-h"]);
    let commands = text(&help.stdout)
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty());
    let mut count = 0;
    for word in commands
        .filter_map(|line| line.split_whitespace().next())
        .filter(|word| *word != "help")
    {
        assert!(
            LINES.iter().any(|line| line[0] == word),
            "{word} has no line in this test"
        );
        count += 1;
    }
    assert!(count > 15, "{}", shown(&help));
}

#[test]
fn help_and_version_need_nothing() {
    for line in [
        &["--help"][..],
        &["help"],
        &["help", "pool", "create"],
        &["undo", "-h"],
        &["--version"],
    ] {
        let output = run(line);
        assert_eq!(output.status.code(), Some(0), "{}", shown(&output));
        assert!(
            !output.stdout.is_empty() && output.stderr.is_empty(),
            "{}",
            shown(&output)
        );
    }
    assert_eq!(
        text(&run(&["--version"]).stdout),
        concat!("flipper-profile ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

#[test]
fn a_wrong_command_line_exits_with_2() {
    for line in [
        &["lst"][..],
        &["pool"],
        &["base", "add", "13"],
        &["create"],
        &["undo", "0"],
        &["undo", "-1"],
        &["history", "--limit", "x"],
        &["set", "tv", "home"],
        &["run", "tv", "apt"],
        &["-v", "-q", "list"],
        &[],
    ] {
        let output = run(line);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{line:?}: {}",
            shown(&output)
        );
        assert!(
            output.stdout.is_empty() && !output.stderr.is_empty(),
            "{line:?}"
        );
    }
}

#[test]
fn a_wrong_command_line_is_told_like_any_error() {
    let output = run(&["lst"]);
    let shown = shown(&output);
    assert!(
        shown.contains("error: unrecognized subcommand 'lst'\n"),
        "{shown}"
    );
    assert!(shown.ends_with("note: nothing was changed\n"), "{shown}");
}

#[test]
fn a_wrong_command_line_is_json_where_json_is_asked_for() {
    for (line, verb) in [
        (&["--json", "lst"][..], "usage"),
        (&["undo", "zero", "--json"], "undo"),
        (&["--json", "pool", "create"], "pool-create"),
        (&["--json"], "usage"),
    ] {
        let output = run(line);
        let object: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", shown(&output)));
        assert_eq!(object["schema"], format!("flipper-profile/{verb}/1"));
        assert_eq!(
            (&object["error"]["code"], &object["error"]["situation"]),
            (&2.into(), &"usage".into())
        );
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(text(&output.stderr), "");
    }
}

#[test]
fn json_behind_the_separator_is_the_commands() {
    let output = run(&["run", "tv", "--", "x", "--json"]);
    assert!(
        output.stdout.is_empty()
            && text(&output.stderr).starts_with("error: run must be run as root\n")
    );
}

#[test]
fn nothing_is_coloured_without_a_terminal() {
    for line in [&["--help"][..], &["lst"], &["list"]] {
        let output = command(line)
            .env("TERM", "xterm-256color")
            .env("CLICOLOR_FORCE", "")
            .output()
            .unwrap();
        let both = [output.stdout, output.stderr].concat();
        assert!(!both.contains(&0x1b), "{line:?}: {}", text(&both));
    }
}

#[test]
fn a_reader_that_has_gone_is_no_failure() {
    // The whole help is longer than a pipe would take from a closed reader: nothing at all.
    let mut child = command(&["--help"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(text(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_closed_standard_error_changes_nothing() {
    let mut shell = as_nobody(Command::new("/bin/sh"));
    let output = shell
        .args(["-c", "exec \"$0\" list 2>&-"])
        .arg(program())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn man_pages_and_completions_are_generated_without_root() {
    let directory = tempfile::tempdir().unwrap();
    // Below a directory that anybody may write.
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let into = |name: &str| directory.path().join(name);
    for (what, files) in [
        (
            "man",
            &[
                "flipper-profile.1",
                "flipper-profile-undo.1",
                "flipper-profile-pool-create.1",
            ][..],
        ),
        (
            "completions",
            &[
                "flipper-profile.bash",
                "_flipper-profile",
                "flipper-profile.fish",
            ],
        ),
    ] {
        for round in ["first", "second"] {
            let target = into(&format!("{round}/{what}"));
            let output = run(&["generate", what, target.to_str().unwrap()]);
            assert_eq!(shown(&output), "exit 0\n--- stdout\n--- stderr\n");
            for file in files {
                assert!(target.join(file).is_file(), "{file}");
            }
        }
    }
    for line in LINES {
        let words = if ["pool", "base"].contains(&line[0]) {
            line[..2].join("-")
        } else {
            line[0].to_owned()
        };
        let page = into("first/man").join(format!("flipper-profile-{words}.1"));
        assert!(page.is_file(), "no man page {}", page.display());
        assert_eq!(
            fs::read(&page).unwrap(),
            fs::read(into("second/man").join(page.file_name().unwrap())).unwrap()
        );
    }
}

#[test]
fn a_directory_that_cannot_be_written_is_named() {
    let output = run(&["--json", "generate", "man", "/proc/nowhere"]);
    let object: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(object["error"]["situation"], "cannot-write");
    assert_eq!(object["error"]["path"], "/proc/nowhere/flipper-profile.1");
    assert_eq!(output.status.code(), Some(1));
}
