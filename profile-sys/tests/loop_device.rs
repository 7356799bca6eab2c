//! Image files as loop devices: attached once, whoever asks, and cleared by themselves.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use profile_sys::loop_device::{attach, attached};
use profile_sys::{btrfs, file, mount};
use support::require_root;

fn image(directory: &Path, name: &str) -> std::path::PathBuf {
    let path = directory.join(name);
    file::truncate(&path, 128 << 20).expect("image");
    path
}

/// The image behind a loop device, by the path the kernel knows it by.
fn backing_file(device: &Path) -> Option<PathBuf> {
    let name = device.file_name().expect("a device");
    let text = fs::read_to_string(Path::new("/sys/block").join(name).join("loop/backing_file"));
    Some(PathBuf::from(text.ok()?.trim_end()))
}

/// The kernel clears a device a moment after its last user has gone.
fn clears(device: &Path) -> bool {
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        if backing_file(device).is_none() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}

#[test]
fn loop_a_second_attach_reuses_the_first_and_the_last_one_clears_it() {
    require_root();
    let directory = tempfile::tempdir().expect("temp dir");
    let path = image(directory.path(), "image");
    assert_eq!(attached(&path).expect("search"), None);
    let first = attach(&path).expect("attach");
    let second = attach(&path).expect("attach");
    assert!(!first.reused && second.reused);
    assert_eq!(first.device, second.device);
    assert_eq!(attached(&path).expect("search"), Some(first.device.clone()));
    assert_eq!(
        backing_file(&first.device),
        Some(path.canonicalize().expect("path"))
    );
    // By another name too: it is the inode that counts.
    let alias = directory.path().join("alias");
    fs::hard_link(&path, &alias).expect("link");
    assert_eq!(attach(&alias).expect("attach").device, first.device);
    let device = first.device.clone();
    drop(first);
    assert!(
        backing_file(&device).is_some(),
        "the second one still uses it"
    );
    drop(second);
    assert!(clears(&device));
}

#[test]
fn loop_a_mount_keeps_the_device_and_unmounting_clears_it() {
    require_root();
    mount::private_namespace().expect("namespace");
    let directory = tempfile::tempdir().expect("temp dir");
    let (path, top) = (
        image(directory.path(), "image"),
        directory.path().join("top"),
    );
    btrfs::make_filesystem(&path, "x").expect("mkfs");
    fs::create_dir(&top).expect("mkdir");
    let device = {
        let attached = attach(&path).expect("attach");
        mount::mount_pool(&attached.device, &top).expect("mount");
        attached.device.clone()
    };
    assert!(backing_file(&device).is_some());
    let again = attach(&path).expect("attach");
    assert!(again.reused && again.device == device);
    drop(again);
    mount::unmount(&top).expect("unmount");
    assert!(clears(&device));
}

#[test]
fn loop_many_at_once_get_one_device() {
    require_root();
    let directory = tempfile::tempdir().expect("temp dir");
    let path = image(directory.path(), "image");
    let barrier = std::sync::Barrier::new(8);
    let held: Vec<_> = std::thread::scope(|scope| {
        let work = || {
            barrier.wait();
            attach(&path).expect("attach")
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("thread"))
            .collect()
    });
    assert!(held.iter().all(|one| one.device == held[0].device));
    assert_eq!(held.iter().filter(|one| !one.reused).count(), 1);
}

#[test]
fn loop_what_is_no_image_is_refused() {
    require_root();
    let directory = tempfile::tempdir().expect("temp dir");
    let error = attach(&directory.path().join("none")).expect_err("missing");
    assert!(error.is_not_found());
    let error = attach(directory.path()).expect_err("a directory");
    assert_eq!(error.errno(), Some(libc::EISDIR));
    let error = attach(Path::new("/dev/null")).expect_err("a device");
    assert_eq!(error.errno(), Some(libc::EINVAL));
}

#[test]
fn loop_a_part_of_the_image_on_another_device_is_not_taken_for_it() {
    require_root();
    let directory = tempfile::tempdir().expect("temp dir");
    let path = image(directory.path(), "image");
    let output = profile_sys::command::Command::new("losetup")
        .args(["--find", "--show", "--offset", "1048576", "--"])
        .arg(&path)
        .run_ok()
        .expect("losetup");
    let part = String::from_utf8(output.stdout)
        .expect("utf-8")
        .trim()
        .to_owned();
    assert_eq!(attached(&path).expect("search"), Some(part.clone().into()));
    let whole = attach(&path).expect("attach");
    let detached = profile_sys::command::Command::new("losetup")
        .args(["--detach", &part])
        .run_ok();
    detached.expect("losetup");
    assert!(!whole.reused && whole.device != Path::new(&part));
}
