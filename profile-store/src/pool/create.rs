//! Making a pool: filesystem, directories, template, journal; `pool.json` last.

use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::time::{Duration, Instant};

use profile_db::PoolFile;
use profile_db::journal::Journal;
use profile_db::model::Time;
use profile_sys::{btrfs, file, loop_device};

use super::find::device_of;
use super::{Pool, mount_privately};
use crate::error::{Error, Result};
use crate::identity;
use crate::layout::{self, Layout};
use crate::progress::Progress;

/// Smallest pool, in bytes: below this a base and one transaction do not fit beside btrfs's own needs.
pub const LEAST_BYTES: u64 = 256 * 1024 * 1024;
/// The journal's reserve: this share of the pool, within the limits below.
const RESERVE_DIVISOR: u64 = 256;
/// Smallest and largest reserve, in bytes.
const RESERVE_BYTES: (u64, u64) = (1024 * 1024, 64 * 1024 * 1024);

/// Size of the journal's reserve in a pool of `total` bytes.
pub(crate) fn reserve_bytes(total: u64) -> u64 {
    (total / RESERVE_DIVISOR).clamp(RESERVE_BYTES.0, RESERVE_BYTES.1)
}

/// What `pool create` is asked for.
#[derive(Debug, Clone)]
pub struct CreateOptions {
    /// Bytes of a new image file; must be absent for a device.
    pub size: Option<u64>,
    /// Destroy what the target holds.
    pub force: bool,
    /// Lowest inode number of profiles (design, section 2: 2^20).
    pub inode_floor: u64,
    /// Label of the filesystem.
    pub label: String,
    /// Now.
    pub now: Time,
}

/// How long a device that the last command has just left may take to be free.
const FREE_WITHIN: Duration = Duration::from_secs(3);
/// Pause between two looks whether it is.
const PAUSE: Duration = Duration::from_millis(20);

/// Makes a pool on an image file or a block device.
///
/// # Errors
///
/// The target holds data and `force` is not given, it is in use, it is too small, or a step failed. An
/// image file that did not exist before is removed again then; what another target held is lost from the
/// first step on, and [`Error::TargetOverwritten`] says so.
pub fn create(target: &Path, options: &CreateOptions, progress: &mut dyn Progress) -> Result<Pool> {
    // Looked for before anything is overwritten.
    profile_sys::command::find("mkfs.btrfs")?;
    let Found { exists, resize } = examine(target, options)?;
    if !exists {
        // Whatever stands there and is not seen, a dangling link say, or was made since, is not ours: only
        // what this call made is removed after a failure.
        file::write_new(target, b"", 0o600)?;
    }
    let made = resize
        .map_or(Ok(()), |size| Ok(file::truncate(target, size)?))
        .and_then(|()| build(target, options, progress));
    made.map_err(|error| match exists {
        true => Error::TargetOverwritten {
            path: target.to_path_buf(),
            source: Box::new(error),
        },
        false => error.taken_back(file::remove_file(target).map_err(Error::from)),
    })
}

/// What stands where the pool is to be made.
struct Found {
    exists: bool,
    /// The size that a new or existing image gets.
    resize: Option<u64>,
}

/// Looks at the target, without any effect.
fn examine(target: &Path, options: &CreateOptions) -> Result<Found> {
    let too_small = |size| Error::TargetTooSmall {
        path: target.to_path_buf(),
        size,
        least: LEAST_BYTES,
    };
    let metadata = match std::fs::metadata(target) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let size = options.size.ok_or_else(|| Error::TargetNeedsSize {
                path: target.to_path_buf(),
            })?;
            if size < LEAST_BYTES {
                return Err(too_small(size));
            }
            return Ok(Found {
                exists: false,
                resize: Some(size),
            });
        }
        Err(error) => return Err(profile_sys::Error::io("look at", target, error).into()),
    };
    let kind = metadata.file_type();
    if !kind.is_file() && !kind.is_block_device() {
        return Err(Error::TargetNoDevice {
            path: target.to_path_buf(),
        });
    }
    if !options.force {
        if let Some(found) = btrfs::detect_content(target)? {
            return Err(Error::TargetHoldsData {
                path: target.to_path_buf(),
                found,
            });
        }
    }
    let mut resize = None;
    if kind.is_file() {
        let size = options.size.unwrap_or(metadata.len());
        if size < LEAST_BYTES {
            return Err(too_small(size));
        }
        resize = (size != metadata.len()).then_some(size);
    }
    require_free(target, kind.is_file())?;
    Ok(Found {
        exists: true,
        resize,
    })
}

