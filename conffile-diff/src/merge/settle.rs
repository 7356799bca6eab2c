//! Decisions about a package or an account, whatever files its records are in.
//!
//! A package has a stanza in dpkg's status, a mark of apt, diversions; an account an entry in up to six files.
//! To decide about one of them and merge the others would leave half of it. So a decision is made about the
//! whole: where mine is to stand, the other side is given the ancestor's records, as if it had changed none;
//! where the other is to come, mine is. The merge itself needs to know nothing of it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::records::{lines, without_end};
use super::{Kind, Sides, Three};
use crate::dpkg::stanza::{field, lossy, stanzas};

/// Whose records they are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// A package, by name: all its architectures.
    Package(String),
    /// A user, and the group of the name.
    Account(String),
}

impl Owner {
    /// The package whose name these bytes are.
    pub fn package(name: &[u8]) -> Self {
        Self::Package(lossy(name))
    }

    /// The account whose name these bytes are.
    pub fn account(name: &[u8]) -> Self {
        Self::Account(lossy(name))
    }
}

/// Which side stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// What is now.
    Mine,
    /// What is wanted.
    Other,
}

/// What was decided.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settled(BTreeMap<Owner, Side>);

impl Settled {
    /// Takes a decision up; `false` when there is one about the owner.
    pub fn add(&mut self, owner: Owner, side: Side) -> bool {
        match self.0.entry(owner) {
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(side);
                true
            }
            std::collections::btree_map::Entry::Occupied(_) => false,
        }
    }

    /// What was decided about an owner.
    pub fn side(&self, owner: &Owner) -> Option<Side> {
        self.0.get(owner).copied()
    }

    /// The packages for which a side was chosen.
    pub fn packages(&self, side: Side) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(move |(owner, of)| match owner {
            Owner::Package(name) if *of == side => Some(name.as_str()),
            _ => None,
        })
    }

    /// Whether the files of a kind have records that a decision is about.
    pub fn concerns(&self, kind: Kind) -> bool {
        let is_of = |owner: &Owner| match kind {
            Kind::DpkgStatus | Kind::ExtendedStates | Kind::Diversions | Kind::UcfRegistry => {
                matches!(owner, Owner::Package(_))
            }
            Kind::Passwd
            | Kind::Shadow
            | Kind::Group
            | Kind::GroupShadow
            | Kind::SubordinateIds => matches!(owner, Owner::Account(_)),
            _ => false,
        };
        self.0.keys().any(is_of)
    }
}

/// The three sides with what was decided in them.
pub fn settle<'a>(kind: Kind, sides: Sides<'a>, settled: &Settled) -> Three<Option<Cow<'a, [u8]>>> {
    let with = |content, side| match settled.concerns(kind) {
        true => replaced(kind, content, sides.ancestor, settled, side),
        false => content.map(Cow::Borrowed),
    };
    Three {
        ancestor: sides.ancestor.map(Cow::Borrowed),
        mine: with(sides.mine, Side::Other),
        other: with(sides.other, Side::Mine),
    }
}

/// One record of a side.
struct Piece<'a> {
    owner: Owner,
    key: Vec<&'a [u8]>,
    bytes: &'a [u8],
}

/// `content` with the records of those for whom `side` was chosen as `from` has them.
fn replaced<'a>(
    kind: Kind,
    content: Option<&'a [u8]>,
    from: Option<&'a [u8]>,
    settled: &Settled,
    side: Side,
) -> Option<Cow<'a, [u8]>> {
    let is_settled = |piece: &Piece<'_>| settled.side(&piece.owner) == Some(side);
    let (old, new) = (
        pieces(kind, content.unwrap_or_default()),
        pieces(kind, from.unwrap_or_default()),
    );
    let new: Vec<Piece<'_>> = new.into_iter().filter(|piece| is_settled(piece)).collect();
    if new.is_empty() && !old.iter().any(is_settled) {
        return content.map(Cow::Borrowed);
    }
    let mut placed = BTreeSet::new();
    let mut result = Vec::with_capacity(content.map_or(0, <[u8]>::len));
    let mut push = |bytes: &[u8]| {
        if result.last().is_some_and(|last| *last != b'\n') {
            result.push(b'\n');
        }
        result.extend_from_slice(bytes);
    };
    for piece in &old {
        if !is_settled(piece) {
            push(piece.bytes);
            continue;
        }
        let same =
            |(place, one): &(usize, &Piece<'_>)| one.key == piece.key && !placed.contains(place);
        let found = new.iter().enumerate().find(same);
        if let Some((place, one)) = found {
            placed.insert(place);
            push(one.bytes);
        }
    }
    for (place, one) in new.iter().enumerate() {
        if !placed.contains(&place) {
            push(one.bytes);
        }
    }
    Some(Cow::Owned(result))
}

/// A side taken apart; what has no owner is its own.
fn pieces(kind: Kind, content: &[u8]) -> Vec<Piece<'_>> {
    match kind {
        Kind::DpkgStatus | Kind::ExtendedStates => stanzas(content)
            .map(|range| {
                let stanza = &content[range.clone()];
                let name = field(stanza, "Package").unwrap_or_default();
                let architecture = field(stanza, "Architecture").unwrap_or_default();
                // With the empty line that closes it.
                let end = content.len().min(range.end + 1);
                Piece {
                    owner: Owner::package(name),
                    key: vec![name, architecture],
                    bytes: &content[range.start..end],
                }
            })
            .collect(),
        Kind::Diversions => {
            let all: Vec<&[u8]> = lines(content).collect();
            let mut start = 0;
            all.chunks(3)
                .map(|record| {
                    let length: usize = record.iter().map(|line| line.len()).sum();
                    let bytes = &content[start..start + length];
                    start += length;
                    Piece {
                        owner: Owner::package(without_end(
                            record.last().copied().unwrap_or_default(),
                        )),
                        key: record
                            .iter()
                            .take(1)
                            .map(|line| without_end(line))
                            .collect(),
                        bytes,
                    }
                })
                .collect()
        }
        Kind::UcfRegistry => by_line(content, b' ', Owner::package),
        _ => by_line(content, b':', Owner::account),
    }
}

