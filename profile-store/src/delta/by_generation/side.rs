//! One of the two trees: what was written since the lines parted, and what else is asked of it.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use profile_sys::btrfs::items::{self, Item, Target};

use super::facts::{Facts, Place, Reading};
use super::{Error, Snapshot, Tree};
use crate::delta::stream::LONGEST_PATH_BYTES;

/// The number of every subvolume's top directory.
pub(super) const TOP: u64 = 256;

/// What a tree says of inodes that were written since.
type Written = BTreeMap<u64, Option<Rc<Facts>>>;

pub(super) struct Side<'t> {
    tree: &'t mut dyn Tree,
    /// The transaction the snapshot was made in.
    made: u64,
    /// Every inode that was written since; what is known of it where it was made since, which is all but its bytes.
    written: Written,
    /// Paths of directories, as far as they were asked for.
    paths: HashMap<u64, Vec<u8>>,
}

impl<'t> Side<'t> {
    /// Reads what was written after the transaction `generation`.
    pub(super) fn read(snapshot: Snapshot<'t>, generation: u64) -> Result<Self, Error> {
        let Snapshot { tree, made } = snapshot;
        let mut scan = Scan {
            generation,
            written: Written::new(),
            current: None,
        };
        let mut outcome = Ok(());
        tree.written_after(generation, &mut |item| {
            if outcome.is_ok() {
                outcome = scan.add(&item);
            }
        })?;
        outcome?;
        scan.close();
        Ok(Self {
            tree,
            made,
            written: scan.written,
            paths: HashMap::from([(TOP, Vec::new())]),
        })
    }

    /// The numbers of the inodes that were written since.
    pub(super) fn written(&self) -> impl Iterator<Item = u64> + '_ {
        self.written.keys().copied()
    }

    pub(super) fn is_written(&self, number: u64) -> bool {
        self.written.contains_key(&number)
    }

    /// What is known of an inode that was made since, apart from its bytes; none of all others.
    pub(super) fn made_since(&self, number: u64) -> Option<&Rc<Facts>> {
        self.written.get(&number)?.as_ref()
    }

    /// Whether the tree tells where all bytes of a file are: it does of what was not written since the snapshot was made.
    pub(super) fn is_settled(&self, facts: &Facts) -> bool {
        facts.changed() <= self.made
    }

    /// All of one inode; none where the tree has no such.
    pub(super) fn facts(&mut self, number: u64) -> Result<Option<Rc<Facts>>, Error> {
        let mut reading: Option<Reading> = None;
        // Everything before the entries of a directory, which are not asked for here.
        self.each(
            number,
            items::INODE..=items::ENTRIES_BY_HASH - 1,
            |item| match (&mut reading, item.kind) {
                (None, items::INODE) => {
                    reading = Some(Reading::new(inode(&item)?));
                    Ok(())
                }
                (Some(reading), _) => reading.add(&item),
                (None, _) => Err(Error::NotUnderstood("an item without an inode")),
            },
        )?;
        let Some(mut reading) = reading else {
            return Ok(None);
        };
        if reading.has_content() {
            self.each(number, items::EXTENT..=items::EXTENT, |item| {
                reading.add_extent(&item)
            })?;
        }
        Ok(Some(Rc::new(reading.finish())))
    }

    /// The entries of a directory.
    pub(super) fn entries(&mut self, directory: u64) -> Result<Vec<(Vec<u8>, Target)>, Error> {
        let mut entries = Vec::new();
        self.each(directory, items::ENTRY..=items::ENTRY, |item| {
            let entry = entry(&item)?;
            entries.push((entry.name.to_vec(), entry.target));
            Ok(())
        })?;
        Ok(entries)
    }

    /// The path of a name.
    pub(super) fn path(&mut self, place: &Place) -> Result<Vec<u8>, Error> {
        let (directory, name) = place;
        let above = self.directory(*directory)?;
        let path = join(above, name);
        match path.len() > LONGEST_PATH_BYTES {
            true => Err(Error::NotUnderstood("a path that is too long")),
            false => Ok(path),
        }
    }

    fn directory(&mut self, number: u64) -> Result<&[u8], Error> {
        // Upwards to one that is known, then down again.
        let mut unknown: Vec<Place> = Vec::new();
        let mut numbers = Vec::new();
        let mut current = number;
        while !self.paths.contains_key(&current) {
            let place = self.place(current)?;
            numbers.push(current);
            current = place.0;
            unknown.push(place);
            // Each has a name of one byte at least and a slash: none that goes round is followed further.
            if unknown.len() > LONGEST_PATH_BYTES / 2 {
                return Err(Error::NotUnderstood("directories without an end"));
            }
        }
        while let (Some(place), Some(of)) = (unknown.pop(), numbers.pop()) {
            let path = self.path(&place)?;
            self.paths.insert(of, path);
        }
        let known = self.paths.get(&number);
        known
            .map(Vec::as_slice)
            .ok_or(Error::NotUnderstood("a directory without a path"))
    }

    /// The one name of a directory.
    fn place(&mut self, directory: u64) -> Result<Place, Error> {
        let mut found = Vec::new();
        match self.made_since(directory) {
            Some(facts) => found.extend(facts.names().iter().cloned()),
            None => self.each(directory, items::NAMES..=items::MORE_NAMES, |item| {
                let names = items::names(&item).ok_or(Error::NotUnderstood("a damaged name"))?;
                found.extend(names.into_iter().map(|(at, name)| (at, name.to_vec())));
                Ok(())
            })?,
        }
        match (found.pop(), found.pop()) {
            (Some(place), None) => Ok(place),
            (None, _) => Err(Error::NotUnderstood("a directory without a name")),
            (Some(_), Some(_)) => Err(Error::NotUnderstood("a directory with several names")),
        }
    }

    /// Calls `visit` for the items of one inode until it fails.
    fn each(
        &mut self,
        inode: u64,
        kinds: std::ops::RangeInclusive<u32>,
        mut visit: impl FnMut(Item<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut outcome = Ok(());
        self.tree.items(inode, kinds, &mut |item| {
            if outcome.is_ok() {
                outcome = visit(item);
            }
        })?;
        outcome
    }
}

