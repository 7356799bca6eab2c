//! btrfs on a real image: subvolumes, snapshots, deletion, and which failure is which.

mod support;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use profile_sys::{Error, btrfs, file};
use support::Pool;

#[test]
fn loop_a_snapshot_holds_what_was_not_yet_written_to_disk() {
    let pool = Pool::new(256);
    let live = pool.subvolume("live");
    fs::write(live.join("a"), "before").expect("write");
    btrfs::snapshot(&live, &pool.at("snap"), true).expect("snapshot");
    fs::write(live.join("a"), "after").expect("write");
    assert_eq!(
        fs::read_to_string(pool.at("snap/a")).expect("read"),
        "before"
    );
    let info = btrfs::subvolume_info(&pool.at("snap")).expect("info");
    let parent = btrfs::subvolume_info(&live).expect("info");
    assert!(info.read_only && !parent.read_only);
    assert_eq!(info.parent_uuid, Some(parent.uuid));
    assert_ne!(info.uuid, parent.uuid);
    assert!(info.created_generation >= parent.created_generation);
    assert!(
        parent.generation >= info.created_generation,
        "the live one was written since"
    );
    btrfs::delete_subvolume(&pool.at("snap")).expect("delete");
    assert!(!file::exists(&pool.at("snap")).expect("lstat"));
}

#[test]
fn loop_a_nested_subvolume_is_told_apart_and_deleted_inside_out() {
    let pool = Pool::new(256);
    let outer = pool.subvolume("outer");
    fs::create_dir_all(outer.join("a b/c")).expect("directories");
    pool.subvolume("outer/a b/c/inner");
    pool.subvolume("outer/a b/c/inner/innermost");
    pool.subvolume("outer/.guard");
    let error = btrfs::delete_subvolume(&outer).expect_err("nested");
    assert!(
        matches!(&error, Error::SubvolumeNotEmpty { path } if *path == outer),
        "{error}"
    );
    assert_eq!(error.errno(), Some(libc::ENOTEMPTY));
    let mut nested = btrfs::nested_subvolumes(&outer).expect("list");
    nested.sort();
    assert_eq!(nested, [outer.join(".guard"), outer.join("a b/c/inner")]);
    // Read-only outside and inside: both must be made writable before the inner one can go.
    btrfs::set_read_only(&outer.join("a b/c/inner"), true).expect("read-only");
    btrfs::set_read_only(&outer, true).expect("read-only");
    btrfs::delete_subvolume_tree(&outer).expect("delete all");
    assert!(!file::exists(&outer).expect("lstat"));
}

#[test]
fn loop_missing_right_is_told_apart() {
    let pool = Pool::new(256);
    let path = pool.subvolume("mine");
    let failure = |name: &str| {
        let target = pool.at(name);
        let child = profile_sys::namespace::fork_child(|| {
            let nobody = nix::unistd::Uid::from_raw(65534);
            if nix::unistd::setresuid(nobody, nobody, nobody).is_err() {
                return 1;
            }
            let outcome = if target == path {
                btrfs::delete_subvolume(&target)
            } else {
                btrfs::create_subvolume(&target)
            };
            match outcome {
                Err(error) if error.is_not_permitted() => error.errno().unwrap_or(1),
                Err(_) => 2,
                Ok(()) => 3,
            }
        });
        child.expect("fork").wait().expect("wait").code()
    };
    assert_eq!(failure("mine"), Some(libc::EPERM));
    assert_eq!(failure("new"), Some(libc::EACCES));
    assert!(
        btrfs::is_subvolume(&path).expect("lstat"),
        "it was not deleted"
    );
    let error = btrfs::delete_subvolume(&pool.at("no such")).expect_err("missing");
    assert!(error.is_not_found(), "{error:?}");
    fs::create_dir(pool.at("plain")).expect("mkdir");
    let error = btrfs::delete_subvolume(&pool.at("plain")).expect_err("a directory");
    assert!(matches!(error, Error::NotSubvolume { .. }), "{error:?}");
    let error = btrfs::create_subvolume(&path).expect_err("taken");
    assert!(error.is_already_there(), "{error:?}");
    let error = btrfs::snapshot(&path, &pool.at("plain"), true).expect_err("taken");
    assert!(
        error.is_already_there(),
        "never made inside of what has the name: {error:?}"
    );
}