/// Lines whose owner stands before the first `mark`, and which are known by it, too, unless it has several.
fn by_line(content: &[u8], mark: u8, owner: impl Fn(&[u8]) -> Owner) -> Vec<Piece<'_>> {
    lines(content)
        .map(|line| {
            let text = without_end(line);
            let name = text.split(|&byte| byte == mark).next().unwrap_or_default();
            Piece {
                owner: owner(name),
                key: vec![name],
                bytes: line,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Merged, merge};
    use super::*;

    fn settled(owner: Owner, side: Side) -> Settled {
        let mut settled = Settled::default();
        assert!(settled.add(owner.clone(), side));
        assert!(!settled.add(owner, Side::Mine), "once");
        settled
    }

    fn merged(kind: Kind, texts: [&str; 3], settled: &Settled) -> Merged {
        let [ancestor, mine, other] = texts.map(|text| Some(text.as_bytes()));
        let three = settle(
            kind,
            Three {
                ancestor,
                mine,
                other,
            },
            settled,
        );
        let sides = Three {
            ancestor: three.ancestor.as_deref(),
            mine: three.mine.as_deref(),
            other: three.other.as_deref(),
        };
        merge(kind, sides).unwrap()
    }

    fn stanza(name: &str, version: &str) -> String {
        format!(
            "Package: {name}\nStatus: install ok installed\nArchitecture: all\nVersion: {version}\n\n"
        )
    }

    #[test]
    fn a_package_that_both_changed_is_as_decided_and_the_rest_is_merged() {
        let (a, b, c) = (stanza("a", "1"), stanza("b", "1"), stanza("c", "1"));
        let ancestor = format!("{a}{b}");
        let mine = format!("{}{b}{c}", stanza("a", "2"));
        let other = b.clone();
        let texts = [ancestor.as_str(), &mine, &other];
        let open = merged(Kind::DpkgStatus, texts, &Settled::default());
        assert_eq!(open.conflicts.len(), 1);
        assert_eq!(open.conflicts[0].whose, Some(Owner::package(b"a")));
        let kept = merged(
            Kind::DpkgStatus,
            texts,
            &settled(Owner::package(b"a"), Side::Mine),
        );
        assert_eq!(kept.conflicts, []);
        assert_eq!(kept.content.unwrap(), mine.as_bytes());
        let taken = merged(
            Kind::DpkgStatus,
            texts,
            &settled(Owner::package(b"a"), Side::Other),
        );
        assert_eq!(taken.conflicts, []);
        assert_eq!(taken.content.unwrap(), format!("{b}{c}").as_bytes());
    }

    #[test]
    fn an_account_is_decided_in_every_file_of_it() {
        let ancestor = "root:x:0:0::/:/bin/sh\nu:x:100:100::/:/bin/false\n";
        let mine = "root:x:0:0::/:/bin/sh\nu:x:100:100::/:/bin/sh\nv:x:101:101::/:/bin/sh\n";
        let other = "root:x:0:0::/:/bin/sh\n";
        let keep = settled(Owner::account(b"u"), Side::Mine);
        let passwd = merged(Kind::Passwd, [ancestor, mine, other], &keep);
        assert_eq!(passwd.content.unwrap(), mine.as_bytes());
        // Nobody changed it there since: it would go without a question.
        let (with, without) = ("root:*:1::::::\nu:!:1::::::\n", "root:*:1::::::\n");
        let shadow = merged(Kind::Shadow, [with, with, without], &keep);
        assert_eq!(shadow.content.unwrap(), with.as_bytes());
        let take = settled(Owner::account(b"u"), Side::Other);
        let passwd = merged(Kind::Passwd, [ancestor, mine, other], &take);
        assert_eq!(
            passwd.content.unwrap(),
            b"root:x:0:0::/:/bin/sh\nv:x:101:101::/:/bin/sh\n"
        );
    }

    #[test]
    fn diversions_follow_their_package() {
        let one = "/usr/bin/x\n/usr/bin/x.real\na\n";
        let two = "/usr/bin/y\n/usr/bin/y.real\nb\n";
        let both = format!("{one}{two}");
        let keep = settled(Owner::package(b"a"), Side::Mine);
        let kept = merged(Kind::Diversions, [&both, &both, ""], &keep);
        assert_eq!(kept.content.unwrap(), one.as_bytes());
    }

    #[test]
    fn other_kinds_and_other_owners_are_left_alone() {
        let settled = settled(Owner::package(b"zz"), Side::Mine);
        assert!(!settled.concerns(Kind::Passwd) && settled.concerns(Kind::DpkgStatus));
        let text = "a\nb\n";
        for kind in [Kind::Passwd, Kind::File, Kind::Diversions, Kind::LineSet] {
            let sides = Three {
                ancestor: Some(text.as_bytes()),
                mine: None,
                other: Some(b"x".as_slice()),
            };
            let three = settle(kind, sides, &settled);
            assert_eq!(three.mine, None);
            assert_eq!(three.other.as_deref(), Some(b"x".as_slice()));
        }
    }
}
