//! Reports about bases.

use profile_store::base::BaseInfo;
use serde::Serialize;
use serde_json::Value;

use super::Human;
use crate::context::Result;
use crate::output::table::{Side, Table, facts};
use crate::output::{Style, escape, units};

/// One base.
#[derive(Debug, Clone, Serialize)]
pub struct Base {
    /// Its version, which is its name.
    pub version: String,
    /// UUID of its subvolume.
    pub uuid: String,
    /// Hash of its tree.
    pub tree_hash: String,
    /// Highest inode number of its tree.
    pub highest_inode: u64,
    /// Debian architecture.
    pub architecture: String,
    /// Debian release.
    pub release: String,
    /// When it was added.
    pub added: String,
    /// Where it came from.
    pub source: Value,
    /// Files and directories.
    pub entries: u64,
    /// Bytes.
    pub size: u64,
    /// Whether new profiles get it.
    pub current: bool,
    /// What needs it.
    pub needed_by: Vec<String>,
}

impl Base {
    /// Everything that the store tells.
    ///
    /// # Errors
    ///
    /// The source has no form in JSON; none that was parsed is so.
    pub fn new(info: &BaseInfo) -> Result<Self> {
        let file = &info.file;
        Ok(Self {
            version: file.version.to_string(),
            uuid: file.uuid.to_string(),
            tree_hash: file.tree_hash.to_string(),
            highest_inode: file.highest_inode,
            architecture: file.architecture.clone(),
            release: file.release.clone(),
            added: file.added.to_string(),
            source: super::value(&file.source)?,
            entries: file.entries,
            size: file.size,
            current: info.current,
            needed_by: info.needed_by.clone(),
        })
    }
}

impl Human for Base {
    fn human(&self, _style: &Style) -> String {
        facts(&[
            ("version", escape::text(&self.version)),
            ("release", escape::text(&self.release)),
            ("architecture", escape::text(&self.architecture)),
            (
                "current",
                if self.current {
                    "yes".into()
                } else {
                    "no".into()
                },
            ),
            ("source", escape::text(&source_words(&self.source))),
            ("added", format!("{} UTC", units::time(&self.added))),
            ("size", units::size(self.size)),
            ("entries", self.entries.to_string()),
            ("highest inode", self.highest_inode.to_string()),
            ("uuid", self.uuid.clone()),
            ("tree hash", self.tree_hash.clone()),
            ("needed by", escape::text(&self.needed_by.join(", "))),
        ])
    }
}

/// "bootstrap suite=trixie": the way first, its particulars in order.
fn source_words(source: &Value) -> String {
    let Some(object) = source.as_object() else {
        return String::new();
    };
    let word = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => list
            .iter()
            .map(|item| item.as_str().unwrap_or("?"))
            .collect::<Vec<_>>()
            .join(","),
        other => other.to_string(),
    };
    let mut words: Vec<String> = object.get("how").map(word).into_iter().collect();
    words.extend(
        object
            .iter()
            .filter(|(key, value)| *key != "how" && !value.is_null())
            .map(|(key, value)| format!("{key}={}", word(value))),
    );
    words.join(" ")
}

/// `base list`.
#[derive(Debug, Serialize)]
pub struct Bases {
    /// All bases.
    pub bases: Vec<Base>,
}

impl Human for Bases {
    fn human(&self, style: &Style) -> String {
        if self.bases.is_empty() {
            return "There are no bases.\n".into();
        }
        let mut table = Table::new(&[
            ("VERSION", Side::Left),
            ("RELEASE", Side::Left),
            ("ARCHITECTURE", Side::Left),
            ("SIZE", Side::Right),
            ("ADDED (UTC)", Side::Left),
            ("CURRENT", Side::Left),
        ]);
        for base in &self.bases {
            table.row([
                escape::text(&base.version),
                escape::text(&base.release),
                escape::text(&base.architecture),
                units::size(base.size),
                units::time(&base.added),
                if base.current {
                    "yes".into()
                } else {
                    String::new()
                },
            ]);
        }
        table.render(style)
    }
}

/// `base add`: the new base.
#[derive(Debug, Serialize)]
pub struct Added {
    /// The base.
    #[serde(flatten)]
    pub base: Base,
}

impl Human for Added {
    fn human(&self, _style: &Style) -> String {
        format!(
            "Added the base '{}': {}, {}.\n",
            escape::text(&self.base.version),
            units::count(self.base.entries, "entry", "entries"),
            units::size(self.base.size)
        )
    }

    fn only_confirms(&self) -> bool {
        true
    }
}

/// `base remove`.
#[derive(Debug, Serialize)]
pub struct Removed {
    /// Its version.
    pub version: String,
}

impl Human for Removed {
    fn human(&self, _style: &Style) -> String {
        format!("Removed the base '{}'.\n", escape::text(&self.version))
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
    fn a_list_tells_the_current_base() {
        let expected = "\
VERSION  RELEASE  ARCHITECTURE       SIZE  ADDED (UTC)          CURRENT
13.2     trixie   amd64         402.0 MiB  2026-11-21 09:03:01  yes
";
        assert_eq!(
            Bases {
                bases: vec![samples::base()]
            }
            .human(&Style::plain()),
            expected
        );
    }

    #[test]
    fn info_tells_where_it_came_from_and_who_needs_it() {
        let text = samples::base().human(&Style::plain());
        assert!(
            text.contains("source         bootstrap include=ssh,vim suite=trixie\n"),
            "{text}"
        );
        assert!(text.contains("needed by      profile tv\n"), "{text}");
    }
}
