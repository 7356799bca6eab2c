//! `@flipper/bases/<version>.json`: what a base is. It lies outside the base,
//! which is a Debian root and nothing else.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::file_error::{self, FileError};
use crate::format::{Format, FormatError, Known};
use crate::model::{BaseVersion, Time, TreeHash};

/// The largest base.json accepted, in bytes.
pub const SIZE_MAX: usize = 256 * 1024;

/// The content of a base's file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BaseFile {
    /// Who may read and write the file.
    pub format: Format,
    /// The name of the base, which is also its directory's.
    pub version: BaseVersion,
    /// UUID of the base's subvolume.
    pub uuid: Uuid,
    /// Hash of the whole tree.
    pub tree_hash: TreeHash,
    /// Highest inode number in the base; below the pool's floor.
    pub highest_inode: u64,
    /// Debian architecture, `amd64` for example.
    pub architecture: String,
    /// Debian release, `trixie` for example.
    pub release: String,
    /// When it was added.
    pub added: Time,
    /// Where it came from.
    pub source: BaseSource,
    /// Number of entries of the tree.
    pub entries: u64,
    /// Size of the tree in bytes.
    pub size: u64,
    /// Fields of newer versions, kept as they are.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// Where a base came from: a way, and its particulars (suite, path, packages
/// included, …), which are for people and kept as they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseSource {
    /// `bootstrap`, `directory`, `tar`, `stream`.
    pub how: String,
    /// Its particulars.
    #[serde(default, flatten)]
    pub particulars: BTreeMap<String, Value>,
}

impl BaseFile {
    /// What this version of the tool knows of a base's file.
    pub const KNOWN: Known = Known {
        what: "base.json",
        version: 1,
        read_only_compatible: &[],
        incompatible: &[],
    };

    /// Parses the content of a base's file.
    pub fn parse(bytes: &[u8]) -> Result<Self, FileError> {
        let file: Self = file_error::parse(&Self::KNOWN, SIZE_MAX, bytes)?;
        for (field, word) in [
            ("architecture", &file.architecture),
            ("release", &file.release),
            ("source.how", &file.source.how),
        ] {
            if !is_word(word) {
                return Err(FileError::Wrong {
                    what: Self::KNOWN.what,
                    detail: format!("{field} is no word of 1 to 64 of a-z, 0-9, . _ + and -"),
                });
            }
        }
        Ok(file)
    }

    /// The bytes to write.
    pub fn to_bytes(&self) -> Vec<u8> {
        file_error::to_bytes(self)
    }

    /// An error when a newer tool's features forbid this one to change the file.
    pub fn writable(&self) -> Result<(), FormatError> {
        self.format.writable(&Self::KNOWN)
    }
}

fn is_word(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._+-".contains(&b))
}
