//! The report of `undo` and `redo`.

use std::path::Path;

use profile_db::model::TransactionNumber;
use profile_store::Exit;
use profile_store::undo::{Outlook, Verb};
use serde::Serialize;

use super::Human;
use crate::changes::json_path;
use crate::failure::Failure;
use crate::output::encode::JsonPath;
use crate::output::{Style, escape, units};

/// Lines of a list that people see without `-v`.
const SHOWN: usize = 20;

/// The mode of an undo that is carried out when the profile starts next.
pub const WAITING: &str = "waiting";
/// The mode of one that will not be any more.
pub const WITHDRAWN: &str = "withdrawn";

/// A path with what is said about it.
#[derive(Debug, Clone, Serialize)]
pub struct Item {
    /// Absolute in the merged tree.
    #[serde(flatten)]
    pub path: JsonPath,
    /// The later transactions that stand in the way, newest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub transactions: Vec<i64>,
    /// Why it is listed.
    pub reason: String,
    /// The exact name, for people.
    #[serde(skip)]
    pub name: Vec<u8>,
}

impl Item {
    /// A path, relative to the root, and what is said about it.
    pub fn new(path: &Path, reason: String) -> Self {
        let (path, name) = json_path(path);
        Self {
            path,
            transactions: Vec::new(),
            reason,
            name,
        }
    }

    /// For people.
    pub fn line(&self) -> String {
        format!(
            "{}: {}",
            escape::bytes(&self.name),
            escape::text(&self.reason)
        )
    }
}

/// `undo`, `redo`.
#[derive(Debug, Serialize)]
pub struct Undone {
    /// "undo" or "redo".
    #[serde(skip)]
    pub verb: &'static str,
    /// Number of the undo itself; `None` when nothing was done.
    pub transaction: Option<i64>,
    /// The transaction that is taken back; the one that was asked for, or the newest, where they are several.
    pub undoes: i64,
    /// All that are taken back, newest first.
    pub taken_back: Vec<i64>,
    /// Its command line.
    pub command: String,
    /// "exchange", "staged" or "live"; "waiting" for the next start of the profile, or "withdrawn" from that.
    pub mode: Option<&'static str>,
    /// Whether it was only looked.
    pub check: bool,
    /// How many paths are, or would be, brought back.
    pub restored: u64,
    /// Those of them that changed since as well and have both changes.
    pub merged: Vec<Item>,
    /// What of them stays as it is now because it was decided so.
    pub kept: Vec<Item>,
    /// What changed meanwhile and is kept.
    pub meanwhile: Vec<Item>,
    /// What stands in the way.
    pub conflicts: Vec<Item>,
    /// What programs that run in the profile need as it is; it stands in the way without `--live`.
    pub not_live: Vec<Item>,
    /// Data that programs wrote since, which stays as it is.
    pub left_behind: Vec<Item>,
    /// The packages that go back to an older version and are held.
    pub held: Vec<String>,
    /// The services that are concerned.
    pub services: Services,
    /// What should be known besides.
    pub notes: Vec<String>,
}

/// Services of the profile that an undo concerns, by name.
#[derive(Debug, Default, Serialize)]
pub struct Services {
    /// Stopped, because their files go.
    pub stopped: Vec<String>,
    /// Started, because their files come back and something that runs wants them.
    pub started: Vec<String>,
    /// Restarted, because something that they run from changes.
    pub restarted: Vec<String>,
    /// Concerned, and left to the user.
    pub by_hand: Vec<String>,
}

impl Undone {
    /// Of transactions, newest first, of which nothing is said yet.
    pub fn nothing(verb: Verb, transactions: &[TransactionNumber], command: String) -> Self {
        let numbers: Vec<i64> = transactions.iter().map(|number| number.get()).collect();
        Self {
            verb: verb.as_str(),
            transaction: None,
            undoes: numbers.first().copied().unwrap_or_default(),
            taken_back: numbers,
            command,
            mode: None,
            check: false,
            restored: 0,
            merged: Vec::new(),
            kept: Vec::new(),
            meanwhile: Vec::new(),
            conflicts: Vec::new(),
            not_live: Vec::new(),
            left_behind: Vec::new(),
            held: Vec::new(),
            services: Services::default(),
            notes: Vec::new(),
        }
    }

    /// Takes up what the undo means for what runs.
    pub fn look(&mut self, outlook: &Outlook) {
        self.not_live = not_live(outlook);
        self.services = Services::of(outlook);
        self.notes.extend(outlook.notes.iter().cloned());
    }
}

/// What programs that run in the profile need as it is.
pub fn not_live(outlook: &Outlook) -> Vec<Item> {
    let parts = outlook.not_live.iter();
    parts
        .map(|(path, part)| Item::new(path, format!("part of {}", part.words())))
        .collect()
}

/// The title of the list of it.
pub const NOT_LIVE: &str = "cannot be replaced while the profile is in use";

