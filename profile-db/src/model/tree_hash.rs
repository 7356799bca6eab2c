//! The hash of a whole tree, which says what a base is apart from its name.

use std::fmt;
use std::fmt::Write as _;
use std::str::FromStr;

use super::words::{serde_as_text, shorten};

/// `<algorithm>:<hex>`, for example `sha256:9f86…`. The algorithm covers both
/// the hash function and the form in which the tree is fed to it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TreeHash(String);

/// Why a text is no tree hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{}' is no tree hash (ALGORITHM:HEX with 32 to 128 digits)", .text.escape_debug())]
pub struct TreeHashError {
    /// What was given, shortened.
    pub text: String,
}

impl TreeHash {
    /// The hash as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A hash from an algorithm's name and its bytes.
    pub fn from_bytes(algorithm: &str, bytes: &[u8]) -> Result<Self, TreeHashError> {
        let mut text = format!("{algorithm}:");
        for byte in bytes {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        text.parse()
    }

    /// The name of the algorithm.
    pub fn algorithm(&self) -> &str {
        self.0.split(':').next().unwrap_or_default()
    }
}

impl FromStr for TreeHash {
    type Err = TreeHashError;

    fn from_str(text: &str) -> Result<Self, TreeHashError> {
        let valid = text.split_once(':').is_some_and(|(algorithm, hex)| {
            (1..=16).contains(&algorithm.len())
                && algorithm
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
                && (32..=128).contains(&hex.len())
                && hex.len() % 2 == 0
                && hex
                    .bytes()
                    .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        });
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(TreeHashError {
                text: shorten(text),
            })
        }
    }
}

impl fmt::Display for TreeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

serde_as_text!(TreeHash);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refuses_other_forms() {
        for text in [
            "",
            "sha256:",
            "sha256:12",
            "abcdef",
            "SHA256:00112233445566778899aabbccddeeff",
            "sha256:00112233445566778899AABBCCDDEEFF",
        ] {
            assert!(text.parse::<TreeHash>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn round_trips(bytes in proptest::collection::vec(any::<u8>(), 16..=64)) {
            let hash = TreeHash::from_bytes("sha256", &bytes).unwrap();
            prop_assert_eq!(hash.algorithm(), "sha256");
            prop_assert_eq!(hash.to_string().parse::<TreeHash>().unwrap(), hash);
        }

        #[test]
        fn never_panics(text in any::<String>()) {
            let _ = text.parse::<TreeHash>();
        }
    }
}
