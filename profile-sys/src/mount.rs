//! Mounts, all of them in a mount namespace of one's own.
//!
//! Nothing a program mounts may be seen by another: a process calls [`private_namespace`] first, works, and
//! the kernel takes everything down when the process ends, however it ends.

mod overlay;

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::statvfs::{FsFlags, statvfs};

pub use overlay::{Overlay, mount_overlay, verify_overlay};

use crate::{Error, Result, fault};

const NONE: Option<&str> = None;

/// Gives the calling thread a mount namespace of its own, which no mount of this process leaves and no later
/// mount of another enters.
///
/// Threads started afterwards share it; threads that run already stay where they are.
///
/// # Errors
/// EPERM unless root.
pub fn private_namespace() -> Result<()> {
    let root = Path::new("/");
    fault::point("leave the mount namespace of", root)?;
    unshare(CloneFlags::CLONE_NEWNS)
        .map_err(|error| Error::io("leave the mount namespace of", root, error))?;
    make_private(root)
}

/// Cuts `path`, a mount point, and everything mounted below it off from the propagation of mounts.
///
/// # Errors
/// EINVAL when it is no mount point.
pub fn make_private(path: &Path) -> Result<()> {
    mount(
        NONE,
        path,
        NONE,
        MsFlags::MS_REC | MsFlags::MS_PRIVATE,
        NONE,
    )
    .map_err(|error| Error::io("make the mounts private below", path, error))
}

/// Mounts the top level of the pool on `device` (subvolid=5, noatime).
///
/// A few hundred microseconds while the pool is mounted anywhere, as when a hook runs; else btrfs reads its
/// trees first.
///
/// # Errors
/// ENOENT, ENOTBLK for what is no device, EINVAL for what holds no btrfs.
pub fn mount_pool(device: &Path, target: &Path) -> Result<()> {
    mount_device(device, target, "btrfs", "subvolid=5", MsFlags::MS_NOATIME)
}

fn mount_device(
    device: &Path,
    target: &Path,
    kind: &str,
    options: &str,
    flags: MsFlags,
) -> Result<()> {
    const VERB: &str = "mount";
    fault::point(VERB, target)?;
    mount(Some(device), target, Some(kind), flags, Some(options))
        .map_err(|error| Error::io_two(VERB, device, target, error))
}

/// Makes `from` appear at `to`, without what is mounted below `from`.
///
/// # Errors
/// ENOENT, ENOTDIR when one is a directory and the other is not.
pub fn bind(from: &Path, to: &Path) -> Result<()> {
    bind_with(from, to, MsFlags::MS_BIND)
}

/// Makes `from`, with everything mounted below it, appear at `to`; later mounts below `from` appear too, while
/// nothing mounted below `to` ever shows at `from`. For /dev and /sys of an entered profile.
///
/// # Errors
/// As [`bind`].
pub fn bind_recursive_slave(from: &Path, to: &Path) -> Result<()> {
    bind_with(from, to, MsFlags::MS_BIND | MsFlags::MS_REC)?;
    mount(NONE, to, NONE, MsFlags::MS_REC | MsFlags::MS_SLAVE, NONE)
        .map_err(|error| Error::io("make a slave of", to, error))
}

fn bind_with(from: &Path, to: &Path, flags: MsFlags) -> Result<()> {
    const VERB: &str = "bind";
    fault::point(VERB, to)?;
    mount(Some(from), to, NONE, flags, NONE).map_err(|error| Error::io_two(VERB, from, to, error))
}

/// Forbids writes through the mount at `target`, keeping its other flags.
///
/// # Errors
/// EINVAL when it is no mount point.
pub fn make_read_only(target: &Path) -> Result<()> {
    const VERB: &str = "make read-only";
    let kept = statvfs(target)
        .map_err(|error| Error::io(VERB, target, error))?
        .flags();
    let mut flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
    // A remount replaces all flags, so those in force are named again.
    for (found, flag) in [
        (FsFlags::ST_NOSUID, MsFlags::MS_NOSUID),
        (FsFlags::ST_NODEV, MsFlags::MS_NODEV),
        (FsFlags::ST_NOEXEC, MsFlags::MS_NOEXEC),
        (FsFlags::ST_NOATIME, MsFlags::MS_NOATIME),
        (FsFlags::ST_NODIRATIME, MsFlags::MS_NODIRATIME),
        (FsFlags::ST_RELATIME, MsFlags::MS_RELATIME),
    ] {
        if kept.contains(found) {
            flags |= flag;
        }
    }
    mount(NONE, target, NONE, flags, NONE).map_err(|error| Error::io(VERB, target, error))
}

