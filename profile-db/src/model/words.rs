//! Macros for enumerations that are words on disk, and for newtypes over text.
//!
//! Two sorts of enumeration: a *closed* one refuses a word it does not know; an
//! *open* one keeps it in `Other`, so that an older tool can still list what a
//! newer one wrote.

/// An enumeration whose set of words is fixed; an unknown word is an error.
macro_rules! closed_words {
    ($(#[$meta:meta])* $name:ident, $what:literal, { $($(#[$vmeta:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$vmeta])* $variant),+ }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// The word on disk and in JSON.
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::model::words::UnknownWord;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                match word {
                    $($word => Ok($name::$variant),)+
                    _ => Err($crate::model::words::UnknownWord::new($what, word)),
                }
            }
        }

        $crate::model::words::serde_as_text!($name);
    };
}

/// An enumeration to which later versions may add words.
#[cfg_attr(not(feature = "journal"), allow(unused_macros))]
macro_rules! open_words {
    ($(#[$meta:meta])* $name:ident, { $($(#[$vmeta:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$vmeta])* $variant,)+
            /// A word of a newer version, kept as it is.
            Other(String),
        }

        impl $name {
            /// Every value this version knows, in the order of declaration.
            pub const KNOWN: &'static [$name] = &[$($name::$variant),+];

            /// The word on disk and in JSON.
            pub fn as_str(&self) -> &str {
                match self {
                    $($name::$variant => $word,)+
                    $name::Other(word) => word,
                }
            }

            /// The value for a word; never fails, unknown words become `Other`.
            pub fn from_word(word: &str) -> Self {
                match word {
                    $($word => $name::$variant,)+
                    other => $name::Other(other.to_owned()),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = std::convert::Infallible;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                Ok(Self::from_word(word))
            }
        }

        $crate::model::words::serde_as_text!($name);
    };
}

/// serde through `Display` and `FromStr`: one form on disk, one set of checks.
macro_rules! serde_as_text {
    ($name:ident) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text =
                    <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use closed_words;
#[cfg_attr(not(feature = "journal"), allow(unused_imports))]
pub(crate) use open_words;
pub(crate) use serde_as_text;

/// A word that is none of an enumeration's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} '{}'", .word.escape_debug())]
pub struct UnknownWord {
    /// What the word should have been.
    pub what: &'static str,
    /// The word, cut after 64 characters.
    pub word: String,
}

impl UnknownWord {
    pub(crate) fn new(what: &'static str, word: &str) -> Self {
        Self {
            what,
            word: shorten(word),
        }
    }
}

/// The first 64 characters of a text from outside, for use in a message.
pub(crate) fn shorten(text: &str) -> String {
    text.chars().take(64).collect()
}
