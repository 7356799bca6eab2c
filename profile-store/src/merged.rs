//! Single paths of a merged tree, read from the upper and the base without a mount.
//!
//! Where one path is asked about, that is a few looks instead of a snapshot and a mount; and the upper of a
//! profile that is mounted may not be mounted a second time, while it can be read.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use conffile_diff::dpkg::info;
use profile_sys::file;
use profile_sys::tree::{self, Kind, Meta};

use crate::delta::{self, ChangeKind};
use crate::enter::confined;
use crate::error::Result;
use crate::layout::UPPER;
use crate::package_database::{DPKG, read_optional};

/// An upper over a base. Paths are relative to the merged root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    upper: Option<PathBuf>,
    base: PathBuf,
}

/// An entry of the merged tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The upper or the base, whichever it shows through from.
    pub side: PathBuf,
    /// What it is.
    pub meta: Meta,
}

/// A package that has a path in its list: its name, and its architecture where dpkg's file has one.
pub type InList = (String, Option<String>);

impl Merged {
    /// The merged tree of a profile's subvolume, or of a snapshot of one, over its base.
    pub fn new(profile: &Path, base: &Path) -> Self {
        Self {
            upper: Some(profile.join(UPPER)),
            base: base.to_path_buf(),
        }
    }

    /// A base with nothing over it.
    pub fn base_alone(base: &Path) -> Self {
        Self {
            upper: None,
            base: base.to_path_buf(),
        }
    }

    /// What stands at a path; `None` when nothing does, or when something on the way is no directory.
    ///
    /// # Errors
    ///
    /// The upper or the base cannot be read.
    pub fn find(&self, path: &Path) -> Result<Option<Entry>> {
        let mut here = PathBuf::new();
        let mut found = self.top()?;
        for name in path {
            let Some((entry, visible)) = found else {
                return Ok(None);
            };
            if entry.meta.kind != Kind::Directory {
                return Ok(None);
            }
            here.push(name);
            found = self.step(&here, visible)?;
        }
        Ok(found.map(|(entry, _)| entry))
    }

    /// The root, and on which sides it is looked for what is in it.
    fn top(&self) -> Result<Option<(Entry, [bool; 2])>> {
        self.step(Path::new(""), [true, true])
    }

    /// The entry `path` of a directory that shows on the sides `visible` (upper, base), and on which of
    /// them it shows itself.
    fn step(&self, path: &Path, visible: [bool; 2]) -> Result<Option<(Entry, [bool; 2])>> {
        let entry = |side: &Path, meta: Meta| Entry {
            side: side.to_path_buf(),
            meta,
        };
        let in_base = match visible[1] {
            true => tree::lstat(&below(&self.base, path))?,
            false => None,
        };
        if let Some(upper) = self.upper.as_ref().filter(|_| visible[0]) {
            match tree::lstat(&below(upper, path))? {
                Some(meta) if meta.is_whiteout() => return Ok(None),
                Some(meta) => {
                    let merges = meta.kind == Kind::Directory
                        && in_base.is_some_and(|meta| meta.kind == Kind::Directory)
                        && !tree::is_opaque(&below(upper, path))?;
                    return Ok(Some((entry(upper, meta), [true, merges])));
                }
                None => {}
            }
        }
        Ok(in_base.map(|meta| (entry(&self.base, meta), [false, true])))
    }

    /// The names in a directory, sorted; none when it is no directory.
    ///
    /// # Errors
    ///
    /// The upper or the base cannot be read.
    pub fn list(&self, path: &Path) -> Result<Vec<OsString>> {
        let mut names = BTreeSet::new();
        for side in self.upper.iter().chain([&self.base]) {
            let directory = below(side, path);
            if tree::lstat(&directory)?.is_some_and(|meta| meta.kind == Kind::Directory) {
                names.extend(file::list(&directory)?);
            }
        }
        let mut shown = Vec::with_capacity(names.len());
        for name in names {
            if self.find(&path.join(&name))?.is_some() {
                shown.push(name);
            }
        }
        Ok(shown)
    }

