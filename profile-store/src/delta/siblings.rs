//! Other names of inodes that changed where they stood.
//!
//! A stream names an inode by one of its paths and says nothing of the others. btrfs keeps with each
//! inode in which directories it has names, so that finding them needs no walk.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use profile_sys::btrfs;

use super::touched::{Touch, Touched, in_upper};
use crate::error::Result;

/// Adds the paths of the subvolume `newer` that share an inode with one that changed in place.
///
/// A name that only the older tree has needs no search: its removal is in the stream.
pub(super) fn add(touched: &mut Touched, newer: &Path) -> Result<()> {
    let in_place = touched.paths.iter().filter(|(_, touch)| touch.in_place);
    let changed = linked(in_place.map(|(path, touch)| (path, touch.directory)), newer)?;
    let timed = linked(touched.only_times.iter().map(|path| (path, None)), newer)?;
    for path in btrfs::inode_names(newer, changed)? {
        let path = path.into_os_string().into_encoded_bytes();
        touched.paths.entry(path).or_insert_with(|| Touch {
            before: true,
            after: true,
            content: true,
            in_place: true,
            directory: Some(false),
            ..Touch::default()
        });
    }
    for path in btrfs::inode_names(newer, timed)? {
        let path = path.into_os_string().into_encoded_bytes();
        if !touched.paths.contains_key(&path) {
            touched.only_times.insert(path);
        }
    }
    Ok(())
}

/// The inodes that stand at `paths` of `newer` and have other names; each with whether it is known to be a
/// directory, which has none.
fn linked<'a>(
    paths: impl Iterator<Item = (&'a Vec<u8>, Option<bool>)>,
    newer: &Path,
) -> Result<HashSet<u64>> {
    let mut inodes = HashSet::new();
    for (path, directory) in paths {
        if directory == Some(true) || in_upper(path).is_none() {
            continue;
        }
        let place = newer.join(OsStr::from_bytes(path));
        let failed = |source: io::Error| profile_sys::Error::Io {
            verb: "examine",
            path: place.clone(),
            source,
        };
        let found = place.symlink_metadata().map_err(failed)?;
        if !found.is_dir() && found.nlink() > 1 {
            inodes.insert(found.ino());
        }
    }
    Ok(inodes)
}
