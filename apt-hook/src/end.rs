//! After a change: the snapshot, what happened, how it went.

use profile_store::Error;
use profile_store::transaction::{self, Finished, covered};

use crate::hook::Work;
use crate::policy::Verdict;
use crate::say;

/// Ends the transaction, or the commit of a run.
///
/// # Errors
///
/// It could not be recorded; the next hook or command does it.
pub fn end(work: &Work<'_>) -> Result<Verdict, Error> {
    let hook = work.hook;
    let finished = transaction::finish(
        work.world,
        &work.journal,
        work.lock.as_ref(),
        work.caller,
        hook.kind(),
        hook.now,
        work.early.take(),
    )?;
    // A run that goes on marks itself again with its next commit.
    let _ = covered::unmark(&work.caller.owner);
    Ok(match finished {
        Finished::NothingToDo
        | Finished::Dropped(_)
        | Finished::Ended(..)
        | Finished::GoesOn(_) => Verdict::Fine,
        Finished::WithoutPost(number, error) => {
            say::warn(
                &format!(
                    "transaction {number} has no snapshot afterwards: {}",
                    say::whole(&error)
                ),
                &say::help(&error),
            );
            Verdict::Failed
        }
    })
}
