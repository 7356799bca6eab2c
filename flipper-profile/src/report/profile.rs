//! Reports about profiles.

use std::collections::BTreeMap;

use profile_db::ProfileFile;
use profile_db::model::TransactionNumber;
use profile_store::profile::ProfileInfo;
use profile_store::retention;
use serde::Serialize;
use serde_json::Value;

use super::Human;
use super::retention::Sizes;
use crate::context::Result;
use crate::output::table::{Side, Table, facts};
use crate::output::{Style, escape, units};

/// One profile.
#[derive(Debug, Clone, Serialize)]
pub struct Profile {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// "user" or "built-in".
    pub kind: String,
    /// Version of its base.
    pub base: String,
    /// Where it came from.
    pub origin: Value,
    /// When it was created.
    pub created: String,
    /// When its metadata changed last.
    pub modified: String,
    /// What it is for.
    pub description: String,
    /// Its settings.
    pub policies: BTreeMap<String, Value>,
    /// Bytes of its own files, state included.
    pub size: u64,
    /// Bytes of its state.
    pub state_size: u64,
    /// What its snapshots hold that nothing newer does.
    pub snapshots: Sizes,
    /// How many transactions.
    pub transactions: u64,
    /// Command of the newest transaction.
    pub last_command: Option<String>,
    /// Who has it mounted.
    pub in_use: Option<String>,
}

impl Profile {
    /// Everything that the store tells.
    ///
    /// # Errors
    ///
    /// The origin has no form in JSON; none that was parsed is so.
    pub fn new(info: &ProfileInfo, snapshots: retention::Sizes) -> Result<Self> {
        let file = &info.profile;
        Ok(Self {
            id: file.id.to_string(),
            name: file.name.to_string(),
            kind: file.kind.to_string(),
            base: file.base.version.to_string(),
            origin: super::value(&file.origin)?,
            created: file.created.to_string(),
            modified: file.modified.to_string(),
            description: file.description.clone(),
            policies: file.policies.clone(),
            size: info.own_bytes + info.state_bytes,
            state_size: info.state_bytes,
            snapshots: snapshots.into(),
            transactions: info.transactions,
            last_command: info.last.as_ref().map(|last| last.command.clone()),
            in_use: info.in_use.clone(),
        })
    }
}

impl Human for Profile {
    fn human(&self, _style: &Style) -> String {
        let policies: Vec<String> = self
            .policies
            .iter()
            .map(|(key, value)| {
                format!(
                    "{key}={}",
                    value
                        .as_str()
                        .map_or_else(|| value.to_string(), str::to_owned)
                )
            })
            .collect();
        facts(&[
            ("name", escape::text(&self.name)),
            ("id", self.id.clone()),
            ("kind", escape::text(&self.kind)),
            ("base", escape::text(&self.base)),
            ("origin", escape::text(&origin_words(&self.origin))),
            ("created", format!("{} UTC", units::time(&self.created))),
            ("modified", format!("{} UTC", units::time(&self.modified))),
            ("description", escape::text(&self.description)),
            ("settings", escape::text(&policies.join(" "))),
            (
                "size",
                format!(
                    "{} (state: {})",
                    units::size(self.size),
                    units::size(self.state_size)
                ),
            ),
            ("snapshots", self.snapshots.words()),
            ("transactions", self.transactions.to_string()),
            (
                "last command",
                escape::text(self.last_command.as_deref().unwrap_or("")),
            ),
            (
                "in use",
                escape::text(self.in_use.as_deref().unwrap_or("no")),
            ),
        ])
    }
}

/// "cloned from tv (k3j2h1g0)".
fn origin_words(origin: &Value) -> String {
    let field = |name: &str| origin.get(name).and_then(Value::as_str).unwrap_or("?");
    match field("how") {
        "cloned" => format!("cloned from {} ({})", field("name"), field("from")),
        "imported" => format!("imported from {}", field("source")),
        other => other.to_owned(),
    }
}

