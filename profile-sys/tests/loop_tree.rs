//! Entries and trees copied with everything that belongs to them, within btrfs and into an overlay.

mod support;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};

use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use profile_sys::tree::{Kind, Removed, Root, copy_entry, copy_tree, lstat, set_meta, xattrs};
use profile_sys::{btrfs, mount, xattr};
use support::Pool;

/// `cap_net_raw=ep`, version 2, as setcap writes it.
const CAPABILITY: [u8; 20] = [
    1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
];
/// `user::rw-,user:1234:r--,group::r--,mask::r--,other::---`.
const ACCESS_LIST: [u8; 44] = [
    2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 4, 0, 0xd2, 4, 0, 0, 4, 0, 4, 0, 255, 255,
    255, 255, 16, 0, 4, 0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255, 255,
];

const NOTHING: &dyn Fn(&OsStr) -> bool = &|_| false;

/// Names that trip programs up.
fn odd_names() -> Vec<OsString> {
    let names: [&[u8]; 8] = [
        b"-rf",
        b"new\nline",
        b"\xff\xfe",
        b" ",
        b"*",
        b"tab\t",
        b".flipper-1-1~",
        "ümlaut".as_bytes(),
    ];
    let mut all: Vec<OsString> = names
        .iter()
        .map(|name| OsStr::from_bytes(name).to_owned())
        .collect();
    all.push("n".repeat(255).into());
    all
}

/// A directory with one entry of each kind that is hard to copy.
fn zoo(top: &Path) {
    fs::create_dir(top).expect("mkdir");
    let at = |name: &str| top.join(name);
    fs::write(at("plain"), "content").expect("write");
    fs::write(at("empty"), "").expect("write");
    fs::write(at("capable"), "program").expect("write");
    chown(at("capable"), Some(12), Some(34)).expect("chown");
    xattr::set(
        &at("capable"),
        OsStr::new("security.capability"),
        &CAPABILITY,
    )
    .expect("capability");
    fs::write(at("setuid"), "program").expect("write");
    chown(at("setuid"), Some(12), Some(34)).expect("chown");
    fs::set_permissions(at("setuid"), fs::Permissions::from_mode(0o6755)).expect("chmod");
    fs::write(at("listed"), "").expect("write");
    fs::set_permissions(at("listed"), fs::Permissions::from_mode(0o640)).expect("chmod");
    xattr::set(
        &at("listed"),
        OsStr::new("system.posix_acl_access"),
        &ACCESS_LIST,
    )
    .expect("acl");
    xattr::set(&at("listed"), OsStr::new("user.note"), b"a\0b").expect("xattr");
    xattr::set(&at("listed"), OsStr::new("user.empty"), b"").expect("xattr");
    symlink("/nowhere/\n/at all", at("link")).expect("symlink");
    lchown(at("link"), Some(12), Some(34)).expect("lchown");
    xattr::set(&at("link"), OsStr::new("trusted.note"), b"on the link").expect("xattr");
    let all = Mode::from_bits_truncate(0o660);
    for (name, kind, device) in [
        ("null", SFlag::S_IFCHR, makedev(1, 3)),
        ("disk", SFlag::S_IFBLK, makedev(259, 70_000)),
        ("whiteout", SFlag::S_IFCHR, 0),
        ("fifo", SFlag::S_IFIFO, 0),
        ("socket", SFlag::S_IFSOCK, 0),
    ] {
        mknod(&at(name), kind, all, device).expect("mknod");
    }
    fs::create_dir(at("sticky")).expect("mkdir");
    chown(at("sticky"), Some(1), Some(2)).expect("chown");
    fs::set_permissions(at("sticky"), fs::Permissions::from_mode(0o3777)).expect("chmod");
    xattr::set(&at("sticky"), OsStr::new("trusted.overlay.opaque"), b"y").expect("xattr");
    xattr::set(
        &at("sticky"),
        OsStr::new("system.posix_acl_default"),
        &ACCESS_LIST,
    )
    .expect("acl");
    let large = fs::File::create(at("sparse")).expect("create");
    large.set_len(100 << 20).expect("hole");
    std::os::unix::fs::FileExt::write_all_at(&large, b"in the middle", 50 << 20).expect("write");
    for name in odd_names() {
        fs::write(top.join(&name), name.as_bytes()).expect("write");
    }
    for (number, name) in profile_sys::file::list(top)
        .expect("list")
        .iter()
        .enumerate()
    {
        let mut meta = lstat(&top.join(name)).expect("lstat").expect("there");
        // Before 1970 and within a second too.
        meta.mtime_ns = (number as i128 - 3) * 10_000_000_123_456_789 + 7;
        set_meta(&top.join(name), &meta).expect("time");
    }
}

