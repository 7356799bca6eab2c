//! The report of `blame`.

use serde::Serialize;

use super::Human;
use super::change::Change;
use super::transaction::{Package, Transaction};
use crate::output::encode::JsonPath;
use crate::output::table::facts;
use crate::output::{Style, escape, units};

/// Owners that people see without `-v`: a directory may belong to hundreds.
const OWNERS_SHOWN: usize = 5;

/// A package that the path belongs to now.
#[derive(Debug, Clone, Serialize)]
pub struct Owner {
    /// Its name.
    pub name: String,
    /// Its architecture, where dpkg tells several apart.
    pub architecture: Option<String>,
    /// Its version.
    pub version: Option<String>,
}

/// The newest transaction that is known to have changed the path.
#[derive(Debug, Clone, Serialize)]
pub struct Last {
    /// The transaction.
    pub transaction: Transaction,
    /// What it did to the path.
    pub change: Change,
    /// Those of its packages that the path belongs to.
    pub packages: Vec<Package>,
}

/// `blame`.
#[derive(Debug, Serialize)]
pub struct Blame {
    /// Absolute in the merged tree.
    #[serde(flatten)]
    pub path: JsonPath,
    /// What stands there now; `None` when nothing does.
    pub kind: Option<&'static str>,
    /// "transaction", "outside", "base", "origin", "state", "data", "nothing".
    pub source: &'static str,
    /// The packages that it belongs to now.
    pub owners: Vec<Owner>,
    /// The newest transaction that is known to have changed it.
    pub last: Option<Last>,
    /// Changed outside: the transaction after which it happened.
    pub after: Option<i64>,
    /// Changed outside: the transaction before which it happened.
    pub before: Option<i64>,
    /// Changed outside: transactions in between that were not protected, newest first.
    pub unprotected: Vec<i64>,
    /// The state path that covers it.
    pub state_path: Option<String>,
    /// Transactions of the profile that are going on.
    pub going_on: Vec<i64>,
    /// The base that the profile stands on.
    pub base: String,
    /// The exact name, for people.
    #[serde(skip)]
    pub name: Vec<u8>,
}

fn list(numbers: &[i64]) -> String {
    let words: Vec<String> = numbers.iter().map(i64::to_string).collect();
    match words.as_slice() {
        [one] => format!("transaction {one}"),
        _ => format!("the transactions {}", words.join(", ")),
    }
}

impl Blame {
    fn sentence(&self) -> String {
        let gone = self.kind.is_none();
        let state_path = escape::text(self.state_path.as_deref().unwrap_or(""));
        match (self.source, &self.last) {
            ("transaction", Some(last)) => format!(
                "{} by transaction {}: {}",
                if gone { "removed" } else { "last changed" },
                last.transaction.number,
                escape::text(&last.transaction.command)
            ),
            ("outside", _) => self.outside(),
            ("base", _) => format!("as the base {} has it", escape::text(&self.base)),
            ("origin", _) if gone => "gone already when the profile was made".into(),
            ("origin", _) => "as it was when the profile was made".into(),
            ("state", _) => {
                format!("state of the profile (below {state_path}): no transaction covers it")
            }
            ("data", _) => {
                format!("shared by all profiles (below {state_path}): no transaction covers it")
            }
            _ => "nothing stands there, and no transaction that is known changed it".into(),
        }
    }

    fn outside(&self) -> String {
        let verb = match self.kind {
            None => "removed",
            Some(_) => "changed",
        };
        let when = match (self.after, self.before) {
            (Some(after), Some(before)) => {
                format!(", after transaction {after} and before transaction {before}")
            }
            (Some(after), None) => format!(", after transaction {after}"),
            (None, Some(before)) => format!(", before transaction {before}"),
            (None, None) => ", since the profile was made".into(),
        };
        let perhaps = match self.unprotected.as_slice() {
            [] => String::new(),
            some => format!("; perhaps by {}, without protection", list(some)),
        };
        format!("{verb} outside of transactions{when}{perhaps}")
    }

