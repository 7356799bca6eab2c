//! What somebody should know who brings single paths back: what dpkg and other tools then hold for true is not.

use std::collections::{BTreeMap, HashMap};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use conffile_diff::dpkg::Status;
use profile_sys::tree::Kind;

use crate::delta::Change;
use crate::error::Result;
use crate::merged::Merged;
use crate::package_database::{DPKG, unreadable};

/// The packages that restored paths belong to, in the snapshot or now, with their versions in both.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Versions {
    /// Package → its version then and now; none where it is not installed.
    pub packages: BTreeMap<String, [Option<String>; 2]>,
    /// Path → the packages that have it.
    pub owners: HashMap<PathBuf, Vec<String>>,
}

impl Versions {
    /// Reads them for all but directories, which belong to many packages and hold nothing themselves.
    pub fn of(then: &Merged, now: &Merged, restore: &[Change]) -> Result<Self> {
        let directory = Some(Kind::Directory);
        let paths: Vec<&Path> = restore
            .iter()
            .filter(|change| change.old != directory && change.new != directory)
            .map(|change| change.path.as_path())
            .collect();
        let mut versions = Self::default();
        if paths.is_empty() {
            return Ok(versions);
        }
        for tree in [then, now] {
            for (path, owner) in tree.owners_of(&paths)? {
                let owners = versions.owners.entry(path.to_path_buf()).or_default();
                if !owners.contains(&owner.0) {
                    owners.push(owner.0);
                }
            }
        }
        let status = [installed(then)?, installed(now)?];
        for name in versions.owners.values().flatten() {
            let both = [0, 1].map(|side: usize| status[side].get(name).cloned());
            versions.packages.insert(name.clone(), both);
        }
        Ok(versions)
    }
}

/// The installed packages of a tree with their versions.
fn installed(tree: &Merged) -> Result<HashMap<String, String>> {
    let path = Path::new(DPKG).join("status");
    let status = Status::parse(&tree.read(&path)?)
        .map_err(|error| unreadable(&Path::new("/").join(&path), &error))?;
    Ok(status
        .packages()
        .iter()
        .filter(|package| package.state.is_present())
        .map(|package| (package.name.clone(), package.version.clone()))
        .collect())
}

/// Databases that others than dpkg keep, and what bringing them back alone means.
const DATABASES: [(&str, &str); 5] = [
    (
        "etc/shadow",
        "passwords are again what they were then, also those that were changed since",
    ),
    (
        "etc/passwd",
        "accounts are again those of then: files of accounts made since have an owner without a name",
    ),
    (
        "etc/group",
        "groups are again those of then: files of groups made since have a group without a name",
    ),
    (
        "etc/alternatives",
        "links of alternatives may differ from what update-alternatives has recorded",
    ),
    (
        "var/lib/apt/extended_states",
        "apt again takes for automatically installed what it did then",
    ),
];

/// The notes about what would be restored.
pub(super) fn of(restore: &[Change], versions: &Versions) -> Vec<String> {
    let mut notes: Vec<String> = DATABASES
        .iter()
        .filter(|(path, _)| restore.iter().any(|change| change.path.starts_with(path)))
        .map(|(path, meaning)| format!("/{path}: {meaning}"))
        .collect();
    for (package, both) in &versions.packages {
        let words = match both {
            [Some(then), Some(now)] if then == now => continue,
            [Some(then), Some(now)] => {
                format!("from its version {then}, while {now} is installed")
            }
            [Some(then), None] => {
                format!("from its version {then}, while it is not installed")
            }
            [None, Some(now)] => {
                format!("as before it was installed, while {now} is")
            }
            // Its lists alone are there, of conffiles that a removal kept.
            [None, None] => continue,
        };
        let mut paths: Vec<&Path> = restore
            .iter()
            .map(|change| change.path.as_path())
            .filter(|path| {
                let owners = versions.owners.get(*path);
                owners.is_some_and(|owners| owners.contains(package))
            })
            .collect();
        paths.sort_unstable();
        let Some(first) = paths.first() else { continue };
        let first = String::from_utf8_lossy(first.as_os_str().as_bytes());
        let more = match paths.len() {
            1 => String::new(),
            many => format!(" and {} more", many - 1),
        };
        notes.push(format!(
            "/{first}{more} of {package}: {words}; dpkg does not know"
        ));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delta::ChangeKind;

    fn change(path: &str) -> Change {
        Change {
            path: path.into(),
            kind: ChangeKind::Content,
            old: Some(Kind::File),
            new: Some(Kind::File),
        }
    }

    fn versions(both: [Option<&str>; 2]) -> Versions {
        let package = "nginx".to_owned();
        Versions {
            packages: [(package.clone(), both.map(|one| one.map(str::to_owned)))].into(),
            owners: ["usr/sbin/nginx", "usr/share/x"]
                .map(|path| (path.into(), vec![package.clone()]))
                .into(),
        }
    }

    #[test]
    fn another_version_than_the_installed_is_told_once() {
        let restore = [change("usr/sbin/nginx"), change("usr/share/x")];
        let told = |both| of(&restore, &versions(both));
        assert_eq!(
            told([Some("1"), Some("2")]),
            [
                "/usr/sbin/nginx and 1 more of nginx: from its version 1, while 2 is installed; dpkg does not know"
            ]
        );
        assert_eq!(
            told([Some("1"), None]),
            [
                "/usr/sbin/nginx and 1 more of nginx: from its version 1, while it is not installed; dpkg does not know"
            ]
        );
        assert_eq!(
            told([None, Some("2")]),
            [
                "/usr/sbin/nginx and 1 more of nginx: as before it was installed, while 2 is; dpkg does not know"
            ]
        );
        assert!(told([Some("2"), Some("2")]).is_empty() && told([None, None]).is_empty());
    }

    #[test]
    fn databases_of_others_are_told() {
        let restore = [change("etc/shadow"), change("etc/alternatives/vi")];
        let notes = of(&restore, &Versions::default());
        assert_eq!(notes.len(), 2);
        assert!(notes[0].starts_with("/etc/shadow: passwords "), "{notes:?}");
        assert!(
            notes[1].starts_with("/etc/alternatives: links "),
            "{notes:?}"
        );
        assert!(of(&[change("etc/shadow-")], &Versions::default()).is_empty());
    }
}
