//! `@flipper/pool.json`: what a pool is.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::file_error::{self, FileError};
use crate::format::{Format, FormatError, Known};
use crate::model::Time;

/// The largest pool.json accepted, in bytes.
pub const SIZE_MAX: usize = 64 * 1024;

/// The inode floor of a new pool: a profile's own files are numbered from here,
/// every base stays below.
pub const INODE_FLOOR_DEFAULT: u64 = 1 << 20;

/// The least inode floor: below it there is no room for any base.
pub const INODE_FLOOR_MIN: u64 = 257;
/// The largest inode floor: above it programs without large-file support get EOVERFLOW.
pub const INODE_FLOOR_MAX: u64 = (1 << 32) - 1;

/// The content of `pool.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PoolFile {
    /// Who may read and write the pool.
    pub format: Format,
    /// The pool's own id, made when it was created.
    pub id: Uuid,
    /// UUID of the btrfs filesystem it was created on; another one here means
    /// that the filesystem was copied or changed its identity.
    pub filesystem: Uuid,
    /// When it was created.
    pub created: Time,
    /// Inode numbers of profiles start here (see the design, "Inode floor").
    pub inode_floor: u64,
    /// Fields of newer versions, and of older ones (`default_base`), kept as they are.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

impl PoolFile {
    /// What this version of the tool knows of pool.json.
    pub const KNOWN: Known = Known {
        what: "pool.json",
        version: 1,
        read_only_compatible: &[],
        incompatible: &[],
    };

    /// A new pool without bases.
    pub fn new(id: Uuid, filesystem: Uuid, created: Time, inode_floor: u64) -> Self {
        Self {
            format: Format::new(Self::KNOWN.version),
            id,
            filesystem,
            created,
            inode_floor,
            unknown: Map::new(),
        }
    }

    /// Parses the content of a pool.json.
    pub fn parse(bytes: &[u8]) -> Result<Self, FileError> {
        let file: Self = file_error::parse(&Self::KNOWN, SIZE_MAX, bytes)?;
        if !(INODE_FLOOR_MIN..=INODE_FLOOR_MAX).contains(&file.inode_floor) {
            return Err(FileError::Wrong {
                what: Self::KNOWN.what,
                detail: format!("inode_floor {} is not in 257..2^32", file.inode_floor),
            });
        }
        Ok(file)
    }

    /// The bytes to write. Look at [`PoolFile::writable`] before.
    pub fn to_bytes(&self) -> Vec<u8> {
        file_error::to_bytes(self)
    }

    /// An error when a newer tool's features forbid this one to change the pool.
    pub fn writable(&self) -> Result<(), FormatError> {
        self.format.writable(&Self::KNOWN)
    }
}
