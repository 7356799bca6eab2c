//! `profile.json`: the truth about a profile. It travels inside the profile's
//! subvolume, so every snapshot carries the one of its time.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::file_error::{self, FileError};
use crate::format::{Format, FormatError, Known};
use crate::model::{BaseVersion, Kind, ProfileId, ProfileName, Time, TreeHash};

/// The largest profile.json accepted, in bytes.
pub const SIZE_MAX: usize = 256 * 1024;
/// The longest description, in characters.
pub const DESCRIPTION_LENGTH_MAX: usize = 1000;
/// The longest device-tree overlay name or kernel argument, in bytes.
const WORD_LENGTH_MAX: usize = 256;
/// The most device-tree overlays, kernel arguments or policies.
const WORDS_MAX: usize = 128;

/// The content of a profile's file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProfileFile {
    /// Who may read and write the file.
    pub format: Format,
    /// The profile's id.
    pub id: ProfileId,
    /// The profile's name.
    pub name: ProfileName,
    /// Made by the user or delivered.
    pub kind: Kind,
    /// Where it came from.
    pub origin: Origin,
    /// The base it is mounted over, and no other.
    pub base: BaseRef,
    /// When it was created.
    pub created: Time,
    /// When its metadata changed last.
    pub modified: Time,
    /// What it is for, in the user's words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Settings of the profile, `home` or `hook-policy` for example.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub policies: BTreeMap<String, Value>,
    /// Device-tree overlays, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overlays: Vec<String>,
    /// Kernel arguments, in order. Which ones are allowed is decided where they
    /// are used; here they are only bounded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kernel_arguments: Vec<String>,
    /// Fields of newer versions, kept as they are.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// A base, named and identified: the name alone could be given to another tree.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BaseRef {
    /// The base's version.
    pub version: BaseVersion,
    /// The hash of its tree.
    pub tree_hash: TreeHash,
}

/// Where a profile came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "kebab-case")]
pub enum Origin {
    /// Made empty from the template.
    Created,
    /// Delivered with the system.
    Delivered,
    /// Cloned from another profile.
    Cloned {
        /// The profile it was cloned from.
        from: ProfileId,
        /// That profile's name at the time.
        name: ProfileName,
    },
    /// Imported from a stream.
    Imported {
        /// What the exporter called it, for people.
        source: String,
    },
    /// A way of a newer version, kept as it is.
    #[serde(untagged)]
    Other(Map<String, Value>),
}

impl ProfileFile {
    /// What this version of the tool knows of profile.json.
    pub const KNOWN: Known = Known {
        what: "profile.json",
        version: 1,
        read_only_compatible: &[],
        incompatible: &[],
    };

    /// A new profile of a user, without description, policies or arguments.
    pub fn new(
        id: ProfileId,
        name: ProfileName,
        origin: Origin,
        base: BaseRef,
        created: Time,
    ) -> Self {
        Self {
            format: Format::new(Self::KNOWN.version),
            id,
            name,
            kind: Kind::User,
            origin,
            base,
            created,
            modified: created,
            description: String::new(),
            policies: BTreeMap::new(),
            overlays: Vec::new(),
            kernel_arguments: Vec::new(),
            unknown: Map::new(),
        }
    }

    /// Parses the content of a profile.json.
    pub fn parse(bytes: &[u8]) -> Result<Self, FileError> {
        let file: Self = file_error::parse(&Self::KNOWN, SIZE_MAX, bytes)?;
        file.check()?;
        Ok(file)
    }

    /// The bytes to write. Look at [`ProfileFile::writable`] before, and at
    /// [`ProfileFile::check`] when fields were set.
    pub fn to_bytes(&self) -> Vec<u8> {
        file_error::to_bytes(self)
    }

    /// An error when a newer tool's features forbid this one to change the file.
    pub fn writable(&self) -> Result<(), FormatError> {
        self.format.writable(&Self::KNOWN)
    }

    /// The bounds of the fields whose types do not check themselves.
    pub fn check(&self) -> Result<(), FileError> {
        let wrong = |detail: String| FileError::Wrong {
            what: Self::KNOWN.what,
            detail,
        };
        let length = self.description.chars().count();
        if length > DESCRIPTION_LENGTH_MAX {
            return Err(wrong(format!(
                "description has {length} characters, at most {DESCRIPTION_LENGTH_MAX} are allowed"
            )));
        }
        if self
            .description
            .chars()
            .any(|c| c.is_control() && c != '\n')
        {
            return Err(wrong("description has a control character".to_owned()));
        }
        for (field, words) in [
            ("overlays", &self.overlays),
            ("kernel_arguments", &self.kernel_arguments),
        ] {
            if words.len() > WORDS_MAX {
                return Err(wrong(format!(
                    "{field} has {} entries, at most {WORDS_MAX} are allowed",
                    words.len()
                )));
            }
            for word in words {
                if word.is_empty()
                    || word.len() > WORD_LENGTH_MAX
                    || word.chars().any(char::is_control)
                {
                    return Err(wrong(format!(
                        "{field} has an entry that is empty, longer than {WORD_LENGTH_MAX} bytes, or has a control character"
                    )));
                }
            }
        }
        if self.policies.len() > WORDS_MAX {
            return Err(wrong(format!(
                "policies has {} entries, at most {WORDS_MAX} are allowed",
                self.policies.len()
            )));
        }
        Ok(())
    }
}
