//! A pool with a small base, profiles that are written through a real overlay, and their snapshots.

use std::cell::Cell;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use profile_db::model::Time;
use profile_store::delta::{self, Delta, Side};
use profile_store::pool::{self, CreateOptions};
use profile_store::state_paths::{self, StatePath};
use profile_store::view::View;
use profile_store::{Pool, Selector, Silent};
use profile_sys::mount::{self, Overlay};
use profile_sys::{btrfs, tree};

use crate::act;
use crate::walk::{self, Difference, Reading};

/// The state paths of every profile, in words of this test.
pub const STATE: &[&str] = &[
    "home",
    "root",
    "srv",
    "swap",
    "var/cache/apt",
    "var/lib/apt/lists",
    "var/lib/containerd",
    "var/lib/containers",
    "var/lib/docker",
    "var/lib/libvirt/images",
    "var/lib/machines",
    "var/lib/systemd/coredump",
    "var/log",
    "var/tmp",
];

/// The pool. Its mounts are in a namespace of this test's thread and go with it.
pub struct Place {
    pool: Pool,
    pub base: PathBuf,
    mounts: PathBuf,
    state: Vec<StatePath>,
    /// How many deltas a search could tell.
    pub searched: Cell<u64>,
    _directory: tempfile::TempDir,
    _alone: MutexGuard<'static, ()>,
}

/// One place at a time: a process that another test starts has, for a moment, every open file of this one, and a view
/// with an open file cannot be unmounted.
static ALONE: Mutex<()> = Mutex::new(());

impl Place {
    pub fn new() -> Self {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(
            nix::unistd::geteuid().is_root(),
            "loop_* tests need root; leave them out with `cargo test -- --skip loop_`"
        );
        let directory = tempfile::Builder::new()
            .prefix("flipper-delta-")
            .tempdir()
            .expect("temp dir");
        let image = directory.path().join("pool.img");
        let options = CreateOptions {
            size: Some(1 << 30),
            force: false,
            inode_floor: 4096,
            label: "delta".into(),
            now: Time::now(),
        };
        pool::create(&image, &options, &mut Silent).expect("a pool");
        let pool = Pool::open(&Selector::Path(image)).expect("the pool");
        let base = pool.layout().top().join("base");
        btrfs::create_subvolume(&base).expect("a base");
        act::fill_base(&base);
        btrfs::set_read_only(&base, true).expect("a base");
        let mounts = directory.path().join("mounts");
        fs::create_dir(&mounts).expect("a directory");
        Self {
            pool,
            base,
            mounts,
            state: state_paths::defaults(),
            searched: Cell::new(0),
            _directory: directory,
            _alone: alone,
        }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.pool.layout().top().join(name)
    }

    /// A new profile, or one that continues from a snapshot; mounted.
    pub fn profile(&self, name: &str, from: Option<&Path>) -> Profile {
        let template = self.pool.layout().template();
        let subvolume = self.at(name);
        btrfs::snapshot(from.unwrap_or(&template), &subvolume, false).expect("a profile");
        let merged = self.mounts.join(name);
        fs::create_dir_all(&merged).expect("a directory");
        let (upper, work) = (subvolume.join("upper"), subvolume.join("work"));
        let overlay = Overlay {
            source: "test".into(),
            lowers: vec![&self.base],
            upper: Some((&upper, &work)),
            same_filesystem: true,
        };
        mount::mount_overlay(&overlay, &merged).expect("the profile mounted");
        Profile { subvolume, merged }
    }

    /// A snapshot of a profile as it is now, with its merged tree as a walk reads it.
    pub fn snapshot(&self, profile: &Profile, name: &str) -> Snapshot {
        let path = self.at(name);
        btrfs::snapshot(&profile.subvolume, &path, true).expect("a snapshot");
        let reading = self.reading(&path);
        Snapshot { path, reading }
    }

