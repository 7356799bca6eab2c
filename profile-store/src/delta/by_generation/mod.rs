//! What changed between two snapshots of one line of descent, from the parts of their trees that were written since
//! the two lines parted.
//!
//! btrfs never writes in place: what changes is written anew, and everything that is written says in which transaction.
//! So what two snapshots have not written since their lines parted, they share, and a search for what they have written
//! since costs as much as was changed. It differs from the kernel's own comparison (send) in that it asks for the facts
//! and not for the steps that lead from one to the other.
//!
//! What is relied on, each the kernel's own rule for its send as well (Linux `fs/btrfs/send.c`):
//! 1. A snapshot is what its origin was when the transaction it was made in was committed; what changes in the origin
//!    afterwards belongs to a later transaction. So the first one that matters is the one after it.
//! 2. Whatever changes of an inode, its names and attributes too, the inode's item is written with it and says when.
//! 3. What was removed leaves nothing: it is missed where it had a name. A directory that lost a name has changed, so the
//!    entries of changed directories are compared, and what is below a directory that went is listed.
//! 4. An inode's number may be used again when it is free; its number and the transaction it was made in may not.
//! 5. A snapshot is made with all bytes of its files. What is written to it later, while it is not read-only, may be in
//!    memory alone for a while: of a file that was, nothing is concluded from where its bytes are.
//!
//! Both trees may have changed since the lines parted, and nothing here asks which of the two is older: what a person
//! removed from an old snapshot, an orphan that the kernel cleared away in it and a balance are found as everything is.
//!
//! What a tree has and this module does not expect is [`Error::NotUnderstood`], never a guess.

mod facts;
mod parting;
mod side;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::RangeInclusive;
use std::rc::Rc;

use profile_sys::btrfs::items::{Item, Target};

pub use parting::parted;

use self::facts::Facts;
use self::side::{Side, TOP};
use super::record::{Known, Record};
use super::touched::{Created, Touched};