#[test]
fn loop_a_full_disk_is_told_apart_and_deleting_still_works() {
    let pool = Pool::new(128);
    let live = pool.subvolume("live");
    fs::write(live.join("ballast"), vec![7; 4 << 20]).expect("ballast");
    btrfs::snapshot(&live, &pool.at("snap"), true).expect("snapshot");
    // Attributes live in the metadata, which is what a new subvolume needs; large ones fill it quickly.
    let full = (0..100_000).find_map(|number| {
        let path = live.join(number.to_string());
        let made = fs::write(&path, "").map_err(|error| Error::io("write", &path, error));
        let name = std::ffi::OsStr::new("user.ballast");
        made.and_then(|()| profile_sys::xattr::set(&path, name, &[7; 15_000]))
            .err()
    });
    assert_eq!(full.and_then(|error| error.errno()), Some(libc::ENOSPC));
    let error = (0..10_000)
        .find_map(|number| btrfs::create_subvolume(&pool.at(&format!("s{number}"))).err())
        .expect("no room for 10,000 subvolumes on a full disk");
    assert!(error.is_no_space(), "{error:?}");
    let error = (0..10_000)
        .find_map(|number| btrfs::snapshot(&live, &pool.at(&format!("t{number}")), true).err())
        .expect("no room for 10,000 snapshots on a full disk");
    assert!(error.is_no_space(), "{error:?}");
    let usage = btrfs::usage(&pool.top).expect("usage");
    assert!(
        usage.unallocated + usage.metadata_free < 6 << 20,
        "{usage:?}"
    );
    btrfs::delete_subvolume(&pool.at("snap")).expect("deleting works on a full disk");
    btrfs::delete_subvolume(&live).expect("deleting works on a full disk");
}

#[test]
fn loop_two_subvolumes_exchange_their_names_across_directories() {
    let pool = Pool::new(256);
    pool.directory("@flipper/staging");
    pool.directory("@profiles");
    let (staged, live) = (
        pool.subvolume("@flipper/staging/x"),
        pool.subvolume("@profiles/y"),
    );
    fs::write(staged.join("which"), "staged").expect("write");
    fs::write(live.join("which"), "live").expect("write");
    let uuid = |path: &std::path::Path| btrfs::subvolume_info(path).expect("info").uuid;
    let (of_staged, of_live) = (uuid(&staged), uuid(&live));
    file::exchange(&staged, &live).expect("exchange");
    assert_eq!(
        (uuid(&staged), uuid(&live)),
        (of_live, of_staged),
        "identities move with the names"
    );
    assert_eq!(
        fs::read_to_string(live.join("which")).expect("read"),
        "staged"
    );
    let error = file::rename_no_replace(&staged, &live).expect_err("taken");
    assert!(error.is_already_there(), "{error:?}");
    let error = file::exchange(&staged, &pool.at("@profiles/none")).expect_err("missing");
    assert!(error.is_not_found(), "{error:?}");
}

#[test]
fn loop_the_size_of_a_tree_counts_shared_extents_once() {
    let pool = Pool::new(256);
    let live = pool.subvolume("live");
    fs::write(live.join("big"), vec![1; 1 << 20]).expect("write");
    fs::write(live.join("small"), [1; 100]).expect("write");
    let (from, to) = (
        fs::File::open(live.join("big")),
        fs::File::create(live.join("clone")),
    );
    btrfs::clone_file(&from.expect("open"), &to.expect("create")).expect("reflink");
    fs::File::create(live.join("hole"))
        .expect("create")
        .set_len(1 << 30)
        .expect("hole");
    btrfs::commit(&live).expect("commit");
    let size = btrfs::tree_size(&live).expect("size");
    assert_eq!(size.inodes, 5, "the top and four files");
    assert_eq!((size.disk_bytes, size.inline_bytes), (1 << 20, 100));
    btrfs::snapshot(&live, &pool.at("snap"), true).expect("snapshot");
    fs::write(live.join("own"), vec![2; 64 << 10]).expect("write");
    btrfs::commit(&live).expect("commit");
    let (now, then) = (
        btrfs::tree_extents(&live),
        btrfs::tree_extents(&pool.at("snap")),
    );
    let own = now
        .expect("live")
        .disk_bytes_not_in(&then.expect("snapshot"));
    assert_eq!(own, 64 << 10);
}

