//! Opening a pool: find the device, mount its top level privately, check its form.
//!
//! Nothing is left mounted through which a stray command could delete: the process that opens a
//! pool first gets a mount namespace of its own, so the mount dies with it (docs/architecture.md:
//! with the top level reachable, `btrfs subvolume delete` of a base in use succeeds).

mod create;
mod find;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use profile_db::format::{Compatibility, FormatError};
use profile_db::journal::{Access, Journal};
use profile_db::model::ProfileId;
use profile_db::{FileError, PoolFile};
use profile_sys::{btrfs, file, lock, mount};
use uuid::Uuid;

pub(crate) use create::reserve_bytes;
pub use create::{CreateOptions, LEAST_BYTES, create};
pub use find::{Selector, locate};

use crate::error::{Error, Result};
use crate::layout::Layout;
use crate::session::Session;
use crate::transaction::reserve;

/// Host-visible, always empty directory; in the private namespace it carries a tmpfs.
const PRIVATE_ROOT: &str = "/run/flipper-profile/mnt";
/// Largest pool.json that is read, in bytes.
const FILE_LIMIT_BYTES: u64 = 1024 * 1024;
/// How long a command waits for another one's change to end.
pub const LOCK_WAIT: Duration = Duration::from_secs(10);
/// How long a journal statement waits for another process's write.
pub const JOURNAL_WAIT: Duration = Duration::from_secs(5);

/// An open pool: its top level is mounted in this process's own namespace.
#[derive(Debug)]
pub struct Pool {
    layout: Layout,
    device: PathBuf,
    /// What the user named, for messages.
    named: PathBuf,
    filesystem: Uuid,
    file: PoolFile,
    /// Unknown read-only-compatible features: such a pool is read, not changed.
    read_only_because: Vec<String>,
}

/// The pool's exclusive lock; every change holds it from its first look at the pool to its commit.
#[derive(Debug)]
pub struct PoolLock {
    _lock: lock::FileLock,
}

impl Pool {
    /// Opens the pool that `selector` names.
    ///
    /// The calling process gets a mount namespace of its own, in which the pool's top level is
    /// mounted; nothing appears in any other namespace.
    ///
    /// # Errors
    ///
    /// There is no such file or device, it is not btrfs, not a pool, half made, damaged, or of a form
    /// that this version cannot use.
    pub fn open(selector: &Selector) -> Result<Self> {
        let located = find::attach(selector)?;
        let pool = Self::mount(located.device, located.named);
        // Until here: a loop device without a user is detached at once.
        drop(located.attached);
        pool
    }

    /// Opens the pool of the profile that the calling process runs in.
    ///
    /// # Errors
    ///
    /// As [`Pool::open`].
    pub fn open_session(session: &Session) -> Result<Self> {
        Self::mount(session.device.clone(), session.device.clone())
    }

    fn mount(device: PathBuf, named: PathBuf) -> Result<Self> {
        let layout = mount_privately(&device)?;
        require_finished(&layout, &named)?;
        let path = layout.pool_file();
        let file = match PoolFile::parse(&file::read_limited(&path, FILE_LIMIT_BYTES)?) {
            Ok(file) => file,
            Err(FileError::Format(FormatError::Refused { unknown, .. })) => {
                return Err(Error::PoolIncompatible {
                    path: named,
                    features: unknown,
                });
            }
            Err(source) => return Err(Error::PoolPart { path, source }),
        };
        let read_only_because = match file.format.check(&PoolFile::KNOWN) {
            Compatibility::ReadOnly(features) => features,
            Compatibility::Full | Compatibility::Refused(_) => Vec::new(),
        };
        let filesystem = btrfs::filesystem_uuid(layout.top())?;
        Ok(Self {
            layout,
            device,
            named,
            filesystem,
            file,
            read_only_because,
        })
    }

    /// Paths of everything in the pool, valid in this process.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The block device that holds the pool.
    pub fn device(&self) -> &Path {
        &self.device
    }

