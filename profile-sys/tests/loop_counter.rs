//! The inode floor: why it is needed, and that it holds.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use profile_sys::{btrfs, mount};
use support::Pool;

/// What the tests use in place of 2^20, which takes seconds.
const FLOOR: u64 = 20_000;

/// A base with some files, and one without a floor or with it as the parent of profiles.
fn base_and_template(pool: &Pool, floor: u64) {
    let base = pool.subvolume("base");
    for number in 0..500 {
        fs::create_dir_all(base.join(format!("usr/d{}", number % 10))).expect("mkdir");
        fs::write(base.join(format!("usr/d{}/f{number}", number % 10)), "base").expect("write");
    }
    let template = pool.subvolume("template");
    if floor > 0 {
        let mut told = Vec::new();
        let last = btrfs::raise_inode_counter(&template, floor, &mut |now| told.push(now));
        assert!(last.expect("raise") >= floor - 1);
        assert!(told.is_sorted() && told.last().is_some_and(|last| last + 1 >= floor));
    }
    for name in ["upper", "work"] {
        fs::create_dir(template.join(name)).expect("mkdir");
    }
    btrfs::set_read_only(&base, true).expect("read-only");
}

/// The number of pairs of names in a tree that look like hard links of one file and are not.
fn collisions(top: &Path) -> usize {
    let mut seen: BTreeMap<(u64, u64), Vec<u64>> = BTreeMap::new();
    let mut left = vec![top.to_owned()];
    while let Some(path) = left.pop() {
        let meta = fs::symlink_metadata(&path).expect("lstat");
        seen.entry((meta.dev(), meta.ino()))
            .or_default()
            .push(meta.nlink());
        if meta.is_dir() {
            left.extend(
                fs::read_dir(&path)
                    .expect("list")
                    .map(|entry| entry.expect("entry").path()),
            );
        }
    }
    seen.values().map(|links| links.len() - 1).sum()
}

/// Mounts a profile made from the template over the base, writes into it, and counts.
fn collisions_in_a_profile(pool: &Pool, name: &str) -> usize {
    let profile = pool.at(name);
    btrfs::snapshot(&pool.at("template"), &profile, false).expect("snapshot");
    let merged = pool.image.with_file_name(format!("merged-{name}"));
    fs::create_dir(&merged).expect("mount point");
    let (base, upper, work) = (pool.at("base"), profile.join("upper"), profile.join("work"));
    let overlay = mount::Overlay {
        source: format!("flipper-profile:{name}"),
        lowers: vec![&base],
        upper: Some((&upper, &work)),
        same_filesystem: mount::same_filesystem(&base, &upper).expect("statfs"),
    };
    assert!(overlay.same_filesystem);
    mount::mount_overlay(&overlay, &merged).expect("overlay");
    for number in 0..400 {
        fs::write(merged.join(format!("new-{number}")), "new").expect("write");
        let directory = merged.join(format!("usr/d{}", number % 10));
        fs::write(directory.join(format!("f{number}")), "copied up").expect("write");
        fs::write(directory.join(format!("added-{number}")), "new").expect("write");
    }
    let found = collisions(&merged);
    mount::unmount(&merged).expect("unmount");
    found
}

#[test]
fn loop_a_profile_with_the_floor_collides_nowhere() {
    let pool = Pool::new(256);
    base_and_template(&pool, FLOOR);
    assert!(btrfs::highest_inode(&pool.at("base")).expect("highest") < FLOOR);
    let upper = fs::metadata(pool.at("template/upper")).expect("stat").ino();
    assert!(upper >= FLOOR, "the first inode made after it is {upper}");
    assert_eq!(collisions_in_a_profile(&pool, "one"), 0);
    // A snapshot of a snapshot goes on above everything.
    btrfs::snapshot(&pool.at("one"), &pool.at("clone"), false).expect("snapshot");
    fs::write(pool.at("clone/made"), "").expect("write");
    assert!(fs::metadata(pool.at("clone/made")).expect("stat").ino() > upper);
}

#[test]
fn loop_the_counter_outlives_an_unmount_once_a_directory_is_made() {
    let pool = Pool::new(256);
    base_and_template(&pool, FLOOR);
    mount::unmount(&pool.top).expect("unmount");
    mount::mount_pool(&pool.device, &pool.top).expect("mount");
    assert!(btrfs::highest_inode(&pool.at("template")).expect("highest") >= FLOOR);
    assert_eq!(collisions_in_a_profile(&pool, "one"), 0);
}

#[test]
fn loop_a_profile_without_the_floor_collides() {
    // The control: the counter above would also say 0 if it could not count.
    let pool = Pool::new(256);
    base_and_template(&pool, 0);
    let found = collisions_in_a_profile(&pool, "one");
    assert!(found > 100, "only {found}");
}
