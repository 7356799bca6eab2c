//! A pool on an image file for one test, in a mount namespace that only this test sees.
//!
//! Tests named `loop_*` need root, btrfs and loop devices. They fail, rather than pass without testing, where
//! these are missing: a runner without root leaves them out by name (`--skip loop_`) and says so.
#![allow(dead_code)]

use std::path::{Path, PathBuf};

use profile_sys::{btrfs, loop_device, mount};

/// Fails the test when it cannot mean anything.
pub fn require_root() {
    assert!(
        nix::unistd::geteuid().is_root(),
        "loop_* tests need root; leave them out with `cargo test -- --skip loop_`"
    );
}

/// Whether something is mounted on `path` itself.
pub fn is_mount_point(path: &Path) -> bool {
    let resolved = path.canonicalize().expect("path");
    let mounts = profile_sys::mountinfo::read_own().expect("mountinfo");
    mounts.iter().any(|mount| mount.mount_point == resolved)
}

/// A mounted pool. Dropping it unmounts it; the device clears itself, the image goes with its directory.
/// `NO_TEST_CLEAN_UP=1` keeps image and directory.
#[derive(Debug)]
pub struct Pool {
    /// Where the top level is mounted.
    pub top: PathBuf,
    /// The image file.
    pub image: PathBuf,
    /// Its loop device.
    pub device: PathBuf,
    _attached: loop_device::Attached,
    directory: tempfile::TempDir,
}

impl Pool {
    /// A pool of so many MiB, sparse.
    pub fn new(size_mib: u64) -> Self {
        require_root();
        mount::private_namespace().expect("a mount namespace");
        let mut directory = tempfile::Builder::new()
            .prefix("flipper-sys-")
            .tempdir()
            .expect("temp dir");
        directory.disable_cleanup(std::env::var_os("NO_TEST_CLEAN_UP").is_some());
        // Children of other users must be able to pass.
        open_to_all(directory.path());
        let (image, top) = (directory.path().join("image"), directory.path().join("top"));
        profile_sys::file::truncate(&image, size_mib << 20).expect("image file");
        btrfs::make_filesystem(&image, "flipper-test").expect("mkfs.btrfs");
        let attached = loop_device::attach(&image).expect("loop device");
        std::fs::create_dir(&top).expect("mount point");
        mount::mount_pool(&attached.device, &top).expect("mount");
        let device = attached.device.clone();
        Self {
            top,
            image,
            device,
            _attached: attached,
            directory,
        }
    }

    /// A path below the top level.
    pub fn at(&self, relative: &str) -> PathBuf {
        self.top.join(relative)
    }

    /// A plain directory below the top level.
    pub fn directory(&self, relative: &str) -> PathBuf {
        let path = self.at(relative);
        std::fs::create_dir_all(&path).expect("directory");
        path
    }

    /// A new subvolume below the top level.
    pub fn subvolume(&self, relative: &str) -> PathBuf {
        let path = self.at(relative);
        btrfs::create_subvolume(&path).expect("subvolume");
        path
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // Also what a test left mounted, or a failed one could not unmount: last mounted, first unmounted.
        let Ok(mounts) = profile_sys::mountinfo::read_own() else {
            return;
        };
        let below = |mount: &&profile_sys::mountinfo::Mount| {
            mount.mount_point.starts_with(self.directory.path())
        };
        for mount in mounts.iter().rev().filter(below) {
            // One that went with another is done.
            let _ = mount::unmount_detach(&mount.mount_point);
        }
    }
}

fn open_to_all(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(path, mode).expect("permissions");
}

/// Runs `work` in a forked child and fails when it does not return 0. What it prints is lost.
pub fn in_child(work: impl FnOnce() -> i32) {
    let child = profile_sys::namespace::fork_child(work).expect("fork");
    let status = child.wait().expect("wait");
    assert!(status.success(), "the child ended with {status}");
}
