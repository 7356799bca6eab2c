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
        if let Some(gone) = transaction.files_gone {
            return Err(not_undoable(&format!(
                "its snapshots were deleted by retention on {gone}, the files are gone; \
                 `flipper-profile show {}` still tells what it changed",
                transaction.number
            )));
        }
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
/// The state paths of the profile as it was afterwards are left out.
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
    let (pre, post) = ((&*sides.pre, &*sides.base), (&*sides.post, &*sides.base));
    let compared = delta::compared(pool, pre, post, &state)?;
    let Some((old, new)) = compared.trees() else {
        return Ok(Made {
            delta: Delta::default(),
            verdicts: Vec::new(),
        });
    };
    let delta = &compared.delta;
    let verdicts = match transaction.kind {
        TransactionKind::Apt | TransactionKind::Dpkg => {
            let packages = journal.packages(transaction.number)?;
            facts::judge(&packages, old, new, delta)?
        }
        // Our own changes hold the pool's lock and dpkg's from the first path to the last: whatever
        // differs is theirs.
        _ => vec![
            Verdict::Attributed(conffile_diff::attribution::Reason::HoldsOnlyAttributed);
            delta.changes.len()
        ],
    };
    Ok(Made {
        delta: compared.close()?,
        verdicts,
    })
}
