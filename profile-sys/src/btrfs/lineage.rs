//! What a subvolume is a snapshot of, and that of, as far back as there are subvolumes left.

use std::fs::File;
use std::io;
use std::path::Path;

use linux_raw_sys::btrfs as raw;
use uuid::Uuid;

use super::search::first_item;
use super::{open, subvolume_info};
use crate::{Error, Result};

/// The most generations of snapshots of snapshots that are followed.
const MOST: usize = 64;
/// Where `btrfs_root_item` keeps the identity, that of the origin, and the transaction it was made in.
const UUID_AT: usize = 247;
const PARENT_AT: usize = 263;
const CREATED_AT: usize = 303;

/// How a subvolume came into being.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descent {
    /// Its identity.
    pub uuid: Uuid,
    /// What it is a snapshot of.
    pub parent: Option<Uuid>,
    /// The transaction it was created in: what its origin was when this was committed, it was then.
    pub created: u64,
}

/// How the subvolume that `path` lies in came into being, then how its origin did, and so on, up to one that is no
/// snapshot or whose origin is deleted.
///
/// # Errors
/// When the path is not on btrfs, or without the right to read metadata.
pub fn lineage(path: &Path) -> Result<Vec<Descent>> {
    const VERB: &str = "find the origin of";
    let info = subvolume_info(path)?;
    let mut found = vec![Descent {
        uuid: info.uuid,
        parent: info.parent_uuid,
        created: info.created_generation,
    }];
    let file = open(VERB, path)?;
    let mut next = info.parent_uuid;
    while let Some(uuid) = next.filter(|_| found.len() < MOST) {
        let origin = descent_of(&file, uuid).map_err(|error| Error::io(VERB, path, error))?;
        found.extend(origin);
        next = origin.and_then(|origin| origin.parent);
    }
    Ok(found)
}

/// How the subvolume with this identity came into being; none where there is no such.
fn descent_of(file: &File, uuid: Uuid) -> io::Result<Option<Descent>> {
    // Keyed by the two halves of the identity; the item lists the trees that have it, one as a rule.
    let (first, second) = uuid.as_bytes().split_at(8);
    let (first, second) = (little_endian(first, 0), little_endian(second, 0));
    let (Some(first), Some(second)) = (first, second) else {
        return Ok(None);
    };
    let listed = first_item(
        file,
        u64::from(raw::BTRFS_UUID_TREE_OBJECTID),
        (first, raw::BTRFS_UUID_KEY_SUBVOL),
        second..=second,
    )?;
    let Some(tree) = listed.and_then(|bytes| little_endian(&bytes, 0)) else {
        return Ok(None);
    };
    let root = first_item(
        file,
        u64::from(raw::BTRFS_ROOT_TREE_OBJECTID),
        (tree, raw::BTRFS_ROOT_ITEM_KEY),
        0..=u64::MAX,
    )?;
    let descent = root.and_then(|bytes| parse(&bytes));
    Ok(descent.filter(|descent| descent.uuid == uuid))
}

/// What a root item says. One of an old kernel is shorter and says nothing of this.
fn parse(item: &[u8]) -> Option<Descent> {
    let identity = |at: usize| Uuid::from_slice(item.get(at..at + 16)?).ok();
    Some(Descent {
        uuid: identity(UUID_AT)?,
        parent: identity(PARENT_AT).filter(|parent| !parent.is_nil()),
        created: little_endian(item, CREATED_AT)?,
    })
}

fn little_endian(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at + 8)?;
    bytes.try_into().ok().map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_item_says_where_it_comes_from() {
        let mut item = [0; 439];
        item[UUID_AT..UUID_AT + 16].fill(1);
        item[CREATED_AT] = 42;
        let mut told = Descent {
            uuid: Uuid::from_bytes([1; 16]),
            parent: None,
            created: 42,
        };
        assert_eq!(parse(&item), Some(told));
        item[PARENT_AT..PARENT_AT + 16].fill(2);
        told.parent = Some(Uuid::from_bytes([2; 16]));
        assert_eq!(parse(&item), Some(told));
        assert_eq!(parse(&item[..239]), None, "one of before Linux 3.6");
    }
}