    fn owners(&self, style: &Style) -> String {
        let shown = if style.verbose {
            self.owners.len()
        } else {
            OWNERS_SHOWN
        };
        let mut words: Vec<String> = self
            .owners
            .iter()
            .take(shown)
            .map(|owner| match &owner.version {
                Some(version) => escape::text(&format!("{} {version}", owner.name)),
                None => escape::text(&owner.name),
            })
            .collect();
        if self.owners.len() > shown {
            words.push(format!("{} more", self.owners.len() - shown));
        }
        words.join(", ")
    }
}

impl Human for Blame {
    fn human(&self, style: &Style) -> String {
        let kind = self
            .kind
            .map(|kind| format!(" ({kind})"))
            .unwrap_or_default();
        let mut text = format!("{}{kind}: {}\n", escape::bytes(&self.name), self.sentence());
        let mut told = vec![("belongs to", self.owners(style))];
        if let Some(last) = &self.last {
            let row = &last.transaction;
            if self.source != "transaction" {
                let command = escape::text(&row.command);
                told.push((
                    "before that",
                    format!(
                        "{} by transaction {}: {command}",
                        last.change.change, row.number
                    ),
                ));
            }
            let who = row.user.as_deref().unwrap_or("unknown");
            let packages: Vec<String> = last.packages.iter().map(Package::line).collect();
            told.extend([
                ("how", last.change.change.to_owned()),
                (
                    "why",
                    escape::text(
                        last.change
                            .attribution
                            .as_deref()
                            .unwrap_or("changed meanwhile"),
                    ),
                ),
                ("package", packages.join("; ")),
                ("user", escape::text(who)),
                ("when", format!("{} UTC", units::time(&row.started))),
                ("state", row.state.clone()),
            ]);
        }
        if !self.going_on.is_empty() {
            told.push(("going on", list(&self.going_on)));
        }
        text.push_str(&facts(&told));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn the_transaction_its_package_and_its_user_are_told() {
        let expected = "\
/etc/nginx/nginx.conf (file): last changed by transaction 12: apt install nginx
belongs to  nginx 1.26.3-3
how         added
why         shipped by nginx
package     install    nginx:amd64 1.26.3-3
user        alice
when        2026-11-21 09:03:01 UTC
state       done
";
        assert_eq!(samples::blame().human(&Style::plain()), expected);
    }

    #[test]
    fn a_change_outside_says_between_what() {
        let mut blame = samples::blame();
        (blame.source, blame.after, blame.before) = ("outside", Some(12), None);
        blame.unprotected = vec![14, 13];
        let text = blame.human(&Style::plain());
        assert!(
            text.starts_with(
                "/etc/nginx/nginx.conf (file): changed outside of transactions, after transaction 12; perhaps by the transactions 14, 13, without protection\n"
            ),
            "{text}"
        );
        assert!(
            text.contains("before that  added by transaction 12: apt install nginx\n"),
            "{text}"
        );
    }

    #[test]
    fn each_source_has_its_sentence() {
        let sentence = |source, kind| {
            let mut blame = samples::blame();
            (blame.source, blame.kind, blame.last) = (source, kind, None);
            blame.state_path = Some("/var/log".into());
            blame.sentence()
        };
        assert_eq!(sentence("base", Some("file")), "as the base 13.2 has it");
        assert_eq!(
            sentence("origin", Some("file")),
            "as it was when the profile was made"
        );
        assert_eq!(
            sentence("state", Some("file")),
            "state of the profile (below /var/log): no transaction covers it"
        );
        assert_eq!(
            sentence("nothing", None),
            "nothing stands there, and no transaction that is known changed it"
        );
        assert_eq!(
            sentence("outside", None),
            "removed outside of transactions, since the profile was made"
        );
    }
}
