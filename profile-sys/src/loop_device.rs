//! Image files as block devices.
//!
//! One image is attached at most once: two loop devices on one btrfs image would be two caches of one
//! filesystem, and destroy it. The kernel detaches a device when its last user is gone (autoclear).

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::sys::stat::{Mode, SFlag, makedev, mknod};

use crate::{Error, Result, fault, raw};

const AUTOCLEAR: u32 = linux_raw_sys::loop_device::LO_FLAGS_AUTOCLEAR as u32;
/// The major number of loop devices.
const LOOP_MAJOR: u64 = 7;
/// How often a device that another process took first is tried again.
const ATTEMPTS: u32 = 64;

/// An attached image. The device stays as long as this is held, something mounted from it, or both.
#[derive(Debug)]
pub struct Attached {
    /// `/dev/loopN`.
    pub device: PathBuf,
    /// Whether it was attached already, by us or by another.
    pub reused: bool,
    /// Keeps the device from being cleared before it is mounted.
    _open: File,
}

/// Attaches an image, or finds the device it is attached to already.
///
/// The image is locked (flock) meanwhile, so two callers at once get the same device.
///
/// # Errors
/// When the image cannot be opened for writing; ENODEV without loop devices in the kernel.
pub fn attach(image: &Path) -> Result<Attached> {
    const VERB: &str = "attach";
    let failed = |error| Error::io(VERB, image, error);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_CLOEXEC)
        .open(image)
        .map_err(failed)?;
    let meta = file.metadata().map_err(failed)?;
    if !meta.is_file() {
        return Err(failed(io::Error::from_raw_os_error(libc::EINVAL)));
    }
    // Released when the file is closed at the end; the loop driver opens the image anew.
    let guard = file.try_clone().map_err(failed)?;
    raw::flock(guard.as_fd(), libc::LOCK_EX).map_err(failed)?;
    let outcome = match find(image, true, &|info| is_whole_of(info, &meta))? {
        Some(found) => Ok(found),
        None => configure_free(image, &file),
    };
    // The loop device shares the open file, so the lock would outlive this call: give it back by name.
    raw::flock(guard.as_fd(), libc::LOCK_UN).map_err(failed)?;
    outcome
}

/// A device that shows an image or a part of it, if any.
///
/// # Errors
/// When the image or a device cannot be examined.
pub fn attached(image: &Path) -> Result<Option<PathBuf>> {
    let meta = std::fs::metadata(image).map_err(|error| Error::io("examine", image, error))?;
    Ok(find(image, false, &|info| is_of(info, &meta))?.map(|found| found.device))
}

fn open_device(path: &Path, write: bool) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(write)
        .custom_flags(libc::O_CLOEXEC)
        .open(path)
}

/// Searches all bound loop devices for one that is wanted and, with `write`, can be written to.
fn find(
    image: &Path,
    write: bool,
    wanted: &dyn Fn(&raw::LoopInfo) -> bool,
) -> Result<Option<Attached>> {
    const VERB: &str = "find the loop device of";
    let entries = match std::fs::read_dir("/sys/block") {
        Ok(entries) => entries,
        Err(error) => return Err(Error::io("list", "/sys/block", error)),
    };
    for entry in entries {
        let entry = entry.map_err(|error| Error::io("list", "/sys/block", error))?;
        // Only a bound device has this directory.
        if !entry.path().join("loop/backing_file").exists() {
            continue;
        }
        let device = Path::new("/dev").join(entry.file_name());
        let opened = match open_device(&device, write) {
            Ok(opened) => opened,
            // Gone meanwhile; or read-only, and then not one that could be written to.
            Err(_) => continue,
        };
        match raw::loop_status(opened.as_fd()) {
            Ok(info) if wanted(&info) => {
                return Ok(Some(Attached {
                    device,
                    reused: true,
                    _open: opened,
                }));
            }
            Ok(_) => {}
            Err(error) if error.raw_os_error() == Some(libc::ENXIO) => {}
            Err(error) => return Err(Error::io(VERB, image, error)),
        }
    }
    Ok(None)
}

/// Whether a device shows this file.
fn is_of(info: &raw::LoopInfo, meta: &std::fs::Metadata) -> bool {
    (info.lo_device, info.lo_inode) == (meta.dev(), meta.ino())
}

/// Whether a device shows this file from beginning to end.
fn is_whole_of(info: &raw::LoopInfo, meta: &std::fs::Metadata) -> bool {
    is_of(info, meta) && info.lo_offset == 0 && info.lo_sizelimit == 0
}

fn configure_free(image: &Path, file: &File) -> Result<Attached> {
    const VERB: &str = "attach";
    fault::point(VERB, image)?;
    let failed = |error| Error::io(VERB, image, error);
    let control_path = Path::new("/dev/loop-control");
    let control =
        open_device(control_path, true).map_err(|error| Error::io("open", control_path, error))?;
    for _ in 0..ATTEMPTS {
        let number = raw::loop_free_number(control.as_fd()).map_err(failed)?;
        let device = PathBuf::from(format!("/dev/loop{number}"));
        let opened = match open_device(&device, true) {
            Ok(opened) => opened,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make_node(&device, number)?;
                open_device(&device, true).map_err(failed)?
            }
            Err(error) => return Err(failed(error)),
        };
        let name = image.as_os_str().as_bytes();
        match raw::loop_configure(opened.as_fd(), file.as_fd(), name, AUTOCLEAR) {
            Ok(()) => {
                return Ok(Attached {
                    device,
                    reused: false,
                    _open: opened,
                });
            }
            // Another process took this number between the two calls.
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Err(failed(io::Error::from_raw_os_error(libc::EBUSY)))
}

/// Where /dev is no devtmpfs (a container), a new device has no node.
fn make_node(device: &Path, number: u32) -> Result<()> {
    let mode = Mode::S_IRUSR | Mode::S_IWUSR;
    match mknod(
        device,
        SFlag::S_IFBLK,
        mode,
        makedev(LOOP_MAJOR, u64::from(number)),
    ) {
        Ok(()) | Err(nix::errno::Errno::EEXIST) => Ok(()),
        Err(error) => Err(Error::io("make device", device, error)),
    }
}