/// Everything about an entry that a copy must keep.
#[derive(Debug, PartialEq)]
struct Facts {
    kind: Kind,
    mode: u32,
    owner: (u32, u32),
    mtime_ns: i128,
    rdev: u64,
    xattrs: Vec<(OsString, Vec<u8>)>,
    content: Vec<u8>,
}

fn facts(path: &Path) -> Facts {
    let meta = lstat(path)
        .expect("lstat")
        .unwrap_or_else(|| panic!("{path:?} is missing"));
    let content = match meta.kind {
        Kind::File => fs::read(path).expect("read"),
        Kind::Symlink => fs::read_link(path)
            .expect("readlink")
            .as_os_str()
            .as_bytes()
            .to_vec(),
        _ => Vec::new(),
    };
    // The kernel's own notes are about the layer, not about the entry.
    let own = |name: &OsStr| {
        matches!(
            name.to_str(),
            Some("trusted.overlay.origin" | "trusted.overlay.impure")
        )
    };
    let xattrs = xattrs(path)
        .expect("xattrs")
        .into_iter()
        .filter(|(name, _)| !own(name))
        .collect();
    Facts {
        kind: meta.kind,
        mode: meta.mode,
        owner: (meta.uid, meta.gid),
        mtime_ns: meta.mtime_ns,
        rdev: meta.rdev,
        xattrs,
        content,
    }
}

fn all_facts(top: &Path) -> BTreeMap<PathBuf, Facts> {
    let mut found = BTreeMap::new();
    let mut left = vec![PathBuf::new()];
    while let Some(below) = left.pop() {
        let path = top.join(&below);
        let facts = facts(&path);
        if facts.kind == Kind::Directory {
            left.extend(
                profile_sys::file::list(&path)
                    .expect("list")
                    .iter()
                    .map(|name| below.join(name)),
            );
        }
        found.insert(below, facts);
    }
    found
}

fn assert_same(one: &Path, other: &Path) {
    let (one, other) = (all_facts(one), all_facts(other));
    assert_eq!(
        one.keys().collect::<Vec<_>>(),
        other.keys().collect::<Vec<_>>()
    );
    for (path, facts) in &one {
        assert!(
            *facts == other[path],
            "{path:?}:\n{facts:.200?}\n{:.200?}",
            other[path]
        );
    }
}

#[test]
fn loop_each_entry_is_copied_with_everything_that_belongs_to_it() {
    let pool = Pool::new(256);
    let (from, to) = (pool.at("from"), pool.directory("to"));
    zoo(&from);
    let before = all_facts(&from);
    // A default list on the directory must not leak into what is made in it.
    xattr::set(&to, OsStr::new("system.posix_acl_default"), &ACCESS_LIST).expect("acl");
    for name in profile_sys::file::list(&from).expect("list") {
        copy_entry(&from.join(&name), &to.join(&name), NOTHING).expect("copy");
        assert_eq!(facts(&from.join(&name)), facts(&to.join(&name)), "{name:?}");
        copy_entry(&from.join(&name), &to.join(&name), NOTHING).expect("copy again");
        assert_eq!(
            facts(&from.join(&name)),
            facts(&to.join(&name)),
            "{name:?}, the second time"
        );
    }
    assert_eq!(before, all_facts(&from), "the original is as it was");
    let count = |path: &Path| profile_sys::file::list(path).expect("list").len();
    assert_eq!(count(&from), count(&to), "nothing is left beside");
    xattr::remove(&to, OsStr::new("system.posix_acl_default")).expect("acl");
    copy_entry(&from, &to, NOTHING).expect("the directory itself");
    assert_same(&from, &to);
    let blocks = fs::metadata(to.join("sparse")).expect("stat").blocks();
    assert!(blocks * 512 < 1 << 20, "holes stay holes");
}

#[test]
fn loop_every_kind_replaces_every_other() {
    let pool = Pool::new(256);
    let from = pool.at("from");
    zoo(&from);
    let to = pool.directory("to").join("entry");
    let kinds = [
        "plain", "link", "null", "fifo", "socket", "sticky", "capable",
    ];
    for before in kinds {
        for after in kinds {
            copy_entry(&from.join(before), &to, NOTHING).expect("first");
            copy_entry(&from.join(after), &to, NOTHING).expect("then");
            assert_eq!(facts(&from.join(after)), facts(&to), "{before} to {after}");
        }
    }
    copy_entry(&from.join("sticky"), &to, NOTHING).expect("a directory");
    fs::write(to.join("inside"), "").expect("write");
    let error = copy_entry(&from.join("plain"), &to, NOTHING).expect_err("not empty");
    assert_eq!(error.errno(), Some(libc::ENOTEMPTY));
    assert_eq!(
        profile_sys::file::list(to.parent().expect("parent")).expect("list"),
        ["entry"]
    );
    let error = copy_entry(&from.join("none"), &to, NOTHING).expect_err("missing");
    assert!(error.is_not_found());
}

