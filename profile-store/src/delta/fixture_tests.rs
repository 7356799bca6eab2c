//! Streams that the kernel made (`fixtures/generate.py`), beside two other programs: what
//! `btrfs receive --dump` reads in them, and a walk of both trees.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use super::stream::{Command, Stream};
use super::touched::{self, Created, Touched};

struct Case {
    name: String,
    stream: Vec<u8>,
    dump: Vec<u8>,
    /// Path → kind of the difference, and whether its inode has several names.
    differing: BTreeMap<Vec<u8>, (String, bool)>,
}

/// All cases of the folder, and of the one that `FLIPPER_SEND_CASES` names: random cases by the
/// hundred are made by `generate.py SEED COUNT` and not kept.
fn cases() -> Vec<Case> {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/delta/fixtures");
    let more = std::env::var_os("FLIPPER_SEND_CASES").map(Into::into);
    let mut found = Vec::new();
    for folder in [Some(kept), more].into_iter().flatten() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path
                .extension()
                .is_some_and(|extension| extension == "send")
            {
                found.push(read_case(&path));
            }
        }
    }
    assert!(found.len() >= 4, "the fixtures are missing");
    found
}

fn read_case(path: &Path) -> Case {
    let read = |extension: &str| std::fs::read(path.with_extension(extension)).unwrap();
    let paths = String::from_utf8(read("paths")).unwrap();
    let differing = paths.lines().map(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        let path = (0..words[2].len()).step_by(2);
        let path = path.map(|at| u8::from_str_radix(&words[2][at..at + 2], 16).unwrap());
        (path.collect(), (words[0].to_owned(), words[1] == "links"))
    });
    Case {
        name: path.file_stem().unwrap().to_string_lossy().into_owned(),
        stream: read("send"),
        dump: read("dump"),
        differing: differing.collect(),
    }
}

/// A path as `btrfs receive --dump` prints it.
fn escaped(path: &[u8]) -> String {
    let mut out = String::new();
    for &byte in path {
        match byte {
            b'\n' => out.push_str("\\n"),
            b'\t' => out.push_str("\\t"),
            b' ' => out.push_str("\\ "),
            b'\\' => out.push_str("\\\\"),
            b'!'..=b'~' => out.push(byte.into()),
            other => write!(out, "\\{other:03o}").unwrap(),
        }
    }
    out
}

/// A command as `btrfs receive --dump` prints it; of lines that end in numbers which the parser
/// drops (times, offsets, values of attributes) the beginning.
fn line(command: &Command) -> String {
    let named = |path: &[u8]| format!("./post/{}", escaped(path));
    let text = |verb: &str, path: &[u8], rest: &str| {
        let line = format!("{verb:<16}{:<32}{rest}", named(path));
        // A path longer than its column is followed by one blank.
        if named(path).len() >= 32 && !rest.is_empty() {
            format!("{verb:<16}{} {rest}", named(path))
        } else {
            line.trim_end().to_owned()
        }
    };
    match command {
        Command::Subvolume { path } => format!("subvol          ./{}", escaped(path)),
        Command::Snapshot { path } => format!("snapshot        ./{}", escaped(path)),
        Command::MakeFile { path } => text("mkfile", path, ""),
        Command::MakeDirectory { path } => text("mkdir", path, ""),
        Command::MakeNode { path, mode, device } => {
            text("mknod", path, &format!("mode={mode:o} dev=0x{device:x}"))
        }
        Command::MakeFifo { path } => text("mkfifo", path, ""),
        Command::MakeSocket { path } => text("mksock", path, ""),
        Command::Symlink { path, target } => {
            text("symlink", path, &format!("dest={}", escaped(target)))
        }
        Command::Rename { from, to } => text("rename", from, &format!("dest={}", named(to))),
        Command::Link { path, existing } => {
            text("link", path, &format!("dest={}", escaped(existing)))
        }
        Command::Unlink { path } => text("unlink", path, ""),
        Command::RemoveDirectory { path } => text("rmdir", path, ""),
        Command::SetXattr { path, name, .. } => {
            text("set_xattr", path, &format!("name={} data=", escaped(name)))
        }
        Command::RemoveXattr { path, name } => {
            text("remove_xattr", path, &format!("name={}", escaped(name)))
        }
        Command::Write { path, .. } => text("write", path, "offset="),
        Command::Clone { path, .. } => text("clone", path, "offset="),
        Command::Truncate { path, size } => text("truncate", path, &format!("size={size}")),
        Command::ChangeMode { path, mode } => text("chmod", path, &format!("mode={mode:o}")),
        Command::ChangeOwner { path, uid, gid } => {
            text("chown", path, &format!("gid={gid} uid={uid}"))
        }
        Command::Times { path } => text("utimes", path, "atime="),
        Command::UpdateExtent { path, .. } => text("update_extent", path, "offset="),
        Command::End => String::new(),
    }
}

