//! Directories that a package is about to replace by something else.
//!
//! dpkg moves the directory aside with rename(2). overlayfs refuses that (EXDEV) for a directory that
//! the base has, unless redirect_dir is on, which it must not be: an upper with redirects cannot
//! change its base. So, before dpkg unpacks, such a directory is copied up whole: a copy beside it,
//! the old one removed, the copy renamed into its place. In the upper it is then a directory of its
//! own (opaque), and dpkg's rename works. Its content, owner, mode and times stay what they were.
//!
//! All of it goes through the merged mount, after the pre snapshot, with the intent in the journal
//! first. What a crash leaves is finished from the steps:
//!
//! | copy | `copied` recorded | directory | what is done |
//! |---|---|---|---|
//! | any | no | there | the copy, if any, is removed; the directory was not touched |
//! | there | yes | whole, in part or gone | the rest is removed, the copy takes its place |
//! | gone | yes | there | nothing: it was the copy |

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use profile_db::journal::{Journal, Operation, OperationId, Pending};
use profile_db::model::{Time, TransactionNumber};
use profile_sys::{file, tree};
use serde::{Deserialize, Serialize};

use super::{World, escape};
use crate::error::{Error, Result};
use crate::layout::UPPER;

/// The word for these operations in the journal.
pub const KIND: &str = "materialise";

/// What the journal keeps of one operation: everything that is needed to finish it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Payload {
    directories: Vec<Entry>,
}

/// One directory. Bytes that are no plain text are written as `%xx`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    /// From the root of the merged tree, without leading slash.
    path: String,
    /// Name of the copy beside it.
    copy: String,
}

/// A merged tree and its two sides.
#[derive(Debug, Clone)]
pub struct Site {
    /// Root of the merged mount.
    pub root: PathBuf,
    /// The upper, seen beside the mount.
    pub upper: PathBuf,
    /// The base.
    pub base: PathBuf,
}

impl Site {
    /// The profile of `world` as it is mounted at `root`.
    pub fn new(world: &World<'_>, root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            upper: world.subvolume().join(UPPER),
            base: world.base_path(&world.base),
        }
    }

    /// Where the base's directory shows through in place of `path` (absolute, as a package has it):
    /// the real path from the root, symlinks on the way followed as dpkg follows them. `None` when
    /// there is nothing, no directory, or one that dpkg can move aside as it is.
    ///
    /// # Errors
    ///
    /// A path cannot be looked at.
    pub fn directory_of_base(&self, path: &Path) -> Result<Option<PathBuf>> {
        let Ok(relative) = path.strip_prefix("/") else {
            return Ok(None);
        };
        let (Some(parent), Some(name)) = (relative.parent(), relative.file_name()) else {
            return Ok(None);
        };
        let merged = self.root.join(relative);
        if tree::lstat(&merged)?.is_none_or(|meta| meta.kind != tree::Kind::Directory) {
            return Ok(None);
        }
        let Some(parent) = resolve(&self.root, parent)? else {
            return Ok(None);
        };
        let real = parent.join(name);
        let of_base = tree::lstat(&self.base.join(&real))?
            .is_some_and(|meta| meta.kind == tree::Kind::Directory);
        if !of_base || hidden_by_upper(&self.upper, &real)? {
            return Ok(None);
        }
        Ok(Some(real))
    }
}

/// The directory below `root` that a path leads to, relative to `root`. Symlinks are followed as if
/// `root` were `/`.
fn resolve(root: &Path, relative: &Path) -> Result<Option<PathBuf>> {
    if root == Path::new("/") {
        return match Path::new("/").join(relative).canonicalize() {
            Ok(path) => Ok(path.strip_prefix("/").ok().map(Path::to_owned)),
            Err(_) => Ok(None),
        };
    }
    // Elsewhere (a view, a test) only plain ways are followed: recover has real paths already.
    let mut at = PathBuf::new();
    for part in relative.components() {
        at.push(part);
        match tree::lstat(&root.join(&at))? {
            Some(meta) if meta.kind == tree::Kind::Directory => {}
            Some(_) | None => return Ok(None),
        }
    }
    Ok(Some(at))
}

/// Whether the upper's own directory hides the base's: it or one above it is opaque.
fn hidden_by_upper(upper: &Path, relative: &Path) -> Result<bool> {
    let mut at = upper.to_owned();
    for part in relative.components() {
        at.push(part);
        match tree::lstat(&at)? {
            Some(meta) if meta.kind == tree::Kind::Directory => {
                if tree::is_opaque(&at)? {
                    return Ok(true);
                }
            }
            Some(_) | None => return Ok(false),
        }
    }
    Ok(false)
}

