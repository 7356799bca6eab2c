//! The tree of an entered profile: the overlay, and everything that is mounted on it.
//!
//! Called by the holder in a mount namespace of its own, before the tree becomes the root. What is made
//! here vanishes with that namespace; the profile itself is not changed, but for mount points and the guard
//! against services when somebody removed them.

use std::path::{Path, PathBuf};

use profile_db::ProfileFile;
use profile_sys::tree::{self, Kind};
use profile_sys::{file, mount};

use super::{confined, resolver};
use crate::base::POLICY_RC_D;
use crate::error::{Error, Result};
use crate::layout::{UPPER, WORK};
use crate::pool::Pool;
use crate::session::{SESSION_FILE, Session, overlay_source};
use crate::state_paths;

/// Says that services must not start: `policy-rc.d` looks for it.
const ENTERED: &str = "run/flipper-profile/entered";
/// Directories of the fresh /run: what Debian's tmpfiles make at boot and packages take for granted.
const RUN_DIRECTORIES: &[(&str, u32)] = &[
    ("flipper-profile", 0o755),
    ("lock", 0o1777),
    ("user", 0o755),
];
/// Asked by invoke-rc.d and deb-systemd-invoke before they start a service.
const POLICY: &str = "/usr/sbin/policy-rc.d";
/// The copy of our policy that is bound over another one, below the root.
const POLICY_COPY: &str = "run/flipper-profile/policy-rc.d";
/// Largest policy file that is compared, in bytes.
const POLICY_LIMIT_BYTES: u64 = 64 * 1024;

/// Mounts the tree of `profile` at `root`, an empty directory.
///
/// # Errors
///
/// A mount fails, or the profile has a file or a symlink where a system directory must be.
pub(super) fn build(
    pool: &Pool,
    profile: &ProfileFile,
    base: &Path,
    session: &Session,
    root: &Path,
) -> Result<()> {
    mount_overlay(pool, profile, base, session, root)?;
    mount_system(profile, root)?;
    state_paths::bind_all(pool.layout(), profile, root)?;
    resolver::provide(root)?;
    deny_services(root)?;
    write_session(session, root)
}

fn mount_overlay(
    pool: &Pool,
    profile: &ProfileFile,
    base: &Path,
    session: &Session,
    root: &Path,
) -> Result<()> {
    let subvolume = pool.layout().profile(&profile.id);
    let (upper, work) = (subvolume.join(UPPER), subvolume.join(WORK));
    let overlay = mount::Overlay {
        source: overlay_source(session.upper_uuid, session.base_uuid),
        lowers: vec![base],
        upper: Some((&upper, &work)),
        same_filesystem: mount::same_filesystem(&upper, base)?,
    };
    Ok(mount::mount_overlay(&overlay, root)?)
}

fn mount_system(profile: &ProfileFile, root: &Path) -> Result<()> {
    mount::proc(&mount_point(profile, root, "proc", 0o555)?)?;
    let sys = mount_point(profile, root, "sys", 0o555)?;
    mount::sysfs(&sys)?;
    // A package's script must not poke the host's devices, as udev's does by writing to uevent files.
    mount::make_read_only(&sys)?;
    mount::bind_recursive_slave(
        Path::new("/dev"),
        &mount_point(profile, root, "dev", 0o755)?,
    )?;
    // The sizes are those that systemd gives them.
    mount::tmpfs(
        &mount_point(profile, root, "tmp", 0o1777)?,
        "mode=1777,size=50%,nr_inodes=1m",
    )?;
    let run = mount_point(profile, root, "run", 0o755)?;
    mount::tmpfs(&run, "mode=0755,size=20%,nr_inodes=800k")?;
    for (name, mode) in RUN_DIRECTORIES {
        file::create_directory(&run.join(name), *mode)?;
    }
    Ok(())
}

/// The directory `name` of the tree, made when it is missing. A symlink there would be followed on the host.
fn mount_point(profile: &ProfileFile, root: &Path, name: &str, mode: u32) -> Result<PathBuf> {
    let path = root.join(name);
    match tree::lstat(&path)?.map(|meta| meta.kind) {
        Some(Kind::Directory) => {}
        None => file::create_directory(&path, mode)?,
        Some(_) => {
            return Err(Error::CannotStart {
                command: "anything".into(),
                name: profile.name.to_string(),
                detail: format!("/{name} is no directory there"),
                status: super::OWN_FAILURE,
            });
        }
    }
    Ok(path)
}

/// Makes sure that invoke-rc.d and deb-systemd-invoke start nothing.
///
/// Without a policy, invoke-rc.d starts services as soon as an init system is installed, running or not.
fn deny_services(root: &Path) -> Result<()> {
    file::write_new(&root.join(ENTERED), b"", 0o644)?;
    let Some(place) = confined::resolve(root, Path::new(POLICY))? else {
        return Ok(());
    };
    match tree::lstat(&place)?.map(|meta| meta.kind) {
        // Removed by somebody. Putting it back is a change of the profile, and the lesser evil.
        None => match place.parent() {
            Some(parent) if parent.is_dir() => {
                Ok(file::write_new(&place, POLICY_RC_D.as_bytes(), 0o755)?)
            }
            // Without /usr/sbin there is no invoke-rc.d either.
            _ => Ok(()),
        },
        Some(Kind::File) if is_ours(&place)? => Ok(()),
        // invoke-rc.d takes what it cannot run for a refusal.
        Some(kind) if kind != Kind::File => Ok(()),
        Some(_) => {
            let copy = root.join(POLICY_COPY);
            file::write_new(&copy, POLICY_RC_D.as_bytes(), 0o755)?;
            Ok(mount::bind(&copy, &place)?)
        }
    }
}

fn is_ours(policy: &Path) -> Result<bool> {
    match file::read_limited(policy, POLICY_LIMIT_BYTES) {
        Ok(bytes) => Ok(bytes == POLICY_RC_D.as_bytes()),
        Err(profile_sys::Error::TooLarge { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn write_session(session: &Session, root: &Path) -> Result<()> {
    let path = root.join(SESSION_FILE.trim_start_matches('/'));
    let bytes = serde_json::to_vec(session).map_err(|error| Error::SessionFile {
        path: path.clone(),
        detail: error.to_string(),
    })?;
    Ok(file::write_new(&path, &bytes, 0o644)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_policy_is_recognised() {
        let directory = tempfile::tempdir().unwrap();
        let policy = directory.path().join("policy-rc.d");
        std::fs::write(&policy, POLICY_RC_D).unwrap();
        assert!(is_ours(&policy).unwrap());
        std::fs::write(&policy, "#!/bin/sh\nexit 0\n").unwrap();
        assert!(!is_ours(&policy).unwrap());
    }
}
