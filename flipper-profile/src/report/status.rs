//! The report of `status`.

use profile_db::WaitingUndo;
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
    /// The undo that waits for the next start of the profile, or did and was dropped.
    pub waiting: Option<Waiting>,
    /// Bytes of the pool.
    pub size: u64,
    /// Bytes that can still be written at least.
    pub free: u64,
    /// Whether that is enough.
    pub space: Space,
}

/// An undo that waits for the next start of the profile.
#[derive(Debug, Clone, Serialize)]
pub struct Waiting {
    /// The transactions that it takes back, newest first.
    pub transactions: Vec<i64>,
    /// The command line that asked for it.
    pub command: String,
    /// When.
    pub asked: String,
    /// Why it was not carried out and waits no longer.
    pub dropped: Option<String>,
}

impl From<WaitingUndo> for Waiting {
    fn from(waiting: WaitingUndo) -> Self {
        let numbers = waiting.transactions.iter();
        Self {
            transactions: numbers.map(|number| number.get()).collect(),
            command: waiting.command,
            asked: waiting.asked.to_string(),
            dropped: waiting.dropped,
        }
    }
}

impl Waiting {
    fn lines(&self, style: &Style) -> String {
        let command = escape::text(&self.command);
        match &self.dropped {
            None => format!(
                "{}: {command}\n  `flipper-profile undo --withdraw` takes that back\n",
                style.paint("33", "waits for the next start")
            ),
            Some(why) => format!(
                "{}: {command}\n  {}\n  `flipper-profile acknowledge` ends this message\n",
                style.paint("31", "not carried out"),
                escape::text(why)
            ),
        }
    }
}

/// Whether enough of the pool is free.
#[derive(Debug, Clone, Serialize)]
pub struct Space {
    /// Bytes that the `keep-free` settings want to stay free.
    pub to_stay_free: u64,
    /// Whether less is, or there is no room for metadata.
    pub short: bool,
    /// Transactions whose snapshots `pool gc` would delete by the settings of their profiles now.
    pub old_snapshots: u64,
}

impl Space {
    /// What is told when space is short: what should be free, and what helps.
    fn lines(&self, style: &Style) -> String {
        if !self.short {
            return String::new();
        }
        let help = match self.old_snapshots {
            0 => "no snapshot may go by its profile's settings: `flipper-profile pool gc` collects what was deleted, \
                  `delete` and `base remove` make more of that, and `set NAME keep-newest=N` lets older snapshots go"
                .to_owned(),
            some => format!(
                "{} may go: `flipper-profile pool gc` deletes the oldest until it is",
                units::count(some, "old transaction's snapshots", "old transactions' snapshots")
            ),
        };
        format!(
            "{}: {} are to stay free\n  {help}\n",
            style.paint("31", "space is short"),
            units::size(self.to_stay_free)
        )
    }
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
        text.push_str(&self.space.lines(style));
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
        if let Some(waiting) = &self.waiting {
            text.push_str(&waiting.lines(style));
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
    fn short_space_is_told_with_what_helps() {
        let mut status = samples::quiet_status();
        status.space.short = true;
        status.space.old_snapshots = 3;
        let expected = "\
space is short: 819.2 MiB are to stay free
  3 old transactions' snapshots may go: `flipper-profile pool gc` deletes the oldest until it is
";
        let text = status.human(&Style::plain());
        assert!(text.ends_with(expected), "{text}");
        status.space.old_snapshots = 0;
        let text = status.human(&Style::plain());
        assert!(
            text.contains("`set NAME keep-newest=N` lets older snapshots go\n"),
            "{text}"
        );
    }

    #[test]
    fn what_needs_attention_is_told_with_the_command_that_helps() {
        let text = samples::status().human(&Style::plain());
        let expected = "\
not protected: 13  failed  dpkg -i bad.deb
  the journal was locked
  `flipper-profile acknowledge` ends these messages
waits for the next start: flipper-profile undo 8 --next-start
  `flipper-profile undo --withdraw` takes that back
needs recover: undo of transaction 9 was interrupted
  run `flipper-profile recover`
";
        assert!(text.ends_with(expected), "{text}");
        let mut dropped = samples::status();
        if let Some(waiting) = &mut dropped.waiting {
            waiting.dropped = Some("/etc/x: changed again since".into());
        }
        let text = dropped.human(&Style::plain());
        let expected = "\
not carried out: flipper-profile undo 8 --next-start
  /etc/x: changed again since
  `flipper-profile acknowledge` ends this message
";
        assert!(text.contains(expected), "{text}");
    }
}