/// The refusal to replace it; `helps` is what else to do.
pub fn in_use(what: &str, helps: &str, not_live: &[Item]) -> Failure {
    let message = format!(
        "cannot {what} while the profile is in use: {} that running programs need",
        units::count(not_live.len() as u64, "file", "files")
    );
    Failure::new(Exit::Decision, "not-live", message)
        .hint(format!("leave the profile, then {helps}"))
}

impl Services {
    /// Those of a change of a mounted profile.
    pub fn of(outlook: &Outlook) -> Self {
        Self {
            stopped: outlook.services.stop.clone(),
            started: outlook.services.start.clone(),
            restarted: outlook.services.restart.clone(),
            by_hand: outlook.services.by_hand.clone(),
        }
    }

    /// For people; `would` where nothing was done.
    pub fn tell(&self, text: &mut String, would: bool) {
        let (stopped, restarted, started) = match would {
            true => ("would be stopped", "would be restarted", "would be started"),
            false => ("stopped", "restarted", "started"),
        };
        for (what, units) in [
            (stopped, &self.stopped),
            (restarted, &self.restarted),
            (started, &self.started),
            ("restart by hand", &self.by_hand),
        ] {
            if !units.is_empty() {
                text.push_str(&format!("{what}: {}\n", escape::text(&units.join(", "))));
            }
        }
    }
}

/// Adds a list with its title, when it has anything.
pub fn list(text: &mut String, title: &str, items: &[Item], style: &Style) {
    if items.is_empty() {
        return;
    }
    text.push_str(&format!("{title}:\n"));
    let shown = if style.verbose { items.len() } else { SHOWN };
    for item in items.iter().take(shown) {
        text.push_str(&format!("  {}\n", item.line()));
    }
    if items.len() > shown {
        text.push_str(&format!(
            "  and {} more (-v shows all)\n",
            items.len() - shown
        ));
    }
}

/// Whether something was, or would be, done: what stands in the way leaves the services alone.
fn text_is_of_a_change(undone: &Undone) -> bool {
    undone.conflicts.is_empty() && undone.not_live.is_empty()
}

impl Human for Undone {
    fn human(&self, style: &Style) -> String {
        let paths = match self.restored {
            0 => String::new(),
            number => format!(": {}", units::count(number, "path", "paths")),
        };
        let what = match self.taken_back.as_slice() {
            [newest @ .., oldest] if !newest.is_empty() => {
                let newest: Vec<String> = newest.iter().map(i64::to_string).collect();
                format!("the transactions {} and {oldest}", newest.join(", "))
            }
            _ => format!(
                "transaction {} ({})",
                self.undoes,
                escape::text(&self.command)
            ),
        };
        let mut text = match (self.transaction, self.check) {
            // The error says it; the lists below are its details.
            _ if !self.conflicts.is_empty() || !self.not_live.is_empty() => String::new(),
            (_, true) if self.mode == Some(WAITING) => format!(
                "Would {} {what}{paths} before the profile starts next.\n",
                self.verb
            ),
            (_, true) => format!("Would {} {what}{paths}.\n", self.verb),
            (Some(number), false) => {
                let participle = if self.verb == "redo" {
                    "Redid"
                } else {
                    "Took back"
                };
                format!("{participle} {what}{paths}; this is transaction {number}.\n")
            }
            (None, false) if self.mode == Some(WAITING) => format!(
                "The {} of {what}{paths} waits: it is carried out before the profile starts next.\n\
                 `flipper-profile undo --withdraw` takes that back.\n",
                self.verb
            ),
            (None, false) if self.mode == Some(WITHDRAWN) => {
                format!("{what} stays: its undo waits no longer.\n")
            }
            (None, false) => format!("Nothing was left to {} of {what}.\n", self.verb),
        };
        list(&mut text, "stands in the way", &self.conflicts, style);
        list(&mut text, NOT_LIVE, &self.not_live, style);
        match self.merged.len() as u64 {
            0 => {}
            _ if style.verbose => {
                list(
                    &mut text,
                    "changed since too, with both changes",
                    &self.merged,
                    style,
                );
            }
            number => text.push_str(&format!(
                "{} changed since too and {} both changes (-v lists them).\n",
                units::count(number, "path", "paths"),
                if number == 1 { "gets" } else { "get" }
            )),
        }
        match self.kept.len() as u64 {
            0 => {}
            _ if style.verbose => list(&mut text, "as it is now", &self.kept, style),
            number => text.push_str(&format!(
                "{} left as now (-v lists them).\n",
                units::count(number, "path is", "paths are"),
            )),
        }
        let kept = if self.check {
            "changed meanwhile, would be kept"
        } else {
            "changed meanwhile, kept"
        };
        list(&mut text, kept, &self.meanwhile, style);
        list(&mut text, "not brought back", &self.left_behind, style);
        if text_is_of_a_change(self) {
            if !self.held.is_empty() {
                let held = if self.check { "would be held" } else { "held" };
                text.push_str(&format!(
                    "{held}: {}\n",
                    escape::text(&self.held.join(", "))
                ));
            }
            self.services.tell(&mut text, self.check);
        }
        for note in &self.notes {
            text.push_str(&format!("{}\n", escape::text(note)));
        }
        text
    }

