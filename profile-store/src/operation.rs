//! The write-ahead records of changes that are more than one step: what the journal keeps of each,
//! self-contained, so that [`crate::recover`] can finish it or take it back.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use profile_db::journal::{Journal, Operation, OperationId};
use profile_db::model::{ProfileId, Time, TransactionNumber};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::undo::Task;

/// One change in progress, as it stands in the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum Intent {
    /// A new profile (create, clone): finished when `@profiles/<id>` exists, else taken back.
    Make {
        /// The new profile.
        profile: ProfileId,
        /// Its staging directory.
        staging: String,
    },
    /// A profile's subvolume is exchanged with a staged one (undo, redo, reset): finished when the
    /// live one is no longer the old one, else taken back.
    Replace {
        /// The profile.
        profile: ProfileId,
        /// The staging directory; after the exchange the old subvolume stands there.
        staging: String,
        /// UUID of the subvolume that is replaced.
        old: Uuid,
        /// UUID of the state subvolume that is replaced as well.
        #[serde(default)]
        old_state: Option<Uuid>,
        /// How the transaction ends when the change is finished.
        ending: Ending,
    },
    /// A profile goes to trash: finished when `@profiles/<id>` is gone, else taken back.
    Delete {
        /// The profile.
        profile: ProfileId,
        /// The directory in trash.
        trash: String,
    },
    /// A deleted profile comes back from trash: finished when `@profiles/<id>` exists.
    Restore {
        /// The profile.
        profile: ProfileId,
        /// The directory in trash.
        trash: String,
        /// The deletion that is taken back.
        deletion: TransactionNumber,
    },
    /// A path goes out of every snapshot of a profile: always finished.
    Forget {
        /// The profile.
        profile: ProfileId,
        /// The path, relative to the merged root.
        path: PathText,
    },
    /// A mounted profile is changed path by path through its merged mount: always finished, since
    /// every path is replayed whole and can be replayed again.
    Replay {
        /// The profile.
        profile: ProfileId,
        /// The paths and where their content comes from.
        task: Box<Task>,
        /// How the transaction ends when the change is finished.
        ending: Ending,
    },
}

/// What the journal records when a replacement or a replay is finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// The transaction of the change itself.
    pub transaction: TransactionNumber,
    /// The transactions that it takes back.
    #[serde(default)]
    pub undoes: Vec<TransactionNumber>,
    /// The transactions that are in force again by it (redo).
    #[serde(default)]
    pub brings_back: Vec<TransactionNumber>,
    /// Name of the snapshot that holds the state afterwards, when it exists already.
    #[serde(default)]
    pub post: Option<String>,
    /// Packages that were removed come back by it, and with them their directories below state paths.
    #[serde(default)]
    pub packages_return: bool,
}

impl Ending {
    /// The end of a change that concerns no other transaction.
    pub(crate) fn of(transaction: TransactionNumber) -> Self {
        Self {
            transaction,
            undoes: Vec::new(),
            brings_back: Vec::new(),
            post: None,
            packages_return: false,
        }
    }
}

/// A path in JSON: a string where it is UTF-8, else its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PathText {
    /// Valid UTF-8.
    Text(String),
    /// Anything else.
    Bytes(Vec<u8>),
}

impl From<&Path> for PathText {
    fn from(path: &Path) -> Self {
        match path.to_str() {
            Some(text) => Self::Text(text.to_owned()),
            None => Self::Bytes(path.as_os_str().as_bytes().to_vec()),
        }
    }
}

impl PathText {
    /// The path.
    pub fn to_path(&self) -> PathBuf {
        match self {
            Self::Text(text) => text.into(),
            Self::Bytes(bytes) => OsStr::from_bytes(bytes).into(),
        }
    }
}

impl Intent {
    /// The staging directory that the intent needs.
    pub fn staging(&self) -> Option<&str> {
        match self {
            Self::Make { staging, .. } | Self::Replace { staging, .. } => Some(staging),
            Self::Replay { task, .. } => task.staging.as_deref(),
            Self::Delete { .. } | Self::Restore { .. } | Self::Forget { .. } => None,
        }
    }

    /// The profile it is about.
    pub fn profile(&self) -> &ProfileId {
        match self {
            Self::Make { profile, .. }
            | Self::Replace { profile, .. }
            | Self::Delete { profile, .. }
            | Self::Restore { profile, .. }
            | Self::Forget { profile, .. }
            | Self::Replay { profile, .. } => profile,
        }
    }

    /// One word for the journal and for messages.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Make { .. } => "make",
            Self::Replace { .. } => "replace",
            Self::Delete { .. } => "delete",
            Self::Restore { .. } => "restore",
            Self::Forget { .. } => "forget",
            Self::Replay { .. } => "replay",
        }
    }

    /// The record for the journal.
    pub fn to_record(&self, transaction: Option<TransactionNumber>, now: Time) -> Operation {
        Operation {
            kind: self.word().to_owned(),
            profile: Some(*self.profile()),
            transaction,
            begun: now,
            payload: serde_json::to_value(self).expect("BUG: an intent is valid JSON"),
        }
    }

    /// Reads the record back; `None` for an operation of another kind (the hooks have their own).
    ///
    /// # Errors
    ///
    /// The kind is one of ours and the payload does not parse.
    pub fn from_record(kind: &str, payload: &serde_json::Value) -> Result<Option<Self>> {
        if !["make", "replace", "delete", "restore", "forget", "replay"].contains(&kind) {
            return Ok(None);
        }
        serde_json::from_value(payload.clone())
            .map(Some)
            .map_err(|error| Error::NeedsRecover {
                what: format!("a change of kind '{kind}' that cannot be read: {error}"),
            })
    }
}

/// What a failure after the intent is: not the end of it, `recover` finishes the change or takes it back.
pub(crate) fn interrupted(transaction: TransactionNumber, error: Error) -> Error {
    error.interrupting(format!("transaction {transaction}"))
}

/// Makes the intent durable. When this returns, a crash is found by `recover`.
///
/// # Errors
///
/// The journal cannot be written; nothing was done then.
pub fn record(
    journal: &Journal,
    intent: &Intent,
    transaction: Option<TransactionNumber>,
    now: Time,
) -> Result<OperationId> {
    Ok(journal.intend(&intent.to_record(transaction, now))?)
}
