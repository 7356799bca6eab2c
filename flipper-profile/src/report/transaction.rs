//! Reports about transactions: `history`, `show`, `acknowledge`.

use profile_db::journal;
use serde::Serialize;

use super::Human;
use super::change::Change;
use crate::output::table::{Side, Table, facts};
use crate::output::{Style, escape, units};

/// Paths that `show` prints for people; `diff` prints all.
const PATHS_SHOWN: usize = 20;

/// One transaction.
#[derive(Debug, Clone, Serialize)]
pub struct Transaction {
    /// Its number.
    pub number: i64,
    /// "open", "done", "failed", "interrupted", "skipped", "undone".
    pub state: String,
    /// "apt", "dpkg", "undo", …
    pub kind: String,
    /// The command line.
    pub command: String,
    /// The user who asked for it.
    pub user: Option<String>,
    /// That user's number.
    pub uid: Option<u32>,
    /// The program that asked.
    pub front_end: String,
    /// Id of the profile.
    pub profile: String,
    /// The base that the profile stood on.
    pub base: String,
    /// When it began.
    pub started: String,
    /// When it ended.
    pub ended: Option<String>,
    /// Name of the snapshot before.
    pub pre: Option<String>,
    /// Name of the snapshot after.
    pub post: Option<String>,
    /// The transaction that it takes back.
    pub undoes: Option<i64>,
    /// The transaction that took it back.
    pub undone_by: Option<i64>,
    /// What went wrong.
    pub problem: Option<String>,
    /// Why it was not protected.
    pub reason: Option<String>,
    /// Whether somebody must still be told about it.
    pub attention: bool,
    /// What changed outside transactions and was noticed.
    pub noticed: Vec<String>,
    /// How many packages changed.
    pub packages_changed: u32,
    /// Whether its snapshots are kept whatever retention says.
    pub pinned: bool,
    /// When retention deleted its snapshots: what it changed is known, the files are gone.
    pub files_gone: Option<String>,
}

impl From<&journal::Transaction> for Transaction {
    fn from(row: &journal::Transaction) -> Self {
        Self {
            number: row.number.get(),
            state: row.state.to_string(),
            kind: row.kind.to_string(),
            command: row.command.clone(),
            user: row.user.clone(),
            uid: row.uid,
            front_end: row.front_end.clone(),
            profile: row.profile.to_string(),
            base: row.base.to_string(),
            started: row.started.to_string(),
            ended: row.ended.map(|time| time.to_string()),
            pre: row.pre.clone(),
            post: row.post.clone(),
            undoes: row.undoes.map(|number| number.get()),
            undone_by: row.undone_by.map(|number| number.get()),
            problem: row.problem.clone(),
            reason: row.unprotected_reason.clone(),
            attention: !row.acknowledged(),
            noticed: row.noticed.clone(),
            packages_changed: row.packages.total(),
            files_gone: row.files_gone.map(|time| time.to_string()),
            pinned: row.pinned,
        }
    }
}

impl Transaction {
    /// State and command as one line: "12  failed  apt install nginx".
    pub fn line(&self) -> String {
        format!(
            "{}  {}  {}",
            self.number,
            self.state,
            escape::text(&self.command)
        )
    }
}

/// The heading of `history`, once, and its rows, page by page.
pub fn history_page(page: &[Transaction], first: bool, style: &Style) -> String {
    let mut columns = vec![
        ("N", Side::Right),
        ("STARTED (UTC)", Side::Left),
        ("STATE", Side::Left),
    ];
    if style.verbose {
        columns.extend([
            ("KIND", Side::Left),
            ("BY", Side::Left),
            ("FRONT END", Side::Left),
        ]);
    }
    columns.extend([("PACKAGES", Side::Right), ("COMMAND", Side::Left)]);
    let mut table = Table::new(&columns);
    for transaction in page {
        let mut cells = vec![
            transaction.number.to_string(),
            units::time(&transaction.started),
            match transaction.pinned {
                true => format!("{}, pinned", transaction.state),
                false => transaction.state.clone(),
            },
        ];
        if style.verbose {
            cells.push(transaction.kind.clone());
            cells.push(escape::text(transaction.user.as_deref().unwrap_or("")));
            cells.push(escape::text(&transaction.front_end));
        }
        let packages = transaction.packages_changed;
        cells.push(if packages == 0 {
            String::new()
        } else {
            packages.to_string()
        });
        cells.push(escape::text(&transaction.command));
        table.row(cells);
    }
    if first {
        table.render(style)
    } else {
        table.render_rows(style)
    }
}

/// One package of a transaction.
#[derive(Debug, Clone, Serialize)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its architecture.
    pub architecture: String,
    /// "install", "upgrade", "downgrade", "remove", "purge", "reinstall", "configure".
    pub action: String,
    /// The version before.
    pub old_version: Option<String>,
    /// The version after.
    pub new_version: Option<String>,
    /// Whether apt held it for automatically installed before.
    pub auto_before: Option<bool>,
    /// And after.
    pub auto_after: Option<bool>,
    /// dpkg's words for its state after, when it is not simply installed.
    pub status_after: Option<String>,
}

