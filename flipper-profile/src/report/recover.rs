//! The report of `recover`.

use profile_store::Exit;
use serde::Serialize;

use super::Human;
use super::retention::Pruned;
use crate::failure::Failure;
use crate::output::{Style, escape, units};

/// One thing that was done.
#[derive(Debug, Clone, Serialize)]
pub struct Action {
    /// "finished", "taken back", "recorded as interrupted", "noticed", "collected", "deleted".
    pub done: &'static str,
    /// With what, in words.
    pub what: String,
    /// The transaction, where it is one by itself.
    pub transaction: Option<i64>,
}

impl Action {
    /// A change of ours.
    pub fn of_change(done: &'static str, what: String) -> Self {
        Self {
            done,
            what,
            transaction: None,
        }
    }

    /// A transaction of a package manager.
    pub fn of_transaction(done: &'static str, number: i64) -> Self {
        Self {
            done,
            what: format!("transaction {number}"),
            transaction: Some(number),
        }
    }
}

/// `recover`.
#[derive(Debug, Serialize)]
pub struct Recovered {
    /// What was done; nothing when nothing was interrupted.
    pub actions: Vec<Action>,
    /// What cannot be recovered now, with the reason.
    pub left: Vec<String>,
    /// Transactions whose snapshots went by the policies of their profile.
    pub pruned: Vec<Pruned>,
}

impl Human for Recovered {
    fn human(&self, _style: &Style) -> String {
        if self.actions.is_empty() && self.left.is_empty() {
            return "Nothing was interrupted.\n".into();
        }
        let mut text = String::new();
        for action in &self.actions {
            text.push_str(&format!(
                "{}: {}\n",
                action.done,
                escape::text(&action.what)
            ));
        }
        for what in &self.left {
            text.push_str(&format!(
                "cannot be recovered now: {}\n",
                escape::text(what)
            ));
        }
        text
    }

    fn only_confirms(&self) -> bool {
        self.actions.is_empty() && self.left.is_empty()
    }

    fn finding(&self) -> Option<Failure> {
        let number = self.left.len() as u64;
        (number > 0).then(|| {
            let message = format!(
                "{} cannot be recovered now",
                units::count(number, "change", "changes")
            );
            Failure::new(Exit::Damaged, "not-recovered", message)
                .state("what could be recovered is; the rest is as it was")
                .hint("remove the cause and run `flipper-profile recover` again")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn each_action_is_one_line() {
        assert_eq!(
            samples::recovered().human(&Style::plain()),
            "finished: replace of profile k3j2h1g0 (transaction 12)\nrecorded as interrupted: transaction 13\n"
        );
        assert_eq!(samples::recovered().finding(), None);
    }

    #[test]
    fn nothing_to_do_is_said_unless_quiet() {
        let nothing = Recovered {
            actions: Vec::new(),
            left: Vec::new(),
            pruned: Vec::new(),
        };
        assert_eq!(nothing.human(&Style::plain()), "Nothing was interrupted.\n");
        assert!(nothing.only_confirms());
    }

    #[test]
    fn what_is_left_exits_with_4() {
        let left = Recovered {
            left: vec!["profile k3j2h1g0: it is mounted".into()],
            ..samples::recovered()
        };
        assert_eq!(left.finding().map(|failure| failure.code), Some(4));
        assert!(
            left.human(&Style::plain())
                .ends_with("cannot be recovered now: profile k3j2h1g0: it is mounted\n")
        );
    }
}
