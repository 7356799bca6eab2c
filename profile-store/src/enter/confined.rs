//! Paths of a merged tree that is not the root yet.
//!
//! Symlinks in it mean places in the tree, while the system would look for them on the host. Nothing
//! else runs in the tree while it is being made ready, so what is found here stays true.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use profile_sys::file;
use profile_sys::tree::{self, Kind};

use crate::error::Result;

/// As many symlinks as the kernel follows in one path.
const SYMLINKS_MAX: usize = 40;

/// Where `path` leads when `root` is the root: a path below `root` without symlinks; from the first component
/// that is missing on, as the text has it. `None` when it leads nowhere: a loop, a file in the middle.
///
/// # Errors
///
/// The tree cannot be read.
pub(crate) fn resolve(root: &Path, path: &Path) -> Result<Option<PathBuf>> {
    let kind = |path: &Path| Ok(tree::lstat(&root.join(path))?.map(|meta| meta.kind));
    let target = |path: &Path| Ok(file::read_link(&root.join(path))?);
    Ok(walk(path, &kind, &target)?.map(|below| root.join(below)))
}

/// As [`resolve`], in a tree of which is asked what a path without symlinks is, and what a symlink says. The
/// result is relative.
///
/// # Errors
///
/// The tree cannot be read.
pub(crate) fn walk(
    path: &Path,
    kind: &dyn Fn(&Path) -> Result<Option<Kind>>,
    target: &dyn Fn(&Path) -> Result<PathBuf>,
) -> Result<Option<PathBuf>> {
    // What is still to be walked, the next component last.
    let mut ahead: Vec<OsString> = Vec::new();
    push_reversed(&mut ahead, path);
    let mut below = PathBuf::new();
    let mut symlinks = 0;
    while let Some(next) = ahead.pop() {
        if next == ".." {
            // Above the root is the root.
            below.pop();
            continue;
        }
        let here = below.join(&next);
        match kind(&here)? {
            Some(Kind::Symlink) => {
                symlinks += 1;
                if symlinks > SYMLINKS_MAX {
                    return Ok(None);
                }
                let target = target(&here)?;
                if target.is_absolute() {
                    below = PathBuf::new();
                }
                push_reversed(&mut ahead, &target);
            }
            Some(Kind::Directory) | None => below = here,
            // A file: only good as the last component.
            _ if ahead.is_empty() => below = here,
            _ => return Ok(None),
        }
    }
    Ok(Some(below))
}

fn push_reversed(ahead: &mut Vec<OsString>, path: &Path) {
    let words = path
        .components()
        .rev()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            _ => None,
        });
    ahead.extend(words);
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn tree_with(links: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for directory in ["etc", "run/net", "usr"] {
            std::fs::create_dir_all(root.path().join(directory)).unwrap();
        }
        std::fs::write(root.path().join("usr/file"), "").unwrap();
        for (path, target) in links {
            symlink(target, root.path().join(path)).unwrap();
        }
        root
    }

    fn resolved(root: &tempfile::TempDir, path: &str) -> Option<PathBuf> {
        let found = resolve(root.path(), Path::new(path)).unwrap()?;
        Some(found.strip_prefix(root.path()).unwrap().to_path_buf())
    }

    #[test]
    fn absolute_and_relative_links_stay_below_the_root() {
        let root = tree_with(&[
            ("etc/a", "/run/net/x"),
            ("etc/b", "../../../../run/net/x"),
            ("var", "run"),
        ]);
        for path in ["/etc/a", "/etc/b", "/var/net/x"] {
            assert_eq!(resolved(&root, path), Some("run/net/x".into()), "{path}");
        }
    }

    #[test]
    fn what_is_missing_is_named_and_what_cannot_be_is_not() {
        let root = tree_with(&[("etc/a", "/run/none/x")]);
        assert_eq!(resolved(&root, "/etc/new"), Some("etc/new".into()));
        assert_eq!(resolved(&root, "/etc/a"), Some("run/none/x".into()));
        assert_eq!(resolved(&root, "/usr/file/x"), None);
    }

    #[test]
    fn a_loop_leads_nowhere() {
        let root = tree_with(&[("etc/a", "b"), ("etc/b", "a")]);
        assert_eq!(resolved(&root, "/etc/a"), None);
    }
}