impl From<&journal::PackageChange> for Package {
    fn from(row: &journal::PackageChange) -> Self {
        Self {
            name: row.name.clone(),
            architecture: row.architecture.clone(),
            action: row.action.to_string(),
            old_version: row.old_version.clone(),
            new_version: row.new_version.clone(),
            auto_before: row.auto_before,
            auto_after: row.auto_after,
            status_after: row.status_after.clone(),
        }
    }
}

impl Package {
    /// "upgrade    nginx:amd64 1.26.3-2 -> 1.26.3-3".
    pub fn line(&self) -> String {
        let versions = match (&self.old_version, &self.new_version) {
            (Some(old), Some(new)) if old != new => format!(" {old} -> {new}"),
            (_, Some(version)) | (Some(version), None) => format!(" {version}"),
            (None, None) => String::new(),
        };
        let mark = match (self.auto_before, self.auto_after) {
            (Some(true), Some(false)) => " (now manual)",
            (Some(false), Some(true)) => " (now automatic)",
            (_, Some(true)) => " (automatic)",
            _ => "",
        };
        let status = self
            .status_after
            .as_ref()
            .map(|words| format!(" [{words}]"))
            .unwrap_or_default();
        escape::text(&format!(
            "{:<9}  {}:{}{versions}{mark}{status}",
            self.action, self.name, self.architecture
        ))
    }
}

/// `show`.
#[derive(Debug, Serialize)]
pub struct Shown {
    /// The transaction.
    pub transaction: Transaction,
    /// Name of its profile, when that still exists.
    pub profile_name: Option<String>,
    /// Its packages.
    pub packages: Vec<Package>,
    /// About how many bytes come free when its snapshots and all older ones are deleted and what the older ones
    /// free is taken off.
    pub frees: Option<u64>,
    /// The paths that it changed; `None` when that is not known any more.
    pub changes: Option<Vec<Change>>,
}

impl Human for Shown {
    fn human(&self, style: &Style) -> String {
        let row = &self.transaction;
        let number =
            |value: Option<i64>| value.map(|number| number.to_string()).unwrap_or_default();
        let profile = match &self.profile_name {
            Some(name) => format!("{} ({})", escape::text(name), row.profile),
            None => row.profile.clone(),
        };
        let user = row
            .user
            .as_deref()
            .map(|user| format!("{user} by "))
            .unwrap_or_default();
        let utc = |time: &str| format!("{} UTC", units::time(time));
        let snapshots: Vec<&str> = [&row.pre, &row.post]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect();
        let held = match self.frees {
            Some(bytes) => format!(" (about {} that nothing newer has)", units::size(bytes)),
            None => String::new(),
        };
        let mut text = format!(
            "Transaction {}: {}\n\n",
            row.number,
            escape::text(&row.command)
        );
        text.push_str(&facts(&[
            ("state", row.state.clone()),
            (
                "problem",
                escape::text(row.problem.as_deref().unwrap_or("")),
            ),
            (
                "not protected",
                escape::text(row.reason.as_deref().unwrap_or("")),
            ),
            ("kind", row.kind.clone()),
            ("profile", profile),
            ("base", escape::text(&row.base)),
            (
                "asked for",
                escape::text(&format!("{user}{}", row.front_end)),
            ),
            ("started", utc(&row.started)),
            ("ended", row.ended.as_deref().map(utc).unwrap_or_default()),
            (
                "snapshots",
                match &row.files_gone {
                    Some(gone) => format!("deleted by retention on {}", utc(gone)),
                    None => escape::text(&snapshots.join(", ")) + &held,
                },
            ),
            (
                "pinned",
                match row.pinned {
                    true => "yes, its snapshots are kept".to_owned(),
                    false => String::new(),
                },
            ),
            ("undoes", number(row.undoes)),
            ("undone by", number(row.undone_by)),
        ]));
        for line in &row.noticed {
            text.push_str(&format!("noticed: {}\n", escape::text(line)));
        }
        if !self.packages.is_empty() {
            text.push_str(&format!(
                "\n{}:\n",
                units::count(self.packages.len() as u64, "package", "packages")
            ));
            for package in &self.packages {
                text.push_str(&format!("  {}\n", package.line()));
            }
        }
        match &self.changes {
            None => text.push_str("\nWhich paths it changed is not known any more.\n"),
            Some(changes) if changes.is_empty() => {}
            Some(changes) => {
                text.push_str(&format!(
                    "\n{}:\n",
                    units::count(changes.len() as u64, "path", "paths")
                ));
                let shown = if style.verbose {
                    changes.len()
                } else {
                    PATHS_SHOWN
                };
                for change in changes.iter().take(shown) {
                    text.push_str(&format!("  {}\n", change.line()));
                }
                if changes.len() > shown {
                    text.push_str(&format!(
                        "  and {} more: `flipper-profile diff {}` shows all\n",
                        changes.len() - shown,
                        row.number
                    ));
                }
            }
        }
        text
    }
}

/// `acknowledge`.
#[derive(Debug, Serialize)]
pub struct Acknowledged {
    /// The transactions that nobody is told about any more.
    pub acknowledged: Vec<i64>,
}

