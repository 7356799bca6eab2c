//! Hard links below a restored path: a file whose other names came or went differs, though its content does not.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use profile_sys::file;
use profile_sys::tree::{self, Kind};

use crate::delta::Change;
use crate::error::Result;
use crate::state_paths::{self, StatePath};

/// The names of one inode.
type Names = BTreeSet<PathBuf>;

/// The names at `path` and below it in the tree `then` that share an inode with others there than in the tree
/// `now`. Names outside of `path` are nobody's business here.
///
/// # Errors
///
/// A tree cannot be read.
pub(super) fn differing(
    then: &Path,
    now: &Path,
    path: &Path,
    state: &[StatePath],
) -> Result<BTreeSet<PathBuf>> {
    let (then, now) = (groups(then, path, state)?, groups(now, path, state)?);
    Ok(changed(&then, &now))
}

/// Of the files that come back from the tree `then`, those that had further names there which do not come back with
/// them: what was one file then is two afterwards. In the order of their paths.
///
/// # Errors
///
/// A path cannot be read.
pub(super) fn parted(then: &Path, restore: &[Change]) -> Result<Vec<PathBuf>> {
    let mut by_inode: HashMap<(u64, u64), (u64, Names)> = HashMap::new();
    for change in restore
        .iter()
        .filter(|change| change.old == Some(Kind::File))
    {
        if let Some(meta) = tree::lstat(&then.join(&change.path))? {
            let (_, names) = by_inode
                .entry((meta.dev, meta.ino))
                .or_insert_with(|| (meta.nlink, Names::new()));
            names.insert(change.path.clone());
        }
    }
    let parted = by_inode
        .into_values()
        .filter(|(links, names)| *links > names.len() as u64);
    let mut first: Vec<PathBuf> = parted
        .filter_map(|(_, names)| names.into_iter().next())
        .collect();
    first.sort();
    Ok(first)
}

/// Names of `then` whose group is another one in `now`; a file with one name is a group of its own.
fn changed(then: &[Names], now: &[Names]) -> BTreeSet<PathBuf> {
    let of: HashMap<&Path, &Names> = now
        .iter()
        .flat_map(|names| names.iter().map(move |name| (name.as_path(), names)))
        .collect();
    then.iter()
        .filter(|names| {
            names
                .iter()
                .any(|name| of.get(name.as_path()) != Some(names))
        })
        .flatten()
        .cloned()
        .collect()
}

/// Every file at `path` and below it, the names of one inode together.
fn groups(root: &Path, path: &Path, state: &[StatePath]) -> Result<Vec<Names>> {
    let mut by_inode: HashMap<(u64, u64), Names> = HashMap::new();
    let mut alone = Vec::new();
    let mut ahead = vec![path.to_path_buf()];
    while let Some(path) = ahead.pop() {
        if state_paths::covers(state, &path) {
            continue;
        }
        let place = root.join(&path);
        let Some(meta) = tree::lstat(&place)? else {
            continue;
        };
        match meta.kind {
            Kind::Directory => {
                let names = file::list(&place)?;
                ahead.extend(names.into_iter().map(|name| path.join(name)));
            }
            _ if meta.nlink > 1 => {
                let inode = (meta.dev, meta.ino);
                by_inode.entry(inode).or_default().insert(path);
            }
            _ => alone.push(Names::from([path])),
        }
    }
    alone.extend(by_inode.into_values());
    Ok(alone)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree of files; names joined by `=` are links of one file.
    fn tree(files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("d")).unwrap();
        for names in files {
            let mut names = names
                .split('=')
                .map(|name| root.path().join("d").join(name));
            let first = names.next().unwrap();
            std::fs::write(&first, "x").unwrap();
            for name in names {
                std::fs::hard_link(&first, name).unwrap();
            }
        }
        root
    }

    fn found(then: &[&str], now: &[&str]) -> Vec<String> {
        let (then, now) = (tree(then), tree(now));
        let found = differing(then.path(), now.path(), Path::new("d"), &[]).unwrap();
        let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        found.iter().map(name).collect()
    }

    #[test]
    fn names_are_told_whose_links_are_others() {
        assert_eq!(found(&["a=b", "c"], &["a=b", "c"]), [""; 0]);
        assert_eq!(found(&["a=b", "c"], &["a", "b", "c"]), ["a", "b"]);
        assert_eq!(found(&["a", "b", "c"], &["a=b", "c"]), ["a", "b"]);
        assert_eq!(
            found(&["a=b=c", "e"], &["a=b", "c=e"]),
            ["a", "b", "c", "e"]
        );
        assert_eq!(found(&["a=b"], &["a"]), ["a", "b"]);
        assert_eq!(found(&["a", "c"], &["a"]), ["c"]);
    }

    #[test]
    fn files_that_lose_their_other_names_are_told_by_the_first() {
        let then = tree(&["a=b", "c=e=f", "g"]);
        let back = |names: &[&str]| -> Vec<Change> {
            let change = |name: &&str| Change {
                path: Path::new("d").join(name),
                kind: crate::delta::ChangeKind::Content,
                old: Some(Kind::File),
                new: None,
            };
            names.iter().map(change).collect()
        };
        let parted = |names: &[&str]| parted(then.path(), &back(names)).unwrap();
        assert!(parted(&["a", "b", "g"]).is_empty());
        assert_eq!(
            parted(&["b", "f", "c", "g"]),
            ["d/b", "d/c"].map(PathBuf::from)
        );
    }

    #[test]
    fn a_single_file_has_no_others_here() {
        let (then, now) = (tree(&["a=b"]), tree(&["a", "b"]));
        let found = differing(then.path(), now.path(), Path::new("d/a"), &[]).unwrap();
        assert!(found.is_empty());
    }
}