/// A path below a directory; the top's is empty.
fn join(above: &[u8], name: &[u8]) -> Vec<u8> {
    match above {
        [] => name.to_vec(),
        _ => [above, name].join(&b'/'),
    }
}

fn inode(item: &Item<'_>) -> Result<items::Inode, Error> {
    items::inode(item.data).ok_or(Error::NotUnderstood("a damaged inode"))
}

fn entry<'a>(item: &Item<'a>) -> Result<items::Entry<'a>, Error> {
    items::entry(item.data).ok_or(Error::NotUnderstood("a damaged entry"))
}

/// Sorts what was written since from what stands beside it.
struct Scan {
    generation: u64,
    written: Written,
    /// An inode that was made since, and so has been written with all that belongs to it.
    current: Option<(u64, Reading)>,
}

impl Scan {
    fn add(&mut self, item: &Item<'_>) -> Result<(), Error> {
        if item.kind == items::INODE {
            self.close();
            let inode = inode(item)?;
            if inode.created > self.generation {
                self.current = Some((item.inode, Reading::new(inode)));
            } else if inode.changed > self.generation {
                self.written.insert(item.inode, None);
            }
            return Ok(());
        }
        match &mut self.current {
            Some((number, reading)) if *number == item.inode => match item.kind {
                items::ENTRIES_BY_HASH | items::EXTENT => Ok(()),
                // What is in a directory made since tells of itself; a subvolume cannot.
                items::ENTRY => match entry(item)?.target {
                    Target::Inode { .. } => Ok(()),
                    Target::Subvolume(_) => Err(Error::NotUnderstood("a nested subvolume")),
                },
                _ => reading.add(item),
            },
            _ => Ok(()),
        }
    }

    fn close(&mut self) {
        if let Some((number, reading)) = self.current.take() {
            self.written.insert(number, Some(Rc::new(reading.finish())));
        }
    }
}