#[test]
fn loop_skipped_attributes_are_neither_copied_nor_touched() {
    let pool = Pool::new(256);
    let (from, to) = (pool.at("from"), pool.at("to"));
    let name = OsStr::new;
    for (path, value) in [(&from, b"from"), (&to, b"the:")] {
        fs::create_dir(path).expect("mkdir");
        xattr::set(path, name("trusted.overlay.origin"), value).expect("xattr");
        xattr::set(path, name("trusted.overlay.opaque"), value).expect("xattr");
    }
    let skip = |name: &OsStr| name == "trusted.overlay.origin";
    copy_entry(&from, &to, &skip).expect("copy");
    assert_eq!(
        xattr::get(&to, name("trusted.overlay.origin"))
            .expect("xattr")
            .as_deref(),
        Some(&b"the:"[..])
    );
    assert_eq!(
        xattr::get(&to, name("trusted.overlay.opaque"))
            .expect("xattr")
            .as_deref(),
        Some(&b"from"[..])
    );
    fs::remove_dir(&to).expect("rmdir");
    copy_entry(&from, &to, &skip).expect("copy");
    assert_eq!(
        xattr::get(&to, name("trusted.overlay.origin")).expect("xattr"),
        None
    );
}

#[test]
fn loop_data_is_shared_within_the_filesystem_and_copied_beyond() {
    let pool = Pool::new(256);
    let (one, two) = (pool.subvolume("one"), pool.subvolume("two"));
    fs::write(one.join("big"), vec![7; 8 << 20]).expect("write");
    copy_entry(&one.join("big"), &two.join("big"), NOTHING).expect("copy");
    btrfs::commit(&two).expect("commit");
    let (first, second) = (btrfs::tree_extents(&one), btrfs::tree_extents(&two));
    let own = second
        .expect("size")
        .disk_bytes_not_in(&first.expect("size"));
    assert_eq!(own, 0, "a reflink across subvolumes");
    let outside = pool.image.with_file_name("big");
    copy_entry(&two.join("big"), &outside, NOTHING).expect("to another filesystem");
    assert_eq!(
        fs::read(&outside).expect("read"),
        fs::read(one.join("big")).expect("read")
    );
}

#[test]
fn loop_a_full_disk_leaves_the_old_entry() {
    let pool = Pool::new(128);
    let from = pool.image.with_file_name("large");
    fs::write(&from, vec![7; 300 << 20]).expect("write");
    let to = pool.at("entry");
    fs::write(&to, "old").expect("write");
    let error = copy_entry(&from, &to, NOTHING).expect_err("too large");
    assert!(error.is_no_space(), "{error:?}");
    assert_eq!(fs::read(&to).expect("read"), b"old");
    assert_eq!(profile_sys::file::list(&pool.top).expect("list"), ["entry"]);
}

#[test]
fn loop_a_tree_is_copied_whole_with_its_hard_links() {
    let pool = Pool::new(256);
    let (from, to) = (pool.at("from"), pool.at("to"));
    zoo(&from);
    zoo(&from.join("sticky/inner"));
    fs::create_dir(from.join("left out")).expect("mkdir");
    fs::hard_link(from.join("plain"), from.join("sticky/plain-too")).expect("link");
    fs::hard_link(from.join("whiteout"), from.join("sticky/whiteout-too")).expect("link");
    fs::create_dir(from.join("mounted")).expect("mkdir");
    mount::tmpfs(&from.join("mounted"), "size=1m,mode=0755").expect("tmpfs");
    fs::write(from.join("mounted/inside"), "").expect("write");
    let wanted = |path: &Path, _: &profile_sys::tree::Meta| path != Path::new("left out");
    let copied = copy_tree(&from, &to, NOTHING, &wanted).expect("copy");
    fs::remove_dir(from.join("left out")).expect("rmdir");
    mount::unmount(&from.join("mounted")).expect("unmount");
    let mounted = fs::read_dir(to.join("mounted")).expect("list").count();
    assert_eq!(mounted, 0, "what is mounted is not part of the tree");
    fs::remove_dir(from.join("mounted")).expect("rmdir");
    fs::remove_dir(to.join("mounted")).expect("rmdir");
    let times = |path: &Path| {
        let meta = lstat(&from).expect("lstat").expect("there");
        set_meta(path, &meta).expect("time");
    };
    times(&from);
    times(&to);
    assert_same(&from, &to);
    assert_eq!(
        copied.entries,
        all_facts(&to).len() as u64 + 1,
        "and the mount point"
    );
    for (one, other) in [
        ("plain", "sticky/plain-too"),
        ("whiteout", "sticky/whiteout-too"),
    ] {
        let inode = |name: &str| fs::symlink_metadata(to.join(name)).expect("lstat").ino();
        assert_eq!(inode(one), inode(other), "{one}");
    }
    let error = copy_tree(&from, &to, NOTHING, &|_, _| true).expect_err("taken");
    assert!(error.is_already_there());
}