    /// The bytes of a file; none when there is no such file.
    ///
    /// # Errors
    ///
    /// It cannot be read, or is larger than any database of packages.
    pub fn read(&self, path: &Path) -> Result<Vec<u8>> {
        match self.find(path)? {
            Some(entry) if entry.meta.kind == Kind::File => {
                read_optional(&below(&entry.side, path))
            }
            _ => Ok(Vec::new()),
        }
    }

    /// The path that a path, as somebody types it, means in this tree: its directory without symlinks, its
    /// last name as it is. Relative; `None` when it leads nowhere.
    ///
    /// # Errors
    ///
    /// The upper or the base cannot be read.
    pub fn place(&self, typed: &Path) -> Result<Option<PathBuf>> {
        let kind = |path: &Path| Ok(self.find(path)?.map(|entry| entry.meta.kind));
        let target = |path: &Path| {
            let entry = self.find(path)?;
            let side = entry.map_or_else(|| self.base.clone(), |entry| entry.side);
            Ok(file::read_link(&side.join(path))?)
        };
        let typed = typed.strip_prefix("/").unwrap_or(typed);
        let (directory, name) = match (typed.parent(), typed.file_name()) {
            (Some(parent), Some(name)) => (parent, Some(name)),
            // It ends in "..", or is the root.
            _ => (typed, None),
        };
        let place = confined::walk(directory, &kind, &target)?;
        Ok(place.map(|mut place| {
            place.extend(name);
            place
        }))
    }

    /// How a path differs between two trees; `None` where it does not, or in its time alone.
    ///
    /// # Errors
    ///
    /// The upper or the base cannot be read.
    pub fn differ(&self, newer: &Self, path: &Path) -> Result<Option<ChangeKind>> {
        let kind = match (self.find(path)?, newer.find(path)?) {
            (None, None) => None,
            (None, Some(_)) => Some(ChangeKind::Added),
            (Some(_), None) => Some(ChangeKind::Removed),
            // The very same entry of a base.
            (Some(old), Some(new)) if old == new => None,
            (Some(old), Some(new)) => {
                delta::differs(&old.side, &new.side, path, &old.meta, &new.meta)?
            }
        };
        Ok(kind.filter(|kind| *kind != ChangeKind::Times))
    }

    /// The packages whose lists have a path, as dpkg -S finds them.
    ///
    /// # Errors
    ///
    /// dpkg's directory cannot be read.
    pub fn owners(&self, path: &Path) -> Result<Vec<InList>> {
        let found = self.owners_of(&[path])?;
        Ok(found.into_iter().map(|(_, owner)| owner).collect())
    }

    /// As [`Merged::owners`], of several paths at once: each with one package that has it.
    ///
    /// # Errors
    ///
    /// As [`Merged::owners`].
    pub fn owners_of<'a>(&self, paths: &[&'a Path]) -> Result<Vec<(&'a Path, InList)>> {
        let by_name: HashMap<Vec<u8>, &Path> = paths
            .iter()
            .map(|path| ([b"/", path.as_os_str().as_bytes()].concat(), *path))
            .collect();
        let directory = Path::new(DPKG).join("info");
        let mut owners = Vec::new();
        for file in self.list(&directory)? {
            let Some(name) = info::parse_name(file.as_bytes()) else {
                continue;
            };
            if name.kind != "list" {
                continue;
            }
            for listed in info::listed(&self.read(&directory.join(&file))?) {
                if let Some(path) = by_name.get(listed.as_ref()) {
                    owners.push((*path, (name.package.clone(), name.architecture.clone())));
                }
            }
        }
        Ok(owners)
    }
}

/// A path below a directory; joining an empty one would add a slash, which follows a symlink.
fn below(directory: &Path, path: &Path) -> PathBuf {
    match path.as_os_str().is_empty() {
        true => directory.to_path_buf(),
        false => directory.join(path),
    }
}

#[cfg(test)]
#[path = "merged_tests.rs"]
mod tests;