    fn finding(&self) -> Option<Failure> {
        let number = self.conflicts.len() as u64;
        if number == 0 && !self.not_live.is_empty() {
            let what = format!("{} transaction {}", self.verb, self.undoes);
            let helps = format!(
                "`flipper-profile -p NAME {} {}`; or have it done before the next start with --next-start, or now under \
                 them with --live",
                self.verb, self.undoes
            );
            return Some(in_use(&what, &helps, &self.not_live));
        }
        (number > 0).then(|| {
            let message = format!(
                "cannot {} transaction {}: {}",
                self.verb,
                self.undoes,
                units::count(number, "conflict", "conflicts")
            );
            let later = self.conflicts.iter().any(|item| !item.transactions.is_empty());
            let failure = Failure::new(Exit::Decision, "conflicts", message);
            match later {
                true => failure.hint(format!(
                    "take what came later back as well with `flipper-profile undo {} --cascade`, leave it as it is \
                     with --keep-mine, or decide by path with --resolve",
                    self.undoes
                )),
                false => failure.hint(
                    "leave it as it is with --keep-mine, replace it with --take-old, or decide by path with --resolve",
                ),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn an_undo_tells_what_it_did_and_what_it_kept() {
        let expected = "\
Took back transaction 12 (apt install nginx): 120 paths; this is transaction 14.
changed meanwhile, kept:
  /etc/mot\\nd: written by another program
not brought back:
  /var/lib/mysql: data of mariadb-server
held: libnginx
stopped: nginx.service
restarted: php8.4-fpm.service
started: ssh.service
restart by hand: dbus.service
";
        assert_eq!(samples::undone().human(&Style::plain()), expected);
        assert_eq!(samples::undone().finding(), None);
    }

    #[test]
    fn several_are_told_with_what_was_merged() {
        let mut undone = samples::undone();
        (undone.taken_back, undone.meanwhile) = (vec![15, 13, 12], Vec::new());
        undone.services = Services::default();
        undone.left_behind.clear();
        undone.held.clear();
        undone.merged = samples::conflicts().conflicts.split_off(1);
        assert_eq!(
            undone.human(&Style::plain()),
            "Took back the transactions 15, 13 and 12: 120 paths; this is transaction 14.\n\
             1 path changed since too and gets both changes (-v lists them).\n"
        );
    }

    #[test]
    fn a_check_only_says_what_would_be() {
        let mut undone = samples::undone();
        (undone.check, undone.transaction) = (true, None);
        let text = undone.human(&Style::plain());
        assert!(
            text.starts_with("Would undo transaction 12 (apt install nginx): 120 paths.\n"),
            "{text}"
        );
        assert!(
            text.contains("changed meanwhile, would be kept:\n"),
            "{text}"
        );
    }

    #[test]
    fn what_running_programs_need_exits_with_3_and_says_what_helps() {
        let mut undone = samples::undone();
        undone.transaction = None;
        undone.meanwhile.clear();
        undone.left_behind.clear();
        undone.not_live = vec![Item::new(
            Path::new("usr/lib/libc.so.6"),
            "part of the C library".into(),
        )];
        assert_eq!(
            undone.human(&Style::plain()),
            "cannot be replaced while the profile is in use:\n  /usr/lib/libc.so.6: part of the C library\n"
        );
        let failure = undone.finding().unwrap();
        assert_eq!((failure.code, failure.situation), (3, "not-live"));
        assert!(
            failure.message.contains("1 file that running"),
            "{failure:?}"
        );
        let hint = failure.hint.as_deref().unwrap();
        assert!(
            hint.contains("-p NAME undo 12") && hint.contains("--live"),
            "{hint}"
        );
    }

    #[test]
    fn conflicts_exit_with_3_and_are_all_listed() {
        let undone = samples::conflicts();
        assert_eq!(
            undone.human(&Style::plain()),
            "stands in the way:\n  /etc/nginx/nginx.conf: changed again since, by transaction 13\n  /etc/x: its directory is gone since\n"
        );
        let failure = undone.finding().unwrap();
        assert_eq!((failure.code, failure.situation), (3, "conflicts"));
        assert_eq!(failure.message, "cannot undo transaction 12: 2 conflicts");
        assert_eq!(
            failure.hint.as_deref(),
            Some(
                "take what came later back as well with `flipper-profile undo 12 --cascade`, leave it as it is with \
                 --keep-mine, or decide by path with --resolve"
            )
        );
    }
}
