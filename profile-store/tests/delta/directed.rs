//! Single cases, with what must be told of each: they say by name what the generator meets by chance.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use nix::sys::stat::{SFlag, makedev};

use crate::act;
use crate::place::Place;
use crate::walk;

/// Plays `before` and `after` in a fresh profile; `told` is every change that is not one of times alone.
fn check(
    place: &Place,
    name: &str,
    before: impl Fn(&Path),
    after: impl Fn(&Path),
    told: &[(&str, &str)],
) {
    let profile = place.profile(name, None);
    before(&profile.merged);
    let older = place.snapshot(&profile, &format!("{name}-pre"));
    after(&profile.merged);
    let newer = place.snapshot(&profile, &format!("{name}-post"));
    for (one, other) in [(&older, &newer), (&newer, &older), (&newer, &newer)] {
        if let Some(disagreement) = place.disagreement(one, other) {
            panic!("{name}: {disagreement}");
        }
    }
    let delta = place.delta(&older, &newer);
    let found: Vec<(String, &str)> = delta
        .iter()
        .filter(|(_, how, ..)| *how != "times")
        .map(|(path, how, ..)| (path.to_string_lossy().into_owned(), *how))
        .collect();
    let told: Vec<(String, &str)> = told
        .iter()
        .map(|(path, how)| ((*path).to_owned(), *how))
        .collect();
    assert_eq!(found, told, "{name}");
}

fn nothing(_: &Path) {}

#[test]
fn loop_whiteouts_and_opaque_directories_are_understood() {
    let place = Place::new();
    check(
        &place,
        "whiteout",
        nothing,
        |top| fs::remove_file(top.join("etc/a/c")).expect("removed"),
        &[("etc/a/c", "removed")],
    );
    check(
        &place,
        "second-whiteout",
        |top| fs::remove_file(top.join("etc/a/c")).expect("removed"),
        // The kernel links the second whiteout to the first.
        |top| fs::remove_file(top.join("etc/a/d")).expect("removed"),
        &[("etc/a/d", "removed")],
    );
    check(
        &place,
        "out-of-a-whiteout",
        |top| fs::remove_file(top.join("etc/a/c")).expect("removed"),
        |top| act::write(&top.join("etc/a/c"), 9, 1).expect("written"),
        &[("etc/a/c", "added")],
    );
    check(
        &place,
        "whole-directory",
        nothing,
        |top| fs::remove_dir_all(top.join("opt")).expect("removed"),
        &[("opt", "removed")],
    );
    check(
        &place,
        "emptied",
        nothing,
        |top| {
            let lib = top.join("usr/share/-dash");
            fs::remove_dir_all(&lib).expect("removed");
            fs::create_dir(&lib).expect("made");
            act::write(&lib.join("a"), 9, 1).expect("written");
        },
        &[
            ("usr/share/-dash/a", "added"),
            ("usr/share/-dash/with space", "removed"),
        ],
    );
    check(
        &place,
        "directory-to-file-and-link",
        nothing,
        |top| {
            fs::remove_dir_all(top.join("usr/share/-dash")).expect("removed");
            act::write(&top.join("usr/share/-dash"), 9, 1).expect("written");
            fs::remove_dir_all(top.join("opt")).expect("removed");
            symlink("etc", top.join("opt")).expect("linked");
        },
        &[
            ("opt", "type"),
            ("usr/share/-dash", "type"),
            ("usr/share/-dash/with space", "removed"),
        ],
    );
}

