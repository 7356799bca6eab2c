//! The reference: a whole merged tree as it is read, and what differs between two of them.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// One entry of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub kind: &'static str,
    /// Bytes of a file, target of a symlink, number of a device.
    content: Vec<u8>,
    /// Permissions, owner, group, extended attributes.
    metadata: (u32, u32, u32, BTreeMap<OsString, Vec<u8>>),
    modified: (i64, i64),
}

pub type Reading = BTreeMap<PathBuf, Entry>;

/// One path that differs, in the words of the product: how, and what stood and stands there.
pub type Difference = (
    PathBuf,
    &'static str,
    Option<&'static str>,
    Option<&'static str>,
);

/// Reads everything below `root`, itself included (as the empty path), apart from `state` and what is below it.
pub fn read(root: &Path, state: &[&str]) -> Reading {
    let mut reading = Reading::new();
    let mut queue = vec![PathBuf::new()];
    while let Some(path) = queue.pop() {
        if state.iter().any(|state| path.starts_with(state)) {
            continue;
        }
        // Joined with an empty path a name would end in a slash.
        let place = match path.as_os_str().is_empty() {
            true => root.to_path_buf(),
            false => root.join(&path),
        };
        let entry = entry(&place);
        if entry.kind == "directory" {
            let names = fs::read_dir(&place).expect("a directory");
            queue.extend(names.map(|name| path.join(name.expect("a name").file_name())));
        }
        reading.insert(path, entry);
    }
    reading
}

fn entry(place: &Path) -> Entry {
    let meta = fs::symlink_metadata(place).expect("an entry");
    let kind = meta.file_type();
    let (kind, content) = if kind.is_file() {
        ("file", fs::read(place).expect("a file"))
    } else if kind.is_dir() {
        ("directory", Vec::new())
    } else if kind.is_symlink() {
        let target = fs::read_link(place).expect("a symlink");
        ("symlink", target.as_os_str().as_encoded_bytes().to_vec())
    } else if kind.is_fifo() {
        ("fifo", Vec::new())
    } else if kind.is_socket() {
        ("socket", Vec::new())
    } else {
        let name = match kind.is_char_device() {
            true => "character device",
            false => "block device",
        };
        (name, meta.rdev().to_le_bytes().to_vec())
    };
    Entry {
        kind,
        content,
        metadata: (
            meta.mode() & 0o7777,
            meta.uid(),
            meta.gid(),
            attributes(place),
        ),
        modified: (meta.mtime(), meta.mtime_nsec()),
    }
}

fn attributes(place: &Path) -> BTreeMap<OsString, Vec<u8>> {
    let names = xattr::list(place).expect("attributes");
    let value = |name: &OsStr| xattr::get(place, name).expect("an attribute");
    names
        .map(|name| (value(&name).unwrap_or_default(), name))
        .map(|(value, name)| (name, value))
        .collect()
}

/// What differs, in the order of the paths.
pub fn differences(old: &Reading, new: &Reading) -> Vec<Difference> {
    let paths: BTreeSet<&PathBuf> = old.keys().chain(new.keys()).collect();
    let different = paths.into_iter().filter_map(|path| {
        let (before, after) = (old.get(path), new.get(path));
        let how = match (before, after) {
            (None, _) => "added",
            (_, None) => "removed",
            (Some(a), Some(b)) if a.kind != b.kind => "type",
            (Some(a), Some(b)) if a.content != b.content => "content",
            (Some(a), Some(b)) if a.metadata != b.metadata => "metadata",
            (Some(a), Some(b)) if a.modified != b.modified => "times",
            _ => return None,
        };
        let kind = |entry: Option<&Entry>| entry.map(|entry| entry.kind);
        Some((path.clone(), how, kind(before), kind(after)))
    });
    different.collect()
}
