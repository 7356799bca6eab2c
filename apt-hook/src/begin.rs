//! Before a change: the row and the snapshot.

use std::path::Path;
use std::time::Duration;

use profile_store::Error;
use profile_store::retention::{self, Room};
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
    if work.hook.switched_off.is_none() {
        make_room(work);
    }
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

/// How long old snapshots are deleted at most before a change, apart from the last one that was begun.
const PATIENCE: Duration = Duration::from_secs(5);

/// Deletes old snapshots when space is short, and tells. Whatever comes of it, the change goes on: a full disk is
/// told by what fails next.
fn make_room(work: &Work<'_>) {
    // Another command is at work: it is the one that deletes, or the next change does.
    let Some(lock) = &work.lock else { return };
    let now = work.hook.now;
    match retention::before_change(
        work.world,
        &work.journal,
        lock,
        now,
        work.hook.share(PATIENCE),
    ) {
        Ok(None) => {}
        Ok(Some(room)) => say::note(&told(&room)),
        Err(error) => {
            let what = format!("old snapshots could not be deleted: {}", say::whole(&error));
            say::warn(&what, &say::help(&error));
        }
    }
}

/// What was deleted, in one sentence.
fn told(room: &Room) -> String {
    let numbers = room.victims.iter().map(|victim| victim.number.get());
    let (oldest, newest) = numbers.fold((i64::MAX, 0), |(low, high), n| (low.min(n), high.max(n)));
    let which = match room.victims.len() {
        1 => format!("transaction {oldest}"),
        many => format!("{many} transactions ({oldest} to {newest})"),
    };
    let mebibytes = |bytes: u64| bytes >> 20;
    let short = match room.space.is_short(room.wanted) {
        true => ", which is still short: `flipper-profile status` tells more",
        false => "",
    };
    format!(
        "space was short: the snapshots of {which} are deleted, their history stays; {} MiB are free{short}",
        mebibytes(room.space.available)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use profile_store::retention::{Space, Victim, Why};

    fn room(numbers: &[i64], available: u64) -> Room {
        let victim = |number: &i64| Victim {
            profile: "k3j2h1g0".parse().unwrap(),
            profile_name: "tv".into(),
            number: (*number).try_into().unwrap(),
            why: Why::Space,
            wanted: 100 << 20,
        };
        Room {
            victims: numbers.iter().map(victim).collect(),
            space: Space {
                total: 1 << 30,
                available,
                tight: false,
            },
            wanted: 100 << 20,
        }
    }

    #[test]
    fn what_went_and_what_is_free_is_told() {
        assert_eq!(
            told(&room(&[7], 200 << 20)),
            "space was short: the snapshots of transaction 7 are deleted, their history stays; 200 MiB are free"
        );
        assert_eq!(
            told(&room(&[9, 7, 8], 20 << 20)),
            "space was short: the snapshots of 3 transactions (7 to 9) are deleted, their history stays; \
             20 MiB are free, which is still short: `flipper-profile status` tells more"
        );
    }
}