#[test]
fn loop_renames_are_resolved() {
    let place = Place::new();
    let tree = |top: &Path| {
        fs::create_dir_all(top.join("opt/one/in")).expect("made");
        act::write(&top.join("opt/one/in/file"), 9, 1).expect("written");
        fs::create_dir(top.join("opt/two")).expect("made");
        act::write(&top.join("opt/two/other"), 9, 1).expect("written");
    };
    let rename = |top: &Path, from: &str, to: &str| {
        fs::rename(top.join(from), top.join(to)).expect("renamed");
    };
    check(
        &place,
        "moved",
        tree,
        |top| {
            rename(top, "opt/one", "etc/c/one");
            act::append(&top.join("etc/c/one/in/file"), 5).expect("written");
        },
        &[
            ("etc/c/one", "added"),
            ("etc/c/one/in", "added"),
            ("etc/c/one/in/file", "added"),
            ("opt/one", "removed"),
            ("opt/one/in", "removed"),
            ("opt/one/in/file", "removed"),
        ],
    );
    check(
        &place,
        "swapped",
        tree,
        |top| act::exchange(&top.join("opt/one"), &top.join("opt/two")).expect("swapped"),
        &[
            ("opt/one/in", "removed"),
            ("opt/one/in/file", "removed"),
            ("opt/one/other", "added"),
            ("opt/two/in", "added"),
            ("opt/two/in/file", "added"),
            ("opt/two/other", "removed"),
        ],
    );
    check(
        &place,
        "inside-out",
        tree,
        |top| {
            rename(top, "opt/one/in", "opt/in");
            rename(top, "opt/one", "opt/in/one");
        },
        &[
            ("opt/in", "added"),
            ("opt/in/file", "added"),
            ("opt/in/one", "added"),
            ("opt/one", "removed"),
            ("opt/one/in", "removed"),
            ("opt/one/in/file", "removed"),
        ],
    );
    check(
        &place,
        "there-and-back",
        tree,
        |top| {
            rename(top, "opt/one", "opt/else");
            rename(top, "opt/else", "opt/one");
        },
        &[],
    );
    check(
        &place,
        "a-directory-of-the-base",
        nothing,
        // EXDEV: copied and removed, as mv does.
        |top| act::mv(&top.join("var/lib/b"), &top.join("opt/b")).expect("moved"),
        &{
            let mut all = Vec::new();
            let names = [
                "", "/a", "/a/-dash", "/a/a", "/a/a.b", "/a/b", "/a/c", "/a/d",
            ];
            let odd = ["/a/new\nline", "/a/n\u{fffd}n", "/a/with space", "/a/ä"];
            for (top, how) in [("opt/b", "added"), ("var/lib/b", "removed")] {
                for name in names.iter().chain(&odd) {
                    all.push((leaked(format!("{top}{name}")), how));
                }
            }
            all
        },
    );
}

