//! Units whose files come back, and what wants them. Plain data, and the links of the tree.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use profile_sys::tree::Kind;

use super::decide::{UNIT_DIRECTORIES, plain};
use crate::delta::Change;
use crate::error::Result;
use crate::merged::Merged;

/// Kinds of unit that are started when they come back.
const KINDS: [&str; 4] = ["path", "service", "socket", "timer"];
/// Endings of the directories whose links name what a unit pulls in.
const PULLS_IN: [&str; 2] = [".wants", ".requires"];

/// A unit that comes back, and a unit that pulls it in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Returning {
    /// Its name: `nginx.service`.
    pub unit: String,
    /// The one that wants it: `multi-user.target`.
    pub wanted_by: String,
}

/// The units of which `restore` brings the file, with every unit that will want them: by the links that stay of `now`,
/// the present tree, and by those that come. One whose name the administrator has a link for (a mask, mostly) is
/// not among them.
///
/// # Errors
///
/// The present tree cannot be read.
pub fn returning(restore: &[Change], now: &Merged) -> Result<BTreeSet<Returning>> {
    let coming: BTreeSet<String> = restore
        .iter()
        .filter(|change| (change.old, change.new) == (Some(Kind::File), None))
        .filter_map(|change| unit_of(&plain(&change.path)))
        .collect();
    // Hardly any change brings one.
    if coming.is_empty() {
        return Ok(BTreeSet::new());
    }
    let mut returning = BTreeSet::new();
    for link in links(restore, now)? {
        let Some(one) = pulled_in(&link) else {
            continue;
        };
        let its_file = template(&one.unit).unwrap_or_else(|| one.unit.clone());
        let comes = coming.contains(&one.unit) || coming.contains(&its_file);
        if comes && !is_link(&one.unit, restore, now)? {
            returning.insert(one);
        }
    }
    Ok(returning)
}

/// The name of the unit whose file a path is.
fn unit_of(path: &Path) -> Option<String> {
    let is_directory = |parent: &Path| UNIT_DIRECTORIES.iter().any(|one| parent == Path::new(one));
    path.parent().filter(|parent| is_directory(parent))?;
    let kind = path.extension()?.to_str()?;
    let name = path.file_name()?.to_str()?;
    KINDS.contains(&kind).then(|| name.to_owned())
}

/// The template of an instance: `getty@.service` of `getty@tty1.service`.
fn template(unit: &str) -> Option<String> {
    let (name, rest) = unit.split_once('@')?;
    let (_, kind) = rest.rsplit_once('.')?;
    Some(format!("{name}@.{kind}"))
}

/// The paths of all links by which units pull others in, as they will be.
fn links(restore: &[Change], now: &Merged) -> Result<BTreeSet<PathBuf>> {
    let mut links = BTreeSet::new();
    for directory in UNIT_DIRECTORIES.map(Path::new) {
        for name in now.list(directory)? {
            let below = directory.join(name);
            if is_of_links(&below) {
                links.extend(now.list(&below)?.iter().map(|name| below.join(name)));
            }
        }
    }
    for change in restore {
        let path = plain(&change.path);
        if !path.parent().is_some_and(is_of_links) {
            continue;
        }
        match change.old {
            Some(_) => links.insert(path),
            None => links.remove(&path),
        };
    }
    Ok(links)
}

/// Whether a path is a directory of links that pull units in.
fn is_of_links(path: &Path) -> bool {
    let is_unit_directory =
        |parent: &Path| UNIT_DIRECTORIES.iter().any(|one| parent == Path::new(one));
    let name = path.file_name().and_then(|name| name.to_str());
    path.parent().is_some_and(is_unit_directory)
        && name.is_some_and(|name| PULLS_IN.iter().any(|end| name.ends_with(end)))
}

/// Which unit a link pulls in, and for which.
fn pulled_in(link: &Path) -> Option<Returning> {
    let directory = link.parent()?.file_name()?.to_str()?;
    let wanted_by = PULLS_IN
        .iter()
        .find_map(|end| directory.strip_suffix(end))?;
    let unit = link.file_name()?.to_str()?;
    (is_name(unit) && is_name(wanted_by)).then(|| Returning {
        unit: unit.to_owned(),
        wanted_by: wanted_by.to_owned(),
    })
}

/// Whether systemd takes it for the name of a unit that can run: no template, nothing odd.
fn is_name(unit: &str) -> bool {
    let may_be = |letter: char| letter.is_ascii_alphanumeric() || ":-_.\\@".contains(letter);
    unit.contains('.') && !unit.contains("@.") && !unit.starts_with('-') && unit.chars().all(may_be)
}

