//! All names of one inode, from the back references that btrfs keeps with it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ffi::OsStr;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::open;
use super::search::{for_each_item_of, number_at, single_item_buffer};
use crate::{Error, Result, raw};

/// `BTRFS_INODE_REF_KEY`: the names in one directory; its number is the offset of the key.
const REFERENCE: u32 = 12;
/// `BTRFS_INODE_EXTREF_KEY`: a name that the item of that kind has no room for.
const EXTENDED_REFERENCE: u32 = 13;

/// Every path of each of `inodes` in the subvolume `top`, relative to it.
///
/// Costs a search for each inode and one for each directory that holds a name, whatever the size of the tree. An
/// inode that the subvolume has not got has no names.
///
/// # Errors
/// EPERM without the right to read metadata, ENAMETOOLONG for a path of more than 4080 bytes.
pub fn inode_names(top: &Path, inodes: impl IntoIterator<Item = u64>) -> Result<Vec<PathBuf>> {
    const VERB: &str = "find the names of files in";
    let failed = |error| Error::io(VERB, top, error);
    let file = open(VERB, top)?;
    let mut buffer = single_item_buffer();
    let mut directories: HashMap<u64, Vec<u8>> = HashMap::new();
    let mut found = Vec::new();
    for inode in inodes {
        let mut names = Vec::new();
        let kinds = REFERENCE..=EXTENDED_REFERENCE;
        for_each_item_of(
            &file,
            &mut buffer,
            inode..=inode,
            kinds,
            |item| match item.kind {
                REFERENCE => push_names(item.data, Some(item.offset), &mut names),
                _ => push_names(item.data, None, &mut names),
            },
        )
        .map_err(failed)?;
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

/// The names of one item, one after the other: in an extended one the directory's number (64 bit), in both an index
/// (64 bit), the length of the name (16 bit), the name.
fn push_names(mut data: &[u8], directory: Option<u64>, names: &mut Vec<(u64, Vec<u8>)>) {
    let index_at = if directory.is_some() { 0 } else { 8 };
    while let Some((head, rest)) = data.split_at_checked(index_at + 10) {
        let length = usize::from(u16::from_le_bytes([head[index_at + 8], head[index_at + 9]]));
        let Some((name, rest)) = rest.split_at_checked(length) else {
            return;
        };
        let directory = directory.unwrap_or_else(|| number_at(head, 0));
        names.push((directory, name.to_vec()));
        data = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_apart_items_of_both_kinds() {
        let plain = b"\x02\0\0\0\0\0\0\0\x03\0one\x03\0\0\0\0\0\0\0\x02\0\xffa";
        let mut names = Vec::new();
        push_names(plain, Some(300), &mut names);
        assert_eq!(names, [(300, b"one".to_vec()), (300, b"\xffa".to_vec())]);
        let extended = b"\x09\x01\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x01\0x";
        names.clear();
        push_names(extended, None, &mut names);
        assert_eq!(names, [(265, b"x".to_vec())]);
    }

    #[test]
    fn an_item_that_is_cut_ends_there() {
        let whole = b"\x02\0\0\0\0\0\0\0\x03\0one";
        for length in 0..whole.len() {
            let mut names = Vec::new();
            push_names(&whole[..length], Some(300), &mut names);
            assert_eq!(names, []);
        }
    }
}
