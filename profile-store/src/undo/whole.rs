//! Packages about which it was decided as a whole: which paths are theirs.

use std::collections::BTreeSet;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use conffile_diff::attribution::{Reason, Verdict};
use conffile_diff::dpkg::info::{parse_conffiles, parse_list, parse_name};
use conffile_diff::merge::{Settled, Side};
use profile_sys::tree::Kind;

use crate::delta::{Change, Delta};
use crate::error::Result;
use crate::package_database::{info_files, read_optional};

/// dpkg's info directory, in a merged tree.
const INFO: &str = "var/lib/dpkg/info";

/// For each change of a transaction whether it is part of a package that stays as it is now.
///
/// Beside the package's own paths that is what came with one of its directories: the package is not to lose the
/// caches and the like that it has there.
pub(super) fn kept(delta: &Delta, verdicts: &[Verdict], settled: &Settled) -> Vec<bool> {
    let packages: BTreeSet<&str> = settled.packages(Side::Mine).collect();
    if packages.is_empty() {
        return vec![false; delta.changes.len()];
    }
    let mut directories: BTreeSet<&Path> = BTreeSet::new();
    let mut kept = Vec::with_capacity(delta.changes.len());
    // Parents stand before their children.
    for (change, verdict) in delta.changes.iter().zip(verdicts) {
        let own = match verdict {
            Verdict::Attributed(reason) => match reason {
                Reason::Owned { package }
                | Reason::Conffile { package }
                | Reason::NamedByScript { package }
                | Reason::NamedAfterPackage { package } => packages.contains(package.as_str()),
                _ => change
                    .path
                    .parent()
                    .is_some_and(|parent| directories.contains(parent)),
            },
            Verdict::ChangedMeanwhile => false,
        };
        let own = own || info_of(&change.path).is_some_and(|name| packages.contains(name.as_str()));
        if own && change.new == Some(Kind::Directory) {
            directories.insert(&change.path);
        }
        kept.push(own);
    }
    kept
}

/// The package whose file of dpkg's info directory a path is.
fn info_of(path: &Path) -> Option<String> {
    let name = path.strip_prefix(INFO).ok()?;
    parse_name(name.as_os_str().as_bytes()).map(|name| name.package)
}

/// The paths of packages that become what they were before, in any of the trees, of which the last is the present;
/// without their conffiles, each of which is decided about by itself, and without what other packages ship as well.
///
/// # Errors
///
/// dpkg's lists cannot be read.
pub(super) fn paths(trees: &[&Path], settled: &Settled) -> Result<BTreeSet<PathBuf>> {
    let packages: BTreeSet<&str> = settled.packages(Side::Other).collect();
    let (mut paths, mut conffiles) = (BTreeSet::new(), BTreeSet::new());
    // What packages ship now that stay: directories that they share.
    let mut shared = BTreeSet::new();
    if packages.is_empty() {
        return Ok(paths);
    }
    let relative = |path: Vec<u8>| {
        let path = PathBuf::from(std::ffi::OsString::from_vec(path));
        path.strip_prefix("/").map(Path::to_path_buf).ok()
    };
    for tree in trees {
        shared.clear();
        for (name, file) in info_files(tree)? {
            if !packages.contains(name.package.as_str()) {
                if name.kind == "list" {
                    let list = parse_list(&read_optional(&file)?);
                    shared.extend(list.into_iter().filter_map(relative));
                }
                continue;
            }
            match name.kind.as_str() {
                "list" => {
                    let list = parse_list(&read_optional(&file)?);
                    paths.extend(list.into_iter().filter_map(relative));
                }
                "conffiles" => {
                    let list = parse_conffiles(&read_optional(&file)?);
                    conffiles.extend(list.into_iter().filter_map(relative));
                }
                _ => {}
            }
            if let Some(name) = file.file_name() {
                paths.insert(Path::new(INFO).join(name));
            }
        }
    }
    paths.retain(|path| {
        !path.as_os_str().is_empty() && !conffiles.contains(path) && !shared.contains(path)
    });
    Ok(paths)
}

/// A delta without some of its changes, which are known by their place.
pub(super) fn without(
    delta: &Delta,
    attributed: &[bool],
    mut leave: impl FnMut(usize, &Change) -> bool,
) -> (Delta, Vec<bool>) {
    let (changes, attributed) = delta
        .changes
        .iter()
        .zip(attributed)
        .enumerate()
        .filter(|(number, (change, _))| !leave(*number, change))
        .map(|(_, (change, attributed))| (change.clone(), *attributed))
        .unzip();
    (Delta { changes }, attributed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delta::ChangeKind;
    use conffile_diff::merge::Owner;

    fn change(path: &str, kind: Kind) -> Change {
        Change {
            path: path.into(),
            kind: ChangeKind::Added,
            old: None,
            new: Some(kind),
        }
    }

    #[test]
    fn a_kept_package_keeps_what_came_with_it() {
        let owned = |package: &str| {
            Verdict::Attributed(Reason::Owned {
                package: package.into(),
            })
        };
        let rows = [
            ("etc/a", Kind::Directory, owned("a"), true),
            (
                "etc/a/cache",
                Kind::File,
                Verdict::Attributed(Reason::Distribution),
                true,
            ),
            ("etc/a/mine", Kind::File, Verdict::ChangedMeanwhile, false),
            ("etc/b", Kind::File, owned("b"), false),
            (
                "var/lib/dpkg/info/a.list",
                Kind::File,
                Verdict::Attributed(Reason::Database { name: "dpkg" }),
                true,
            ),
            (
                "var/lib/dpkg/info/a:amd64.md5sums",
                Kind::File,
                Verdict::Attributed(Reason::Database { name: "dpkg" }),
                true,
            ),
            (
                "var/lib/dpkg/info/b.list",
                Kind::File,
                Verdict::Attributed(Reason::Database { name: "dpkg" }),
                false,
            ),
        ];
        let delta = Delta {
            changes: rows.iter().map(|row| change(row.0, row.1)).collect(),
        };
        let verdicts: Vec<Verdict> = rows.iter().map(|row| row.2.clone()).collect();
        let mut settled = Settled::default();
        assert_eq!(kept(&delta, &verdicts, &settled), [false; 7]);
        settled.add(Owner::package(b"a"), Side::Mine);
        settled.add(Owner::package(b"b"), Side::Other);
        let expected: Vec<bool> = rows.iter().map(|row| row.3).collect();
        assert_eq!(kept(&delta, &verdicts, &settled), expected);
    }

    #[test]
    fn the_paths_of_a_package_are_those_of_its_lists_without_conffiles() {
        let tree = tempfile::tempdir().unwrap();
        let info = tree.path().join(INFO);
        std::fs::create_dir_all(&info).unwrap();
        std::fs::write(info.join("b.list"), "/.\n/etc\n/etc/b.conf\n/usr/b\n").unwrap();
        std::fs::write(info.join("b.conffiles"), "/etc/b.conf\n").unwrap();
        std::fs::write(info.join("c.list"), "/.\n/etc\n/usr/c\n").unwrap();
        let mut settled = Settled::default();
        assert!(paths(&[tree.path()], &settled).unwrap().is_empty());
        settled.add(Owner::package(b"b"), Side::Other);
        let found: Vec<PathBuf> = paths(&[tree.path()], &settled)
            .unwrap()
            .into_iter()
            .collect();
        let expected = [
            "usr/b",
            "var/lib/dpkg/info/b.conffiles",
            "var/lib/dpkg/info/b.list",
        ];
        assert_eq!(found, expected.map(PathBuf::from));
    }
}