/// One row of `list`: what costs nothing to know.
#[derive(Debug, Serialize)]
pub struct Row {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// "user" or "built-in".
    pub kind: String,
    /// Version of its base.
    pub base: String,
    /// When it was created.
    pub created: String,
    /// What it is for.
    pub description: String,
    /// How many transactions.
    pub transactions: u64,
    /// Command of the newest transaction.
    pub last_command: Option<String>,
}

/// A profile whose file cannot be read.
#[derive(Debug, Serialize)]
pub struct Unreadable {
    /// Its id.
    pub id: String,
    /// Why.
    pub message: String,
}

/// `list`.
#[derive(Debug, Serialize)]
pub struct Profiles {
    /// All profiles, by name.
    pub profiles: Vec<Row>,
    /// Those that cannot be read.
    pub unreadable: Vec<Unreadable>,
}

impl Human for Profiles {
    fn human(&self, style: &Style) -> String {
        let mut text = String::new();
        if self.profiles.is_empty() && self.unreadable.is_empty() {
            return "There are no profiles.\n".into();
        }
        if !self.profiles.is_empty() {
            let mut table = Table::new(&[
                ("NAME", Side::Left),
                ("ID", Side::Left),
                ("KIND", Side::Left),
                ("BASE", Side::Left),
                ("TRANSACTIONS", Side::Right),
                ("LAST COMMAND", Side::Left),
            ]);
            for row in &self.profiles {
                table.row([
                    escape::text(&row.name),
                    row.id.clone(),
                    escape::text(&row.kind),
                    escape::text(&row.base),
                    row.transactions.to_string(),
                    escape::text(row.last_command.as_deref().unwrap_or("")),
                ]);
            }
            text.push_str(&table.render(style));
        }
        for profile in &self.unreadable {
            text.push_str(&format!(
                "{} cannot be read: {}\n",
                profile.id,
                escape::text(&profile.message)
            ));
        }
        text
    }
}

/// create, clone, rename, delete, reset, set: what was done to which profile.
#[derive(Debug, Serialize)]
pub struct Done {
    /// Its id.
    pub id: String,
    /// Its name now.
    pub name: String,
    /// Version of its base.
    pub base: String,
    /// Number of the transaction that records it, where one does.
    pub transaction: Option<i64>,
    /// For people.
    #[serde(skip)]
    pub sentence: String,
}

impl Done {
    /// What was done to a profile.
    pub fn new(
        profile: &ProfileFile,
        transaction: Option<TransactionNumber>,
        sentence: String,
    ) -> Self {
        Self {
            id: profile.id.to_string(),
            name: profile.name.to_string(),
            base: profile.base.version.to_string(),
            transaction: transaction.map(TransactionNumber::get),
            sentence,
        }
    }
}

impl Human for Done {
    fn human(&self, style: &Style) -> String {
        match self.transaction {
            Some(number) if style.verbose => format!("{} (transaction {number})\n", self.sentence),
            _ => format!("{}\n", self.sentence),
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
    fn info_reads_as_a_list_of_facts() {
        let expected = "\
name          tv
id            k3j2h1g0
kind          user
base          13.2
origin        cloned from router (a1b2c3d4)
created       2026-11-21 09:03:01 UTC
modified      2026-11-21 10:00:00 UTC
description   the box below the screen
settings      home=shared
size          1.5 GiB (state: 12.0 MiB)
snapshots     3 transactions, about 40.0 MiB without 1 not measured
transactions  3
last command  apt install nginx
in use        it is entered
";
        assert_eq!(samples::profile().human(&Style::plain()), expected);
    }

    #[test]
    fn a_list_shows_what_cannot_be_read() {
        let expected = "\
NAME  ID        KIND  BASE  TRANSACTIONS  LAST COMMAND
tv    k3j2h1g0  user  13.2             3  apt install nginx
zzzzzzzz cannot be read: profile.json ends too early
";
        assert_eq!(samples::profiles().human(&Style::plain()), expected);
    }

    #[test]
    fn a_hostile_description_cannot_forge_lines() {
        let mut profile = samples::profile();
        profile.description = "x\nkind  built-in\x1b[2J".into();
        let text = profile.human(&Style::plain());
        assert!(
            text.contains("description   x\\nkind  built-in\\u{1b}[2J\n"),
            "{text}"
        );
    }
}
