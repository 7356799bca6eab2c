//! What is mounted anywhere, by UUID.
//!
//! Path strings in a mount table go stale (a subvolume can be renamed while it is mounted), and a
//! mount can live in a namespace that is not ours. So "in use" is decided by the UUIDs that every
//! overlay of ours carries in its source string, over every mount namespace, plus the leases; and
//! what cannot be known counts as in use.

use std::collections::HashSet;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use profile_db::ProfileFile;
use profile_sys::{btrfs, lock, mountinfo};
use uuid::Uuid;

use crate::enter::Leaving;
use crate::error::{Error, Result};
use crate::pool::Pool;
use crate::session;

/// The subvolumes that some mount names.
#[derive(Debug, Clone, Default)]
pub struct InUse {
    /// UUIDs of uppers and bases of mounted overlays.
    pub uuids: HashSet<Uuid>,
    /// Paths from the pool's top of subvolumes that are mounted by themselves.
    pub roots: HashSet<String>,
    /// False when some namespace could not be looked into.
    pub complete: bool,
}

/// Looks over every mount namespace.
///
/// # Errors
///
/// The process table cannot be read at all.
pub fn of(pool: &Pool) -> Result<InUse> {
    let namespaces = mountinfo::every_namespace()?;
    let mut found = InUse {
        complete: namespaces.complete,
        ..InUse::default()
    };
    for (_, mount) in &namespaces.mounts {
        match mount.fs_type.as_str() {
            "overlay" => {
                if let Some((upper, base)) = mount
                    .source
                    .to_str()
                    .and_then(session::parse_overlay_source)
                {
                    found.uuids.insert(upper);
                    found.uuids.insert(base);
                }
            }
            // `root` of a btrfs mount is the path of its directory from the top level. The binds of
            // @state and @data, and our own private mounts of the whole pool, say nothing about uppers.
            "btrfs" if is_device(Path::new(&mount.source), pool.device()) => {
                found
                    .roots
                    .insert(mount.root.to_string_lossy().into_owned());
            }
            _ => {}
        }
    }
    Ok(found)
}

/// Whether a mount's source is the pool's device, whatever name it was mounted by (`/dev/mapper/x`, `/dev/dm-0`).
fn is_device(source: &Path, device: &Path) -> bool {
    let number = |path: &Path| Some(std::fs::metadata(path).ok()?.rdev());
    source == device || number(device).is_some_and(|own| own != 0 && number(source) == Some(own))
}

impl InUse {
    /// Whether the subvolume at `path` is, or may be, in use.
    ///
    /// # Errors
    ///
    /// Its UUID cannot be read.
    pub fn names(&self, pool: &Pool, path: &Path) -> Result<Option<String>> {
        if self.sees(pool, path)? {
            return Ok(Some("it is mounted".into()));
        }
        if !self.complete {
            return Ok(Some(
                "some mount namespaces cannot be seen from here, so it may be mounted".into(),
            ));
        }
        Ok(None)
    }

    /// Whether some mount that can be seen from here names the subvolume at `path`.
    ///
    /// # Errors
    ///
    /// Its UUID cannot be read.
    pub fn sees(&self, pool: &Pool, path: &Path) -> Result<bool> {
        let uuid = btrfs::subvolume_info(path)?.uuid;
        if self.uuids.contains(&uuid) {
            return Ok(true);
        }
        let from_top = path.strip_prefix(pool.layout().top()).unwrap_or(path);
        let root = format!("/{}", from_top.display());
        Ok(self
            .roots
            .iter()
            .any(|mounted| *mounted == root || mounted.starts_with(&format!("{root}/"))))
    }
}

/// Why the profile may not be replaced or deleted now, or `None` when it is free. A holder that is ending is
/// waited for.
///
/// # Errors
///
/// The lease or the mount tables cannot be read.
pub fn of_profile(pool: &Pool, profile: &ProfileFile) -> Result<Option<String>> {
    if let Some(leaving) = Leaving::if_entered(pool.layout(), &profile.id)? {
        leaving.wait()?;
    }
    let lease = pool.layout().lease(&profile.id);
    if profile_sys::file::exists(&lease)?
        && lock::FileLock::try_acquire(&lease, lock::Mode::Shared)?.is_none()
    {
        return Ok(Some("it is entered".into()));
    }
    of(pool)?.names(pool, &pool.layout().profile(&profile.id))
}

/// Refuses when the profile is, or may be, mounted anywhere.
///
/// # Errors
///
/// [`Error::ProfileInUse`].
pub fn require_free(pool: &Pool, profile: &ProfileFile) -> Result<()> {
    match of_profile(pool, profile)? {
        Some(by) => Err(Error::ProfileInUse {
            name: profile.name.to_string(),
            by,
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_the_same_by_every_name() {
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("link");
        std::os::unix::fs::symlink("/dev/null", &link).unwrap();
        assert!(is_device(&link, Path::new("/dev/null")));
        assert!(!is_device(Path::new("/dev/zero"), Path::new("/dev/null")));
        // Neither a file nor what is not there has a device's number.
        assert!(!is_device(directory.path(), Path::new("/")));
        assert!(!is_device(&link, Path::new("/dev/none")));
    }
}