/// Refuses an image that a loop device shows, and a device that something has mounted, in whatever
/// namespace: a filesystem made below a mounted one destroys both.
fn require_free(target: &Path, is_image: bool) -> Result<()> {
    let deadline = Instant::now() + FREE_WITHIN;
    loop {
        let by = if is_image {
            loop_device::attached(target)?.map(|device| format!("{} shows it", device.display()))
        } else {
            btrfs::is_device_busy(target)?.then(|| "it is mounted or part of another device".into())
        };
        let Some(by) = by else { return Ok(()) };
        if Instant::now() >= deadline {
            return Err(Error::TargetInUse {
                path: target.to_path_buf(),
                by,
            });
        }
        // The last command on it may have ended just now, and its device be cleared in a moment.
        std::thread::sleep(PAUSE);
    }
}

fn build(target: &Path, options: &CreateOptions, progress: &mut dyn Progress) -> Result<Pool> {
    progress.begin("making the filesystem");
    btrfs::make_filesystem(target, &options.label)?;
    let is_image = std::fs::metadata(target).is_ok_and(|metadata| metadata.file_type().is_file());
    // Kept until the mount keeps the device.
    let (device, attached) = device_of(target, is_image)?;
    let layout = mount_privately(&device)?;
    drop(attached);

    btrfs::create_subvolume(&layout.own())?;
    file::set_mode(&layout.own(), 0o700)?;
    btrfs::create_subvolume(&layout.data())?;
    file::set_mode(&layout.data(), 0o755)?;
    for directory in [
        layout.bases(),
        layout.profiles(),
        layout.all_snapshots(),
        layout.states(),
    ] {
        file::create_directory(&directory, 0o755)?;
    }
    for directory in [
        layout.base_files(),
        layout.leases(),
        layout.staging(),
        layout.trash(),
    ] {
        file::create_directory(&directory, 0o700)?;
    }
    file::write_new(&layout.lock(), b"", 0o600)?;
    make_template(&layout, options.inode_floor, progress)?;

    progress.begin("making the journal");
    let filesystem = btrfs::filesystem_uuid(layout.top())?;
    let pool_file = PoolFile::new(
        identity::random_uuid()?,
        filesystem,
        options.now,
        options.inode_floor,
    );
    Journal::create(&layout.journal(), &pool_file)?;
    let total = btrfs::usage(layout.top())?.total;
    file::allocate(&layout.reserve(), reserve_bytes(total))?;

    // Everything else is on disk before pool.json names it: a pool without pool.json is half made
    // and is refused as such.
    btrfs::commit(layout.top())?;
    file::write_atomic(&layout.pool_file(), &pool_file.to_bytes(), 0o600)?;
    btrfs::commit(layout.top())?;
    Ok(Pool {
        layout,
        device,
        named: target.to_path_buf(),
        filesystem,
        file: pool_file,
        read_only_because: Vec::new(),
    })
}

/// Makes the subvolume that every profile is a snapshot of.
///
/// btrfs hands out inode numbers per subvolume, overlayfs takes all subvolumes for one filesystem:
/// without the floor a new file of a profile gets the (st_dev, st_ino) of an unrelated file of the
/// base (docs/terminology.md, "inode floor"). The counter lives in memory only, so `upper` and `work` must be made
/// in this same mount session: they carry it into every snapshot.
fn make_template(layout: &Layout, floor: u64, progress: &mut dyn Progress) -> Result<()> {
    let template = layout.template();
    btrfs::create_subvolume(&template)?;
    progress.begin("raising the inode floor");
    btrfs::raise_inode_counter(&template, floor, &mut |done| {
        progress.advance(done, Some(floor))
    })?;
    // The mode of the merged tree's root is the upper's: what a Debian root has.
    file::create_directory(&template.join(layout::UPPER), 0o755)?;
    file::create_directory(&template.join(layout::WORK), 0o700)?;
    btrfs::commit(layout.top())?;
    btrfs::set_read_only(&template, true)?;
    Ok(())
}