impl Human for Acknowledged {
    fn human(&self, _style: &Style) -> String {
        match self.acknowledged.as_slice() {
            [] => "There was nothing to acknowledge.\n".into(),
            numbers => {
                let list: Vec<String> = numbers.iter().map(i64::to_string).collect();
                format!("Acknowledged: {}.\n", list.join(", "))
            }
        }
    }

    fn only_confirms(&self) -> bool {
        true
    }
}

/// `pin`, `unpin`.
#[derive(Debug, Serialize)]
pub struct Pinned {
    /// The transaction.
    pub transaction: i64,
    /// Its command line.
    pub command: String,
    /// Whether it is pinned now.
    pub pinned: bool,
    /// Whether it was not so before.
    pub changed: bool,
}

impl Human for Pinned {
    fn human(&self, _style: &Style) -> String {
        let which = format!("{} ({})", self.transaction, escape::text(&self.command));
        match (self.pinned, self.changed) {
            (true, true) => format!("Pinned transaction {which}: its snapshots are kept.\n"),
            (true, false) => format!("Transaction {which} is pinned already.\n"),
            (false, true) => format!("Unpinned transaction {which}.\n"),
            (false, false) => format!("Transaction {which} is not pinned.\n"),
        }
    }

    fn only_confirms(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn history_is_a_table_newest_first() {
        let page = [samples::failed_transaction(), samples::transaction()];
        let expected = "\x20N  STARTED (UTC)        STATE   PACKAGES  COMMAND
13  2026-11-21 10:00:00  failed            dpkg -i bad.deb
12  2026-11-21 09:03:01  done           2  apt install nginx
";
        assert_eq!(history_page(&page, true, &Style::plain()), expected);
        let rows = history_page(&page, false, &Style::plain());
        assert_eq!(rows, expected.split_once('\n').unwrap().1);
    }

    #[test]
    fn verbose_history_tells_who() {
        let style = Style {
            verbose: true,
            ..Style::plain()
        };
        let expected =
            "\x20N  STARTED (UTC)        STATE  KIND  BY     FRONT END  PACKAGES  COMMAND
12  2026-11-21 09:03:01  done   apt   alice  apt               2  apt install nginx
";
        assert_eq!(
            history_page(&[samples::transaction()], true, &style),
            expected
        );
    }

    #[test]
    fn a_pinned_one_is_told() {
        let mut shown = samples::shown();
        shown.transaction.pinned = true;
        let text = shown.human(&Style::plain());
        assert!(
            text.contains("pinned     yes, its snapshots are kept\n"),
            "{text}"
        );
        let text = history_page(&[shown.transaction], true, &Style::plain());
        assert!(text.contains("  done, pinned  "), "{text}");
    }

    #[test]
    fn a_pin_says_what_it_did() {
        let mut pinned = samples::pinned();
        assert_eq!(
            pinned.human(&Style::plain()),
            "Pinned transaction 12 (apt install nginx): its snapshots are kept.\n"
        );
        pinned.changed = false;
        assert_eq!(
            pinned.human(&Style::plain()),
            "Transaction 12 (apt install nginx) is pinned already.\n"
        );
        pinned.pinned = false;
        assert_eq!(
            pinned.human(&Style::plain()),
            "Transaction 12 (apt install nginx) is not pinned.\n"
        );
    }

    #[test]
    fn show_tells_everything_about_one() {
        let expected = "\
Transaction 12: apt install nginx

state      done
kind       apt
profile    tv (k3j2h1g0)
base       13.2
asked for  alice by apt
started    2026-11-21 09:03:01 UTC
ended      2026-11-21 09:03:09 UTC
snapshots  12-pre, 12-post (about 3.0 MiB that nothing newer has)
noticed: vim was marked manual

2 packages:
  install    nginx:amd64 1.26.3-3
  upgrade    libc6:amd64 2.41-11 -> 2.41-12 (automatic)

2 paths:
  added     /etc/nginx/nginx.conf
  modified  /var/lib/dpkg/sta\\ntus\\xff
";
        assert_eq!(samples::shown().human(&Style::plain()), expected);
    }

    #[test]
    fn show_of_many_paths_ends_with_the_command_that_shows_all() {
        let mut shown = samples::shown();
        shown.changes = Some(vec![shown.changes.unwrap().remove(0); 30]);
        let text = shown.human(&Style::plain());
        assert!(
            text.ends_with("  and 10 more: `flipper-profile diff 12` shows all\n"),
            "{text}"
        );
    }

    #[test]
    fn a_failed_transaction_tells_why() {
        let mut shown = samples::shown();
        shown.transaction = samples::failed_transaction();
        shown.changes = None;
        let text = shown.human(&Style::plain());
        assert!(
            text.contains("problem        bad:all is half-configured\n"),
            "{text}"
        );
        assert!(
            text.contains("not protected  the journal was locked\n"),
            "{text}"
        );
        assert!(
            text.ends_with("Which paths it changed is not known any more.\n"),
            "{text}"
        );
    }
}
