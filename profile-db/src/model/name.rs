//! Names that people give: of profiles and of base versions.
//!
//! A name becomes a word on a command line, a line of a menu and (for a base)
//! a directory, so both keep to letters, digits and a few signs. Where a
//! command takes a name or an id, a name wins: whoever creates a profile
//! refuses a name that is another profile's id.

use std::fmt;
use std::str::FromStr;

use super::words::{serde_as_text, shorten};

/// The longest name, in characters (all of them ASCII).
pub const NAME_LENGTH_MAX: usize = 64;

/// Words that mean something where a name may stand; in any case of letters.
///
/// `current` is a symlink beside the bases; the others are words of commands,
/// of boot actions, or names of snapshots.
pub const RESERVED: &[&str] = &[
    "all",
    "base",
    "current",
    "default",
    "ephemeral",
    "none",
    "origin",
    "previous",
    "rescue",
    "template",
    "trial",
];

/// Why a text is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// Nothing at all.
    #[error("a {what} must not be empty")]
    Empty {
        /// What the name should have been of.
        what: &'static str,
    },
    /// Longer than [`NAME_LENGTH_MAX`].
    #[error("{what} '{}…' has {length} characters, at most {NAME_LENGTH_MAX} are allowed", .start.escape_debug())]
    TooLong {
        /// What the name should have been of.
        what: &'static str,
        /// The beginning of the text.
        start: String,
        /// Its length in characters.
        length: usize,
    },
    /// `.` or `..`, which name directories.
    #[error("'{name}' is a directory, not a {what}")]
    Dots {
        /// What the name should have been of.
        what: &'static str,
        /// The text.
        name: String,
    },
    /// A slash: a name is one part of a path.
    #[error("{what} '{}' has a slash", .name.escape_debug())]
    Slash {
        /// What the name should have been of.
        what: &'static str,
        /// The text.
        name: String,
    },
    /// A control character, a newline for example.
    #[error("{what} '{}' has the control character {}", .name.escape_debug(), .character.escape_unicode())]
    ControlCharacter {
        /// What the name should have been of.
        what: &'static str,
        /// The text.
        name: String,
        /// The first such character.
        character: char,
    },
    /// A character outside ASCII.
    #[error("{what} '{}' has '{}': only ASCII letters, digits and . _ + - are allowed", .name.escape_debug(), .character.escape_debug())]
    NotAscii {
        /// What the name should have been of.
        what: &'static str,
        /// The text.
        name: String,
        /// The first such character.
        character: char,
    },
    /// Starts with a dash: commands would take it for an option.
    #[error("{what} '{}' must not start with a dash", .name.escape_debug())]
    LeadingDash {
        /// What the name should have been of.
        what: &'static str,
        /// The text.
        name: String,
    },
    /// Starts with a dot: such names are the tool's own.
    #[error("{what} '{}' must not start with a dot", .name.escape_debug())]
    LeadingDot {
        /// What the name should have been of.
        what: &'static str,
        /// The text.
        name: String,
    },
    /// Starts with another sign that is allowed only later in a name.
    #[error("{what} '{}' must start with a letter or a digit", .name.escape_debug())]
    LeadingSign {
        /// What the name should have been of.
        what: &'static str,
        /// The text.
        name: String,
    },
    /// Another character that is not allowed, a space for example.
    #[error("{what} '{}' has '{character}': only letters, digits and . _ + - are allowed", .name.escape_debug())]
    Character {
        /// What the name should have been of.
        what: &'static str,
        /// The text.
        name: String,
        /// The first such character.
        character: char,
    },
    /// One of [`RESERVED`].
    #[error("'{name}' is a reserved word, not a {what}")]
    Reserved {
        /// What the name should have been of.
        what: &'static str,
        /// The text.
        name: String,
    },
}

/// The checks both sorts of names share; `extra` is what this sort allows more.
fn check(what: &'static str, text: &str, extra: &str) -> Result<(), NameError> {
    let name = || shorten(text);
    if text.is_empty() {
        return Err(NameError::Empty { what });
    }
    let length = text.chars().count();
    if length > NAME_LENGTH_MAX {
        return Err(NameError::TooLong {
            what,
            start: text.chars().take(16).collect(),
            length,
        });
    }
    if matches!(text, "." | "..") {
        return Err(NameError::Dots { what, name: name() });
    }
    for character in text.chars() {
        let allowed = character.is_ascii_alphanumeric()
            || "._+-".contains(character)
            || extra.contains(character);
        if allowed {
            continue;
        }
        return Err(match character {
            '/' => NameError::Slash { what, name: name() },
            c if c.is_control() => NameError::ControlCharacter {
                what,
                name: name(),
                character,
            },
            c if !c.is_ascii() => NameError::NotAscii {
                what,
                name: name(),
                character,
            },
            _ => NameError::Character {
                what,
                name: name(),
                character,
            },
        });
    }
    if text.starts_with('-') {
        return Err(NameError::LeadingDash { what, name: name() });
    }
    if text.starts_with('.') {
        return Err(NameError::LeadingDot { what, name: name() });
    }
    if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return Err(NameError::LeadingSign { what, name: name() });
    }
    if RESERVED.iter().any(|word| text.eq_ignore_ascii_case(word)) {
        return Err(NameError::Reserved { what, name: name() });
    }
    Ok(())
}

macro_rules! name_type {
    ($(#[$meta:meta])* $name:ident, $what:literal, $extra:literal) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                check($what, text, $extra)?;
                Ok(Self(text.to_owned()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        serde_as_text!($name);
    };
}

name_type!(
    /// The name of a profile: 1 to 64 ASCII letters, digits and `. _ + -`,
    /// starting with a letter or digit, and no reserved word.
    ProfileName,
    "profile name",
    ""
);
name_type!(
    /// The version of a base, which is its directory's name below `@base`:
    /// as a profile's name, and `~` besides.
    BaseVersion,
    "base version",
    "~"
);

#[cfg(test)]
#[path = "name_tests.rs"]
mod tests;
