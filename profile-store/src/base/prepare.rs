//! What a base needs besides Debian, written before it is sealed, and what it must have.
//!
//! Everything here is a mount point or a file that only matters under this product; nothing of it
//! belongs to a package, and none of it is written over what the tree already has. Symlinks of the tree
//! mean places in it: they come from outside, and the system would follow them on the host.

use std::path::{Path, PathBuf};

use profile_sys::{file, tree};

use crate::enter::confined;
use crate::error::{Error, Result};
use crate::state_paths;

/// Keeps services from starting in an entered profile; on a booted one it allows everything, as if
/// it were not there (see /usr/share/doc/init-system-helpers/README.policy-rc.d).
pub const POLICY_RC_D: &str = "#!/bin/sh
# Written by flipper-profile when this base was added: services do not start in a profile that is
# entered with `flipper-profile run`, since they would run beside those of the host.
test -e /run/flipper-profile/entered && exit 101
exit 0
";

/// Paths that a Debian root must have, without leading slash.
const NEEDED: &[&str] = &[
    "usr/bin/dpkg",
    "usr/bin/apt-get",
    "var/lib/dpkg/status",
    "etc",
    "usr/lib/os-release",
    "usr/bin/sh",
];
/// Directories that are mounted over in every profile.
const MOUNT_POINTS: &[(&str, u32)] = &[
    ("data", 0o755),
    ("proc", 0o555),
    ("sys", 0o555),
    ("dev", 0o755),
    ("run", 0o755),
    ("tmp", 0o1777),
];

/// Checks that the tree at `root` is a Debian root; `from` is where it came from, for the message.
///
/// # Errors
///
/// [`Error::BaseNotDebian`] with the first path that is missing.
pub fn check(root: &Path, from: &Path) -> Result<()> {
    for needed in NEEDED {
        let is_there = match place(root, needed.as_ref())? {
            Some(place) => file::exists(&place)?,
            None => false,
        };
        if !is_there {
            return Err(Error::BaseNotDebian {
                path: from.to_path_buf(),
                missing: (*needed).into(),
            });
        }
    }
    Ok(())
}

/// Where a path of the tree at `root` is: symlinks on the way are followed in the tree, the last component is
/// not (/bin may be a symlink into /usr). `None` when they lead nowhere.
fn place(root: &Path, path: &Path) -> Result<Option<PathBuf>> {
    let (above, name) = (path.parent().unwrap_or(Path::new("")), path.file_name());
    let above = confined::resolve(root, above)?;
    Ok(above.zip(name).map(|(above, name)| above.join(name)))
}

/// Writes what entering and booting a profile over this base needs.
///
/// # Errors
///
/// A file or directory cannot be made.
pub fn write(root: &Path) -> Result<()> {
    for (path, mode) in MOUNT_POINTS {
        ensure_directory(root, path.as_ref(), *mode)?;
    }
    for path in state_paths::defaults() {
        ensure_directory(root, path.relative(), path.mode)?;
    }
    // An empty regular file, so that name resolution can be bound over it without a change of the upper.
    write_missing(root, "etc/resolv.conf", b"", 0o644)?;
    write_missing(root, "usr/sbin/policy-rc.d", POLICY_RC_D.as_bytes(), 0o755)
}

/// Makes a directory unless something is there; a symlink (as /var/run is) is left alone, and so is a place that
/// symlinks keep from being reached.
fn ensure_directory(root: &Path, path: &Path, mode: u32) -> Result<()> {
    match missing_place(root, path)? {
        Some(place) => Ok(file::create_directory(&place, mode)?),
        None => Ok(()),
    }
}

/// Writes a file unless something is there, as [`ensure_directory`] makes a directory.
fn write_missing(root: &Path, path: &str, bytes: &[u8], mode: u32) -> Result<()> {
    match missing_place(root, path.as_ref())? {
        Some(place) => Ok(file::write_new(&place, bytes, mode)?),
        None => Ok(()),
    }
}