    /// The merged tree of a snapshot as a walk reads it.
    pub fn reading(&self, snapshot: &Path) -> Reading {
        let view = self.mounts.join("view");
        fs::create_dir_all(&view).expect("a directory");
        let mut layers = b"ro,redirect_dir=nofollow,index=off,metacopy=off,lowerdir=".to_vec();
        layers.extend(snapshot.join("upper").as_os_str().as_bytes());
        layers.push(b':');
        layers.extend(self.base.as_os_str().as_bytes());
        let options = std::ffi::OsStr::from_bytes(&layers);
        let mounted = Command::new("mount")
            .args(["-t", "overlay", "-o"])
            .arg(options)
            .arg("walk")
            .arg(&view)
            .status();
        assert!(
            mounted.expect("mount").success(),
            "no view of {}",
            snapshot.display()
        );
        let reading = walk::read(&view, STATE);
        mount::unmount(&view).expect("unmounted");
        reading
    }

    /// What the product says differs between two snapshots.
    pub fn delta(&self, older: &Snapshot, newer: &Snapshot) -> Vec<Difference> {
        let sides = ((&*older.path, &*self.base), (&*newer.path, &*self.base));
        let delta = delta::between(&self.pool, sides.0, sides.1, &self.state);
        told(delta.expect("a delta"))
    }

    /// What the product says from what the kernel's send tells, whatever a search would.
    fn delta_by_send(&self, older: &Snapshot, newer: &Snapshot) -> Vec<Difference> {
        let touched = delta::touched_by_send(&older.path, &newer.path).expect("a stream");
        let view = |snapshot: &Snapshot| {
            View::read_only(&self.pool, &snapshot.path, &self.base).expect("a view")
        };
        let (old, new) = (view(older), view(newer));
        let side = |snapshot, view| Side {
            profile: snapshot,
            base: &self.base,
            merged: view,
        };
        let (before, after) = (side(&older.path, old.path()), side(&newer.path, new.path()));
        let delta = delta::of_touched(&touched, &before, &after, &self.state);
        old.close().expect("unmounted");
        new.close().expect("unmounted");
        told(delta.expect("a delta"))
    }

    /// Compares the delta of two snapshots, by both ways that there are, with the walk; `None` where they agree.
    pub fn disagreement(&self, older: &Snapshot, newer: &Snapshot) -> Option<String> {
        let walked = walk::differences(&older.reading, &newer.reading);
        let searched = delta::touched_by_search(&older.path, &newer.path).expect("a search");
        if searched.is_some() {
            self.searched.set(self.searched.get() + 1);
        }
        let ways = [
            ("delta", self.delta(older, newer)),
            ("delta by send", self.delta_by_send(older, newer)),
        ];
        ways.into_iter().find_map(|(way, told)| {
            let missing: Vec<_> = walked.iter().filter(|one| !told.contains(one)).collect();
            let wrong: Vec<_> = told.iter().filter(|one| !walked.contains(one)).collect();
            (told != walked)
                .then(|| format!("the walk alone has {missing:#?}\nthe {way} alone has {wrong:#?}"))
        })
    }
}

/// A delta in words.
fn told(delta: Delta) -> Vec<Difference> {
    let kind = |kind: tree::Kind| match kind {
        tree::Kind::File => "file",
        tree::Kind::Directory => "directory",
        tree::Kind::Symlink => "symlink",
        tree::Kind::CharDevice => "character device",
        tree::Kind::BlockDevice => "block device",
        tree::Kind::Fifo => "fifo",
        tree::Kind::Socket => "socket",
    };
    let changes = delta.changes.into_iter();
    changes
        .map(|change| {
            let (old, new) = (change.old.map(kind), change.new.map(kind));
            (change.path, change.kind.as_str(), old, new)
        })
        .collect()
}

/// A profile, mounted until it is dropped.
pub struct Profile {
    pub subvolume: PathBuf,
    pub merged: PathBuf,
}

impl Drop for Profile {
    fn drop(&mut self) {
        // A failed test has said what is wrong; the namespace ends with its thread.
        let _ = mount::unmount_detach(&self.merged);
        let _ = btrfs::delete_subvolume_tree(&self.subvolume);
    }
}

/// A read-only snapshot of a profile; it goes with this value.
pub struct Snapshot {
    pub path: PathBuf,
    pub reading: Reading,
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        let _ = btrfs::delete_subvolume_tree(&self.path);
    }
}
