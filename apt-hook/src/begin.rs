//! Before a change: the row and the snapshot.

use std::path::Path;

use profile_store::Error;
use profile_store::transaction::{self, Request, Started};

use crate::hook::Work;
use crate::policy::Verdict;
use crate::say;

/// Begins the transaction.
///
/// # Errors
///
/// Nothing could be recorded.
pub fn begin(work: &Work<'_>) -> Result<Verdict, Error> {
    let request = Request {
        caller: work.caller,
        kind: work.hook.kind(),
        now: work.hook.now,
        switched_off: work.hook.switched_off.as_deref(),
        // This hook runs where the merged tree is mounted.
        merged: Path::new("/"),
        required: work.hook.stops(),
    };
    let started = transaction::begin(work.world, &work.journal, work.lock.as_ref(), &request)?;
    Ok(match started {
        Started::Begun(_) | Started::SwitchedOff(_) => Verdict::Fine,
        Started::Joined { noticed, .. } => {
            for what in noticed {
                say::warn(&what, "run `flipper-profile recover`");
            }
            Verdict::Fine
        }
        Started::Unprotected(number, error) => {
            let what = format!(
                "transaction {number} is not protected and cannot be undone: {}",
                say::whole(&error)
            );
            say::warn(&what, &say::help(&error));
            Verdict::Failed
        }
    })
}
