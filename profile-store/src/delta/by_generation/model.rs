//! A filesystem of the simplest kind that has the items of a btrfs subvolume and their generations.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use profile_sys::btrfs::items::{self, Item};

use super::{TOP, Tree};

/// Inode, kind, offset.
type Key = (u64, u32, u64);

/// Items, each with the transaction that wrote it.
pub(super) type Items = BTreeMap<Key, (u64, Vec<u8>)>;

/// How many items a leaf has: all of them are written anew with any one.
const LEAF: usize = 3;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Inode {
    pub(super) created: u64,
    changed: u64,
    pub(super) mode: u32,
    pub(super) bytes: u64,
    pub(super) attributes: BTreeMap<Vec<u8>, Vec<u8>>,
    modified: u64,
    entries: BTreeMap<Vec<u8>, (u64, u64)>,
}

/// A subvolume, whose transaction is committed by hand.
#[derive(Debug, Clone)]
pub(super) struct Model {
    pub(super) inodes: BTreeMap<u64, Inode>,
    generation: u64,
    next: u64,
    order: u64,
    pub(super) items: Items,
}

impl Model {
    pub(super) fn new() -> Self {
        let mut model = Self {
            inodes: BTreeMap::new(),
            generation: 1,
            next: TOP,
            order: 2,
            items: Items::new(),
        };
        model.add(0o040_755);
        model
    }

    fn add(&mut self, mode: u32) -> u64 {
        let (number, generation) = (self.next, self.generation);
        self.next += 1;
        let inode = Inode {
            created: generation,
            changed: generation,
            mode,
            bytes: 0,
            attributes: BTreeMap::new(),
            modified: generation,
            entries: BTreeMap::new(),
        };
        self.inodes.insert(number, inode);
        number
    }

    pub(super) fn is_directory(&self, number: u64) -> bool {
        self.inodes[&number].mode & 0o170_000 == 0o040_000
    }

    pub(super) fn change(&mut self, number: u64) -> &mut Inode {
        let inode = self.inodes.get_mut(&number).expect("an inode");
        inode.changed = self.generation;
        inode
    }

    pub(super) fn touch(&mut self, number: u64) {
        self.order += 1;
        let now = self.order;
        self.change(number).modified = now;
    }

    pub(super) fn make(&mut self, directory: u64, name: &[u8], mode: u32) -> u64 {
        let number = self.add(mode);
        self.link(number, directory, name);
        number
    }

    pub(super) fn link(&mut self, number: u64, directory: u64, name: &[u8]) {
        self.order += 1;
        let place = (number, self.order);
        self.change(number);
        self.touch(directory);
        self.change(directory).entries.insert(name.to_vec(), place);
    }

    /// Takes a name away, and the inode with its last one, and then what is in it.
    pub(super) fn unlink(&mut self, directory: u64, name: &[u8]) {
        let number = self.detach(directory, name);
        if self.names(number).is_empty() {
            let entries = self.inodes[&number].entries.clone();
            entries.keys().for_each(|name| self.unlink(number, name));
            self.inodes.remove(&number);
        }
    }

    fn detach(&mut self, directory: u64, name: &[u8]) -> u64 {
        self.touch(directory);
        let removed = self.change(directory).entries.remove(name);
        let (number, _) = removed.expect("an entry");
        self.change(number);
        number
    }

    pub(super) fn rename(&mut self, from: (u64, &[u8]), to: (u64, &[u8])) {
        let number = self.detach(from.0, from.1);
        self.link(number, to.0, to.1);
    }

    /// As after a mount: numbers above the highest that is left are given again.
    pub(super) fn count_anew(&mut self) {
        self.next = self.inodes.keys().next_back().map_or(TOP, |last| last + 1);
    }

    /// Directory, place in its order, name.
    pub(super) fn names(&self, number: u64) -> Vec<(u64, u64, Vec<u8>)> {
        let entries = self.inodes.iter().flat_map(|(directory, inode)| {
            let entries = inode.entries.iter();
            entries.map(move |(name, (to, order))| (*directory, *order, name.clone(), *to))
        });
        entries
            .filter(|entry| entry.3 == number)
            .map(|(directory, order, name, _)| (directory, order, name))
            .collect()
    }

