//! `@flipper/waiting/<id>.json`: an undo that was asked for while its profile was mounted, and that is carried out
//! when the profile starts next.
//!
//! It says what was asked for, not what is to be written: the plan is made when it is carried out, from the profile
//! as it is then, so that work done meanwhile is seen.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::file_error::{self, FileError};
use crate::format::{Format, Known};
use crate::model::{ProfileId, Time, TransactionNumber};

/// The largest file accepted, in bytes.
pub const SIZE_MAX: usize = 256 * 1024;
/// The most transactions that are taken back together this way.
pub const TRANSACTIONS_MAX: usize = 4096;

/// The content of the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WaitingUndo {
    /// Who may read and write the file.
    pub format: Format,
    /// The profile.
    pub profile: ProfileId,
    /// Whether it is a redo: then the transactions are undos.
    pub redo: bool,
    /// The transactions that are taken back, newest first.
    pub transactions: Vec<TransactionNumber>,
    /// Also what others changed meanwhile.
    pub exact: bool,
    /// What stands in the way stays as it is then.
    pub keep_mine: bool,
    /// The packages that go back to an older version are held.
    #[serde(default)]
    pub hold: bool,
    /// The command line that asked for it.
    pub command: String,
    /// The user who did.
    pub user: Option<String>,
    /// That user's number.
    pub uid: Option<u32>,
    /// When.
    pub asked: Time,
    /// Why it was not carried out, once that is certain; it waits no longer then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropped: Option<String>,
    /// Fields of newer versions, kept as they are.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

impl WaitingUndo {
    /// What this version of the tool knows of the file.
    pub const KNOWN: Known = Known {
        what: "waiting undo",
        version: 1,
        read_only_compatible: &[],
        incompatible: &[],
    };

    /// Parses the content of the file.
    ///
    /// # Errors
    ///
    /// It is damaged, of an incompatible version, or names no transaction or far too many.
    pub fn parse(bytes: &[u8]) -> Result<Self, FileError> {
        let file: Self = file_error::parse(&Self::KNOWN, SIZE_MAX, bytes)?;
        match file.transactions.len() {
            1..=TRANSACTIONS_MAX => Ok(file),
            number => Err(FileError::Wrong {
                what: Self::KNOWN.what,
                detail: format!("it takes back {number} transactions"),
            }),
        }
    }

    /// The bytes to write.
    pub fn to_bytes(&self) -> Vec<u8> {
        file_error::to_bytes(self)
    }
}
