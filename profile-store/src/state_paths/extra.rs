//! Which further state paths a user may ask for.

use std::path::{Component, Path, PathBuf};

use super::{POLICY_STATE_PATHS, defaults, extra, listed};
use crate::enter::confined;
use crate::error::{Error, Result};

/// The system's own directories: they live in the upper, or are no part of a profile at all.
const SYSTEM: &[&str] = &[
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libo32",
    "/libx32",
    "/etc",
    "/var/lib/dpkg",
    "/var/lib/apt",
    "/var/lock",
    "/var/run",
    "/boot",
    "/proc",
    "/sys",
    "/dev",
    "/run",
    "/tmp",
    "/data",
];

/// Whether one of two paths lies in or below the other.
fn overlap(one: &Path, other: &Path) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

pub(super) fn is_system(path: &Path) -> bool {
    SYSTEM.iter().any(|system| overlap(Path::new(system), path))
}

/// Checks the further state paths that a user asks for, all in one text.
///
/// # Errors
///
/// One is not absolute and plain, the system cannot live with it being kept out of the upper, or it lies
/// below or contains another state path: one of the two would then decide over what is in the other.
pub fn check_extra(policy: &str) -> Result<()> {
    let mut others = defaults();
    for path in listed(policy) {
        let parsed = Path::new(path);
        if !parsed.is_absolute() || path.contains("//") || path.ends_with('/') {
            return refuse(path, "an absolute path without a trailing slash is needed");
        }
        if parsed
            .components()
            .any(|part| matches!(part, Component::ParentDir | Component::CurDir))
            || path.contains("/./")
            || path.ends_with("/.")
        {
            return refuse(path, "`.` and `..` are not allowed");
        }
        if let Some(other) = others.iter().find(|other| overlap(&other.path, parsed)) {
            let other = other.path.display();
            return refuse(
                path,
                &format!("it overlaps {other}, which is state already"),
            );
        }
        if is_system(parsed) {
            return refuse(path, "the system's own directories cannot be state");
        }
        others.push(extra(path));
    }
    Ok(())
}

/// Checks where the further state paths of a checked text lead in the merged tree at `merged`.
///
/// # Errors
///
/// A symlink leads one to nowhere, into a directory of the system or into another state path.
pub fn check_extra_in(merged: &Path, policy: &str) -> Result<()> {
    let place = |path: &Path| -> Result<Option<PathBuf>> {
        let found = confined::resolve(merged, path)?;
        Ok(found.map(|found| from_root(merged, &found)))
    };
    let mut others = Vec::new();
    for path in defaults() {
        others.extend(place(&path.path)?);
    }
    for path in listed(policy) {
        let Some(place) = place(Path::new(path))? else {
            return refuse(path, "it leads nowhere in this profile");
        };
        let shown = place.display();
        if is_system(&place) {
            return refuse(
                path,
                &format!("it leads to {shown}, which is the system's own"),
            );
        }
        if others.iter().any(|other| overlap(other, &place)) {
            return refuse(
                path,
                &format!("it leads to {shown}, which is state already"),
            );
        }
        others.push(place);
    }
    Ok(())
}

fn refuse(path: &str, detail: &str) -> Result<()> {
    Err(Error::Setting {
        key: POLICY_STATE_PATHS.into(),
        detail: format!("{path}: {detail}"),
    })
}

/// A path below `merged` as it is called in that tree.
pub(super) fn from_root(merged: &Path, path: &Path) -> PathBuf {
    Path::new("/").join(path.strip_prefix(merged).unwrap_or(path))
}
