//! Reports about pools.

use serde::Serialize;

use super::Human;
use super::retention::{self, Pruned, Sizes};
use crate::failure::Failure;
use crate::output::encode::JsonPath;
use crate::output::table::facts;
use crate::output::{Style, escape, units};
use profile_store::Exit;

/// `pool create`.
#[derive(Debug, Serialize)]
pub struct Created {
    /// The image or device.
    #[serde(flatten)]
    pub path: JsonPath,
    /// The pool's own id.
    pub pool: String,
    /// UUID of the filesystem.
    pub filesystem: String,
    /// Lowest inode number of profiles.
    pub inode_floor: u64,
    /// For people.
    #[serde(skip)]
    pub shown: String,
}

impl Human for Created {
    fn human(&self, _style: &Style) -> String {
        format!(
            "Created the pool {} on {}.\n",
            self.pool,
            escape::text(&self.shown)
        )
    }

    fn only_confirms(&self) -> bool {
        true
    }
}

/// The form of a file of the pool: who may read and write it.
#[derive(Debug, Serialize)]
pub struct Format {
    /// Version of the writer's form.
    pub version: u32,
    /// Features that nobody needs to know.
    pub compatible: Vec<String>,
    /// Features that a writer must know.
    pub read_only_compatible: Vec<String>,
    /// Features that everybody must know.
    pub incompatible: Vec<String>,
}

impl Format {
    /// As the file has it.
    pub fn new(format: &profile_db::Format) -> Self {
        Self {
            version: format.version,
            compatible: format.compatible.clone(),
            read_only_compatible: format.read_only_compatible.clone(),
            incompatible: format.incompatible.clone(),
        }
    }
}

/// `pool info`.
#[derive(Debug, Serialize)]
pub struct Info {
    /// The image, device or directory as it was named.
    #[serde(flatten)]
    pub path: JsonPath,
    /// The block device.
    pub device: String,
    /// The pool's own id.
    pub pool: String,
    /// UUID of the filesystem.
    pub filesystem: String,
    /// When it was created.
    pub created: String,
    /// Lowest inode number of profiles.
    pub inode_floor: u64,
    /// Bytes of the filesystem.
    pub size: u64,
    /// Bytes that can still be written at least.
    pub free: u64,
    /// How many bases.
    pub bases: u64,
    /// The base of new profiles.
    pub current_base: Option<String>,
    /// How many profiles.
    pub profiles: u64,
    /// How many transactions, of all profiles.
    pub transactions: u64,
    /// What their snapshots hold that nothing newer does, as far as it is known.
    pub snapshots: Sizes,
    /// The pool file's form.
    pub format: Format,
    /// Features because of which this version may only read the pool.
    pub read_only_because: Vec<String>,
    /// For people.
    #[serde(skip)]
    pub shown: String,
}

impl Human for Info {
    fn human(&self, _style: &Style) -> String {
        let current = self
            .current_base
            .as_ref()
            .map(|version| format!(" (current: {})", escape::text(version)));
        let mut text = facts(&[
            ("pool", self.pool.clone()),
            ("on", escape::text(&self.shown)),
            ("device", escape::text(&self.device)),
            ("filesystem", self.filesystem.clone()),
            ("created", format!("{} UTC", units::time(&self.created))),
            ("size", units::size(self.size)),
            ("free", units::size(self.free)),
            ("inode floor", self.inode_floor.to_string()),
            (
                "bases",
                format!("{}{}", self.bases, current.unwrap_or_default()),
            ),
            ("profiles", self.profiles.to_string()),
            ("transactions", self.transactions.to_string()),
            ("snapshots", self.snapshots.words()),
            ("format", format!("version {}", self.format.version)),
        ]);
        if !self.read_only_because.is_empty() {
            text.push_str(&format!(
                "This version can only read the pool; it does not know: {}.\n",
                escape::text(&self.read_only_because.join(", "))
            ));
        }
        text
    }
}

/// One thing that is wrong.
#[derive(Debug, Serialize)]
pub struct Problem {
    /// A stable word.
    pub situation: String,
    /// What is wrong, one sentence.
    pub message: String,
    /// The path it is about.
    #[serde(flatten)]
    pub path: Option<JsonPath>,
    /// The next command.
    pub hint: Option<String>,
}

/// `pool check`, `base verify`.
#[derive(Debug, Serialize)]
pub struct Checked {
    /// What was examined, for people.
    #[serde(skip)]
    pub what: String,
    /// Everything that is wrong.
    pub problems: Vec<Problem>,
}

impl Human for Checked {
    fn human(&self, _style: &Style) -> String {
        if self.problems.is_empty() {
            return format!("No damage was found in {}.\n", escape::text(&self.what));
        }
        let mut text = String::new();
        for problem in &self.problems {
            text.push_str(&format!(
                "{}: {}\n",
                problem.situation,
                escape::text(&problem.message)
            ));
            if let Some(hint) = &problem.hint {
                text.push_str(&format!("  hint: {}\n", escape::text(hint)));
            }
        }
        text
    }

    fn finding(&self) -> Option<Failure> {
        let number = self.problems.len() as u64;
        (number > 0).then(|| {
            let message = format!(
                "{} found in {}",
                units::count(number, "problem", "problems"),
                self.what
            );
            Failure::new(Exit::Damaged, "damage-found", message)
        })
    }
}

/// A version of this tool somewhere in the pool.
#[derive(Debug, Clone, Serialize)]
pub struct Tool {
    /// Where it is installed: a base, a profile.
    #[serde(rename = "what")]
    pub place: String,
    /// Its version; `None` where it is not installed.
    pub version: Option<String>,
}

