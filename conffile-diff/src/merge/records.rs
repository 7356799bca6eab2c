//! The merge of files that are lists of records with keys.

use std::borrow::Cow;
use std::collections::HashMap;

use super::{Conflict, Merged, Owner, Sides, Three, one_changed};

/// One record: what it is known by, and its bytes with the line end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record<'a> {
    /// The key; records with one key keep their order.
    pub key: Cow<'a, [u8]>,
    /// The record as it stands.
    pub bytes: Cow<'a, [u8]>,
}

impl<'a> Record<'a> {
    /// A record whose key is a part of it.
    pub fn new(key: &'a [u8], bytes: &'a [u8]) -> Self {
        Self {
            key: Cow::Borrowed(key),
            bytes: Cow::Borrowed(bytes),
        }
    }
}

/// The records of one side, in order.
#[derive(Debug, Default)]
pub struct Records<'a> {
    list: Vec<Record<'a>>,
    places: HashMap<Cow<'a, [u8]>, Vec<usize>>,
}

/// A key, and which one of several with it.
type Key<'a> = (&'a [u8], usize);

impl<'a> Records<'a> {
    /// Of records in the order of the file.
    pub fn new(list: Vec<Record<'a>>) -> Self {
        let mut places: HashMap<_, Vec<usize>> = HashMap::with_capacity(list.len());
        for (place, record) in list.iter().enumerate() {
            places.entry(record.key.clone()).or_default().push(place);
        }
        Self { list, places }
    }

    /// The first record with a key.
    pub fn first(&self, key: &[u8]) -> Option<&[u8]> {
        self.get((key, 0))
    }

    fn get(&self, (key, number): Key<'_>) -> Option<&[u8]> {
        let place = self.places.get(key)?.get(number)?;
        Some(&self.list[*place].bytes)
    }

    /// Keys in the order of the file.
    fn keys(&self) -> impl Iterator<Item = Key<'_>> {
        let mut seen: HashMap<&[u8], usize> = HashMap::new();
        self.list.iter().map(move |record| {
            let next = seen.entry(&record.key).or_default();
            let number = *next;
            *next += 1;
            (&*record.key, number)
        })
    }
}

/// What becomes of a record that both sides changed, each in its way.
pub enum Resolved {
    /// It can be merged within; `None` when it goes.
    Content(Option<Vec<u8>>),
    /// It cannot: mine stays.
    Conflict(Conflict),
}

/// Merges three lists of records.
///
/// `within` decides about a record that differs on all three sides.
pub fn merge(
    sides: &Three<Records<'_>>,
    mut within: impl FnMut(&[u8], Sides<'_>) -> Resolved,
) -> Merged {
    let mut conflicts = Vec::new();
    let mut decide = |key: Key<'_>| -> Option<Vec<u8>> {
        let three = sides.as_ref().map(|side| side.get(key));
        if let Some(content) = one_changed(three) {
            return content.map(<[u8]>::to_vec);
        }
        match within(key.0, three) {
            Resolved::Content(content) => content,
            Resolved::Conflict(conflict) => {
                conflicts.push(conflict);
                three.mine.map(<[u8]>::to_vec)
            }
        }
    };
    // Mine's order; what comes from the other stands after the record that it stands after there.
    let mut added: HashMap<Option<Key<'_>>, Vec<Vec<u8>>> = HashMap::new();
    let mut anchor = None;
    for key in sides.other.keys() {
        if sides.mine.get(key).is_some() {
            anchor = Some(key);
        } else if let Some(bytes) = decide(key) {
            added.entry(anchor).or_default().push(bytes);
        }
    }
    let mut list = added.remove(&None).unwrap_or_default();
    for key in sides.mine.keys() {
        list.extend(decide(key));
        list.extend(added.remove(&Some(key)).unwrap_or_default());
    }
    Merged {
        content: Some(joined(&list)),
        conflicts,
    }
}

/// A last line without its end gets one as soon as something follows it.
fn joined(list: &[Vec<u8>]) -> Vec<u8> {
    let mut content = Vec::with_capacity(list.iter().map(Vec::len).sum());
    for bytes in list {
        if content.last().is_some_and(|last| *last != b'\n') {
            content.push(b'\n');
        }
        content.extend_from_slice(bytes);
    }
    content
}

/// A file that is empty and was absent on a side that counts goes.
pub fn absent_when_empty(mut merged: Merged, sides: Sides<'_>) -> Merged {
    let empty = merged.content.as_ref().is_some_and(Vec::is_empty);
    if empty && (sides.mine.is_none() || sides.other.is_none()) {
        merged.content = None;
    }
    merged
}

/// Splits each side; an absent file has no records.
///
/// # Errors
///
/// As `split`.
pub fn split<'a, E>(
    sides: Sides<'a>,
    mut split: impl FnMut(&'a [u8]) -> Result<Vec<Record<'a>>, E>,
) -> Result<Three<Records<'a>>, E> {
    sides.try_map(|content| Ok(Records::new(split(content.unwrap_or_default())?)))
}

/// The lines of a file, each with its end.
pub fn lines(content: &[u8]) -> impl Iterator<Item = &[u8]> {
    content.split_inclusive(|&byte| byte == b'\n')
}

/// A line without its end.
pub fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// A conflict in which each side is told by what it has.
pub fn conflict(what: String, sides: Sides<'_>, tell: impl Fn(&[u8]) -> String) -> Conflict {
    let side = |content: Option<&[u8]>| content.map_or_else(|| "nothing".to_owned(), &tell);
    Conflict {
        what,
        mine: side(sides.mine),
        other: side(sides.other),
        whose: None,
    }
}

impl Resolved {
    /// A conflict about a record of this owner.
    pub fn of(self, owner: Owner) -> Self {
        match self {
            Self::Conflict(conflict) => Self::Conflict(Conflict {
                whose: Some(owner),
                ..conflict
            }),
            content @ Self::Content(_) => content,
        }
    }
}

/// A record that is such a [`conflict`].
pub fn told(what: String, sides: Sides<'_>, tell: impl Fn(&[u8]) -> String) -> Resolved {
    Resolved::Conflict(conflict(what, sides, tell))
}