/// An overlay with the zoo in its base, and the merged view.
fn merged_zoo(pool: &Pool) -> PathBuf {
    let (base, profile) = (pool.subvolume("base"), pool.subvolume("profile"));
    zoo(&base.join("zoo"));
    let (upper, work) = (profile.join("upper"), profile.join("work"));
    let merged = pool.image.with_file_name("merged");
    for path in [&upper, &work, &merged] {
        fs::create_dir(path).expect("mkdir");
    }
    let overlay = mount::Overlay {
        source: "test".into(),
        lowers: vec![&base],
        upper: Some((&upper, &work)),
        same_filesystem: true,
    };
    mount::mount_overlay(&overlay, &merged).expect("mount");
    merged
}

#[test]
fn loop_entries_are_replayed_through_a_merged_mount() {
    let pool = Pool::new(512);
    let merged = merged_zoo(&pool);
    let (from, to) = (pool.at("from"), merged.join("zoo"));
    zoo(&from);
    // What no merged view has: a whiteout, and overlayfs's own attributes.
    fs::remove_file(from.join("whiteout")).expect("remove");
    xattr::remove(&from.join("sticky"), OsStr::new("trusted.overlay.opaque")).expect("xattr");
    for name in profile_sys::file::list(&from).expect("list") {
        let target = to.join(&name);
        copy_entry(&from.join(&name), &target, NOTHING).expect("over an entry of the base");
        assert_eq!(facts(&from.join(&name)), facts(&target), "{name:?}");
        let fresh = to.join("sticky").join(&name);
        copy_entry(&from.join(&name), &fresh, NOTHING).expect("where nothing was");
        assert_eq!(facts(&from.join(&name)), facts(&fresh), "{name:?}");
    }
    // A directory of the base becomes a file, and a file of it a directory.
    profile_sys::file::remove_tree(&to.join("sticky")).expect("remove");
    copy_entry(&from.join("capable"), &to.join("sticky"), NOTHING).expect("copy");
    copy_entry(&from.join("sticky"), &to.join("capable"), NOTHING).expect("copy");
    assert_eq!(facts(&to.join("sticky")), facts(&from.join("capable")));
    assert_eq!(facts(&to.join("capable")), facts(&from.join("sticky")));
}

#[test]
fn loop_a_root_is_never_left_through_symlinks_or_mounts() {
    let pool = Pool::new(256);
    let (tree, outside) = (pool.directory("tree"), pool.directory("outside"));
    fs::write(outside.join("precious"), "x").expect("write");
    fs::create_dir(tree.join("real")).expect("mkdir");
    symlink(&outside, tree.join("absolute")).expect("symlink");
    symlink("../outside", tree.join("relative")).expect("symlink");
    symlink("real", tree.join("within")).expect("symlink");
    fs::create_dir(tree.join("mounted")).expect("mkdir");
    mount::bind(&outside, &tree.join("mounted")).expect("bind");
    let (root, other) = (
        Root::open(&tree).expect("open"),
        Root::open(&outside).expect("open"),
    );
    let from = Path::new("precious");
    for (path, number) in [
        ("absolute/precious", libc::ELOOP),
        ("relative/precious", libc::ELOOP),
        ("within/new", libc::ELOOP),
        ("mounted/precious", libc::EXDEV),
        ("real/../../outside/precious", libc::EXDEV),
    ] {
        let path = Path::new(path);
        let error = root
            .copy_from(path, &other, from, NOTHING)
            .expect_err("outside");
        assert_eq!(error.errno(), Some(number), "{path:?}: {error}");
        assert!(error.to_string().contains("tree/"), "{error}");
        assert!(root.write_atomic(path, b"y", 0o600).is_err());
        assert!(root.remove(path).is_err() || root.lstat(path).expect("lstat").is_none());
    }
    assert!(
        root.copy_from(Path::new("/etc/x"), &other, from, NOTHING)
            .is_err(),
        "absolute"
    );
    assert!(
        root.copy_from(Path::new(".."), &other, from, NOTHING)
            .is_err(),
        "above"
    );
    assert_eq!(fs::read(outside.join("precious")).expect("read"), b"x");
    assert_eq!(fs::read_dir(&outside).expect("list").count(), 1);
    // The last component is the entry itself, symlink or not.
    root.copy_from(Path::new("absolute"), &other, from, NOTHING)
        .expect("copy");
    assert!(
        fs::symlink_metadata(tree.join("absolute"))
            .expect("lstat")
            .is_file()
    );
}

