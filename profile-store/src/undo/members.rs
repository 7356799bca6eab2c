//! A user who goes is in no group afterwards, whoever put him there.
//!
//! The merges see one file each. What is left of a group after them may name users that the passwd does not have any
//! more: those of a group that stays by a decision, or that got the user as a member later.

use std::path::{Path, PathBuf};

use conffile_diff::merge::{Kind, members};
use profile_sys::tree::Root;

use super::join::{From, Joined};
use super::plan::Sorted;
use crate::error::Result;

/// The users, in a merged tree.
pub(super) const PASSWD: &str = "etc/passwd";
/// The files that name members.
const GROUPS: [(&str, Kind); 2] = [
    ("etc/group", Kind::Group),
    ("etc/gshadow", Kind::GroupShadow),
];
/// Longest of these files that is read.
const LONGEST_BYTES: u64 = 64 << 20;

/// Takes the users who go by the plan out of the groups that stay. `now` is the present tree, `before` the one from
/// before the transaction.
///
/// # Errors
///
/// A file cannot be read.
pub(super) fn settle(now: &Root, before: &Root, sorted: &mut Sorted) -> Result<()> {
    let read = |root: &Root, path: &str| -> Result<Vec<u8>> {
        let content = root.read_limited(Path::new(path), LONGEST_BYTES)?;
        Ok(content.unwrap_or_default())
    };
    let after = match becomes(sorted, PASSWD) {
        Becomes::Content(content) => content,
        Becomes::AsBefore => read(before, PASSWD)?,
        Becomes::AsNow | Becomes::Undecided => return Ok(()),
    };
    let gone = members::users_gone(&read(now, PASSWD)?, &after);
    if gone.is_empty() {
        return Ok(());
    }
    for (path, kind) in GROUPS {
        let content = match becomes(sorted, path) {
            Becomes::Content(content) => content,
            Becomes::AsNow => read(now, path)?,
            Becomes::AsBefore | Becomes::Undecided => continue,
        };
        let without = members::without(kind, &content, &gone);
        if without == content {
            continue;
        }
        let path = PathBuf::from(path);
        match sorted.joined.iter_mut().find(|(one, _)| *one == path) {
            Some((_, Joined::Content(content, _))) => *content = without,
            Some((_, joined)) => *joined = Joined::Content(without, From::Mine),
            None => sorted
                .joined
                .push((path, Joined::Content(without, From::Mine))),
        }
    }
    Ok(())
}

/// What a file comes to by the plan.
enum Becomes {
    Content(Vec<u8>),
    AsBefore,
    AsNow,
    /// It stands in the way, or was decided about by its own name.
    Undecided,
}

fn becomes(sorted: &Sorted, path: &str) -> Becomes {
    let path = Path::new(path);
    let conflicts = sorted.conflicts.iter().map(|conflict| &conflict.path);
    if conflicts.chain(&sorted.kept).any(|one| one == path) {
        return Becomes::Undecided;
    }
    if sorted.restore.iter().any(|change| change.path == path) {
        return Becomes::AsBefore;
    }
    match sorted.joined.iter().find(|(one, _)| one == path) {
        Some((_, Joined::Content(content, _))) => Becomes::Content(content.clone()),
        Some((_, Joined::Gone)) => Becomes::Content(Vec::new()),
        _ => Becomes::AsNow,
    }
}
