//! What programs make of other files, made anew in the profile itself after both sides of it were wrong.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use conffile_diff::merge::{Kind, Maker, kind_of};
use profile_sys::command::Command;
use profile_sys::file;
use serde::{Deserialize, Serialize};

use super::join::Joined;
use super::replay::Replayed;
use crate::error::Result;

/// Where ldconfig is in a merged tree; Debian's /sbin/ldconfig is a link to it or the same directory.
const LDCONFIG: &str = "usr/sbin/ldconfig";
/// Where update-alternatives is.
const UPDATE_ALTERNATIVES: &str = "usr/bin/update-alternatives";

/// What has to be made anew. Making it twice comes to the same.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remake {
    /// The linker's cache.
    #[serde(default)]
    pub linker_cache: bool,
    /// Names of alternatives whose choice went.
    #[serde(default)]
    pub alternatives: Vec<String>,
}

impl Remake {
    /// What joined paths and alternatives ask for.
    pub(super) fn of(joined: &[(PathBuf, Joined)], alternatives: Vec<String>) -> Self {
        let is_cache = |(path, _): &(PathBuf, Joined)| {
            let path = Path::new("/").join(path);
            kind_of(path.as_os_str().as_bytes()) == Kind::Derived(Maker::Ldconfig)
        };
        Self {
            linker_cache: joined.iter().any(is_cache),
            alternatives,
        }
    }

    /// Whether there is nothing to make.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// Has the programs of the profile make it. Where one cannot, that is told: programs find libraries without the
    /// cache, only slower, and an alternative can be set by hand.
    ///
    /// # Errors
    ///
    /// It cannot be told whether a program is there.
    pub(super) fn make(&self, merged: &Path, replayed: &mut Replayed) -> Result<()> {
        if self.linker_cache && file::exists(&merged.join(LDCONFIG))? {
            if let Err(error) = inside(merged, LDCONFIG).run_ok() {
                replayed.notes.push(format!(
                    "the linker's cache is not made anew: {error}; run `ldconfig` in the profile"
                ));
            }
        }
        if self.alternatives.is_empty() || !file::exists(&merged.join(UPDATE_ALTERNATIVES))? {
            return Ok(());
        }
        for name in &self.alternatives {
            let outcome = inside(merged, UPDATE_ALTERNATIVES)
                .arg("--auto")
                .arg(name)
                .run_ok();
            if let Err(error) = outcome {
                replayed.notes.push(format!(
                    "no other choice is made for {name}: {error}; run `update-alternatives --auto {name}` in the profile"
                ));
            }
        }
        Ok(())
    }
}

/// A program of the profile, run in its tree.
fn inside(merged: &Path, program: &str) -> Command {
    Command::new("chroot")
        .arg(merged)
        .arg(Path::new("/").join(program))
}
