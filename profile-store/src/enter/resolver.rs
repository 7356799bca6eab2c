//! Name resolution as on the host, without a change of the profile.
//!
//! An entered profile shares the host's network, so it needs the host's name servers. A copy of the host's
//! file stands in the fresh /run and is bound over the file that the profile's /etc/resolv.conf leads to;
//! where that leads into /run, which is empty, the copy is put there.

use std::path::{Path, PathBuf};

use profile_sys::tree::{self, Kind};
use profile_sys::{file, mount};

use super::confined;
use crate::error::Result;

/// The same path on the host and in the profile.
const RESOLV_CONF: &str = "/etc/resolv.conf";
/// The copy, below the root.
const COPY: &str = "run/flipper-profile/resolv.conf";
/// Largest file of name servers that is read, in bytes.
const LIMIT_BYTES: u64 = 256 * 1024;

/// What is to be done for one tree.
#[derive(Debug, PartialEq, Eq)]
enum Way {
    /// Bind the copy over this file.
    Bind(PathBuf),
    /// Write the copy here, below the fresh /run.
    Write(PathBuf),
    /// The profile resolves no names, by its owner's wish: the file was removed or leads nowhere.
    Nothing,
}

/// Gives the tree at `root`, whose /run is fresh, the name servers of the host.
///
/// # Errors
///
/// The host's file cannot be read, or the copy not be made.
pub(super) fn provide(root: &Path) -> Result<()> {
    let way = way(root)?;
    if way == Way::Nothing {
        return Ok(());
    }
    let servers = match file::read_limited(Path::new(RESOLV_CONF), LIMIT_BYTES) {
        Ok(bytes) => bytes,
        Err(error) if error.is_not_found() => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    match way {
        Way::Bind(place) => {
            let copy = root.join(COPY);
            file::write_new(&copy, &servers, 0o644)?;
            mount::bind(&copy, &place)?;
        }
        Way::Write(place) => {
            if let Some(parent) = place.parent() {
                file::create_directory_all(parent, 0o755)?;
            }
            file::write_new(&place, &servers, 0o644)?;
        }
        Way::Nothing => {}
    }
    Ok(())
}

fn way(root: &Path) -> Result<Way> {
    let Some(place) = confined::resolve(root, Path::new(RESOLV_CONF))? else {
        return Ok(Way::Nothing);
    };
    Ok(match tree::lstat(&place)?.map(|meta| meta.kind) {
        Some(Kind::File) => Way::Bind(place),
        None if place.starts_with(root.join("run")) => Way::Write(place),
        _ => Way::Nothing,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn root() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for directory in ["etc", "run", "var"] {
            std::fs::create_dir(root.path().join(directory)).unwrap();
        }
        root
    }

    #[test]
    fn a_file_is_covered() {
        let root = root();
        std::fs::write(root.path().join("etc/resolv.conf"), "").unwrap();
        assert_eq!(
            way(root.path()).unwrap(),
            Way::Bind(root.path().join("etc/resolv.conf"))
        );
    }

    #[test]
    fn a_link_into_run_gets_its_target() {
        for target in [
            "../run/systemd/resolve/stub-resolv.conf",
            "/run/systemd/resolve/stub-resolv.conf",
        ] {
            let root = root();
            symlink(target, root.path().join("etc/resolv.conf")).unwrap();
            let place = root.path().join("run/systemd/resolve/stub-resolv.conf");
            assert_eq!(way(root.path()).unwrap(), Way::Write(place), "{target}");
        }
    }

    #[test]
    fn a_link_to_another_file_covers_that_file() {
        let root = root();
        std::fs::write(root.path().join("etc/real"), "").unwrap();
        symlink("real", root.path().join("etc/resolv.conf")).unwrap();
        assert_eq!(
            way(root.path()).unwrap(),
            Way::Bind(root.path().join("etc/real"))
        );
    }

    #[test]
    fn a_removed_file_and_a_dangling_link_are_respected() {
        let root = root();
        assert_eq!(way(root.path()).unwrap(), Way::Nothing);
        symlink("/nowhere/x", root.path().join("etc/resolv.conf")).unwrap();
        assert_eq!(way(root.path()).unwrap(), Way::Nothing);
    }

    #[test]
    fn a_link_cannot_leave_run_again() {
        let root = root();
        symlink("/run/../../etc/shadow", root.path().join("etc/resolv.conf")).unwrap();
        assert_eq!(way(root.path()).unwrap(), Way::Nothing);
    }
}
