//! The report of `recover`.

use serde::Serialize;

use super::Human;
use crate::output::{Style, escape};

/// One interrupted change that was dealt with.
#[derive(Debug, Clone, Serialize)]
pub struct Action {
    /// What was done, one sentence.
    pub what: String,
    /// The transaction it belongs to.
    pub transaction: Option<i64>,
}

/// `recover`.
#[derive(Debug, Serialize)]
pub struct Recovered {
    /// What was done; nothing when nothing was interrupted.
    pub actions: Vec<Action>,
}

impl Human for Recovered {
    fn human(&self, _style: &Style) -> String {
        if self.actions.is_empty() {
            return "Nothing was interrupted.\n".into();
        }
        let mut text = String::new();
        for action in &self.actions {
            match action.transaction {
                Some(number) => text.push_str(&format!("transaction {number}: {}\n", escape::text(&action.what))),
                None => text.push_str(&format!("{}\n", escape::text(&action.what))),
            }
        }
        text
    }

    fn only_confirms(&self) -> bool {
        self.actions.is_empty()
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
            "transaction 12: finished the undo\nemptied the staging directory\n"
        );
        assert_eq!(Recovered { actions: Vec::new() }.human(&Style::plain()), "Nothing was interrupted.\n");
    }
}
