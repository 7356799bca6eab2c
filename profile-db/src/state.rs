//! The states of a transaction, and which event leads where.

use crate::model::words::closed_words;

closed_words!(
    /// The state of a transaction.
    State, "state of a transaction", {
        /// Begun and not finished.
        Open = "open",
        /// Finished well.
        Done = "done",
        /// Finished badly; packages may be half-configured.
        Failed = "failed",
        /// Its process is gone and it was never finished.
        Interrupted = "interrupted",
        /// Unprotected: there is no snapshot of before, and a reason why.
        Skipped = "skipped",
        /// Taken back by another transaction.
        Undone = "undone",
    }
);

closed_words!(
    /// What happens to a transaction.
    Event, "event", {
        /// It finished well.
        Succeed = "succeed",
        /// It finished badly.
        Fail = "fail",
        /// Its process is gone without a word.
        Interrupt = "interrupt",
        /// It goes on without protection.
        Skip = "skip",
        /// Another transaction took it back.
        Undo = "be undone",
        /// That transaction was itself taken back.
        Restore = "be done again",
    }
);

/// An event that cannot happen in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a transaction that is {from} cannot {event}")]
pub struct WrongTransition {
    /// The state it is in.
    pub from: State,
    /// The event.
    pub event: Event,
}

/// The state after an event.
///
/// - An event that says again what the state says is accepted: recovery runs
///   as often as it likes.
/// - An interrupted transaction can still succeed or fail: the word of its
///   process, when it comes late, counts more than the guess that it is dead.
/// - A skipped transaction stays skipped however it ends, since what counts is
///   that it cannot be undone.
/// - An undone one goes back by [`restored`], to the state it had before;
///   [`Event::Restore`] alone does not know which that is, and leads nowhere.
pub const fn transition(from: State, event: Event) -> Result<State, WrongTransition> {
    use Event::{Fail, Interrupt, Restore, Skip, Succeed, Undo};
    use State::{Done, Failed, Interrupted, Open, Skipped, Undone};
    match (from, event) {
        (Open | Done | Interrupted, Succeed) => Ok(Done),
        (Open | Failed | Interrupted, Fail) => Ok(Failed),
        (Open | Interrupted, Interrupt) => Ok(Interrupted),
        (Open | Skipped, Skip) => Ok(Skipped),
        (Skipped, Succeed | Fail | Interrupt) => Ok(Skipped),
        (Done | Failed | Interrupted, Undo) => Ok(Undone),
        (Open | Skipped | Undone, Undo)
        | (Failed | Undone, Succeed)
        | (Done | Undone, Fail)
        | (Done | Failed | Undone, Interrupt)
        | (Done | Failed | Interrupted | Undone, Skip)
        | (_, Restore) => Err(WrongTransition { from, event }),
    }
}

/// The state to which an undone transaction returns when its undo is undone;
/// none when it was never in that state before it was undone.
pub const fn restored(before: State) -> Option<State> {
    match transition(before, Event::Undo) {
        Ok(_) => Some(before),
        Err(_) => None,
    }
}

/// Whether a transaction in this state can be undone.
pub const fn can_be_undone(state: State) -> bool {
    transition(state, Event::Undo).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole table: rows are states, columns are events in their order.
    #[test]
    fn every_cell_of_the_table() {
        use State::{Done, Failed, Interrupted, Open, Skipped, Undone};
        #[rustfmt::skip]
        let table: [(State, [Option<State>; 6]); 6] = [
            //            succeed        fail            interrupt          skip           undo          restore
            (Open,        [Some(Done),    Some(Failed),  Some(Interrupted), Some(Skipped), None, None]),
            (Done,        [Some(Done),    None,          None,              None,          Some(Undone), None]),
            (Failed,      [None,          Some(Failed),  None,              None,          Some(Undone), None]),
            (Interrupted, [Some(Done),    Some(Failed),  Some(Interrupted), None,          Some(Undone), None]),
            (Skipped,     [Some(Skipped), Some(Skipped), Some(Skipped),     Some(Skipped), None, None]),
            (Undone,      [None,          None,          None,              None,          None, None]),
        ];
        assert_eq!(table.len(), State::ALL.len());
        for (from, row) in table {
            for (event, expected) in Event::ALL.iter().zip(row) {
                let result = transition(from, *event);
                assert_eq!(result.ok(), expected, "{from} {event}");
                if let Err(error) = result {
                    assert_eq!(
                        error,
                        WrongTransition {
                            from,
                            event: *event
                        }
                    );
                }
            }
        }
    }

    #[test]
    fn only_what_can_be_undone_is_restored() {
        for state in State::ALL {
            assert_eq!(restored(*state).is_some(), can_be_undone(*state));
        }
    }

    #[test]
    fn the_message_names_both() {
        let error = transition(State::Skipped, Event::Undo).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a transaction that is skipped cannot be undone"
        );
    }

    #[test]
    fn words_round_trip() {
        for state in State::ALL {
            assert_eq!(state.as_str().parse(), Ok(*state));
        }
        assert!("Open".parse::<State>().is_err());
    }
}