#[test]
fn loop_a_root_reads_and_changes_what_is_in_it() {
    let pool = Pool::new(256);
    let tree = pool.directory("tree");
    let root = Root::open(&tree).expect("open");
    let path = Path::new;
    assert_eq!(root.lstat(path("none/at/all")).expect("lstat"), None);
    root.create_directory(path("a"), 0o750).expect("mkdir");
    root.write_atomic(path("a/file"), b"text", 0o644)
        .expect("write");
    root.hard_link(path("a/file"), path("a/second"))
        .expect("link");
    assert_eq!(
        root.lstat(path("a/file"))
            .expect("lstat")
            .expect("there")
            .nlink,
        2
    );
    assert_eq!(
        root.read_limited(path("a/file"), 10)
            .expect("read")
            .as_deref(),
        Some(&b"text"[..])
    );
    assert_eq!(root.read_limited(path("a/none"), 10).expect("read"), None);
    assert_eq!(root.list(path("a")).expect("list"), ["file", "second"]);
    assert_eq!(root.list(path("")).expect("list"), ["a"]);
    let error = root.read_limited(path("a"), 10).expect_err("a directory");
    assert!(error.to_string().ends_with("tree/a"), "{error}");
    let mut meta = root.lstat(path("a")).expect("lstat").expect("there");
    meta.mode = 0o711;
    meta.mtime_ns = 5;
    root.set_meta(path("a"), &meta).expect("meta");
    let now = root.lstat(path("a")).expect("lstat").expect("there");
    assert_eq!((now.mode, now.mtime_ns), (0o711, 5));
    // The top itself, whose name is its own.
    meta.mtime_ns = 7;
    root.set_meta(path(""), &meta).expect("meta of the top");
    let top = root.lstat(path("")).expect("lstat").expect("there");
    assert_eq!((top.mode, top.mtime_ns), (0o711, 7));
    meta.mode = 0o755;
    root.set_meta(path(""), &meta).expect("meta of the top");
    symlink("file", tree.join("a/link")).expect("symlink");
    assert_eq!(
        root.read_link(path("a/link")).expect("readlink"),
        path("file")
    );
    assert!(root.open_file(path("a/link")).is_err());
    assert_eq!(root.remove(path("a")).expect("remove"), Removed::NotEmpty);
    root.rename(path("a/link"), path("link")).expect("rename");
    assert_eq!(root.remove(path("link")).expect("remove"), Removed::Entry);
    assert_eq!(root.remove(path("link")).expect("again"), Removed::Nothing);
    assert_eq!(
        root.remove(path("no/link")).expect("no way"),
        Removed::Nothing
    );
    assert!(root.remove(path("")).is_err(), "the top itself");
    root.remove_tree(path("a")).expect("remove");
    assert_eq!(root.list(path("")).expect("list"), Vec::<OsString>::new());
    assert_eq!(root.xattrs(path("")).expect("xattrs"), []);
}

#[test]
fn loop_remove_tree_stops_at_mounts_and_subvolumes() {
    let pool = Pool::new(256);
    let (tree, outside) = (pool.directory("tree"), pool.directory("outside"));
    fs::write(outside.join("precious"), "x").expect("write");
    fs::create_dir_all(tree.join("a/mounted")).expect("mkdir");
    mount::bind(&outside, &tree.join("a/mounted")).expect("bind");
    let error = profile_sys::file::remove_tree(&tree).expect_err("a mount");
    assert_eq!(error.errno(), Some(libc::EXDEV));
    mount::unmount(&tree.join("a/mounted")).expect("unmount");
    fs::remove_dir(tree.join("a/mounted")).expect("rmdir");
    fs::write(pool.subvolume("tree/a/nested").join("precious"), "x").expect("write");
    let error = profile_sys::file::remove_tree(&tree).expect_err("a subvolume");
    assert_eq!(error.errno(), Some(libc::EXDEV));
    assert!(tree.join("a/nested/precious").exists() && outside.join("precious").exists());
}