impl Tool {
    fn line(&self) -> String {
        let version = self.version.as_deref().unwrap_or("not installed");
        format!("{}: {}", escape::text(&self.place), escape::text(version))
    }
}

/// `pool upgrade`.
#[derive(Debug, Serialize)]
pub struct Upgraded {
    /// Features that the upgrade adds.
    pub features: Vec<String>,
    /// Who cannot read the result.
    pub readers: Vec<Tool>,
    /// Every base and profile with its version of this tool.
    pub tools: Vec<Tool>,
    /// Whether the pool was changed.
    pub changed: bool,
}

impl Human for Upgraded {
    fn human(&self, _style: &Style) -> String {
        let mut text = match (self.features.as_slice(), self.changed) {
            ([], _) => "The pool has the newest form already.\n".to_owned(),
            (features, true) => format!("Added: {}.\n", escape::text(&features.join(", "))),
            (features, false) => format!("Would add: {}.\n", escape::text(&features.join(", "))),
        };
        for (title, list) in [
            ("cannot read it", &self.readers),
            ("versions of this tool", &self.tools),
        ] {
            if !list.is_empty() {
                text.push_str(&format!("{title}:\n"));
            }
            for tool in list {
                text.push_str(&format!("  {}\n", tool.line()));
            }
        }
        text
    }
}

/// `pool gc`.
#[derive(Debug, Serialize)]
pub struct Collected {
    /// What was, or would be, collected.
    pub collected: Vec<String>,
    /// What was kept because it cannot be told, or is in use.
    pub kept: Vec<String>,
    /// Whether it was only looked.
    pub dry_run: bool,
    /// Transactions whose snapshots went, or would go, by the policies of their profile.
    pub pruned: Vec<Pruned>,
    /// Those that would go besides, the oldest first and only until enough is free.
    pub until_free: Vec<Pruned>,
    /// Of a dry run: about how much comes free with these snapshots.
    pub frees: Option<Sizes>,
    /// Bytes that can be written now at least.
    pub free: u64,
    /// Bytes that the policies want to stay free.
    pub to_stay_free: u64,
}

impl Human for Collected {
    fn human(&self, _style: &Style) -> String {
        let verb = if self.dry_run {
            "would collect"
        } else {
            "collected"
        };
        let mut text = String::new();
        let until_free = format!(
            "{verb}, the oldest first, until {} are free",
            units::size(self.to_stay_free)
        );
        for (title, list) in [
            (verb, &self.collected),
            (verb, &retention::lines(&self.pruned)),
            (&until_free, &retention::lines(&self.until_free)),
            ("kept", &self.kept),
        ] {
            for item in list {
                text.push_str(&format!("{title}: {}\n", escape::text(item)));
            }
        }
        if let Some(frees) = self.frees.filter(|frees| frees.transactions > 0) {
            text.push_str(&format!("the snapshots of {}\n", frees.words()));
        }
        if text.is_empty() {
            text.push_str("Nothing to collect.\n");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn info_reads_as_a_list_of_facts() {
        let expected = "\
pool          7d1a4c1e-0000-4000-8000-000000000001
on            demo.img
device        /dev/loop0
filesystem    7d1a4c1e-0000-4000-8000-000000000002
created       2026-11-21 09:03:01 UTC
size          8.0 GiB
free          6.5 GiB
inode floor   1048576
bases         1 (current: 13.2)
profiles      2
transactions  14
snapshots     3 transactions, about 40.0 MiB without 1 not measured
format        version 1
";
        assert_eq!(samples::pool_info().human(&Style::plain()), expected);
    }

    #[test]
    fn an_upgrade_tells_who_is_left_behind() {
        let expected = "\
Added: a.
cannot read it:
  base 13.2: 0.1.0
versions of this tool:
  base 13.2: 0.1.0
  profile tv: not installed
";
        assert_eq!(samples::upgraded().human(&Style::plain()), expected);
    }

    #[test]
    fn gc_tells_what_went_and_what_stayed() {
        let mut collected = samples::collected();
        let expected = "\
would collect: what transaction 5 deleted or replaced
would collect: the snapshots of transaction 3 of tv (keep-most)
would collect, the oldest first, until 819.2 MiB are free: the snapshots of transaction 4 of tv (keep-free)
kept: trash x
the snapshots of 2 transactions, about 12.0 MiB
";
        assert_eq!(collected.human(&Style::plain()), expected);
        collected.collected.clear();
        collected.pruned.clear();
        collected.until_free.clear();
        collected.frees = None;
        collected.kept.clear();
        assert_eq!(collected.human(&Style::plain()), "Nothing to collect.\n");
    }

    #[test]
    fn a_check_without_findings_is_no_failure() {
        let checked = Checked {
            what: "the pool demo.img".into(),
            problems: Vec::new(),
        };
        assert_eq!(
            checked.human(&Style::plain()),
            "No damage was found in the pool demo.img.\n"
        );
        assert_eq!(checked.finding(), None);
    }

    #[test]
    fn a_check_with_findings_exits_with_4_and_lists_them() {
        let checked = samples::pool_check();
        assert_eq!(checked.finding().map(|failure| failure.code), Some(4));
        assert_eq!(
            checked.human(&Style::plain()),
            "inode-floor: @profiles/k3j2h1g0 has inode 300 below the floor\n  hint: clone the profile\n"
        );
    }
}