#[test]
fn loop_the_size_of_many_files_needs_several_searches_and_is_exact() {
    let pool = Pool::new(512);
    let live = pool.subvolume("live");
    for number in 0..12_000u32 {
        fs::write(live.join(number.to_string()), number.to_string().repeat(20)).expect("write");
    }
    btrfs::commit(&live).expect("commit");
    let size = btrfs::tree_size(&live).expect("size");
    let bytes: u64 = (0..12_000u32)
        .map(|number| number.to_string().len() as u64 * 20)
        .sum();
    assert_eq!(
        (size.inodes, size.inline_bytes, size.disk_bytes),
        (12_001, bytes, 0)
    );
    assert_eq!(btrfs::highest_inode(&live).expect("highest"), 256 + 12_000);
}

#[test]
fn loop_the_highest_inode_is_found_with_gaps_below_it() {
    let pool = Pool::new(256);
    let live = pool.subvolume("live");
    assert_eq!(
        btrfs::highest_inode(&live).expect("highest"),
        256,
        "only the top directory"
    );
    for number in 0..3000 {
        fs::write(live.join(number.to_string()), "").expect("write");
    }
    for number in 0..2999 {
        fs::remove_file(live.join(number.to_string())).expect("remove");
    }
    btrfs::commit(&live).expect("commit");
    let last = fs::metadata(live.join("2999")).expect("stat").ino();
    assert_eq!(btrfs::highest_inode(&live).expect("highest"), last);
    btrfs::snapshot(&live, &pool.at("snap"), true).expect("snapshot");
    assert_eq!(
        btrfs::highest_inode(&pool.at("snap")).expect("highest"),
        last
    );
}

#[test]
fn loop_a_filesystem_and_its_kind_are_recognised() {
    let pool = Pool::new(256);
    assert!(btrfs::is_btrfs(&pool.top).expect("statfs"));
    assert!(!btrfs::is_btrfs(std::path::Path::new("/proc")).expect("statfs"));
    let uuid = btrfs::filesystem_uuid(&pool.top).expect("uuid");
    assert!(!uuid.is_nil());
    let found = btrfs::detect_content(&pool.image)
        .expect("probe")
        .expect("a signature");
    assert!(
        found.contains("btrfs") && found.contains("flipper-test"),
        "{found}"
    );
    let empty = pool.image.with_file_name("empty");
    file::truncate(&empty, 1 << 20).expect("image");
    assert_eq!(btrfs::detect_content(&empty).expect("probe"), None);
    fs::write(&empty, "a letter to someone").expect("write");
    let found = btrfs::detect_content(&empty).expect("probe");
    assert_eq!(found.as_deref(), Some("data of an unknown kind"));
    let usage = btrfs::usage(&pool.top).expect("usage");
    assert!(
        usage.metadata_free > 0 && usage.metadata_free <= usage.total,
        "{usage:?}"
    );
    assert!(usage.total >= 200 << 20 && usage.available > 0 && usage.available <= usage.total);
}

#[test]
fn loop_a_commit_brings_data_to_the_disk() {
    let pool = Pool::new(256);
    let listing = |name: &str| {
        // What is in the image now is what a power cut would leave: the loop device's own writes.
        let copy = pool.image.with_file_name(name);
        fs::copy(&pool.image, &copy).expect("copy of the image");
        let output = profile_sys::command::Command::new("btrfs")
            .args(["inspect-internal", "dump-tree", "-t", "fs"])
            .arg(&copy)
            .run_ok()
            .expect("btrfs reads the copy");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    fs::write(pool.at("precious"), vec![1; 1 << 20]).expect("write");
    assert!(
        !listing("before").contains("precious"),
        "it was on disk without a commit"
    );
    btrfs::commit(&pool.top).expect("commit");
    assert!(
        listing("after").contains("precious"),
        "it is not on disk after the commit"
    );
}

#[test]
fn loop_what_was_deleted_is_cleared_away_after_a_while() {
    let pool = Pool::new(256);
    assert!(!btrfs::is_clearing_away(&pool.top).expect("nothing was deleted"));
    let gone = pool.subvolume("gone");
    fs::write(gone.join("a"), vec![7; 1 << 20]).expect("write");
    btrfs::commit(&pool.top).expect("commit");
    btrfs::delete_subvolume(&gone).expect("delete");
    assert!(
        btrfs::is_clearing_away(&pool.top).expect("look"),
        "its name alone is gone"
    );
    let until = Instant::now() + Duration::from_secs(10);
    btrfs::clear_away(&pool.top, until).expect("wait");
    assert!(!btrfs::is_clearing_away(&pool.top).expect("look"));
}