/// Copies up every one of `directories` (as [`Site::directory_of_base`] gives them); says how many.
///
/// # Errors
///
/// The journal cannot be written, or a directory cannot be copied. What was begun is then taken back
/// as far as possible, and finished by `recover` where not.
pub fn materialise(
    world: &World<'_>,
    journal: &Journal,
    site: &Site,
    number: Option<TransactionNumber>,
    directories: &[PathBuf],
    now: Time,
) -> Result<usize> {
    let directories = outermost(directories);
    if directories.is_empty() {
        return Ok(0);
    }
    let word = crate::identity::random_word()?;
    let entries = directories.iter().enumerate().map(|(index, path)| Entry {
        path: escape::encode(path),
        copy: format!(".flipper-profile-{word}-{index}"),
    });
    let payload = Payload {
        directories: entries.collect(),
    };
    let operation = journal.intend(&Operation {
        kind: KIND.to_owned(),
        profile: Some(world.profile),
        transaction: number,
        begun: now,
        payload: serde_json::to_value(&payload).expect("BUG: a payload is valid JSON"),
    })?;
    let outcome = run(journal, operation, &site.root, &payload);
    if outcome.is_err() {
        // Nothing was lost: a directory is removed only when its copy is whole. Tidied up now if that
        // works; if not, the record stays and recover does it.
        let steps = steps_of(journal, operation)?;
        finish_steps(&site.root, &payload, &steps)?;
    }
    journal.complete(operation)?;
    outcome.map(|()| payload.directories.len())
}

/// Finishes an operation that a crash left, through the merged tree mounted at `root`. Called again,
/// it does nothing.
///
/// # Errors
///
/// The record cannot be read, or the tree cannot be changed.
pub fn finish(journal: &Journal, pending: &Pending, root: &Path) -> Result<()> {
    settle(pending, root)?;
    Ok(journal.complete(pending.id)?)
}

/// As [`finish`], without a word to the journal: the caller says it when the tree is on disk.
///
/// # Errors
///
/// As [`finish`].
pub fn settle(pending: &Pending, root: &Path) -> Result<()> {
    let unreadable = |error: &dyn std::fmt::Display| Error::NeedsRecover {
        what: format!("directories of a package change that cannot be told: {error}"),
    };
    let payload: Payload = serde_json::from_value(pending.operation.payload.clone())
        .map_err(|error| unreadable(&error))?;
    finish_steps(root, &payload, &pending.steps)
}

/// Whether an operation is one of these, of this profile.
pub fn is_of(world: &World<'_>, pending: &Pending) -> bool {
    pending.operation.kind == KIND && pending.operation.profile.as_ref() == Some(&world.profile)
}

fn steps_of(journal: &Journal, operation: OperationId) -> Result<Vec<String>> {
    let pending = journal.pending_operations()?;
    Ok(pending
        .into_iter()
        .find(|pending| pending.id == operation)
        .map(|pending| pending.steps)
        .unwrap_or_default())
}

fn copied(index: usize) -> String {
    format!("copied {index}")
}

fn run(journal: &Journal, operation: OperationId, root: &Path, payload: &Payload) -> Result<()> {
    for (index, entry) in payload.directories.iter().enumerate() {
        let (path, copy) = places(root, entry)?;
        tree::copy_tree(&path, &copy, &|_| false, &|_, _| true)?;
        file::sync_filesystem(&copy)?;
        // Durable: after this the original goes, and only this record tells a whole copy from a part.
        journal.record_step_durably(operation, &copied(index))?;
        replace(&path, &copy)?;
    }
    Ok(())
}

fn finish_steps(root: &Path, payload: &Payload, steps: &[String]) -> Result<()> {
    for (index, entry) in payload.directories.iter().enumerate() {
        let (path, copy) = places(root, entry)?;
        if !file::exists(&copy)? {
            continue;
        }
        // What dpkg put there meanwhile is what the directory was to make room for.
        let taken = tree::lstat(&path)?.is_some_and(|meta| meta.kind != tree::Kind::Directory);
        if steps.contains(&copied(index)) && !taken {
            replace(&path, &copy)?;
        } else {
            file::remove_tree(&copy)?;
        }
    }
    Ok(())
}

/// Puts the copy in the directory's place.
fn replace(path: &Path, copy: &Path) -> Result<()> {
    if file::exists(path)? {
        file::remove_tree(path)?;
    }
    file::rename(copy, path)?;
    if let Some(parent) = path.parent() {
        file::fsync_directory(parent)?;
    }
    Ok(())
}

fn places(root: &Path, entry: &Entry) -> Result<(PathBuf, PathBuf)> {
    let wrong = || Error::NeedsRecover {
        what: format!("a directory whose record is damaged: {}", entry.path),
    };
    let relative = escape::decode(&entry.path).ok_or_else(wrong)?;
    let plain = relative
        .components()
        .all(|part| matches!(part, std::path::Component::Normal(_)));
    let name = OsString::from(&entry.copy);
    if !plain || relative.as_os_str().is_empty() || name.is_empty() || entry.copy.contains('/') {
        return Err(wrong());
    }
    let path = root.join(relative);
    let copy = path.with_file_name(name);
    Ok((path, copy))
}

/// Without those that lie below another one: they are copied with it.
fn outermost(directories: &[PathBuf]) -> Vec<&PathBuf> {
    let mut sorted: Vec<&PathBuf> = directories.iter().collect();
    sorted.sort();
    sorted.dedup();
    let mut kept: Vec<&PathBuf> = Vec::new();
    for path in sorted {
        if !kept.iter().any(|outer| path.starts_with(outer)) {
            kept.push(path);
        }
    }
    kept
}

#[cfg(test)]
#[path = "materialise_tests.rs"]
mod tests;
