//! Where everything in a pool stands: pure path arithmetic below the pool's top level.
//!
//! ```text
//! <top level, subvolid 5>
//! ├── @base/<version>/        read-only subvolume: a complete, clean Debian root
//! │         current           symlink to the default version for new profiles
//! ├── @profiles/<id>/         subvolume: profile.json  upper/  work/  .guard (nested subvolume)
//! │             .template     what every profile is a snapshot of (inode floor)
//! ├── @snapshots/<id>/        origin, <n>-pre, <n>-post: read-only subvolumes of the profile subvolume
//! ├── @state/<id>/            subvolume: paths that live with the profile but are never rewound
//! ├── @data/                  subvolume: personal files, /data in every profile
//! └── @flipper/               subvolume, mode 0700: journal, pool.json, leases, staging, trash, waiting
//! ```
//!
//! No function here touches the disk.

use std::path::{Path, PathBuf};

use profile_db::model::{BaseVersion, ProfileId, SnapshotName};

/// Name of the nested subvolume that makes a plain `btrfs subvolume delete` of a profile fail.
pub const GUARD: &str = ".guard";
/// Name of the overlay upper directory inside a profile subvolume.
pub const UPPER: &str = "upper";
/// Name of the overlay work directory inside a profile subvolume.
pub const WORK: &str = "work";
/// Name of the profile file inside a profile subvolume.
pub const PROFILE_FILE: &str = "profile.json";

/// All paths of one pool, below the directory where its top level is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    top: PathBuf,
}

impl Layout {
    /// The layout of a pool whose top level (subvolid 5) is visible at `top`.
    pub fn new(top: impl Into<PathBuf>) -> Self {
        Self { top: top.into() }
    }

    /// The top level itself.
    pub fn top(&self) -> &Path {
        &self.top
    }

    /// Directory of all bases.
    pub fn bases(&self) -> PathBuf {
        self.top.join("@base")
    }

    /// One base, a read-only subvolume.
    pub fn base(&self, version: &BaseVersion) -> PathBuf {
        self.bases().join(version.as_str())
    }

    /// Symlink to the default base of new profiles.
    pub fn current_base(&self) -> PathBuf {
        self.bases().join("current")
    }

    /// Directory of all profiles.
    pub fn profiles(&self) -> PathBuf {
        self.top.join("@profiles")
    }

    /// The subvolume that every profile is a snapshot of.
    pub fn template(&self) -> PathBuf {
        self.profiles().join(".template")
    }

    /// One profile, a subvolume.
    pub fn profile(&self, id: &ProfileId) -> PathBuf {
        self.profiles().join(id.as_str())
    }

    /// Directory of all profiles' snapshots.
    pub fn all_snapshots(&self) -> PathBuf {
        self.top.join("@snapshots")
    }

    /// Directory of one profile's snapshots.
    pub fn snapshots(&self, id: &ProfileId) -> PathBuf {
        self.all_snapshots().join(id.as_str())
    }

    /// One snapshot of a profile (`origin`, `12-pre`, `12-post`).
    pub fn snapshot(&self, id: &ProfileId, name: SnapshotName) -> PathBuf {
        self.snapshots(id).join(name.to_string())
    }

    /// Directory of all profiles' state.
    pub fn states(&self) -> PathBuf {
        self.top.join("@state")
    }

    /// One profile's state, a subvolume.
    pub fn state(&self, id: &ProfileId) -> PathBuf {
        self.states().join(id.as_str())
    }

    /// Personal files, shared by every profile.
    pub fn data(&self) -> PathBuf {
        self.top.join("@data")
    }

    /// The product's own subvolume.
    pub fn own(&self) -> PathBuf {
        self.top.join("@flipper")
    }

    /// The pool file.
    pub fn pool_file(&self) -> PathBuf {
        self.own().join("pool.json")
    }

    /// The SQLite journal.
    pub fn journal(&self) -> PathBuf {
        self.own().join("journal.db")
    }

    /// The record that early boot reads.
    pub fn boot_record(&self) -> PathBuf {
        self.own().join("boot.json")
    }

    /// What early boot appends, one line each, for `recover` to import.
    pub fn boot_log(&self) -> PathBuf {
        self.own().join("boot-log")
    }

    /// The lock that every change of the pool holds.
    pub fn lock(&self) -> PathBuf {
        self.own().join("lock")
    }

    /// Preallocated bytes that are given back when the disk is full, so that the journal can be written.
    pub fn reserve(&self) -> PathBuf {
        self.own().join("reserve")
    }

    /// Directory of the base files.
    pub fn base_files(&self) -> PathBuf {
        self.own().join("bases")
    }

    /// The base file of one base.
    pub fn base_file(&self, version: &BaseVersion) -> PathBuf {
        self.base_files().join(format!("{version}.json"))
    }

    /// Directory of the leases, one lock file per mounted profile.
    pub fn leases(&self) -> PathBuf {
        self.own().join("leases")
    }

    /// The lease of one profile; whoever has it mounted holds its lock.
    pub fn lease(&self, id: &ProfileId) -> PathBuf {
        self.leases().join(id.as_str())
    }

    /// The lock that each session of an entered profile shares; when it is free the holder ends.
    pub fn sessions_lock(&self, id: &ProfileId) -> PathBuf {
        self.leases().join(format!("{id}.sessions"))
    }

    /// Directory of the undos that wait for their profiles' next start.
    pub fn waiting(&self) -> PathBuf {
        self.own().join("waiting")
    }

    /// The undo that waits for the next start of one profile.
    pub fn waiting_undo(&self, id: &ProfileId) -> PathBuf {
        self.waiting().join(format!("{id}.json"))
    }

    /// Directory where everything is built before it gets a visible name.
    pub fn staging(&self) -> PathBuf {
        self.own().join("staging")
    }

    /// Directory of what was replaced or deleted and is not collected yet.
    pub fn trash(&self) -> PathBuf {
        self.own().join("trash")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_stands_below_the_top() {
        let layout = Layout::new("/pool");
        assert_eq!(layout.journal(), Path::new("/pool/@flipper/journal.db"));
        assert_eq!(layout.template(), Path::new("/pool/@profiles/.template"));
    }
}
