//! A path below the top level of a pool, as the boot record names it.
//!
//! Early boot renames what these paths name, as root, from a file it found on
//! a disk: so a path can only ever name something in the places that
//! replacements use, and never climbs.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use super::words::{serde_as_text, shorten};

/// The longest path accepted.
const LENGTH_MAX: usize = 255;
/// Where replacements happen; the rest of a pool is none of early boot's business.
const PLACES: &[&[&str]] = &[
    &["@profiles"],
    &["@state"],
    &["@snapshots"],
    &["@flipper", "staging"],
    &["@flipper", "trash"],
];

/// A relative path below the top level of a pool that names one subvolume of a
/// profile, its state, a snapshot, or an entry of staging or trash.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PoolPath(String);

/// Why a text is no path of a pool.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PoolPathError {
    /// Longer than any path of a pool.
    #[error("path in a pool has {length} bytes, at most {LENGTH_MAX} are allowed")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// Absolute, climbing, or with an empty part.
    #[error("path in a pool '{}' must be relative, without '.', '..' and empty parts", .path.escape_debug())]
    NotPlain {
        /// The path, shortened.
        path: String,
    },
    /// A character that no name of ours has.
    #[error("path in a pool '{}' has '{}'", .path.escape_debug(), .character.escape_debug())]
    Character {
        /// The path, shortened.
        path: String,
        /// The first such character.
        character: char,
    },
    /// Names something that is never replaced.
    #[error("path in a pool '{}' is not below @profiles, @state, @snapshots, @flipper/staging or @flipper/trash", .path.escape_debug())]
    Place {
        /// The path, shortened.
        path: String,
    },
}

impl PoolPath {
    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path as a path, to be joined to where the top level is mounted.
    pub fn as_path(&self) -> &Path {
        Path::new(&self.0)
    }
}

impl FromStr for PoolPath {
    type Err = PoolPathError;

    fn from_str(text: &str) -> Result<Self, PoolPathError> {
        if text.len() > LENGTH_MAX {
            return Err(PoolPathError::TooLong { length: text.len() });
        }
        let path = || shorten(text);
        let plain = |c: &char| c.is_ascii_alphanumeric() || "@/._+~-".contains(*c);
        if let Some(character) = text.chars().find(|c| !plain(c)) {
            return Err(PoolPathError::Character {
                path: path(),
                character,
            });
        }
        let parts: Vec<&str> = text.split('/').collect();
        if parts.iter().any(|part| matches!(*part, "" | "." | "..")) {
            return Err(PoolPathError::NotPlain { path: path() });
        }
        let below = |place: &&[&str]| parts.len() > place.len() && parts.starts_with(place);
        if !PLACES.iter().any(below) {
            return Err(PoolPathError::Place { path: path() });
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for PoolPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl AsRef<Path> for PoolPath {
    fn as_ref(&self) -> &Path {
        self.as_path()
    }
}

serde_as_text!(PoolPath);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_situation_has_its_error() {
        let error = |text: &str| text.parse::<PoolPath>().unwrap_err();
        assert!(matches!(error(""), PoolPathError::NotPlain { .. }));
        assert!(matches!(
            error("/@profiles/a"),
            PoolPathError::NotPlain { .. }
        ));
        assert!(matches!(
            error("@profiles/../@base/1"),
            PoolPathError::NotPlain { .. }
        ));
        assert!(matches!(
            error("@profiles/"),
            PoolPathError::NotPlain { .. }
        ));
        assert!(matches!(error("@profiles"), PoolPathError::Place { .. }));
        assert!(matches!(error("@base/13"), PoolPathError::Place { .. }));
        assert!(matches!(
            error("@flipper/journal.db"),
            PoolPathError::Place { .. }
        ));
        assert!(matches!(
            error("@profiles/a\nb"),
            PoolPathError::Character {
                character: '\n',
                ..
            }
        ));
        assert!(matches!(
            error(&"@".repeat(300)),
            PoolPathError::TooLong { length: 300 }
        ));
    }

    proptest! {
        #[test]
        fn what_parses_stays_below_the_pool(text in "[@/.a-z]{0,30}") {
            if let Ok(path) = text.parse::<PoolPath>() {
                prop_assert_eq!(path.to_string(), text);
                prop_assert!(path.as_path().components().all(|c| matches!(c, std::path::Component::Normal(_))));
                prop_assert!(path.as_path().components().count() >= 2);
            }
        }

        #[test]
        fn round_trips(name in "[a-z0-9]{1,20}", place in 0..PLACES.len()) {
            let text = format!("{}/{name}", PLACES[place].join("/"));
            prop_assert_eq!(text.parse::<PoolPath>().unwrap().to_string(), text);
        }

        #[test]
        fn never_panics(text in any::<String>()) {
            let _ = text.parse::<PoolPath>();
        }
    }
}
