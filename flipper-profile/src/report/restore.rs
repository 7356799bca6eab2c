//! The report of `restore`.

use serde::Serialize;

use super::Human;
use super::undo::{Item, NOT_LIVE, Services, in_use, list};
use crate::failure::Failure;
use crate::output::encode::JsonPath;
use crate::output::{Style, escape, units};

/// `restore`.
#[derive(Debug, Serialize)]
pub struct Restored {
    /// Number of the restore itself; `None` when nothing was done.
    pub transaction: Option<i64>,
    /// Absolute in the merged tree.
    #[serde(flatten)]
    pub path: JsonPath,
    /// The transaction whose snapshot it comes from.
    pub from: i64,
    /// Name of that snapshot.
    pub snapshot: String,
    /// "staged" or "live".
    pub mode: &'static str,
    /// Whether it was only looked.
    pub check: bool,
    /// Whether it is as it was there already.
    pub nothing: bool,
    /// How many paths come back that are not there now.
    pub brought: u64,
    /// What is there and is replaced.
    pub replaced: Vec<Item>,
    /// What came since and is removed.
    pub removed: Vec<Item>,
    /// Directories that should have gone but hold something.
    pub kept: Vec<Item>,
    /// What programs that run in the profile need as it is; it stands in the way without `--live`.
    pub not_live: Vec<Item>,
    /// The services that are concerned.
    pub services: Services,
    /// What should be known besides.
    pub notes: Vec<String>,
    /// The exact name, for people.
    #[serde(skip)]
    pub name: Vec<u8>,
}

impl Human for Restored {
    fn human(&self, style: &Style) -> String {
        let name = escape::bytes(&self.name);
        let snapshot = escape::text(&self.snapshot);
        if self.nothing {
            return format!("{name} is as it was in {snapshot}: nothing was changed.\n");
        }
        let mut text = String::new();
        if !self.not_live.is_empty() {
            // The error says the rest.
            list(&mut text, NOT_LIVE, &self.not_live, style);
            return text;
        }
        let paths = self.brought + (self.replaced.len() + self.removed.len()) as u64;
        let paths = units::count(paths, "path", "paths");
        text += &match self.transaction {
            Some(number) => {
                format!("Restored {name} from {snapshot}: {paths}; this is transaction {number}.\n")
            }
            None => format!("Would restore {name} from {snapshot}: {paths}.\n"),
        };
        let (replaced, removed) = match self.transaction {
            Some(number) => (
                format!("replaced, and kept in {number}-pre"),
                format!("removed, and kept in {number}-pre"),
            ),
            None => ("would be replaced".into(), "would be removed".into()),
        };
        list(&mut text, &replaced, &self.replaced, style);
        list(&mut text, &removed, &self.removed, style);
        list(&mut text, "stays", &self.kept, style);
        self.services.tell(&mut text, self.transaction.is_none());
        for note in &self.notes {
            text.push_str(&format!("{}\n", escape::text(note)));
        }
        text
    }

    fn finding(&self) -> Option<Failure> {
        let what = format!("restore {}", escape::bytes(&self.name));
        let helps = "restore it with `-p NAME`; or replace it under them with --live";
        (!self.not_live.is_empty()).then(|| in_use(&what, helps, &self.not_live))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn what_is_replaced_and_removed_is_told_with_where_it_is_kept() {
        let expected = "\
Restored /etc/nginx from 12-pre: 3 paths; this is transaction 14.
replaced, and kept in 14-pre:
  /etc/nginx/nginx.conf: content
removed, and kept in 14-pre:
  /etc/nginx/mine\\xff: file
restarted: nginx.service
/etc/nginx/nginx.conf of nginx: from its version 1, while 2 is installed; dpkg does not know
";
        assert_eq!(samples::restored().human(&Style::plain()), expected);
    }

    #[test]
    fn a_check_only_says_what_would_be() {
        let mut restored = samples::restored();
        (restored.check, restored.transaction) = (true, None);
        let text = restored.human(&Style::plain());
        assert!(
            text.starts_with(
                "Would restore /etc/nginx from 12-pre: 3 paths.\nwould be replaced:\n"
            ),
            "{text}"
        );
    }

    #[test]
    fn what_running_programs_need_is_refused_with_what_helps() {
        let mut restored = samples::restored();
        restored.transaction = None;
        restored.not_live = vec![Item::new("usr/bin/dpkg".as_ref(), "part of dpkg".into())];
        assert_eq!(
            restored.human(&Style::plain()),
            "cannot be replaced while the profile is in use:\n  /usr/bin/dpkg: part of dpkg\n"
        );
        let failure = restored.finding().unwrap();
        assert_eq!((failure.code, failure.situation), (3, "not-live"));
        assert!(
            failure
                .message
                .starts_with("cannot restore /etc/nginx while"),
            "{failure:?}"
        );
    }

    #[test]
    fn nothing_to_restore_is_said() {
        let mut restored = samples::restored();
        restored.nothing = true;
        assert_eq!(
            restored.human(&Style::plain()),
            "/etc/nginx is as it was in 12-pre: nothing was changed.\n"
        );
    }
}
