//! The id of a profile: eight random characters of `[a-z0-9]`.
//!
//! Kernel arguments, boot files, snapshots and paths carry ids; people see
//! names. An id is never reused, which whoever generates one checks against
//! the pool and the journal.

use std::fmt;
use std::str::FromStr;

use super::words::{serde_as_text, shorten};

/// Number of characters of an id.
const LENGTH: usize = 8;
/// The characters an id is made of.
const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";

/// The id of a profile.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProfileId([u8; LENGTH]);

/// Why a text is no profile id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// Too short or too long.
    #[error("a profile id has {LENGTH} characters, '{}' has {length}", .text.escape_debug())]
    Length {
        /// The text, shortened.
        text: String,
        /// Its length in characters.
        length: usize,
    },
    /// A character other than `a` to `z` and `0` to `9`.
    #[error("a profile id has only a-z and 0-9, '{}' has '{}'", .text.escape_debug(), .character.escape_debug())]
    Character {
        /// The text, shortened.
        text: String,
        /// The first character that is not allowed.
        character: char,
    },
    /// The system gave no random numbers.
    #[error("cannot generate a profile id: no random numbers: {detail}")]
    NoRandomness {
        /// What the system said.
        detail: String,
    },
}

impl ProfileId {
    /// A new random id. The caller makes sure that it was never used before.
    pub fn generate() -> Result<Self, IdError> {
        let mut id = [0u8; LENGTH];
        let mut filled = 0;
        let mut random = [0u8; 2 * LENGTH];
        while filled < LENGTH {
            getrandom::fill(&mut random).map_err(|error| IdError::NoRandomness {
                detail: error.to_string(),
            })?;
            // 252 is the largest multiple of 36 in a byte: taking only what is
            // below it keeps every character equally likely.
            for byte in random.iter().filter(|byte| **byte < 252) {
                if filled < LENGTH {
                    id[filled] = ALPHABET[usize::from(*byte) % ALPHABET.len()];
                    filled += 1;
                }
            }
        }
        Ok(Self(id))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("BUG: an id holds only ASCII")
    }
}

impl FromStr for ProfileId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        if let Some(character) = text
            .chars()
            .find(|c| !c.is_ascii_lowercase() && !c.is_ascii_digit())
        {
            return Err(IdError::Character {
                text: shorten(text),
                character,
            });
        }
        match text.as_bytes().try_into() {
            Ok(id) => Ok(Self(id)),
            Err(_) => Err(IdError::Length {
                text: shorten(text),
                length: text.chars().count(),
            }),
        }
    }
}

impl fmt::Display for ProfileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for ProfileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProfileId({})", self.as_str())
    }
}

impl AsRef<str> for ProfileId {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

serde_as_text!(ProfileId);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn generates_valid_ids_that_differ() {
        let ids: std::collections::BTreeSet<_> = (0..1000)
            .map(|_| ProfileId::generate().expect("random numbers"))
            .collect();
        assert_eq!(ids.len(), 1000);
        for id in ids {
            assert_eq!(id.as_str().parse(), Ok(id));
        }
    }

    #[test]
    fn says_what_is_wrong() {
        let message = |text: &str| text.parse::<ProfileId>().unwrap_err().to_string();
        assert_eq!(message("abc"), "a profile id has 8 characters, 'abc' has 3");
        assert_eq!(
            message("abcdefg/"),
            "a profile id has only a-z and 0-9, 'abcdefg/' has '/'"
        );
        assert_eq!(
            message("abc\ndefg"),
            r"a profile id has only a-z and 0-9, 'abc\ndefg' has '\n'"
        );
    }

    proptest! {
        #[test]
        fn round_trips(text in "[a-z0-9]{8}") {
            let id: ProfileId = text.parse().unwrap();
            prop_assert_eq!(id.to_string(), text.clone());
            let json = serde_json::to_string(&id).unwrap();
            prop_assert_eq!(serde_json::from_str::<ProfileId>(&json).unwrap(), id);
        }

        #[test]
        fn accepts_nothing_else(text in any::<String>()) {
            let valid = text.len() == 8
                && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
            prop_assert_eq!(text.parse::<ProfileId>().is_ok(), valid);
        }
    }
}