#[test]
fn reads_what_the_other_reader_reads() {
    for case in cases() {
        let mut dump = case.dump.split(|&byte| byte == b'\n');
        for command in Stream::new(&case.stream[..]).unwrap() {
            let command = command.unwrap();
            let theirs = String::from_utf8_lossy(dump.next().unwrap_or_default());
            let ours = line(&command);
            assert!(
                theirs.trim_end().starts_with(&ours) && ours.is_empty() == theirs.is_empty(),
                "{}: `{ours}` and `{theirs}`",
                case.name
            );
            if let Command::UpdateExtent { length, .. } = command {
                assert!(theirs.ends_with(&format!(" len={length}")), "{theirs}");
            }
        }
        assert_eq!(dump.next(), None, "{}: the dump goes on", case.name);
    }
}

fn fold(case: &Case) -> Touched {
    touched::fold(Stream::new(&case.stream[..]).unwrap()).unwrap()
}

fn below_renamed(touched: &Touched, path: &[u8]) -> bool {
    touched.renamed.iter().any(|renamed| {
        [&renamed.from, &renamed.to].iter().any(|end| {
            let rest = path.strip_prefix(end.as_slice());
            rest.is_some_and(|rest| rest.starts_with(b"/"))
        })
    })
}

#[test]
fn finds_every_path_that_a_walk_of_both_trees_finds() {
    for case in cases() {
        let touched = fold(&case);
        for (path, (kind, several_names)) in &case.differing {
            let shown = format!("{}: {}", case.name, escaped(path));
            let Some(touch) = touched.paths.get(path) else {
                // The two things a stream does not say, as the module's documentation has them.
                let other_name = *several_names
                    && kind == "changed"
                    && touched.paths.values().any(|touch| touch.in_place);
                assert!(
                    below_renamed(&touched, path) || other_name,
                    "{shown} {kind}"
                );
                continue;
            };
            if !below_renamed(&touched, path) {
                let expected = match (touch.before, touch.after) {
                    (false, true) => "added",
                    (true, false) => "removed",
                    _ => "changed",
                };
                assert_eq!(kind, expected, "{shown}");
            }
        }
    }
}

#[test]
fn finds_no_path_that_does_not_differ() {
    for case in cases() {
        let touched = fold(&case);
        for (path, touch) in &touched.paths {
            let found = case.differing.contains_key(path);
            // The same permissions or bytes set again leave no difference to find.
            let same_inode = touch.before && touch.after && touch.created.is_none();
            let set_again = same_inode && (touch.metadata || touch.content || touch.xattrs);
            assert!(found || set_again, "{}: {}", case.name, escaped(path));
        }
    }
}

#[test]
fn tells_what_an_overlay_wrote() {
    let cases = cases();
    let case = cases.iter().find(|case| case.name == "overlay").unwrap();
    let touched = fold(case);
    let at = |path: &str| &touched.paths[path.as_bytes()];
    for whiteout in ["upper/usr/lib/one", "upper/usr/lib/two"] {
        assert_eq!(at(whiteout).created, Some(Created::Whiteout), "{whiteout}");
    }
    assert_eq!(at("upper/var/gone").opaque, Some(true));
    assert_eq!(at("upper/usr/lib").opaque, None);
    let symlink = at("upper/etc/y");
    assert_eq!(symlink.created, Some(Created::Symlink));
    assert!(symlink.before && symlink.directory == Some(false));
    assert!(touched.only_times.contains(&b"upper/etc/x"[..]));
}

#[test]
fn tells_renamed_directories() {
    let cases = cases();
    let case = cases.iter().find(|case| case.name == "directories");
    let touched = fold(case.unwrap());
    let renamed: Vec<String> = touched
        .renamed
        .iter()
        .map(|renamed| format!("{} {}", escaped(&renamed.from), escaped(&renamed.to)))
        .collect();
    assert_eq!(
        renamed,
        [
            "upper/a upper/renamed/moved",
            "upper/b/c upper/renamed",
            "upper/swap-one upper/swap-two",
            "upper/swap-two upper/swap-one",
            "upper/x upper/y/x",
            "upper/x/y upper/y"
        ]
    );
}

/// Damage of real streams with the sums made right again, so that it reaches the commands.
/// Deterministic: the same edits every time, bounded in number.
#[test]
fn never_panics_on_damaged_streams() {
    let mut state = 1u64;
    let mut next = move |limit: usize| {
        // Constants of Knuth's MMIX generator; the high bits are the random ones.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % limit
    };
    for case in cases() {
        for _ in 0..400 {
            let mut bytes = case.stream.clone();
            for _ in 0..1 + next(4) {
                let at = 17 + next(bytes.len() - 17);
                bytes[at] = next(256) as u8;
            }
            repair_sums(&mut bytes);
            let _outcome = touched::fold(Stream::new(&bytes[..]).unwrap());
        }
    }
}

fn repair_sums(bytes: &mut [u8]) {
    let mut at = 17;
    while at + 10 <= bytes.len() {
        let length = u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let end = (at + 10).saturating_add(length as usize);
        if end > bytes.len() {
            return;
        }
        bytes[at + 6..at + 10].fill(0);
        let sum = super::crc32c::update(0, &bytes[at..end]);
        bytes[at + 6..at + 10].copy_from_slice(&sum.to_le_bytes());
        at = end;
    }
}
