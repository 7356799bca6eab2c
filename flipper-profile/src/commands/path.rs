//! Paths of a profile's tree, as they are typed.

use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use profile_db::ProfileFile;
use profile_store::merged::Merged;
use profile_store::{Error, Pool, profile};

use crate::context::{Context, Result};
use crate::failure::Failure;
use crate::output::escape;

/// The path in the profile's tree, relative to its root: its directory is the one that symlinks in the tree lead
/// to, which is how lists of changes name it. A relative one counts from the current directory, which only
/// inside of the profile is one of the tree.
///
/// # Errors
///
/// It is relative and the command runs outside of the profile, it is empty, or the tree cannot be read.
pub fn in_profile(
    typed: &Path,
    context: &Context,
    pool: &Pool,
    profile: &ProfileFile,
) -> Result<PathBuf> {
    let shown = || escape::bytes(typed.as_os_str().as_bytes());
    let inside = || -> Result<bool> {
        let session = context.session(pool)?;
        Ok(session.is_some_and(|session| session.profile == profile.id))
    };
    if typed.is_relative() && !inside()? {
        let message = format!("{} counts from no directory of the profile", shown());
        return Err(Failure::usage(message).hint(format!(
            "name it from the root of the profile '{}', as in /etc/hosts",
            profile.name
        )));
    }
    let absolute = std::path::absolute(typed)
        .map_err(|error| Failure::usage(format!("{} is no path: {error}", shown())))?;
    let base = match profile::base_for(pool, profile) {
        Ok((base, _)) => base,
        // The history of a profile without its base can still be asked.
        Err(Error::BaseUnusable { .. }) => return Ok(plain(&absolute)),
        Err(error) => return Err(error.into()),
    };
    let present = Merged::new(&pool.layout().profile(&profile.id), &base);
    Ok(present
        .place(&absolute)?
        .unwrap_or_else(|| plain(&absolute)))
}

/// The bytes of a path, from the root: how lists of changes and reports have it.
pub fn from_root(path: &Path) -> Vec<u8> {
    [b"/", path.as_os_str().as_bytes()].concat()
}

/// Without `.` and `..`, as the text has it.
fn plain(absolute: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in absolute.components() {
        match component {
            // Above the root is the root.
            Component::ParentDir => {
                plain.pop();
            }
            Component::Normal(name) => plain.push(name),
            _ => {}
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_becomes_plain() {
        for (given, expected) in [("/etc//x/./y/", "etc/x/y"), ("/a/../../b", "b"), ("/", "")] {
            assert_eq!(plain(Path::new(given)), Path::new(expected), "{given}");
        }
        assert_eq!(from_root(Path::new("etc/x")), b"/etc/x");
        assert_eq!(from_root(Path::new("")), b"/");
    }
}
