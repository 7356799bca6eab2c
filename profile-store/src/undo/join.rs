//! A path that changed again after its transaction: what both changes come to together.
//!
//! Three sides: the *ancestor* is what the transaction left, *mine* is now, *other* is what was before it.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use conffile_diff::merge::{self, Conflict, Kind as File, Merged, Sides, kind_of};
use profile_sys::tree::{Kind, Meta, Root};

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
    /// A file with both changes.
    Content(Vec<u8>, From),
    /// It goes.
    Gone,
    /// Both changes do not fit together.
    Conflict(Vec<Conflict>),
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

/// Joins both changes of one path.
///
/// # Errors
///
/// A side cannot be read.
pub fn join(trees: &Trees<'_>, path: &Path) -> Result<Joined> {
    let kind = kind_of(&[b"/", path.as_os_str().as_bytes()].concat());
    if matches!(kind, File::Copy | File::Derived(_)) {
        return Ok(Joined::Mine);
    }
    let metas = [
        trees.ancestor.lstat(path)?,
        trees.mine.lstat(path)?,
        trees.other.lstat(path)?,
    ];
    let mergeable = |meta: &Option<Meta>| {
        meta.as_ref()
            .is_none_or(|meta| meta.kind == Kind::File && meta.size <= LONGEST_BYTES)
    };
    if !metas.iter().all(mergeable) {
        return Ok(Joined::Conflict(Vec::new()));
    }
    let content = |tree: &Root| tree.read_limited(path, LONGEST_BYTES);
    let contents = [
        content(trees.ancestor)?,
        content(trees.mine)?,
        content(trees.other)?,
    ];
    let sides = Sides {
        ancestor: contents[0].as_deref(),
        mine: contents[1].as_deref(),
        other: contents[2].as_deref(),
    };
    let merged = match merge::merge(kind, sides) {
        Ok(merged) => merged,
        // Not of the form that it should have: the whole file is in question.
        Err(error) => {
            let what = error.to_string();
            return Ok(Joined::Conflict(vec![Conflict {
                what,
                mine: String::new(),
                other: String::new(),
            }]));
        }
    };
    let content = match merged {
        Merged { conflicts, .. } if !conflicts.is_empty() => {
            return Ok(Joined::Conflict(conflicts));
        }
        Merged { content: None, .. } => return Ok(Joined::Gone),
        Merged {
            content: Some(content),
            ..
        } => content,
    };
    let attributes = |tree: &Root, meta: &Option<Meta>| -> Result<Option<Attributes>> {
        let Some(meta) = meta else { return Ok(None) };
        Ok(Some((meta.mode, meta.uid, meta.gid, tree.xattrs(path)?)))
    };
    let ancestor = attributes(trees.ancestor, &metas[0])?;
    let mine = attributes(trees.mine, &metas[1])?;
    let other = attributes(trees.other, &metas[2])?;
    Ok(match (&mine, &other) {
        (Some(_), None) => Joined::Content(content, From::Mine),
        (None, Some(_)) => Joined::Content(content, From::Other),
        _ if mine == other || other == ancestor => Joined::Content(content, From::Mine),
        _ if mine == ancestor => Joined::Content(content, From::Other),
        _ => Joined::Conflict(vec![Conflict {
            what: "owner, mode and attributes".to_owned(),
            mine: told(mine),
            other: told(other),
        }]),
    })
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
                wanted.copy_from(path, tree, path, &|name| {
                    name.as_encoded_bytes().starts_with(b"trusted.overlay.")
                })?;
                wanted.write_over(path, content)?;
            }
            Joined::Gone => {
                wanted.remove(path)?;
            }
            Joined::Mine | Joined::Conflict(_) => {}
        }
    }
    Ok(())
}
