//! The names of the snapshots of a profile, below `@snapshots/<id>/`.

use std::fmt;
use std::str::FromStr;

use super::TransactionNumber;
use super::words::{serde_as_text, shorten};

/// The name of a snapshot of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SnapshotName {
    /// `origin`: the profile as it was created, cloned or delivered.
    Origin,
    /// `<number>-pre`: before the transaction.
    Pre(TransactionNumber),
    /// `<number>-post`: after the transaction.
    Post(TransactionNumber),
}

/// Why a text is no name of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{}' is no snapshot of a profile (origin, N-pre or N-post)", .text.escape_debug())]
pub struct SnapshotNameError {
    /// What was given, shortened.
    pub text: String,
}

impl SnapshotName {
    /// The transaction the snapshot belongs to; none for `origin`.
    pub const fn transaction(self) -> Option<TransactionNumber> {
        match self {
            Self::Origin => None,
            Self::Pre(number) | Self::Post(number) => Some(number),
        }
    }
}

impl FromStr for SnapshotName {
    type Err = SnapshotNameError;

    fn from_str(text: &str) -> Result<Self, SnapshotNameError> {
        let wrong = || SnapshotNameError {
            text: shorten(text),
        };
        if text == "origin" {
            return Ok(Self::Origin);
        }
        let (number, side) = text.split_once('-').ok_or_else(wrong)?;
        let number = number.parse().map_err(|_| wrong())?;
        match side {
            "pre" => Ok(Self::Pre(number)),
            "post" => Ok(Self::Post(number)),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for SnapshotName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Origin => f.pad("origin"),
            Self::Pre(number) => f.pad(&format!("{number}-pre")),
            Self::Post(number) => f.pad(&format!("{number}-post")),
        }
    }
}

serde_as_text!(SnapshotName);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refuses_other_names() {
        for text in [
            "", "Origin", "0-pre", "1-", "-pre", "1-pre-", "01-pre", "1-Pre", "1-pre/..",
            "../1-pre",
        ] {
            assert!(text.parse::<SnapshotName>().is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn round_trips(number in 1..=i64::MAX) {
            let number = TransactionNumber::new(number).unwrap();
            for name in [SnapshotName::Origin, SnapshotName::Pre(number), SnapshotName::Post(number)] {
                prop_assert_eq!(name.to_string().parse::<SnapshotName>().unwrap(), name);
            }
        }

        #[test]
        fn what_parses_displays_the_same(text in "[0-9a-z-]{0,12}") {
            if let Ok(name) = text.parse::<SnapshotName>() {
                prop_assert_eq!(name.to_string(), text);
            }
        }
    }
}
