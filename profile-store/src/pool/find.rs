//! From what the user named to the block device that holds the pool.

use std::fs::File;
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::path::{Path, PathBuf};

use profile_sys::{btrfs, loop_device, mountinfo};

use crate::error::{Error, Result};
use crate::session::Session;

/// How the pool was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// An image file, a block device, or a directory on a mounted pool.
    Path(PathBuf),
    /// The pool of the profile that the process runs in.
    Session(Box<Session>),
}

/// What a selector came to.
#[derive(Debug)]
pub(super) struct Located {
    /// The block device; the image's loop device when an image was named.
    pub device: PathBuf,
    /// As the user named it.
    pub named: PathBuf,
    /// Keeps the loop device of an image until something is mounted from it.
    pub attached: Option<loop_device::Attached>,
}

/// Finds the pool by, in this order: the named path (`--pool` or `FLIPPER_POOL`), the profile that
/// the process runs in.
///
/// # Errors
///
/// Nothing was named and the process does not run in a profile, or its session cannot be believed.
pub fn locate(named: Option<&Path>) -> Result<Selector> {
    if let Some(path) = named {
        return Ok(Selector::Path(path.to_path_buf()));
    }
    match Session::current()? {
        Some(session) => Ok(Selector::Session(Box::new(session))),
        None => Err(Error::NoPool),
    }
}

/// Makes the selector a block device: attaches an image, looks up a directory's mount.
pub(super) fn attach(selector: &Selector) -> Result<Located> {
    let path = match selector {
        Selector::Session(session) => {
            return Ok(Located {
                device: session.device.clone(),
                named: session.device.clone(),
                attached: None,
            });
        }
        Selector::Path(path) => path,
    };
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::PoolMissing { path: path.clone() });
        }
        Err(error) => return Err(profile_sys::Error::io("look at", path, error).into()),
    };
    let kind = metadata.file_type();
    if kind.is_dir() {
        let device = device_below(path)?;
        return Ok(Located {
            device,
            named: path.clone(),
            attached: None,
        });
    }
    if !kind.is_file() && !kind.is_block_device() {
        return Err(Error::TargetNoDevice { path: path.clone() });
    }
    // Looked at before it is attached: a wrong file never gets a loop device.
    if !has_btrfs_magic(path)? {
        let found = btrfs::detect_content(path)?.unwrap_or_else(|| "nothing".into());
        return Err(Error::PoolNotBtrfs {
            path: path.clone(),
            found,
        });
    }
    let (device, attached) = device_of(path, kind.is_file())?;
    Ok(Located {
        device,
        named: path.clone(),
        attached,
    })
}

/// The device of an image, which is attached to one for it, or a device by its own path.
pub(super) fn device_of(
    path: &Path,
    is_image: bool,
) -> Result<(PathBuf, Option<loop_device::Attached>)> {
    if is_image {
        let attached = loop_device::attach(path)?;
        return Ok((attached.device.clone(), Some(attached)));
    }
    Ok((canonical(path)?, None))
}

/// The path by which everybody finds the device, wherever they stand and whatever link was named: it is
/// recorded in sessions, and compared with the mount table.
fn canonical(path: &Path) -> Result<PathBuf> {
    let resolved = path.canonicalize();
    Ok(resolved.map_err(|error| profile_sys::Error::io("resolve", path, error))?)
}

/// Whether the first superblock of btrfs stands where it must (`BTRFS_SUPER_INFO_OFFSET`, 64 KiB; the
/// magic 64 bytes into it). Cheaper than starting a program, and this is asked at every command.
fn has_btrfs_magic(path: &Path) -> Result<bool> {
    const AT: u64 = 64 * 1024 + 64;
    const MAGIC: &[u8; 8] = b"_BHRfS_M";
    let failed = |source| profile_sys::Error::Io {
        verb: "read the beginning of",
        path: path.to_path_buf(),
        source,
    };
    let mut found = [0; 8];
    match File::open(path)
        .map_err(failed)?
        .read_exact_at(&mut found, AT)
    {
        Ok(()) => Ok(found == *MAGIC),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(failed(error).into()),
    }
}

/// The device of the btrfs mount that a directory stands on.
fn device_below(path: &Path) -> Result<PathBuf> {
    let absolute = canonical(path)?;
    let mounts = mountinfo::read_own()?;
    let mount = mounts
        .iter()
        .filter(|mount| absolute.starts_with(&mount.mount_point))
        .max_by_key(|mount| (mount.mount_point.components().count(), mount.id));
    match mount {
        Some(mount) if mount.fs_type == "btrfs" => canonical(Path::new(&mount.source)),
        Some(mount) => Err(Error::PoolNotBtrfs {
            path: path.to_path_buf(),
            found: mount.fs_type.clone(),
        }),
        None => Err(Error::PoolNotBtrfs {
            path: path.to_path_buf(),
            found: "no mount".into(),
        }),
    }
}
