//! Forgetting: a path is taken out of every snapshot of a profile, for a secret that should not have been there.
//!
//! The profile as it is keeps the path; only what `undo`, `restore` and `reset` could bring back loses it. Afterwards no
//! snapshot differs from another in it, so no undo of any transaction touches it: what is there now stays.
//!
//! Once begun it is always finished: removing again what is removed already changes nothing, so `recover` goes through
//! all snapshots once more.

use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use profile_db::ProfileFile;
use profile_db::journal::{
    Durability, Filter, Finish, Journal, OperationId, Outcome, TransactionKind,
};
use profile_db::model::{ProfileId, Time, TransactionNumber};
use profile_sys::tree::{Kind, Removed, Root};
use profile_sys::{btrfs, file};

use crate::actor::Actor;
use crate::error::{Error, Result};
use crate::layout::UPPER;
use crate::operation::{self, Intent, PathText};
use crate::pool::Pool;
use crate::profile::{self, new_row};
use crate::transaction::reserve;
use crate::{recover, replacement};

/// Where a path would be forgotten.
#[derive(Debug, Default)]
pub struct Found {
    /// The snapshots that hold it, by name; a state that a reset replaced is `<transaction>-state`.
    pub copies: Vec<String>,
    /// Those of them in which the file has another name as well, which stays.
    pub linked: Vec<String>,
}

/// One tree that may hold the path.
#[derive(Debug)]
struct Tree {
    name: String,
    subvolume: PathBuf,
    root: PathBuf,
    /// Whether it is sealed when nobody works on it.
    sealed: bool,
}

/// The path of a request, relative to the root of the merged tree.
///
/// # Errors
///
/// It is not absolute, has `..` in it, or is the root.
pub fn relative(path: &Path) -> Result<PathBuf> {
    let refused = |detail: &str| Error::Setting {
        key: path.display().to_string(),
        detail: detail.to_owned(),
    };
    let mut relative = PathBuf::new();
    let mut components = path.components();
    if components.next() != Some(Component::RootDir) {
        return Err(refused("name the whole path, from /"));
    }
    for component in components {
        match component {
            Component::Normal(name) => relative.push(name),
            _ => return Err(refused("a path without .. in it is needed")),
        }
    }
    match relative.file_name() {
        Some(_) => Ok(relative),
        None => Err(refused("the root cannot be forgotten")),
    }
}

/// Looks where a path stands, without changing anything.
///
/// # Errors
///
/// A snapshot cannot be read.
pub fn look(pool: &Pool, journal: &Journal, profile: &ProfileFile, path: &Path) -> Result<Found> {
    let mut found = Found::default();
    for tree in trees(pool, journal, &profile.id)? {
        let Some(meta) = Root::open(&tree.root)?.lstat(path)? else {
            continue;
        };
        if meta.kind == Kind::File && meta.nlink > 1 {
            found.linked.push(tree.name.clone());
        }
        found.copies.push(tree.name);
    }
    Ok(found)
}

/// Forgets a path. When this returns no snapshot of the profile holds it, on disk.
///
/// # Errors
///
/// Another command holds the pool, or an earlier change waits for `recover`; nothing was changed then. After an effect
/// failed in the middle `recover` finishes it.
pub fn forget(
    pool: &Pool,
    id: &ProfileId,
    path: &Path,
    actor: &Actor,
    now: Time,
) -> Result<TransactionNumber> {
    let lock = pool.lock()?;
    let profile = profile::read(pool, id)?;
    let journal = pool.journal()?;
    recover::before_change(pool, &journal, &lock, id, now)?;
    let row = new_row(&profile, TransactionKind::Forget, actor, now);
    let number = reserve::with_reserve(pool, || Ok(journal.begin(&row)?))?;
    let intent = Intent::Forget {
        profile: *id,
        path: PathText::from(path),
    };
    // Durable before the first snapshot is opened: an open one is sealed again by `recover`.
    let operation = operation::record(&journal, &intent, Some(number), now)?;
    finish(pool, &journal, operation, number, (id, path), now)
        .map_err(|error| operation::interrupted(number, error))?;
    Ok(number)
}

/// Goes through all snapshots, and ends the transaction; idempotent.
///
/// # Errors
///
/// An effect failed; the intent stays recorded.
pub(crate) fn finish(
    pool: &Pool,
    journal: &Journal,
    operation: OperationId,
    number: TransactionNumber,
    (id, path): (&ProfileId, &Path),
    now: Time,
) -> Result<()> {
    for tree in trees(pool, journal, id)? {
        reserve::with_reserve(pool, || take_out(&tree, path))?;
    }
    // All of it is gone on disk before the journal says so.
    pool.commit()?;
    journal.batch(Durability::Durable, |journal| {
        let done = Finish {
            outcome: Outcome::Done,
            ended: Some(now),
            problem: None,
        };
        journal.finish(number, &done)?;
        journal.complete(operation)
    })?;
    Ok(())
}

/// Removes the path from one tree, and leaves the tree sealed when it was, or should be.
fn take_out(tree: &Tree, path: &Path) -> Result<()> {
    let root = Root::open(&tree.root)?;
    if root.lstat(path)?.is_some() {
        if btrfs::is_read_only(&tree.subvolume)? {
            btrfs::set_read_only(&tree.subvolume, false)?;
        }
        if root.remove(path)? == Removed::NotEmpty {
            root.remove_tree(path)?;
        }
    }
    if tree.sealed && !btrfs::is_read_only(&tree.subvolume)? {
        btrfs::set_read_only(&tree.subvolume, true)?;
    }
    Ok(())
}

/// All trees of the past of a profile: its snapshots, and the states that resets replaced.
fn trees(pool: &Pool, journal: &Journal, id: &ProfileId) -> Result<Vec<Tree>> {
    let snapshots = pool.layout().snapshots(id);
    let names = match file::exists(&snapshots)? {
        true => file::list(&snapshots)?,
        false => Vec::new(),
    };
    let mut trees = Vec::new();
    for name in names {
        let subvolume = snapshots.join(&name);
        // What is no snapshot of a profile is nobody's secret, and not ours to write in.
        if btrfs::is_subvolume(&subvolume)? && file::exists(&subvolume.join(UPPER))? {
            trees.push(Tree {
                name: shown(&name),
                root: subvolume.join(UPPER),
                subvolume,
                sealed: true,
            });
        }
    }
    let filter = Filter {
        profile: Some(*id),
        ..Filter::default()
    };
    for row in journal.transactions(&filter)? {
        let subvolume = replacement::trashed_state(pool.layout(), row.number);
        if row.kind == TransactionKind::Reset && file::exists(&subvolume)? {
            trees.push(Tree {
                name: format!("{}-state", row.number),
                root: subvolume.clone(),
                subvolume,
                sealed: false,
            });
        }
    }
    Ok(trees)
}

fn shown(name: &OsStr) -> String {
    name.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_path_without_tricks_is_taken() {
        let of = |path: &str| relative(Path::new(path)).ok();
        assert_eq!(of("/etc/secret"), Some(PathBuf::from("etc/secret")));
        assert_eq!(of("//etc/./secret/"), Some(PathBuf::from("etc/secret")));
        for path in ["etc/secret", "/", "", "/etc/../x", ".."] {
            assert_eq!(of(path), None, "{path}");
        }
    }
}
