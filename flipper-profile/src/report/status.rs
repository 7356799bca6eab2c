//! The report of `status`.

use serde::Serialize;

use super::Human;
use super::transaction::Transaction;
use crate::output::table::facts;
use crate::output::{Style, escape, units};

/// `status`.
#[derive(Debug, Serialize)]
pub struct Status {
    /// Id of the profile.
    pub profile: String,
    /// Its name.
    pub profile_name: String,
    /// Version of its base.
    pub base: String,
    /// Whether the command runs in it: "entered", "booted".
    pub mode: Option<String>,
    /// Who has it mounted.
    pub in_use: Option<String>,
    /// The newest transaction.
    pub last: Option<Transaction>,
    /// Transactions that are under way.
    pub open: Vec<Transaction>,
    /// Transactions without protection that nobody acknowledged.
    pub unprotected: Vec<Transaction>,
    /// Interrupted transactions that nobody acknowledged.
    pub interrupted: Vec<Transaction>,
    /// Failed transactions that nobody acknowledged.
    pub failed: Vec<Transaction>,
    /// Interrupted changes of the pool that `recover` will deal with.
    pub pending: Vec<String>,
    /// Bytes of the pool.
    pub size: u64,
    /// Bytes that can still be written at least.
    pub free: u64,
}

impl Human for Status {
    fn human(&self, style: &Style) -> String {
        let mut text = facts(&[
            (
                "profile",
                format!("{} ({})", escape::text(&self.profile_name), self.profile),
            ),
            ("base", escape::text(&self.base)),
            ("mode", self.mode.clone().unwrap_or_default()),
            (
                "in use",
                escape::text(self.in_use.as_deref().unwrap_or("no")),
            ),
            (
                "last",
                self.last
                    .as_ref()
                    .map(Transaction::line)
                    .unwrap_or_default(),
            ),
            (
                "disk",
                format!(
                    "{} of {} free",
                    units::size(self.free),
                    units::size(self.size)
                ),
            ),
        ]);
        let mut unacknowledged = false;
        for (title, colour, list) in [
            ("under way", "33", &self.open),
            ("not protected", "31", &self.unprotected),
            ("interrupted", "31", &self.interrupted),
            ("failed", "31", &self.failed),
        ] {
            for transaction in list {
                text.push_str(&format!(
                    "{}: {}\n",
                    style.paint(colour, title),
                    transaction.line()
                ));
                let why = transaction.reason.as_ref().or(transaction.problem.as_ref());
                if let Some(why) = why {
                    text.push_str(&format!("  {}\n", escape::text(why)));
                }
                unacknowledged |= title != "under way";
            }
        }
        if unacknowledged {
            text.push_str("  `flipper-profile acknowledge` ends these messages\n");
        }
        for what in &self.pending {
            text.push_str(&format!(
                "{}: {}\n",
                style.paint("31", "needs recover"),
                escape::text(what)
            ));
        }
        if !self.pending.is_empty() {
            text.push_str("  run `flipper-profile recover`\n");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn a_quiet_profile_is_quiet() {
        let expected = "\
profile  tv (k3j2h1g0)
base     13.2
mode     entered
in use   it is entered
last     12  done  apt install nginx
disk     6.5 GiB of 8.0 GiB free
";
        assert_eq!(samples::quiet_status().human(&Style::plain()), expected);
    }

    #[test]
    fn what_needs_attention_is_told_with_the_command_that_helps() {
        let text = samples::status().human(&Style::plain());
        let expected = "\
not protected: 13  failed  dpkg -i bad.deb
  the journal was locked
  `flipper-profile acknowledge` ends these messages
needs recover: undo of transaction 9 was interrupted
  run `flipper-profile recover`
";
        assert!(text.ends_with(expected), "{text}");
    }
}
