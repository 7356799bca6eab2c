//! A path that changed again after its transaction: what both changes come to together.
//!
//! Three sides: the *ancestor* is what the transaction left, *mine* is now, *other* is what was before it.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use conffile_diff::merge::{self, Conflict, Kind as File, Merged, Settled, Side, Three, kind_of};
use profile_sys::tree::{Kind, Meta, Root};

use super::decisions::{Decision, Decisions};
use super::replay::is_overlay_note;
use crate::error::Result;

/// Longest file that is merged; dpkg's status of ten thousand packages has a quarter of it.
const LONGEST_BYTES: u64 = 64 << 20;

/// From which side owner, mode and attributes of a merged file come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// As it is now.
    Mine,
    /// As it was before the transaction.
    Other,
}

/// What a path becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Joined {
    /// It stays: a tool's own copy, or made anew from the files it is made from.
    Mine,
    /// It stays, because it was decided so.
    Kept,
    /// It becomes what it was before the transaction, because it was decided so.
    Other,
    /// A file with both changes.
    Content(Vec<u8>, From),
    /// It goes.
    Gone,
    /// Both changes do not fit together.
    Conflict(Vec<Conflict>),
}

impl Joined {
    /// Whether the path changes by it.
    pub fn is_written(&self) -> bool {
        matches!(self, Self::Content(..) | Self::Gone)
    }
}

/// The three trees.
#[derive(Debug)]
pub struct Trees<'a> {
    /// As the transaction left it.
    pub ancestor: &'a Root,
    /// Now.
    pub mine: &'a Root,
    /// Before the transaction.
    pub other: &'a Root,
}

/// Owner, mode and extended attributes.
type Attributes = (u32, u32, u32, Vec<(OsString, Vec<u8>)>);

/// Joins both changes of one path, as was decided where that is needed.
///
/// # Errors
///
/// A side cannot be read.
pub fn join(
    trees: &Trees<'_>,
    path: &Path,
    decisions: &Decisions,
    settled: &Settled,
) -> Result<Joined> {
    let kind = kind_of(&[b"/", path.as_os_str().as_bytes()].concat());
    match kind {
        File::Copy => return Ok(Joined::Mine),
        // Made anew where its maker stays; where that goes as well, it goes with it.
        File::Derived(_) if trees.other.lstat(path)?.is_none() => return Ok(Joined::Gone),
        File::Derived(_) => return Ok(Joined::Mine),
        _ => {}
    }
    let metas = Three {
        ancestor: trees.ancestor.lstat(path)?,
        mine: trees.mine.lstat(path)?,
        other: trees.other.lstat(path)?,
    };
    let whole = |found: Vec<Conflict>| match decisions.side(path) {
        Some(Side::Mine) => Joined::Kept,
        Some(Side::Other) => Joined::Other,
        None => Joined::Conflict(found),
    };
    if let Some(content) = decisions.content(path) {
        return Ok(given(&metas, content).unwrap_or_else(|| whole(Vec::new())));
    }
    if let (File::File, Some(Decision::Side(_))) = (kind, decisions.named(path)) {
        return Ok(whole(Vec::new()));
    }
    let mergeable = |meta: &Option<Meta>| {
        meta.as_ref()
            .is_none_or(|meta| meta.kind == Kind::File && meta.size <= LONGEST_BYTES)
    };
    if ![&metas.ancestor, &metas.mine, &metas.other]
        .into_iter()
        .all(mergeable)
    {
        return Ok(whole(Vec::new()));
    }
    let content = |tree: &Root| tree.read_limited(path, LONGEST_BYTES);
    let contents = Three {
        ancestor: content(trees.ancestor)?,
        mine: content(trees.mine)?,
        other: content(trees.other)?,
    };
    let sides = Three {
        ancestor: contents.ancestor.as_deref(),
        mine: contents.mine.as_deref(),
        other: contents.other.as_deref(),
    };
    let sides = merge::settle(kind, sides, settled);
    let sides = Three {
        ancestor: sides.ancestor.as_deref(),
        mine: sides.mine.as_deref(),
        other: sides.other.as_deref(),
    };
    let content = match by_records(kind, sides, decisions.side(path)) {
        Ok(Some(content)) => content,
        Ok(None) => return Ok(Joined::Gone),
        // Records that have an owner are decided about with all that the owner has, by whoever asks again.
        Err(conflicts) if conflicts.iter().any(|conflict| conflict.whose.is_some()) => {
            return Ok(Joined::Conflict(conflicts));
        }
        Err(conflicts) => return Ok(whole(conflicts)),
    };
    let attributes = |tree: &Root, meta: &Option<Meta>| -> Result<Option<Attributes>> {
        let Some(meta) = meta else { return Ok(None) };
        Ok(Some((meta.mode, meta.uid, meta.gid, tree.xattrs(path)?)))
    };
    let ancestor = attributes(trees.ancestor, &metas.ancestor)?;
    let mine = attributes(trees.mine, &metas.mine)?;
    let other = attributes(trees.other, &metas.other)?;
    let from = match (&mine, &other) {
        (Some(_), None) => From::Mine,
        (None, Some(_)) => From::Other,
        _ if mine == other || other == ancestor => From::Mine,
        _ if mine == ancestor => From::Other,
        _ => match decisions.side(path) {
            Some(Side::Mine) => From::Mine,
            Some(Side::Other) => From::Other,
            None => {
                return Ok(Joined::Conflict(vec![Conflict {
                    what: "owner, mode and attributes".to_owned(),
                    mine: told(mine),
                    other: told(other),
                    whose: None,
                }]));
            }
        },
    };
    Ok(Joined::Content(content, from))
}

