//! Feature bits: who may read and who may write what another version wrote.
//!
//! Every file of a pool and the journal carries a [`Format`]. The version
//! counts additive revisions and is there for people; what decides is the
//! names of features (the model of ext4 and others): one that this tool does
//! not know and that is *compatible* changes nothing, *read-only-compatible*
//! forbids writing, *incompatible* forbids reading.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The most features of one class a format may name.
const FEATURES_MAX: usize = 64;

/// The version and the features of a file or of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Format {
    /// Counts additive revisions, from 1.
    pub version: u32,
    /// Features that a tool which does not know them may ignore.
    #[serde(default)]
    pub compatible: Vec<String>,
    /// Features that a tool which does not know them may read past, but not write.
    #[serde(default)]
    pub read_only_compatible: Vec<String>,
    /// Features without which the content cannot be understood.
    #[serde(default)]
    pub incompatible: Vec<String>,
}

/// What this version of the tool knows of one sort of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// The sort of file, as a message names it: `pool.json`, `journal`.
    pub what: &'static str,
    /// The newest version of it that this tool writes.
    pub version: u32,
    /// Read-only-compatible features this tool can write.
    pub read_only_compatible: &'static [&'static str],
    /// Incompatible features this tool understands.
    pub incompatible: &'static [&'static str],
}

/// What a tool may do with a format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compatibility {
    /// Read and write.
    Full,
    /// Read only: these features are not known.
    ReadOnly(Vec<String>),
    /// Nothing: these features are not known.
    Refused(Vec<String>),
}

/// A format this tool must not read, or must not write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// It has incompatible features this tool does not know.
    #[error("{what} has format {found} and needs {}, this tool knows format {known} and {}: use a newer flipper-profile", List(.unknown), List(.understood))]
    Refused {
        /// The sort of file.
        what: &'static str,
        /// The version found.
        found: u32,
        /// The features found that are not known.
        unknown: Vec<String>,
        /// The newest version this tool writes.
        known: u32,
        /// The incompatible features this tool understands.
        understood: Vec<String>,
    },
    /// It has read-only-compatible features this tool does not know.
    #[error("{what} has format {found} with {}, which this tool (format {known} with {}) may read but not write: use a newer flipper-profile", List(.unknown), List(.understood))]
    ReadOnly {
        /// The sort of file.
        what: &'static str,
        /// The version found.
        found: u32,
        /// The features found that are not known.
        unknown: Vec<String>,
        /// The newest version this tool writes.
        known: u32,
        /// The read-only-compatible features this tool can write.
        understood: Vec<String>,
    },
    /// A feature has no proper name, or there are too many.
    #[error("{what} names features that are no features: {detail}")]
    Nonsense {
        /// The sort of file.
        what: &'static str,
        /// What is wrong.
        detail: String,
    },
}

/// Features as a message lists them.
struct List<'a>(&'a [String]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => f.write_str("no features"),
            [one] => write!(f, "feature {one}"),
            more => write!(f, "features {}", more.join(", ")),
        }
    }
}

impl Format {
    /// A format of this version without features.
    pub const fn new(version: u32) -> Self {
        Self {
            version,
            compatible: Vec::new(),
            read_only_compatible: Vec::new(),
            incompatible: Vec::new(),
        }
    }

    /// What a tool that knows `known` may do with this format.
    pub fn check(&self, known: &Known) -> Compatibility {
        let unknown = |found: &[String], known: &[&str]| -> Vec<String> {
            found
                .iter()
                .filter(|feature| !known.contains(&feature.as_str()))
                .cloned()
                .collect()
        };
        let refused = unknown(&self.incompatible, known.incompatible);
        if !refused.is_empty() {
            return Compatibility::Refused(refused);
        }
        let read_only = unknown(&self.read_only_compatible, known.read_only_compatible);
        if !read_only.is_empty() {
            return Compatibility::ReadOnly(read_only);
        }
        Compatibility::Full
    }

    /// An error unless this format may be read.
    pub fn readable(&self, known: &Known) -> Result<(), FormatError> {
        self.sensible(known.what)?;
        match self.check(known) {
            Compatibility::Refused(unknown) => Err(FormatError::Refused {
                what: known.what,
                found: self.version,
                unknown,
                known: known.version,
                understood: owned(known.incompatible),
            }),
            Compatibility::Full | Compatibility::ReadOnly(_) => Ok(()),
        }
    }