/// Why two trees cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// One of them cannot be read.
    #[error(transparent)]
    Read(#[from] profile_sys::Error),
    /// There is something in them that only the kernel understands.
    #[error("a tree has {0}")]
    NotUnderstood(&'static str),
}

/// A read-only snapshot's tree.
pub trait Tree: std::fmt::Debug {
    /// Calls `visit` in the order of the keys for every item in what was written after the transaction `generation`,
    /// and for some that stand beside.
    ///
    /// # Errors
    ///
    /// The tree cannot be read.
    fn written_after(
        &mut self,
        generation: u64,
        visit: &mut dyn FnMut(Item<'_>),
    ) -> profile_sys::Result<()>;

    /// Calls `visit` in the order of the keys for every item of one inode that is of one of `kinds`.
    ///
    /// # Errors
    ///
    /// The tree cannot be read.
    fn items(
        &mut self,
        inode: u64,
        kinds: RangeInclusive<u32>,
        visit: &mut dyn FnMut(Item<'_>),
    ) -> profile_sys::Result<()>;
}

impl Tree for profile_sys::btrfs::Tree {
    fn written_after(
        &mut self,
        generation: u64,
        visit: &mut dyn FnMut(Item<'_>),
    ) -> profile_sys::Result<()> {
        profile_sys::btrfs::Tree::written_after(self, generation, visit)
    }

    fn items(
        &mut self,
        inode: u64,
        kinds: RangeInclusive<u32>,
        visit: &mut dyn FnMut(Item<'_>),
    ) -> profile_sys::Result<()> {
        profile_sys::btrfs::Tree::items(self, inode, kinds, visit)
    }
}

/// A read-only snapshot.
#[derive(Debug)]
pub struct Snapshot<'t> {
    /// Its tree.
    pub tree: &'t mut dyn Tree,
    /// The transaction it was made in.
    pub made: u64,
}

/// The paths that differ between two read-only snapshots that were the same when the transaction `generation` was
/// committed, other names of an inode that changed included.
///
/// # Errors
///
/// A tree cannot be read or is not understood.
pub fn touched<'t>(
    older: Snapshot<'t>,
    newer: Snapshot<'t>,
    generation: u64,
) -> Result<Touched, Error> {
    let mut search = Search {
        sides: [
            Side::read(older, generation)?,
            Side::read(newer, generation)?,
        ],
        record: Record::default(),
        queue: Vec::new(),
    };
    let written = search.sides.iter().flat_map(Side::written);
    let numbers: BTreeSet<u64> = written.collect();
    for number in numbers {
        search.inode(number)?;
    }
    search.list_queued()?;
    Ok(search.record.finish())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Which {
    Old,
    New,
}

impl Which {
    const BOTH: [Which; 2] = [Which::Old, Which::New];

    fn other(self) -> Which {
        match self {
            Which::Old => Which::New,
            Which::New => Which::Old,
        }
    }
}

struct Search<'t> {
    sides: [Side<'t>; 2],
    record: Record,
    /// Directories that one side alone has, and whose entries must be listed.
    queue: Vec<(Which, u64)>,
}

impl<'t> Search<'t> {
    fn side(&mut self, which: Which) -> &mut Side<'t> {
        &mut self.sides[which as usize]
    }

    fn peek(&self, which: Which) -> &Side<'t> {
        &self.sides[which as usize]
    }

    /// Whether [`Search::inode`] tells of this inode of one side, by the names that the inode itself says it has; where
    /// it does not, the entries of directories must tell.
    fn tells(&self, which: Which, number: u64) -> bool {
        let other = self.peek(which.other());
        self.peek(which).is_written(number)
            || (other.is_written(number) && other.made_since(number).is_none())
    }

    /// Compares an inode that was written since.
    fn inode(&mut self, number: u64) -> Result<(), Error> {
        let [old, new] = &self.sides;
        let made = (old.made_since(number), new.made_since(number));
        // What one side made since, the other has not got, unless it has written something of that number as well.
        let (old, new) = match made {
            (None, Some(new)) if !old.is_written(number) => (None, Some(Rc::clone(new))),
            (Some(old), None) if !new.is_written(number) => (Some(Rc::clone(old)), None),
            _ => (
                self.side(Which::Old).facts(number)?,
                self.side(Which::New).facts(number)?,
            ),
        };
        match (old, new) {
            (Some(old), Some(new)) if old.is_same_inode(&new) => self.lived(number, &old, &new),
            _ if number == TOP => Err(Error::NotUnderstood("another top directory")),
            (old, new) => {
                for (which, facts) in [(Which::Old, old), (Which::New, new)] {
                    if let Some(facts) = facts {
                        self.one_sided(which, number, &facts)?;
                    }
                }
                Ok(())
            }
        }
    }

    /// An inode that both have.
    fn lived(&mut self, number: u64, old: &Facts, new: &Facts) -> Result<(), Error> {
        let mut known = facts::difference(old, new);
        let settled =
            self.peek(Which::Old).is_settled(old) && self.peek(Which::New).is_settled(new);
        known.content |= new.has_content() && !settled;
        if number == TOP {
            self.record.lived(&known, b"", b"");
        }
        if new.is_directory() {
            self.compare_entries(number)?;
        }
        let (mut lost, mut gained) = (Vec::new(), Vec::new());
        for place in old.names() {
            if new.names().contains(place) {
                let (before, after) =
                    (self.path(Which::Old, place)?, self.path(Which::New, place)?);
                self.record.lived(&known, &before, &after);
            } else {
                lost.push(self.path(Which::Old, place)?);
            }
        }
        for place in new.names().difference(old.names()) {
            gained.push(self.path(Which::New, place)?);
        }
        match (lost.as_slice(), gained.as_slice()) {
            ([before], [after]) => {
                known.moved = true;
                self.record.lived(&known, before, after);
            }
            ([], []) => {}
            _ if new.is_directory() => {
                return Err(Error::NotUnderstood("a directory with several names"));
            }
            _ => {
                for path in &lost {
                    self.record.went(path, Some(false));
                }
                let link = Known {
                    created: Some(Created::Link),
                    directory: Some(false),
                    ..Known::default()
                };
                for path in &gained {
                    self.record.came(&link, path);
                }
            }
        }
        Ok(())
    }

    /// An inode that one side has not got.
    fn one_sided(&mut self, which: Which, number: u64, facts: &Facts) -> Result<(), Error> {
        for place in facts.names() {
            let path = self.path(which, place)?;
            self.tell(which, &path, facts)?;
        }
        // What is in a directory that was made since was moved or made since: each of these tells of itself.
        if facts.is_directory() && self.peek(which).made_since(number).is_none() {
            self.queue.push((which, number));
        }
        Ok(())
    }

    fn tell(&mut self, which: Which, path: &[u8], facts: &Facts) -> Result<(), Error> {
        match which {
            Which::Old => self.record.went(path, Some(facts.is_directory())),
            Which::New => self.record.came(&facts::made(facts)?, path),
        }
        Ok(())
    }

    /// Finds what a directory that both have lost to a removal: no inode is left to tell of it.
    fn compare_entries(&mut self, directory: u64) -> Result<(), Error> {
        let entries = [
            self.side(Which::Old).entries(directory)?,
            self.side(Which::New).entries(directory)?,
        ];
        for which in Which::BOTH {
            let (own, others) = (&entries[which as usize], &entries[which.other() as usize]);
            let others: HashMap<&[u8], Target> = others
                .iter()
                .map(|(name, target)| (name.as_slice(), *target))
                .collect();
            for (name, target) in own {
                let same = others.get(name.as_slice()) == Some(target);
                match *target {
                    // What stands beside the tree of the overlay is the pool's own, a guard for instance.
                    Target::Subvolume(_) if same || directory == TOP => {}
                    Target::Subvolume(_) => {
                        return Err(Error::NotUnderstood("a nested subvolume"));
                    }
                    // The number may be that of another inode, made since.
                    Target::Inode { number, .. }
                        if same && !self.peek(which.other()).is_written(number) => {}
                    Target::Inode { number, .. } => self.entry(which, directory, name, number)?,
                }
            }
        }
        Ok(())
    }

    /// An entry that one side alone has.
    fn entry(
        &mut self,
        which: Which,
        directory: u64,
        name: &[u8],
        number: u64,
    ) -> Result<(), Error> {
        if self.tells(which, number) {
            return Ok(());
        }
        let path = self.path(which, &(directory, name.to_vec()))?;
        let facts = self.side(which).facts(number)?;
        let facts = facts.ok_or(Error::NotUnderstood("an entry that leads nowhere"))?;
        self.tell(which, &path, &facts)?;
        if facts.is_directory() {
            self.queue.push((which, number));
        }
        Ok(())
    }

    /// Lists the directories that one side alone has, and what is below.
    fn list_queued(&mut self) -> Result<(), Error> {
        let mut listed = HashSet::new();
        while let Some((which, directory)) = self.queue.pop() {
            if !listed.insert((which, directory)) {
                continue;
            }
            for (name, target) in self.side(which).entries(directory)? {
                match target {
                    Target::Inode { number, .. } => self.entry(which, directory, &name, number)?,
                    Target::Subvolume(_) => {
                        return Err(Error::NotUnderstood("a nested subvolume"));
                    }
                }
            }
        }
        Ok(())
    }

    fn path(&mut self, which: Which, place: &(u64, Vec<u8>)) -> Result<Vec<u8>, Error> {
        self.side(which).path(place)
    }
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