/// Takes down what was just mounted on `target`, because a later step failed with `cause`.
fn rolled_back(cause: Error, target: &Path) -> Error {
    match umount2(target, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW) {
        Ok(()) => cause,
        Err(error) => Error::RollbackFailed {
            cause: Box::new(cause),
            rollback: Box::new(Error::io("unmount", target, error)),
        },
    }
}

/// Mounts an empty tmpfs (nosuid, nodev); `options` as mount(8) takes them: `mode=0755,size=64m`.
///
/// # Errors
/// ENOENT, EINVAL for unknown options.
pub fn tmpfs(target: &Path, options: &str) -> Result<()> {
    virtual_filesystem(
        "tmpfs",
        target,
        options,
        MsFlags::MS_NOSUID | MsFlags::MS_NODEV,
    )
}

/// Mounts proc, showing the calling process's pid namespace (of a child: unshare, fork, then this).
///
/// # Errors
/// ENOENT, EPERM.
pub fn proc(target: &Path) -> Result<()> {
    virtual_filesystem("proc", target, "", hardened())
}

/// Mounts sysfs.
///
/// # Errors
/// ENOENT, EPERM.
pub fn sysfs(target: &Path) -> Result<()> {
    virtual_filesystem("sysfs", target, "", hardened())
}

fn hardened() -> MsFlags {
    MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC
}

fn virtual_filesystem(kind: &str, target: &Path, options: &str, flags: MsFlags) -> Result<()> {
    const VERB: &str = "mount";
    fault::point(VERB, target)?;
    mount(Some(kind), target, Some(kind), flags, Some(options))
        .map_err(|error| Error::io_two(VERB, kind, target, error))
}

/// Unmounts what is mounted on `target`.
///
/// # Errors
/// EBUSY while something uses it, EINVAL when nothing is mounted there.
pub fn unmount(target: &Path) -> Result<()> {
    unmount_with(target, MntFlags::UMOUNT_NOFOLLOW)
}

/// Unmounts what is mounted on `target` and below from the namespace at once; it goes for good when nothing
/// uses it any more.
///
/// # Errors
/// EINVAL when nothing is mounted there.
pub fn unmount_detach(target: &Path) -> Result<()> {
    unmount_with(target, MntFlags::UMOUNT_NOFOLLOW | MntFlags::MNT_DETACH)
}

fn unmount_with(target: &Path, flags: MntFlags) -> Result<()> {
    const VERB: &str = "unmount";
    fault::point(VERB, target)?;
    umount2(target, flags).map_err(|error| Error::io(VERB, target, error))
}

/// Whether two paths lie on one filesystem in overlayfs's eyes: the same btrfs, whatever the subvolumes.
///
/// # Errors
/// When one of them cannot be examined.
pub fn same_filesystem(one: &Path, other: &Path) -> Result<bool> {
    let device = |path: &Path| {
        std::fs::metadata(path)
            .map(|meta| meta.dev())
            .map_err(|error| Error::io("examine", path, error))
    };
    if device(one)? == device(other)? {
        return Ok(true);
    }
    // Each btrfs subvolume has a device number of its own.
    Ok(crate::btrfs::is_btrfs(one)?
        && crate::btrfs::is_btrfs(other)?
        && crate::btrfs::filesystem_uuid(one)? == crate::btrfs::filesystem_uuid(other)?)
}

/// Makes `new_root`, a mount point, the root of the calling process and of its mount namespace, and unmounts
/// the old root with everything below it. The process then stands in the new `/`.
///
/// # Errors
/// EINVAL when `new_root` is no mount point or the namespace shares its mounts with others.
pub fn pivot_root_into(new_root: &Path) -> Result<()> {
    const VERB: &str = "change the root to";
    fault::point(VERB, new_root)?;
    let failed = |error| Error::io(VERB, new_root, error);
    nix::unistd::chdir(new_root).map_err(failed)?;
    // pivot_root(2): with "." twice the old root is stacked on the new one, where the next call finds it;
    // no directory for it is needed in the new root.
    nix::unistd::pivot_root(".", ".").map_err(failed)?;
    umount2(".", MntFlags::MNT_DETACH).map_err(failed)?;
    nix::unistd::chdir("/").map_err(failed)
}
