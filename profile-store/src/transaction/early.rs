//! The snapshot after a change, begun before the journal is asked.
//!
//! The kernel needs several milliseconds for a snapshot, and the last hook about one to find its row.
//! What the first hook left in [`covered`] lets it do both at once. It is a guess, and checked: the
//! snapshot counts only when the row turns out to be the one it was made for, else it is deleted.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use profile_db::model::{SnapshotName, TransactionNumber};

use super::caller::Caller;
use super::front_end::Grouping;
use super::{World, covered, snapshots};
use crate::error::Result;

/// A snapshot that is being made.
#[derive(Debug)]
pub struct Early {
    number: TransactionNumber,
    taken: Receiver<Result<SnapshotName>>,
}

/// The side that makes it.
#[derive(Debug)]
pub struct Making {
    number: TransactionNumber,
    done: Sender<Result<SnapshotName>>,
}

/// Whether the snapshot after the commit of a front end can be begun at once, and for which transaction;
/// [`Making::make`] then belongs on a thread of its own.
///
/// Not for a run: its post snapshot replaces an earlier one, in an order that the journal must know.
pub fn guess(world: &World<'_>, caller: &Caller) -> Option<(Early, Making)> {
    if caller.grouping == Grouping::Run {
        return None;
    }
    // Whatever is wrong with the guess, the journal tells what is right.
    let number = covered::begun(&caller.owner).ok()??;
    let begun = snapshots::pre(world, number).ok()?.is_some();
    let ended = snapshots::post(world, number).ok()?.is_some();
    if !begun || ended {
        return None;
    }
    let (done, taken) = channel();
    Some((Early { number, taken }, Making { number, done }))
}

impl Making {
    /// Makes it.
    pub fn make(self, world: &World<'_>) {
        // Nobody waits any more when the hook failed before: then the row is closed later, and with a
        // snapshot made anew.
        let _ = self.done.send(snapshots::take_post(world, self.number));
    }
}

impl Early {
    /// The transaction it is made for.
    pub fn number(&self) -> TransactionNumber {
        self.number
    }

    /// Waits for a time until it is there; `None` when it is not yet.
    ///
    /// # Errors
    ///
    /// In the answer: it cannot be made.
    pub fn wait_for(&self, limit: Duration) -> Option<Result<SnapshotName>> {
        self.taken.recv_timeout(limit).ok()
    }

    /// Waits until it is there.
    ///
    /// # Errors
    ///
    /// It cannot be made.
    pub fn wait(self, world: &World<'_>) -> Result<SnapshotName> {
        match self.taken.recv() {
            Ok(outcome) => outcome,
            // The other side is gone without an answer: nobody is making it.
            Err(_) => snapshots::take_post(world, self.number),
        }
    }

    /// Deletes it: it was made for nothing.
    ///
    /// # Errors
    ///
    /// It is there and cannot be deleted.
    pub fn discard(self, world: &World<'_>) -> Result<()> {
        match self.taken.recv() {
            Ok(Ok(name)) => snapshots::delete(&world.snapshot(name)),
            Ok(Err(_)) | Err(_) => Ok(()),
        }
    }
}
