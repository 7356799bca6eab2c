//! All that a tree says of one inode, and how two of them differ.

use std::collections::{BTreeMap, BTreeSet};

use profile_sys::btrfs::items::{self, Inode, Item};
use sha2::{Digest, Sha256};

use super::Error;
use crate::delta::record::Known;
use crate::delta::touched::Created;

const TYPE: u32 = 0o170_000;
const FIFO: u32 = 0o010_000;
const CHARACTER_DEVICE: u32 = 0o020_000;
const DIRECTORY: u32 = 0o040_000;
const BLOCK_DEVICE: u32 = 0o060_000;
const FILE: u32 = 0o100_000;
const SYMLINK: u32 = 0o120_000;
const SOCKET: u32 = 0o140_000;

/// A name: the number of the directory, and how it is called there.
pub(super) type Place = (u64, Vec<u8>);

/// One inode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    inode: Inode,
    names: BTreeSet<Place>,
    attributes: BTreeMap<Vec<u8>, Vec<u8>>,
    /// A sum over where its bytes are, or over the bytes where the tree holds them itself.
    content: [u8; 32],
}

impl Facts {
    pub(super) fn names(&self) -> &BTreeSet<Place> {
        &self.names
    }

    /// The transaction it was last changed in.
    pub(super) fn changed(&self) -> u64 {
        self.inode.changed
    }

    pub(super) fn is_directory(&self) -> bool {
        self.inode.mode & TYPE == DIRECTORY
    }

    pub(super) fn has_content(&self) -> bool {
        matches!(self.inode.mode & TYPE, FILE | SYMLINK)
    }

    /// Whether two facts of one number are of one inode. Where both trees were written since their lines parted, two
    /// may have been made in one transaction: then they are compared as one, and everything that differs shows but
    /// their type.
    pub(super) fn is_same_inode(&self, other: &Facts) -> bool {
        self.inode.created == other.inode.created
            && self.inode.mode & TYPE == other.inode.mode & TYPE
    }
}

/// The facts of an inode, while its items are read.
#[derive(Debug)]
pub(super) struct Reading {
    facts: Facts,
    content: Sha256,
}

impl Reading {
    pub(super) fn new(inode: Inode) -> Self {
        Self {
            facts: Facts {
                inode,
                names: BTreeSet::new(),
                attributes: BTreeMap::new(),
                content: [0; 32],
            },
            content: Sha256::new(),
        }
    }

    /// Takes in an item other than the inode's own and its extents.
    pub(super) fn add(&mut self, item: &Item<'_>) -> Result<(), Error> {
        match item.kind {
            items::NAMES | items::MORE_NAMES => {
                let names = items::names(item).ok_or(Error::NotUnderstood("a damaged name"))?;
                let names = names.into_iter().map(|(at, name)| (at, name.to_vec()));
                self.facts.names.extend(names);
            }
            items::ATTRIBUTES => {
                let found = items::attributes(item.data);
                let found = found.ok_or(Error::NotUnderstood("a damaged attribute"))?;
                let found = found
                    .into_iter()
                    .map(|(name, value)| (name.to_vec(), value.to_vec()));
                self.facts.attributes.extend(found);
            }
            _ => return Err(Error::NotUnderstood("an item of an unknown kind")),
        }
        Ok(())
    }

    /// Takes in a piece of the file.
    pub(super) fn add_extent(&mut self, item: &Item<'_>) -> Result<(), Error> {
        let extent = items::extent(item.data).ok_or(Error::NotUnderstood("a damaged extent"))?;
        self.content.update(item.offset.to_le_bytes());
        self.content.update(extent.len().to_le_bytes());
        self.content.update(extent);
        Ok(())
    }

    /// Whether it has bytes, so that its extents are wanted.
    pub(super) fn has_content(&self) -> bool {
        self.facts.has_content()
    }

    pub(super) fn finish(self) -> Facts {
        Facts {
            content: self.content.finalize().into(),
            ..self.facts
        }
    }
}

/// How an inode that both trees have differs.
pub(super) fn difference(old: &Facts, new: &Facts) -> Known {
    let (a, b) = (&old.inode, &new.inode);
    let content = (a.size, old.content, a.device) != (b.size, new.content, b.device);
    let mut known = Known {
        // A directory's size is that of its names, which are told one by one.
        content: content && !new.is_directory(),
        metadata: (a.mode, a.uid, a.gid) != (b.mode, b.uid, b.gid),
        times: a.modified != b.modified,
        ..Known::default()
    };
    let names: BTreeSet<_> = old.attributes.keys().chain(new.attributes.keys()).collect();
    for name in names {
        let value = new.attributes.get(name);
        if old.attributes.get(name) != value {
            known.attribute(name, value.map(Vec::as_slice));
        }
    }
    known.directory = Some(new.is_directory());
    known
}

/// What is to be told of an inode that came into being.
pub(super) fn made(facts: &Facts) -> Result<Known, Error> {
    let inode = &facts.inode;
    let created = match inode.mode & TYPE {
        FILE => Created::File,
        DIRECTORY => Created::Directory,
        SYMLINK => Created::Symlink,
        FIFO => Created::Fifo,
        SOCKET => Created::Socket,
        CHARACTER_DEVICE if inode.device == 0 => Created::Whiteout,
        CHARACTER_DEVICE | BLOCK_DEVICE => Created::Device,
        _ => return Err(Error::NotUnderstood("an inode of an unknown type")),
    };
    let mut known = Known {
        content: true,
        metadata: true,
        created: Some(created),
        ..Known::default()
    };
    for (name, value) in &facts.attributes {
        known.attribute(name, Some(value));
    }
    known.directory = Some(facts.is_directory());
    Ok(known)
}
