//! What programs make of other files, made anew in the profile itself after both sides of it were wrong.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use conffile_diff::merge::{Kind, Maker, kind_of};
use profile_sys::command::Command;
use profile_sys::file;
use serde::{Deserialize, Serialize};

use super::caches;
use super::join::Joined;
use super::replay::Replayed;
use crate::error::Result;
use crate::operation::PathText;

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
    /// Paths of other caches.
    #[serde(default)]
    pub caches: Vec<PathText>,
}

impl Remake {
    /// What joined paths and alternatives ask for.
    pub(super) fn of(joined: &[(PathBuf, Joined)], alternatives: Vec<String>) -> Self {
        Self {
            linker_cache: joined.iter().any(|(path, _)| is_linker_cache(path)),
            alternatives,
            caches: joined
                .iter()
                .filter(|(path, _)| caches::is_one(path))
                .map(|(path, _)| PathText::from(path.as_path()))
                .collect(),
        }
    }

    /// What paths ask for that change by themselves: a cache is never older than what it is made from.
    pub(crate) fn of_paths<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Self {
        Self {
            linker_cache: paths.into_iter().any(is_of_the_linker),
            ..Self::default()
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
    pub(crate) fn make(&self, merged: &Path, replayed: &mut Replayed) -> Result<()> {
        if self.linker_cache && file::exists(&merged.join(LDCONFIG))? {
            if let Err(error) = inside(merged, LDCONFIG).run_ok() {
                replayed.notes.push(format!(
                    "the linker's cache is not made anew: {error}; run `ldconfig` in the profile"
                ));
            }
        }
        let paths = self.caches.iter().map(PathText::to_path);
        replayed.notes.extend(caches::make(merged, paths)?);
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

/// Whether a path, relative to the root, is what ldconfig makes.
fn is_linker_cache(path: &Path) -> bool {
    let path = Path::new("/").join(path);
    kind_of(path.as_os_str().as_bytes()) == Kind::Derived(Maker::Ldconfig)
}

/// Whether the linker's cache hangs on a path: a shared library, wherever it stands, or where to look for some.
fn is_of_the_linker(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_bytes();
    let is_library = name.ends_with(b".so") || name.windows(4).any(|part| part == b".so.");
    let is_setting = path == Path::new("etc/ld.so.conf") || path.starts_with("etc/ld.so.conf.d");
    is_linker_cache(path) || is_library || is_setting
}

/// A program of the profile, run in its tree.
fn inside(merged: &Path, program: &str) -> Command {
    Command::new("chroot")
        .arg(merged)
        .arg(Path::new("/").join(program))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_hangs_on_libraries_and_on_where_they_are() {
        for (path, hangs) in [
            ("usr/lib/x86_64-linux-gnu/libssl.so.3", true),
            ("usr/local/lib/libmine.so", true),
            ("opt/x/libx.so.1.2", true),
            ("etc/ld.so.conf", true),
            ("etc/ld.so.conf.d/mine.conf", true),
            ("etc/ld.so.cache", true),
            ("usr/lib/x86_64-linux-gnu", false),
            ("usr/share/doc/libssl3/copyright", false),
            ("usr/lib/also.sorted", false),
        ] {
            let remake = Remake::of_paths([Path::new("etc/motd"), Path::new(path)]);
            assert_eq!(remake.linker_cache, hangs, "{path}");
            assert_eq!(remake.is_nothing(), !hangs, "{path}");
        }
    }
}