/// Where something that is not there has to be made, with the directories above it made already.
fn missing_place(root: &Path, path: &Path) -> Result<Option<PathBuf>> {
    let Some(place) = place(root, path)? else {
        return Ok(None);
    };
    if tree::lstat(&place)?.is_some() {
        return Ok(None);
    }
    if let Some(parent) = place.parent() {
        file::create_directory_all(parent, 0o755)?;
    }
    Ok(Some(place))
}

/// What the base file tells about the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// dpkg architecture of the dpkg package itself.
    pub architecture: String,
    /// VERSION_CODENAME of os-release, or "unknown".
    pub release: String,
}

/// Largest os-release or status file that is read, in bytes.
const READ_LIMIT_BYTES: u64 = 64 * 1024 * 1024;

/// Where a file that [`check`] has seen is.
fn read_place(root: &Path, path: &str) -> Result<PathBuf> {
    confined::resolve(root, path.as_ref())?.ok_or_else(|| Error::BaseNotDebian {
        path: root.to_path_buf(),
        missing: path.into(),
    })
}

/// Reads architecture and release of the tree at `root`.
///
/// # Errors
///
/// os-release or dpkg's status cannot be read.
pub fn facts(root: &Path) -> Result<Facts> {
    let release = file::read_limited(&read_place(root, "usr/lib/os-release")?, READ_LIMIT_BYTES)?;
    let release = String::from_utf8_lossy(&release)
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))
        .map_or_else(
            || "unknown".to_owned(),
            |value| value.trim_matches('"').to_ascii_lowercase(),
        );
    let path = read_place(root, "var/lib/dpkg/status")?;
    let status = conffile_diff::dpkg::Status::parse(&file::read_limited(&path, READ_LIMIT_BYTES)?)
        .map_err(|error| Error::PackageDatabase {
            path,
            detail: error.to_string(),
        })?;
    let architecture = status
        .packages()
        .iter()
        .find(|package| package.name == "dpkg")
        .map_or_else(
            || "unknown".to_owned(),
            |package| package.architecture.clone(),
        );
    Ok(Facts {
        architecture,
        release,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A tree whose directories `links` are absolute symlinks to where `host` has the same names.
    fn tree_with(links: &[&str], host: &Path) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for directory in ["etc", "usr/bin", "usr/lib", "usr/sbin", "var/lib/dpkg"] {
            std::fs::create_dir_all(root.path().join(directory)).unwrap();
        }
        for file in NEEDED.iter().filter(|path| **path != "etc") {
            std::fs::write(root.path().join(file), "").unwrap();
        }
        for link in links {
            let place = root.path().join(link);
            if place.exists() {
                std::fs::remove_dir_all(&place).unwrap();
            }
            std::fs::create_dir_all(place.parent().unwrap()).unwrap();
            symlink(host.join(link), place).unwrap();
        }
        root
    }

    #[test]
    fn absolute_symlinks_of_a_base_mean_places_in_it() {
        let host = tempfile::tempdir().unwrap();
        let root = tree_with(&["etc", "usr/sbin", "var/cache", "srv"], host.path());
        for directory in ["etc", "usr/sbin", "var/cache"] {
            std::fs::create_dir_all(host.path().join(directory)).unwrap();
        }
        write(root.path()).unwrap();
        for directory in ["etc", "usr/sbin", "var/cache"] {
            let found = file::list(&host.path().join(directory)).unwrap();
            assert!(found.is_empty(), "{directory} of the host: {found:?}");
        }
        assert!(!host.path().join("srv").exists());
        // What the links mean inside is made there.
        let inside = root.path().join(host.path().strip_prefix("/").unwrap());
        assert!(inside.join("var/cache/apt").is_dir());
        assert!(inside.join("usr/sbin/policy-rc.d").is_file());
    }

    #[test]
    fn what_only_the_host_has_does_not_make_a_debian_root() {
        let host = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(host.path().join("var/lib/dpkg")).unwrap();
        std::fs::write(host.path().join("var/lib/dpkg/status"), "").unwrap();
        let root = tree_with(&["var/lib/dpkg"], host.path());
        let error = check(root.path(), Path::new("x.tar")).unwrap_err();
        assert!(error.to_string().contains("var/lib/dpkg/status"), "{error}");
        assert!(facts(root.path()).is_err());
    }
}