    /// An error unless this format may be read and written.
    pub fn writable(&self, known: &Known) -> Result<(), FormatError> {
        self.readable(known)?;
        match self.check(known) {
            Compatibility::ReadOnly(unknown) => Err(FormatError::ReadOnly {
                what: known.what,
                found: self.version,
                unknown,
                known: known.version,
                understood: owned(known.read_only_compatible),
            }),
            Compatibility::Full | Compatibility::Refused(_) => Ok(()),
        }
    }

    /// Features come from outside and go into messages: only words, and few.
    fn sensible(&self, what: &'static str) -> Result<(), FormatError> {
        let nonsense = |detail: String| Err(FormatError::Nonsense { what, detail });
        for class in [
            &self.compatible,
            &self.read_only_compatible,
            &self.incompatible,
        ] {
            if class.len() > FEATURES_MAX {
                return nonsense(format!("{} features of one class", class.len()));
            }
            for feature in class {
                if !is_feature_name(feature) {
                    let start: String = feature.chars().take(32).collect();
                    return nonsense(format!("'{}'", start.escape_debug()));
                }
            }
        }
        Ok(())
    }
}

/// Whether a text can be the name of a feature: `[a-z0-9-]{1,32}`.
pub(crate) fn is_feature_name(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn owned(features: &[&str]) -> Vec<String> {
    features.iter().map(|f| (*f).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KNOWN: Known = Known {
        what: "pool.json",
        version: 1,
        read_only_compatible: &["ro-known"],
        incompatible: &["split"],
    };

    fn format(compatible: &[&str], read_only: &[&str], incompatible: &[&str]) -> Format {
        Format {
            version: 7,
            compatible: owned(compatible),
            read_only_compatible: owned(read_only),
            incompatible: owned(incompatible),
        }
    }

    #[test]
    fn features_decide_and_versions_do_not() {
        let cases = [
            (format(&[], &[], &[]), Compatibility::Full),
            (
                format(&["new"], &["ro-known"], &["split"]),
                Compatibility::Full,
            ),
            (
                format(&[], &["x"], &[]),
                Compatibility::ReadOnly(vec!["x".into()]),
            ),
            (
                format(&[], &["x"], &["y", "split"]),
                Compatibility::Refused(vec!["y".into()]),
            ),
        ];
        for (format, expected) in cases {
            assert_eq!(format.check(&KNOWN), expected, "{format:?}");
        }
    }

    #[test]
    fn messages_state_both_sides() {
        let refused = format(&[], &[], &["shards", "trees"])
            .readable(&KNOWN)
            .unwrap_err();
        assert_eq!(
            refused.to_string(),
            "pool.json has format 7 and needs features shards, trees, this tool knows format 1 and feature split: use a newer flipper-profile"
        );
        let read_only = format(&[], &["x"], &[]);
        assert_eq!(read_only.readable(&KNOWN), Ok(()));
        assert_eq!(
            read_only.writable(&KNOWN).unwrap_err().to_string(),
            "pool.json has format 7 with feature x, which this tool (format 1 with feature ro-known) may read but not write: use a newer flipper-profile"
        );
    }

    #[test]
    fn nonsense_is_refused() {
        let error = format(&["a\nb"], &[], &[]).readable(&KNOWN).unwrap_err();
        assert_eq!(
            error.to_string(),
            r"pool.json names features that are no features: 'a\nb'"
        );
        let many: Vec<&str> = vec!["a"; 65];
        assert!(format(&[], &[], &many).readable(&KNOWN).is_err());
    }

    proptest! {
        #[test]
        fn an_unknown_incompatible_feature_is_always_refused(
            name in "[a-z][a-z0-9-]{0,20}", others in proptest::collection::vec("[a-z]{1,8}", 0..5)
        ) {
            prop_assume!(name != "split");
            let mut format = Format::new(1);
            format.compatible = others;
            format.incompatible.push(name.clone());
            prop_assert_eq!(format.check(&KNOWN), Compatibility::Refused(vec![name]));
        }
    }
}