    /// What the user named: an image file, a device or a directory.
    pub fn named(&self) -> &Path {
        &self.named
    }

    /// UUID of the btrfs filesystem.
    pub fn filesystem(&self) -> Uuid {
        self.filesystem
    }

    /// The pool file as it was read.
    pub fn file(&self) -> &PoolFile {
        &self.file
    }

    /// Lowest inode number that a profile may use; every base stays below it.
    pub fn inode_floor(&self) -> u64 {
        self.file.inode_floor
    }

    /// Why this version only reads the pool: read-only-compatible features that it does not know.
    pub fn read_only_because(&self) -> &[String] {
        &self.read_only_because
    }

    /// Takes the pool's lock for a change.
    ///
    /// # Errors
    ///
    /// [`Error::Locked`] when another command holds it longer than [`LOCK_WAIT`];
    /// [`Error::PoolReadOnly`] when this version may only read the pool.
    pub fn lock(&self) -> Result<PoolLock> {
        self.lock_within(LOCK_WAIT)
    }

    /// As [`Pool::lock`], waiting at most `wait`.
    ///
    /// # Errors
    ///
    /// As [`Pool::lock`].
    pub fn lock_within(&self, wait: Duration) -> Result<PoolLock> {
        if !self.read_only_because.is_empty() {
            return Err(Error::PoolReadOnly {
                path: self.named.clone(),
                features: self.read_only_because.clone(),
            });
        }
        let path = self.layout.lock();
        match lock::FileLock::acquire(&path, lock::Mode::Exclusive, wait) {
            Ok(lock) => Ok(PoolLock { _lock: lock }),
            Err(profile_sys::Error::Locked { path }) => Err(Error::Locked { path }),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens the journal for writing. One of an older version is brought up to date by that, where the pool is full from
    /// the reserve.
    ///
    /// # Errors
    ///
    /// It is missing, not SQLite, damaged, locked or of an incompatible form.
    pub fn journal(&self) -> Result<Journal> {
        let path = self.layout.journal();
        reserve::with_reserve(self, || {
            Ok(Journal::open(&path, Access::ReadWrite, JOURNAL_WAIT)?)
        })
    }

    /// Opens the journal for reading.
    ///
    /// # Errors
    ///
    /// As [`Pool::journal`].
    pub fn journal_read_only(&self) -> Result<Journal> {
        Ok(Journal::open(
            &self.layout.journal(),
            Access::ReadOnly,
            JOURNAL_WAIT,
        )?)
    }

    /// Makes everything written so far durable: commits the btrfs transaction.
    ///
    /// # Errors
    ///
    /// The device failed.
    pub fn commit(&self) -> Result<()> {
        Ok(btrfs::commit(self.layout.top())?)
    }

    /// A new empty directory below the private tmpfs, to mount a view on.
    ///
    /// # Errors
    ///
    /// It cannot be made.
    pub fn private_directory(&self, name: &str) -> Result<PathBuf> {
        let path = Path::new(PRIVATE_ROOT).join(name);
        file::create_directory_all(&path, 0o700)?;
        Ok(path)
    }
}

/// Refuses what is no pool, a pool that was never finished, and one that has lost a part.
///
/// The difference matters: only the second one may be made anew without losing anything.
fn require_finished(layout: &Layout, named: &Path) -> Result<()> {
    let mut missing = Vec::new();
    for part in [
        layout.own(),
        layout.pool_file(),
        layout.bases(),
        layout.profiles(),
        layout.template(),
        layout.all_snapshots(),
        layout.states(),
        layout.data(),
    ] {
        if !file::exists(&part)? {
            let from_top = part.strip_prefix(layout.top()).unwrap_or(&part);
            missing.push(from_top.display().to_string());
        }
    }
    let path = named.to_path_buf();
    if missing.is_empty() {
        Ok(())
    // pool.json is the last thing that `pool create` writes.
    } else if file::exists(&layout.pool_file())? || was_used(layout)? {
        Err(Error::PoolDamaged {
            path,
            missing: missing.join(", "),
        })
    } else if !file::exists(&layout.own())? {
        Err(Error::PoolForeign { path })
    } else {
        Err(Error::PoolHalfMade {
            path,
            missing: "@flipper/pool.json".into(),
        })
    }
}

/// Whether the pool holds what only comes into a finished one.
fn was_used(layout: &Layout) -> Result<bool> {
    if !file::exists(&layout.own())? {
        // Other programs call their subvolumes @snapshots or @data too; none has the likes of these.
        let profiles = layout.profiles();
        let is_profile = |name: &OsString| {
            name.to_str()
                .is_some_and(|name| name.parse::<ProfileId>().is_ok())
        };
        return Ok(file::exists(&profiles)? && file::list(&profiles)?.iter().any(is_profile));
    }
    let template = layout.template();
    for directory in [
        layout.profiles(),
        layout.bases(),
        layout.all_snapshots(),
        layout.states(),
        layout.data(),
    ] {
        if file::exists(&directory)?
            && file::list(&directory)?
                .iter()
                .any(|name| Some(name.as_os_str()) != template.file_name())
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Gives the process a mount namespace of its own and mounts the pool's top level in it.
fn mount_privately(device: &Path) -> Result<Layout> {
    let root = Path::new(PRIVATE_ROOT);
    file::create_directory_all(root, 0o700)?;
    mount::private_namespace()?;
    // A tmpfs first: the mount points below it then exist in no other namespace, and a crash
    // leaves nothing behind but one empty directory in /run.
    mount::tmpfs(root, "mode=0700,size=1m")?;
    let top = root.join("pool");
    file::create_directory_all(&top, 0o700)?;
    mount::mount_pool(device, &top)?;
    Ok(Layout::new(top))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool_without(missing: &[&str]) -> (tempfile::TempDir, Layout) {
        let top = tempfile::tempdir().unwrap();
        for part in [
            "@flipper",
            "@base",
            "@profiles",
            "@profiles/.template",
            "@snapshots",
            "@state",
            "@data",
        ] {
            if !missing.contains(&part) {
                std::fs::create_dir_all(top.path().join(part)).unwrap();
            }
        }
        if !missing.contains(&"@flipper/pool.json") && !missing.contains(&"@flipper") {
            std::fs::write(top.path().join("@flipper/pool.json"), "").unwrap();
        }
        let layout = Layout::new(top.path());
        (top, layout)
    }

    fn refused(layout: &Layout) -> Error {
        require_finished(layout, Path::new("x.img")).unwrap_err()
    }

    #[test]
    fn a_finished_pool_without_a_part_is_damaged_and_not_half_made() {
        for part in [
            "@data",
            "@profiles/.template",
            "@state",
            "@snapshots",
            "@base",
        ] {
            let (_top, layout) = pool_without(&[part]);
            let error = refused(&layout);
            assert_eq!(error.situation(), "pool-damaged", "{part}");
            assert!(error.to_string().contains(part), "{error}");
            assert_eq!(error.exit().code(), 4);
            assert!(!error.hint().unwrap().contains("--force"), "{part}");
        }
    }

    #[test]
    fn every_missing_part_is_named() {
        let (_top, layout) = pool_without(&["@state", "@data"]);
        assert!(refused(&layout).to_string().contains("@state, @data"));
    }

    #[test]
    fn without_pool_json_what_it_holds_tells_a_used_pool_from_a_half_made_one() {
        for missing in ["@flipper/pool.json", "@flipper"] {
            let (_top, layout) = pool_without(&[missing]);
            assert_ne!(refused(&layout).situation(), "pool-damaged");
            std::fs::create_dir(layout.profiles().join("k3j2h1g0")).unwrap();
            assert_eq!(refused(&layout).situation(), "pool-damaged");
        }
        let (_top, layout) = pool_without(&["@flipper/pool.json"]);
        assert_eq!(refused(&layout).situation(), "pool-half-made");
    }
}