/// Whether the administrator's own place for the unit's file will have a link.
fn is_link(unit: &str, restore: &[Change], now: &Merged) -> Result<bool> {
    let path = Path::new(UNIT_DIRECTORIES[0]).join(unit);
    let kind = match restore.iter().find(|change| change.path == path) {
        Some(change) => change.old,
        None => now.find(&path)?.map(|entry| entry.meta.kind),
    };
    Ok(kind == Some(Kind::Symlink))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::delta::ChangeKind;

    fn change(path: &str, old: Option<Kind>, new: Option<Kind>) -> Change {
        Change {
            path: path.into(),
            kind: ChangeKind::Content,
            old,
            new,
        }
    }

    fn comes(path: &str, kind: Kind) -> Change {
        change(path, Some(kind), None)
    }

    /// A tree with links of an administrator.
    fn tree(links: &[&str]) -> (tempfile::TempDir, Merged) {
        let root = tempfile::tempdir().unwrap();
        for link in links {
            let path = root.path().join(link);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            symlink("/dev/null", path).unwrap();
        }
        let merged = Merged::base_alone(root.path());
        (root, merged)
    }

    fn names(restore: &[Change], now: &Merged) -> Vec<(String, String)> {
        let found = returning(restore, now).unwrap();
        found
            .into_iter()
            .map(|one| (one.unit, one.wanted_by))
            .collect()
    }

    fn pair(unit: &str, by: &str) -> (String, String) {
        (unit.to_owned(), by.to_owned())
    }

    #[test]
    fn links_that_stayed_and_links_that_come_count() {
        let (_root, now) = tree(&["etc/systemd/system/multi-user.target.wants/a.service"]);
        let restore = [
            comes("lib/systemd/system/a.service", Kind::File),
            comes("usr/lib/systemd/system/b.socket", Kind::File),
            comes("usr/lib/systemd/system/c.service", Kind::File),
            comes(
                "usr/lib/systemd/system/sockets.target.wants/b.socket",
                Kind::Symlink,
            ),
            comes(
                "etc/systemd/system/x.service.requires/a.service",
                Kind::Symlink,
            ),
        ];
        assert_eq!(
            names(&restore, &now),
            [
                pair("a.service", "multi-user.target"),
                pair("a.service", "x.service"),
                pair("b.socket", "sockets.target"),
            ]
        );
    }

    #[test]
    fn a_link_that_goes_wants_nothing() {
        let link = "etc/systemd/system/multi-user.target.wants/a.service";
        let (_root, now) = tree(&[link]);
        let restore = [
            comes("usr/lib/systemd/system/a.service", Kind::File),
            change(link, None, Some(Kind::Symlink)),
        ];
        assert!(names(&restore, &now).is_empty());
    }

    #[test]
    fn only_files_that_were_not_there_come_back() {
        let link = "etc/systemd/system/multi-user.target.wants/a.service";
        let (_root, now) = tree(&[link]);
        let unit = "usr/lib/systemd/system/a.service";
        let file = Some(Kind::File);
        for restore in [
            change(unit, file, file),
            change(unit, None, file),
            comes("usr/share/doc/a.service", Kind::File),
            comes("usr/lib/systemd/system/a.target", Kind::File),
        ] {
            assert!(
                names(std::slice::from_ref(&restore), &now).is_empty(),
                "{restore:?}"
            );
        }
    }

    #[test]
    fn what_the_administrator_masked_stays_down() {
        let link = "etc/systemd/system/multi-user.target.wants/a.service";
        let mask = "etc/systemd/system/a.service";
        let unit = comes("usr/lib/systemd/system/a.service", Kind::File);
        let (_root, masked) = tree(&[link, mask]);
        assert!(names(std::slice::from_ref(&unit), &masked).is_empty());
        // A mask of the removal that goes with it.
        let unmasked = [change(mask, None, Some(Kind::Symlink)), unit.clone()];
        assert_eq!(names(&unmasked, &masked).len(), 1);
        let (_root, now) = tree(&[link]);
        assert!(names(&[comes(mask, Kind::Symlink), unit], &now).is_empty());
    }

    #[test]
    fn what_can_be_no_unit_is_passed_over() {
        let (_root, now) = tree(&[
            "etc/systemd/system/a@.service.wants/a.service",
            "etc/systemd/system/odd name.target.wants/a.service",
            "etc/systemd/system/word.wants/a.service",
            "etc/systemd/system/multi-user.target.wants/a@.service",
        ]);
        let restore = ["a.service", "a@.service"]
            .map(|name| comes(&format!("usr/lib/systemd/system/{name}"), Kind::File));
        assert!(names(&restore, &now).is_empty());
    }

    #[test]
    fn an_instance_comes_with_its_template() {
        let (_root, now) = tree(&["etc/systemd/system/getty.target.wants/cluster@one.service"]);
        let restore = [comes("usr/lib/systemd/system/cluster@.service", Kind::File)];
        let expected = [pair("cluster@one.service", "getty.target")];
        assert_eq!(names(&restore, &now), expected);
    }
}
