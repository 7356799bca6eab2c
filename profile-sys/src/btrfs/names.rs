//! All names of one inode, from the back references that btrfs keeps with it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ffi::OsStr;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::items::{self, MORE_NAMES, NAMES};
use super::open;
use super::search::{for_each_item_of, inode_buffer};
use crate::{Error, Result, raw};

/// Every path of each of `inodes` in the subvolume `top`, relative to it.
///
/// Costs a search for each inode and one for each directory that holds a name, whatever the size of the tree. An
/// inode that the subvolume has not got has no names.
///
/// # Errors
/// EPERM without the right to read metadata, ENAMETOOLONG for a path of more than 4080 bytes;
/// what the filesystem keeps does not make sense.
pub fn inode_names(top: &Path, inodes: impl IntoIterator<Item = u64>) -> Result<Vec<PathBuf>> {
    const VERB: &str = "find the names of files in";
    let failed = |error| Error::io(VERB, top, error);
    let file = open(VERB, top)?;
    let mut buffer = inode_buffer();
    let mut directories: HashMap<u64, Vec<u8>> = HashMap::new();
    let mut found = Vec::new();
    for inode in inodes {
        let mut names = Vec::new();
        let mut damaged = false;
        for_each_item_of(
            &file,
            &mut buffer,
            inode..=inode,
            NAMES..=MORE_NAMES,
            |item| match items::names(&item) {
                Some(some) => names.extend(some.into_iter().map(|(at, name)| (at, name.to_vec()))),
                None => damaged = true,
            },
        )
        .map_err(failed)?;
        if damaged {
            return Err(failed(io::ErrorKind::InvalidData.into()));
        }
        for (directory, name) in names {
            let above = match directories.entry(directory) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(place) => {
                    place.insert(raw::lookup_directory(file.as_fd(), directory).map_err(failed)?)
                }
            };
            // Ends in a slash, unless it is the top.
            let path = [above.as_slice(), &name].concat();
            found.push(PathBuf::from(OsStr::from_bytes(&path)));
        }
    }
    Ok(found)
}
