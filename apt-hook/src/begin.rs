//! Before a change: the row and the snapshot.

use std::path::Path;

use profile_store::Error;
use profile_store::transaction::{self, Request, Started, materialise};

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
        required: work.hook.stops(),
    };
    finish_preparations(work)?;
    let started = transaction::begin(&work.world, &work.journal, work.lock.as_ref(), &request)?;
    Ok(match started {
        Started::Begun(_) | Started::Joined(_) | Started::SwitchedOff(_) => Verdict::Fine,
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

/// Finishes what an earlier hook prepared and a power cut left half-way: this hook is where the
/// merged tree is mounted. Not while another command is at work, which may be doing it.
fn finish_preparations(work: &Work<'_>) -> Result<(), Error> {
    if work.lock.is_none() {
        return Ok(());
    }
    for pending in materialise::pending(&work.world, &work.journal)? {
        materialise::finish(&work.journal, &pending, Path::new("/"))?;
    }
    Ok(())
}
