//! Three-way merges of the files that many packages share: pure, by what the file is.
//!
//! A merge has three sides. The *ancestor* is what two others began from, *mine* is what stands now and is
//! not to be lost, *other* is what is wanted. An undo has the state that the transaction left for an ancestor
//! and the state before it for the other; a rebase has the old base and the new one.
//!
//! Rules, for every kind:
//! 1. What only one side changed is taken from that side; what both changed alike is taken.
//! 2. What both changed differently is a [`Conflict`]. There the result keeps mine: nothing that is not asked
//!    about is ever overwritten.
//! 3. Records that nobody changed stay byte for byte, in mine's order.

mod accounts;
pub mod alternatives;
mod kind;
mod lines;
pub mod members;
mod records;
mod settle;
mod stanzas;
mod text;

#[cfg(test)]
mod tests;

pub use kind::{Kind, Maker, kind_of};
pub use settle::{Owner, Settled, Side, settle};

/// One thing as each side has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Three<T> {
    /// What both others began from.
    pub ancestor: T,
    /// What stands now.
    pub mine: T,
    /// What is wanted.
    pub other: T,
}

/// The three contents of one path, or of one record; `None` where it does not exist.
pub type Sides<'a> = Three<Option<&'a [u8]>>;

/// Something that both sides changed, each in its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The record, for people: `package nginx`, `user anna`, `lines 3 to 5`.
    pub what: String,
    /// What mine has, in few words.
    pub mine: String,
    /// What the other has.
    pub other: String,
    /// Whose record it is, where that decides about records in other files as well.
    pub whose: Option<Owner>,
}

/// What a merge comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// The content; `None` when the path is to go. Mine where there is a conflict.
    pub content: Option<Vec<u8>>,
    /// What has to be decided.
    pub conflicts: Vec<Conflict>,
}

/// Why a file of a known kind cannot be merged record by record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot merge {kind}: {detail}")]
pub struct Error {
    /// What the file is.
    pub kind: &'static str,
    /// What is wrong with it.
    pub detail: String,
}

/// Merges one file.
///
/// # Errors
///
/// A side is not of the form that its kind has. Nothing is guessed then: the caller has a conflict about the
/// whole file.
pub fn merge(kind: Kind, sides: Sides<'_>) -> Result<Merged, Error> {
    if let Some(content) = one_changed(sides) {
        return Ok(Merged {
            content: content.map(<[u8]>::to_vec),
            conflicts: Vec::new(),
        });
    }
    match kind {
        Kind::DpkgStatus => stanzas::status(sides),
        Kind::ExtendedStates => stanzas::extended_states(sides),
        Kind::DebconfDatabase => stanzas::debconf(sides),
        Kind::Diversions => lines::diversions(sides),
        Kind::StatOverrides => Ok(lines::stat_overrides(sides)),
        Kind::LineSet => Ok(lines::set(sides)),
        Kind::UcfHashes => Ok(lines::ucf_hashes(sides)),
        Kind::UcfRegistry => Ok(lines::ucf_registry(sides)),
        Kind::SubordinateIds => accounts::subordinate_ids(sides),
        Kind::Passwd => accounts::passwd(sides),
        Kind::Shadow => accounts::shadow(sides),
        Kind::Group => accounts::group(sides),
        Kind::GroupShadow => accounts::group_shadow(sides),
        Kind::Alternative => alternatives::merge(sides),
        Kind::Copy | Kind::Derived(_) => Ok(Merged {
            content: sides.mine.map(<[u8]>::to_vec),
            conflicts: Vec::new(),
        }),
        Kind::File => Ok(text::merge(sides)),
    }
}

/// The result where at most one side changed, or both alike; `None` where they differ.
fn one_changed<T: Copy + PartialEq>(
    Three {
        ancestor,
        mine,
        other,
    }: Three<T>,
) -> Option<T> {
    if mine == other || other == ancestor {
        return Some(mine);
    }
    (mine == ancestor).then_some(other)
}

/// A set that two sides changed: mine, with what the other added and without what it removed.
fn united<T: PartialEq>(sets: Three<Vec<T>>) -> Vec<T> {
    let Three {
        ancestor,
        mine,
        other,
    } = sets;
    let mut set: Vec<T> = mine
        .into_iter()
        .filter(|item| other.contains(item) || !ancestor.contains(item))
        .collect();
    for item in other {
        if !ancestor.contains(&item) && !set.contains(&item) {
            set.push(item);
        }
    }
    set
}

impl<T> Three<T> {
    /// The same of each side.
    fn map<U>(self, mut of: impl FnMut(T) -> U) -> Three<U> {
        Three {
            ancestor: of(self.ancestor),
            mine: of(self.mine),
            other: of(self.other),
        }
    }

    /// The same of each side, where no side fails.
    fn try_map<U, E>(self, mut of: impl FnMut(T) -> Result<U, E>) -> Result<Three<U>, E> {
        Ok(Three {
            ancestor: of(self.ancestor)?,
            mine: of(self.mine)?,
            other: of(self.other)?,
        })
    }

    /// The same of each side, where every side has it.
    fn in_all<U>(self, of: impl Fn(T) -> Option<U>) -> Option<Three<U>> {
        self.try_map(|side| of(side).ok_or(())).ok()
    }

    fn as_ref(&self) -> Three<&T> {
        Three {
            ancestor: &self.ancestor,
            mine: &self.mine,
            other: &self.other,
        }
    }
}

impl<T> IntoIterator for Three<T> {
    type Item = T;
    type IntoIter = std::array::IntoIter<T, 3>;

    fn into_iter(self) -> Self::IntoIter {
        [self.ancestor, self.mine, self.other].into_iter()
    }
}