/// Tests end with their process; a borrowed text makes the tables above readable.
fn leaked(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

#[test]
fn loop_every_name_of_an_inode_is_told() {
    let place = Place::new();
    let linked = |top: &Path| {
        act::write(&top.join("opt/first"), 9, 1).expect("written");
        fs::hard_link(top.join("opt/first"), top.join("etc/second")).expect("linked");
        fs::hard_link(top.join("opt/first"), top.join("third")).expect("linked");
    };
    let all = ["etc/second", "opt/first", "third"];
    let content = all.map(|path| (path, "content"));
    check(
        &place,
        "content",
        linked,
        |top| act::append(&top.join("third"), 1).expect("written"),
        &content,
    );
    let metadata = all.map(|path| (path, "metadata"));
    check(
        &place,
        "mode",
        linked,
        |top| act::set_mode(&top.join("third"), 0o600).expect("set"),
        &metadata,
    );
    check(
        &place,
        "owner",
        linked,
        |top| act::set_owner(&top.join("third"), 4).expect("set"),
        &metadata,
    );
    check(
        &place,
        "xattr",
        linked,
        |top| act::set_attribute(&top.join("third"), 1).expect("set"),
        &metadata,
    );
    let epoch = std::time::SystemTime::UNIX_EPOCH;
    // Compared with the walk, which tells all three.
    check(
        &place,
        "time",
        linked,
        |top| act::set_time(&top.join("third"), epoch).expect("set"),
        &[],
    );
    check(
        &place,
        "name",
        linked,
        |top| {
            fs::rename(top.join("third"), top.join("etc/third")).expect("renamed");
            act::append(&top.join("opt/first"), 1).expect("written");
        },
        &[
            ("etc/second", "content"),
            ("etc/third", "added"),
            ("opt/first", "content"),
            ("third", "removed"),
        ],
    );
    // More than one item of the tree has room for: the rest are references of another form.
    let many = |top: &Path| {
        act::write(&top.join("opt/0"), 9, 1).expect("written");
        for number in 1..120 {
            let name = format!("opt/{number:0>200}");
            fs::hard_link(top.join("opt/0"), top.join(name)).expect("linked");
        }
    };
    let mut told: Vec<(&str, &str)> = (1..120)
        .map(|number| (leaked(format!("opt/{number:0>200}")), "content"))
        .chain([("opt/0", "content")])
        .collect();
    told.sort_unstable();
    check(
        &place,
        "many",
        many,
        |top| act::append(&top.join("opt/0"), 1).expect("written"),
        &told,
    );
}

#[test]
fn loop_what_is_no_change_of_the_tree_is_not_told() {
    let place = Place::new();
    check(
        &place,
        "state",
        nothing,
        |top| {
            act::write(&top.join("var/log/a/new"), 9, 1).expect("written");
            fs::remove_dir_all(top.join("home/b")).expect("removed");
            fs::create_dir_all(top.join("var/cache/apt/archives")).expect("made");
        },
        // The list names /var/cache/apt; /var/cache itself came with it.
        &[("var/cache", "added")],
    );
    check(
        &place,
        "same-again",
        nothing,
        |top| {
            act::rewrite(&top.join("etc/a/c")).expect("written");
            act::set_mode(&top.join("etc/a/d"), 0o644).expect("set");
            act::set_attribute(&top.join("opt"), 1).expect("set");
            act::remove_attributes(&top.join("opt")).expect("removed");
        },
        &[],
    );
    check(
        &place,
        "came-and-went",
        nothing,
        |top| {
            act::unpack(&top.join("opt/a"), 3).expect("unpacked");
            fs::remove_dir_all(top.join("opt/a")).expect("removed");
        },
        &[],
    );
}

#[test]
fn loop_types_change() {
    let place = Place::new();
    check(
        &place,
        "types",
        nothing,
        |top| {
            let at = |name: &str| {
                let path = top.join("etc/a").join(name);
                act::remove(&path).expect("removed");
                path
            };
            act::node(&at("a"), SFlag::S_IFIFO, 0).expect("made");
            let directory = at("c");
            fs::create_dir(&directory).expect("made");
            act::write(&directory.join("a"), 9, 1).expect("written");
            act::node(&at("d"), SFlag::S_IFCHR, makedev(1, 3)).expect("made");
            symlink("d", at("a.b")).expect("linked");
            act::socket(&at("-dash")).expect("bound");
            act::remove(&top.join("etc/c/a")).expect("removed");
            act::node(&top.join("etc/c/a"), SFlag::S_IFCHR, makedev(1, 5)).expect("made");
        },
        &[
            ("etc/a/-dash", "type"),
            ("etc/a/a", "type"),
            ("etc/a/a.b", "type"),
            ("etc/a/c", "type"),
            ("etc/a/c/a", "added"),
            ("etc/a/d", "type"),
            ("etc/c/a", "content"),
        ],
    );
}

/// Without this nobody knows that the reference sees anything.
#[test]
fn the_walk_sees_every_planted_difference() {
    let folder = tempfile::tempdir().expect("temp dir");
    let (old, new) = (folder.path().join("old"), folder.path().join("new"));
    let time = std::time::SystemTime::UNIX_EPOCH;
    for tree in [&old, &new] {
        fs::create_dir_all(tree.join("state/below")).expect("made");
        for name in ["bytes", "gone", "mode", "note", "same", "time", "type"] {
            act::write(&tree.join(name), 9, 1).expect("written");
        }
        symlink("one", tree.join("target")).expect("linked");
    }
    act::overwrite(&new.join("bytes"), 0, true).expect("written");
    fs::remove_file(new.join("gone")).expect("removed");
    act::set_mode(&new.join("mode"), 0o600).expect("set");
    xattr::set(new.join("note"), "user.note", b"1").expect("set");
    act::remove(&new.join("type")).expect("removed");
    fs::create_dir(new.join("type")).expect("made");
    act::write(&new.join("more"), 1, 1).expect("written");
    act::remove(&new.join("target")).expect("removed");
    symlink("two", new.join("target")).expect("linked");
    act::write(&new.join("state/below/new"), 1, 1).expect("written");
    for tree in [&old, &new] {
        for name in ["", "bytes", "mode", "note", "same", "state", "target"] {
            act::set_time(&tree.join(name), time).expect("set");
        }
    }
    act::set_time(&new.join("time"), time).expect("set");
    let read = |tree: &Path| walk::read(tree, &["state/below"]);
    let found = walk::differences(&read(&old), &read(&new));
    let told: Vec<_> = found
        .iter()
        .map(|(path, how, ..)| (path.to_str().expect("a plain name"), *how))
        .collect();
    assert_eq!(
        told,
        [
            ("bytes", "content"),
            ("gone", "removed"),
            ("mode", "metadata"),
            ("more", "added"),
            ("note", "metadata"),
            ("target", "content"),
            ("time", "times"),
            ("type", "type"),
        ]
    );
}
