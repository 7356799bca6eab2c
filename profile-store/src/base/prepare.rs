//! What a base needs besides Debian, written before it is sealed, and what it must have.
//!
//! Everything here is a mount point or a file that only matters under this product; nothing of it
//! belongs to a package, and none of it is written over what the tree already has.

use std::path::Path;

use profile_sys::{file, tree};

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
        // lstat of the last component only: /bin may be a symlink into /usr.
        if !file::exists(&root.join(needed))? {
            return Err(Error::BaseNotDebian {
                path: from.to_path_buf(),
                missing: (*needed).into(),
            });
        }
    }
    Ok(())
}

/// Writes what entering and booting a profile over this base needs.
///
/// # Errors
///
/// A file or directory cannot be made.
pub fn write(root: &Path) -> Result<()> {
    for (path, mode) in MOUNT_POINTS {
        ensure_directory(&root.join(path), *mode)?;
    }
    for path in state_paths::defaults() {
        ensure_directory(&root.join(path.relative()), path.mode)?;
    }
    // An empty regular file, so that name resolution can be bound over it without a change of the upper.
    let resolv = root.join("etc/resolv.conf");
    if !file::exists(&resolv)? {
        file::write_new(&resolv, b"", 0o644)?;
    }
    let policy = root.join("usr/sbin/policy-rc.d");
    if !file::exists(&policy)? {
        ensure_directory(&root.join("usr/sbin"), 0o755)?;
        file::write_new(&policy, POLICY_RC_D.as_bytes(), 0o755)?;
    }
    Ok(())
}

/// Makes a directory unless something is there; a symlink (as /var/run is) is left alone.
fn ensure_directory(path: &Path, mode: u32) -> Result<()> {
    if tree::lstat(path)?.is_some() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        file::create_directory_all(parent, 0o755)?;
    }
    Ok(file::create_directory(path, mode)?)
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

/// Reads architecture and release of the tree at `root`.
///
/// # Errors
///
/// os-release or dpkg's status cannot be read.
pub fn facts(root: &Path) -> Result<Facts> {
    let release = file::read_limited(&root.join("usr/lib/os-release"), READ_LIMIT_BYTES)?;
    let release = String::from_utf8_lossy(&release)
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))
        .map_or_else(
            || "unknown".to_owned(),
            |value| value.trim_matches('"').to_ascii_lowercase(),
        );
    let path = root.join("var/lib/dpkg/status");
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
