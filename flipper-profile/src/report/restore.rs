//! The report of `restore`.

use serde::Serialize;

use super::Human;
use super::undo::{Item, list};
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
        let paths = self.brought + (self.replaced.len() + self.removed.len()) as u64;
        let paths = units::count(paths, "path", "paths");
        let mut text = match self.transaction {
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
        for note in &self.notes {
            text.push_str(&format!("{}\n", escape::text(note)));
        }
        text
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
    fn nothing_to_restore_is_said() {
        let mut restored = samples::restored();
        restored.nothing = true;
        assert_eq!(
            restored.human(&Style::plain()),
            "/etc/nginx is as it was in 12-pre: nothing was changed.\n"
        );
    }
}
