//! Other names of inodes that changed where they stood.
//!
//! A stream names an inode by one of its paths and says nothing of the others. Hard links that are
//! written in place are rare (dpkg replaces, it does not write), so finding the other names may
//! cost a walk of the profile's own files; nothing is walked when no such inode was touched.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use walkdir::{DirEntryExt, WalkDir};

use super::touched::{Touch, Touched};

/// Adds the paths of the subvolume `newer` that share an inode with one that changed in place.
///
/// A name that only the older tree has needs no search: its removal is in the stream.
pub(super) fn add(touched: &mut Touched, newer: &Path) -> io::Result<()> {
    let mut inodes = HashSet::new();
    for (path, touch) in &touched.paths {
        if touch.in_place && touch.directory != Some(true) && !path.is_empty() {
            let found = newer.join(OsStr::from_bytes(path)).symlink_metadata()?;
            if !found.is_dir() && found.nlink() > 1 {
                inodes.insert(found.ino());
            }
        }
    }
    if inodes.is_empty() {
        return Ok(());
    }
    // A nested subvolume has inode numbers of its own.
    for entry in WalkDir::new(newer).same_file_system(true) {
        let entry = entry?;
        if entry.file_type().is_dir() || !inodes.contains(&entry.ino()) {
            continue;
        }
        let relative = entry.path().strip_prefix(newer);
        let relative = relative.map_err(io::Error::other)?.as_os_str().as_bytes();
        touched
            .paths
            .entry(relative.to_vec())
            .or_insert_with(|| Touch {
                before: true,
                after: true,
                content: true,
                in_place: true,
                directory: Some(false),
                ..Touch::default()
            });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touched(path: &str, in_place: bool) -> Touched {
        let touch = Touch {
            before: true,
            after: true,
            content: true,
            in_place,
            ..Touch::default()
        };
        Touched {
            paths: [(path.as_bytes().to_vec(), touch)].into(),
            ..Touched::default()
        }
    }

    #[test]
    fn adds_the_other_names_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path();
        std::fs::create_dir(top.join("d")).unwrap();
        for name in ["one", "alone", "replaced"] {
            std::fs::write(top.join(name), name).unwrap();
        }
        std::fs::hard_link(top.join("one"), top.join("d/two")).unwrap();
        std::fs::hard_link(top.join("replaced"), top.join("d/other")).unwrap();
        let names = |mut touched: Touched| {
            add(&mut touched, top).unwrap();
            touched.paths.into_keys().collect::<Vec<_>>()
        };
        assert_eq!(names(touched("one", true)), [&b"d/two"[..], b"one"]);
        assert_eq!(names(touched("alone", true)), [b"alone"]);
        assert_eq!(names(touched("replaced", false)), [b"replaced"]);
    }
}