/// A content that somebody gave, as a file that one of both sides has; `None` where neither is a file.
fn given(metas: &Three<Option<Meta>>, content: &[u8]) -> Option<Joined> {
    let is_file = |meta: &Option<Meta>| meta.as_ref().is_some_and(|meta| meta.kind == Kind::File);
    let from = match (is_file(&metas.mine), is_file(&metas.other)) {
        (true, _) => From::Mine,
        (_, true) => From::Other,
        _ => return None,
    };
    Some(Joined::Content(content.to_vec(), from))
}

/// Merges the contents. Where records of a file of records do not fit together and nobody owns them, the side that
/// was decided for is taken for these alone; any other file is decided about as a whole.
fn by_records(
    kind: File,
    sides: merge::Sides<'_>,
    decided: Option<Side>,
) -> std::result::Result<Option<Vec<u8>>, Vec<Conflict>> {
    let conflict = |error: merge::Error| {
        // Not of the form that it should have: the whole file is in question.
        vec![Conflict {
            what: error.to_string(),
            mine: String::new(),
            other: String::new(),
            whose: None,
        }]
    };
    let Merged { content, conflicts } = merge::merge(kind, sides).map_err(conflict)?;
    let owned = conflicts.iter().any(|one| one.whose.is_some());
    match decided {
        _ if conflicts.is_empty() => Ok(content),
        Some(side) if kind != File::File && !owned => match side {
            Side::Mine => Ok(content),
            // Of what both changed the merge keeps the first.
            Side::Other => {
                let swapped = Three {
                    mine: sides.other,
                    other: sides.mine,
                    ..sides
                };
                Ok(merge::merge(kind, swapped).map_err(conflict)?.content)
            }
        },
        _ => Err(conflicts),
    }
}

fn told(attributes: Option<Attributes>) -> String {
    attributes.map_or_else(
        || "nothing".to_owned(),
        |(mode, uid, gid, _)| format!("{mode:04o} {uid}:{gid}"),
    )
}

/// Writes what joined paths come to into `wanted`, a tree that nobody else sees.
///
/// # Errors
///
/// An effect failed.
pub fn write(
    wanted: &Root,
    mine: &Root,
    other: &Root,
    joined: &[(std::path::PathBuf, Joined)],
) -> Result<()> {
    for (path, joined) in joined {
        match joined {
            Joined::Content(content, from) => {
                let tree = match from {
                    From::Mine => mine,
                    From::Other => other,
                };
                // A content that was given may stand in a directory that the transaction made.
                let mut directories: Vec<&Path> = path.ancestors().skip(1).collect();
                directories.reverse();
                for directory in directories {
                    if wanted.lstat(directory)?.is_none() {
                        wanted.copy_from(directory, tree, directory, &is_overlay_note)?;
                    }
                }
                wanted.copy_from(path, tree, path, &is_overlay_note)?;
                wanted.write_over(path, content)?;
            }
            Joined::Gone => {
                wanted.remove(path)?;
            }
            Joined::Mine | Joined::Kept | Joined::Other | Joined::Conflict(_) => {}
        }
    }
    Ok(())
}