    /// Every path with its inode.
    pub(super) fn paths(&self) -> BTreeMap<Vec<u8>, u64> {
        let mut found = BTreeMap::new();
        let mut queue = vec![(Vec::new(), TOP)];
        while let Some((path, number)) = queue.pop() {
            for (name, (child, _)) in &self.inodes[&number].entries {
                let path = match path.is_empty() {
                    true => name.clone(),
                    false => [path.as_slice(), name].join(&b'/'),
                };
                queue.push((path.clone(), *child));
                found.insert(path, *child);
            }
        }
        found
    }

    /// Writes what differs from the items that are there; the transaction that follows begins.
    pub(super) fn commit(&mut self) -> u64 {
        let generation = self.generation;
        let mut items = Items::new();
        for (number, inode) in &self.inodes {
            for (key, data) in self.items_of(*number, inode) {
                let written = match self.items.remove(&key) {
                    Some((written, before)) if before == data => written,
                    _ => generation,
                };
                items.insert(key, (written, data));
            }
        }
        self.items = items;
        self.generation += 1;
        generation
    }

    fn items_of(&self, number: u64, inode: &Inode) -> Vec<(Key, Vec<u8>)> {
        let mut found = vec![((number, items::INODE, 0), inode.to_bytes())];
        if number == TOP {
            found.push((
                (number, items::NAMES, TOP),
                [&[0; 8][..], b"\x02\0.."].concat(),
            ));
        }
        let mut names: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
        for (directory, order, name) in self.names(number) {
            let place = names.entry(directory).or_default();
            place.extend(order.to_le_bytes());
            place.extend((name.len() as u16).to_le_bytes());
            place.extend(name);
        }
        for (directory, data) in names {
            found.push(((number, items::NAMES, directory), data));
        }
        for (at, (name, value)) in inode.attributes.iter().enumerate() {
            let mut data = vec![0; 25];
            data.extend((value.len() as u16).to_le_bytes());
            data.extend((name.len() as u16).to_le_bytes());
            data.push(8);
            data.extend([name.as_slice(), value].concat());
            found.push(((number, items::ATTRIBUTES, at as u64), data));
        }
        for (name, (to, order)) in &inode.entries {
            let mut data = to.to_le_bytes().to_vec();
            data.push(items::INODE as u8);
            data.extend([0; 18]);
            data.extend((name.len() as u16).to_le_bytes());
            data.push(if self.is_directory(*to) { 2 } else { 1 });
            data.extend(name);
            found.push(((number, items::ENTRY, *order), data));
        }
        if inode.bytes > 0 {
            let data = [&[0; 16][..], &inode.bytes.to_le_bytes()].concat();
            found.push(((number, items::EXTENT, 0), data));
        }
        found
    }
}

impl Inode {
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; 160];
        let mut put = |at: usize, number: u64, length: usize| {
            bytes[at..at + length].copy_from_slice(&number.to_le_bytes()[..length]);
        };
        put(0, self.created, 8);
        put(8, self.changed, 8);
        put(52, u64::from(self.mode), 4);
        put(136, self.modified, 8);
        bytes
    }
}

impl Tree for Items {
    fn written_after(
        &mut self,
        generation: u64,
        visit: &mut dyn FnMut(Item<'_>),
    ) -> profile_sys::Result<()> {
        let all: Vec<_> = self.iter().collect();
        for leaf in all.chunks(LEAF) {
            if leaf.iter().any(|(_, (written, _))| *written > generation) {
                leaf.iter()
                    .for_each(|(key, (_, data))| visit(item(**key, data)));
            }
        }
        Ok(())
    }

    fn items(
        &mut self,
        inode: u64,
        kinds: RangeInclusive<u32>,
        visit: &mut dyn FnMut(Item<'_>),
    ) -> profile_sys::Result<()> {
        let range = (inode, *kinds.start(), 0)..=(inode, *kinds.end(), u64::MAX);
        self.range(range)
            .for_each(|(key, (_, data))| visit(item(*key, data)));
        Ok(())
    }
}

fn item((inode, kind, offset): Key, data: &[u8]) -> Item<'_> {
    Item {
        inode,
        kind,
        offset,
        data,
    }
}
