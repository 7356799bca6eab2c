//! The links of alternatives that several packages share.
//!
//! update-alternatives makes three things for a name: its record, the link that users start, and a link below
//! `/etc/alternatives` to the choice. The first package that brings the name makes the links, whoever comes later
//! relies on them. So once a record is merged and has choices, its links are no files of the one transaction: they
//! stay, and where the choice in force went, update-alternatives itself chooses among the rest.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use conffile_diff::merge::alternatives::{self, Links};
use conffile_diff::merge::{Kind, kind_of};
use profile_sys::tree::{Kind as Entry, Root};

use super::join::Joined;
use super::plan::Sorted;
use crate::error::Result;

/// Where the links to the choices are, in a merged tree.
const CHOSEN: &str = "etc/alternatives";
/// Longest record that is read.
const LONGEST_BYTES: u64 = 1 << 20;

/// Takes the links of merged records out of what goes back, and out of what stands in the way; those of a record
/// that goes, go with it. `now` is the present merged tree. The names for which another choice has to be made.
///
/// # Errors
///
/// A link cannot be read.
pub(super) fn settle(now: &Root, sorted: &mut Sorted) -> Result<Vec<String>> {
    let mut own: BTreeSet<PathBuf> = BTreeSet::new();
    let (mut choose, mut gone) = (Vec::new(), Vec::new());
    for (path, joined) in &sorted.joined {
        let absolute = Path::new("/").join(path);
        let name = path.file_name().and_then(|name| name.to_str());
        let (Kind::Alternative, Some(name)) = (kind_of(absolute.as_os_str().as_bytes()), name)
        else {
            continue;
        };
        let content = match joined {
            Joined::Content(content, _) => content.clone(),
            Joined::Gone => now.read_limited(path, LONGEST_BYTES)?.unwrap_or_default(),
            _ => continue,
        };
        // What is not of the form has no links that could be known.
        let Ok(links) = alternatives::links(&content) else {
            continue;
        };
        let master = Path::new(CHOSEN).join(name);
        let its = all(&master, &links);
        if *joined == Joined::Gone {
            gone.extend(leading_there(now, &its)?);
        } else {
            let chosen = target(now, &master)?;
            let remains = |chosen: &PathBuf| {
                let mut choices = links.choices.iter();
                choices.any(|choice| choice == chosen.as_os_str().as_bytes())
            };
            if !chosen.as_ref().is_some_and(remains) {
                choose.push(name.to_owned());
            }
        }
        own.extend(its.into_iter().flat_map(|(chosen, link)| [chosen, link]));
    }
    if !own.is_empty() {
        sorted.restore.retain(|change| !own.contains(&change.path));
        sorted
            .conflicts
            .retain(|conflict| !own.contains(&conflict.path));
        sorted.joined.retain(|(path, _)| !own.contains(path));
        sorted
            .joined
            .extend(gone.into_iter().map(|path| (path, Joined::Gone)));
    }
    Ok(choose)
}

/// The link to the choice and the link that users start, of the name and of each slave.
fn all(master: &Path, links: &Links) -> Vec<(PathBuf, PathBuf)> {
    let slaves = links.slaves.iter().map(|(name, link)| {
        let chosen = Path::new(CHOSEN).join(OsStr::from_bytes(name));
        (chosen, link)
    });
    std::iter::once((master.to_path_buf(), &links.link))
        .chain(slaves)
        .filter_map(|(chosen, link)| {
            let link = Path::new(OsStr::from_bytes(link)).strip_prefix("/").ok()?;
            Some((chosen, link.to_path_buf()))
        })
        .collect()
}

/// Those of the links that are ones: what else somebody put there is none of update-alternatives' business.
fn leading_there(now: &Root, its: &[(PathBuf, PathBuf)]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for (chosen, link) in its {
        if target(now, link)?.is_some_and(|target| target == Path::new("/").join(chosen)) {
            found.push(link.clone());
        }
        if target(now, chosen)?.is_some() {
            found.push(chosen.clone());
        }
    }
    Ok(found)
}

/// Where a symlink leads; `None` when the path is none.
fn target(now: &Root, path: &Path) -> Result<Option<PathBuf>> {
    Ok(match now.lstat(path)?.map(|meta| meta.kind) {
        Some(Entry::Symlink) => Some(now.read_link(path)?),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::super::join::From;
    use super::super::plan::{Conflict, Obstacle};
    use super::*;
    use crate::delta::{Change, ChangeKind};

    fn change(path: &str) -> Change {
        Change {
            path: path.into(),
            kind: ChangeKind::Added,
            old: None,
            new: Some(Entry::Symlink),
        }
    }

    fn sorted() -> Sorted {
        let record = b"auto\n/usr/bin/tool\ntool.1\n/usr/share/man/tool.1\n\n/usr/bin/b\n10\n\n\n";
        Sorted {
            joined: vec![(
                "var/lib/dpkg/alternatives/tool".into(),
                Joined::Content(record.to_vec(), From::Mine),
            )],
            restore: vec![
                change("usr/bin/a"),
                change("usr/bin/tool"),
                change("usr/share/man/tool.1"),
            ],
            conflicts: vec![Conflict {
                path: "etc/alternatives/tool".into(),
                obstacle: Obstacle::ChangedSince(Vec::new()),
                by: Vec::new(),
            }],
            ..Sorted::default()
        }
    }

    #[test]
    fn the_links_stay_and_a_choice_that_went_is_made_anew() {
        for (target, expected) in [
            ("/usr/bin/b", vec![]),
            ("/usr/bin/a", vec!["tool".to_owned()]),
        ] {
            let tree = tempfile::tempdir().unwrap();
            std::fs::create_dir_all(tree.path().join(CHOSEN)).unwrap();
            symlink(target, tree.path().join(CHOSEN).join("tool")).unwrap();
            let mut sorted = sorted();
            let choose = settle(&Root::open(tree.path()).unwrap(), &mut sorted).unwrap();
            assert_eq!(choose, expected, "{target}");
            assert_eq!(sorted.conflicts.len(), 0);
            assert_eq!(sorted.restore.len(), 1);
            assert_eq!(sorted.restore[0].path, Path::new("usr/bin/a"));
        }
    }

    #[test]
    fn a_record_that_goes_takes_its_links_along() {
        let tree = tempfile::tempdir().unwrap();
        let at = |path: &str| tree.path().join(path);
        let mut sorted = sorted();
        let record = &mut sorted.joined[0].1;
        let Joined::Content(content, _) = std::mem::replace(record, Joined::Gone) else {
            unreachable!("BUG: made so above");
        };
        for directory in [
            CHOSEN,
            "usr/bin",
            "usr/share/man",
            "var/lib/dpkg/alternatives",
        ] {
            std::fs::create_dir_all(at(directory)).unwrap();
        }
        std::fs::write(at("var/lib/dpkg/alternatives/tool"), content).unwrap();
        symlink("/usr/bin/a", at("etc/alternatives/tool")).unwrap();
        symlink("/etc/alternatives/tool", at("usr/bin/tool")).unwrap();
        std::fs::write(at("usr/share/man/tool.1"), "the administrator's own").unwrap();
        let root = Root::open(tree.path()).unwrap();
        assert!(settle(&root, &mut sorted).unwrap().is_empty());
        let gone: Vec<&Path> = sorted.joined[1..]
            .iter()
            .map(|(path, _)| path.as_path())
            .collect();
        assert_eq!(
            gone,
            [
                Path::new("usr/bin/tool"),
                Path::new("etc/alternatives/tool")
            ]
        );
        assert_eq!((sorted.restore.len(), sorted.conflicts.len()), (1, 0));
    }
}
