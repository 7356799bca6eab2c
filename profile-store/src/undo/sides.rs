//! The two snapshots of a transaction, and what changed between them.

use std::path::PathBuf;

use conffile_diff::attribution::Verdict;
use profile_db::journal::{Journal, Transaction, TransactionKind};
use profile_sys::file;

use super::facts;
use crate::delta::{self, Delta};
use crate::error::{Error, Result};
use crate::pool::Pool;
use crate::profile;
use crate::state_paths;
use crate::view::View;

/// The snapshots before and after one transaction.
#[derive(Debug)]
pub struct Sides {
    /// Before.
    pub pre: PathBuf,
    /// After.
    pub post: PathBuf,
    /// The base that both stand on.
    pub base: PathBuf,
}

/// What a transaction changed, with the verdict of attribution for each change.
#[derive(Debug)]
pub struct Made {
    /// The changes.
    pub delta: Delta,
    /// One verdict for each change, in their order.
    pub verdicts: Vec<Verdict>,
}

/// Finds the snapshots of a transaction.
///
/// # Errors
///
/// The transaction has none (it was unprotected, or a profile was made by it), one of them is gone,
/// or the base they stand on is.
pub fn sides(pool: &Pool, transaction: &Transaction, participle: &'static str) -> Result<Sides> {
    let not_undoable = |detail: &str| Error::NotUndoable {
        number: transaction.number,
        participle,
        detail: detail.to_owned(),
    };
    let names = [&transaction.pre, &transaction.post].map(|name| {
        name.as_ref()
            .map(|name| pool.layout().snapshots(&transaction.profile).join(name))
    });
    let [Some(pre), Some(post)] = names else {
        return Err(not_undoable(match &transaction.unprotected_reason {
            Some(_) => "it was not protected: there is no snapshot from before",
            None => "it left no snapshots",
        }));
    };
    for path in [&pre, &post] {
        if !file::exists(path)? {
            return Err(Error::SnapshotMissing { path: path.clone() });
        }
    }
    let (before, after) = (profile::read_file(&pre)?, profile::read_file(&post)?);
    if before.base != after.base {
        return Err(not_undoable("it moved the profile to another base"));
    }
    let (base, _) = profile::base_for(pool, &before)?;
    Ok(Sides { pre, post, base })
}

/// What the transaction changed and which of it the packages did.
///
/// The state paths of the profile as it is now are left out.
///
/// # Errors
///
/// The snapshots cannot be compared or dpkg's databases in them not be read.
pub fn made(
    pool: &Pool,
    journal: &Journal,
    transaction: &Transaction,
    sides: &Sides,
) -> Result<Made> {
    let state = state_paths::of(&profile::read_file(&sides.post)?);
    let delta = delta::between(
        pool,
        (&sides.pre, &sides.base),
        (&sides.post, &sides.base),
        &state,
    )?;
    let verdicts = match transaction.kind {
        TransactionKind::Apt | TransactionKind::Dpkg if !delta.changes.is_empty() => {
            let old = View::read_only(pool, &sides.pre, &sides.base)?;
            let new = View::read_only(pool, &sides.post, &sides.base)?;
            let packages = journal.packages(transaction.number)?;
            let verdicts = facts::judge(&packages, old.path(), new.path(), &delta)?;
            old.close()?;
            new.close()?;
            verdicts
        }
        // Our own changes hold the pool's lock and dpkg's from the first path to the last: whatever
        // differs is theirs.
        _ => vec![
            Verdict::Attributed(conffile_diff::attribution::Reason::HoldsOnlyAttributed);
            delta.changes.len()
        ],
    };
    Ok(Made { delta, verdicts })
}
