//! `@flipper/boot.json`: what early boot must finish, self-contained.
//!
//! Early boot reads no SQLite. Whatever replaces an upper writes here, before
//! its first rename, the subvolumes concerned with their UUIDs. After a power
//! cut early boot looks which UUID stands where, asks [`PendingOperation::next`]
//! and does what it says: an exchange or a rename, nothing else.
//!
//! Invariants:
//! 1. An operation is decided by UUIDs, not by the recorded step, which is
//!    only for people: a step that was done and not yet recorded is seen.
//! 2. A number that is in `done`, or finished in the boot log, is ignored: an
//!    old copy of this file repeats nothing.
//! 3. Where the UUIDs are none that the record names, nothing is touched.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::boot_log::BootLog;
use crate::file_error::{self, FileError};
use crate::format::{Format, FormatError, Known};
use crate::model::words::{closed_words, open_words};
use crate::model::{PoolPath, ProfileId};

/// The largest boot.json accepted, in bytes.
pub const SIZE_MAX: usize = 256 * 1024;
/// The most operations in one record.
pub const OPERATIONS_MAX: usize = 256;
/// The most finished numbers kept; the oldest go first.
pub const DONE_MAX: usize = 4096;

/// The content of `boot.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BootRecord {
    /// Who may read and write the file.
    pub format: Format,
    /// Counts every write of this file.
    pub sequence: u64,
    /// What is to be finished, in order.
    pub operations: Vec<PendingOperation>,
    /// Numbers of operations that are finished, ascending.
    #[serde(default)]
    pub done: Vec<u64>,
    /// Fields of newer versions, kept as they are.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// One replacement that is under way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PendingOperation {
    /// The operation's number in the journal, never reused.
    pub number: u64,
    /// What it does for the user.
    pub kind: OperationKind,
    /// The last step that was recorded; for people.
    pub step: Step,
    /// Whether it is to be completed or taken back.
    pub direction: Direction,
    /// The profile concerned.
    pub profile: ProfileId,
    /// The new subvolume: where it was built, and which one it is.
    pub staged: Place,
    /// Where the new subvolume will be seen.
    pub live: PoolPath,
    /// The subvolume that stands at `live` before, and where it goes; none when
    /// nothing is replaced (a new profile).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<Place>,
    /// Fields of newer versions, kept as they are.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// A path of a pool and the subvolume meant by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The path below the top level.
    pub path: PoolPath,
    /// UUID of the subvolume.
    pub uuid: Uuid,
}

open_words!(
    /// What a replacement is for.
    OperationKind, {
        /// A new profile gets its visible name.
        Create = "create",
        /// A clone gets its visible name.
        Clone = "clone",
        /// An imported profile gets its visible name.
        Import = "import",
        /// A transaction is undone.
        Undo = "undo",
        /// An undone transaction is done again.
        Redo = "redo",
        /// A profile goes back to its origin.
        Reset = "reset",
        /// A profile moves to another base.
        Rebase = "rebase",
        /// A profile goes to trash.
        Delete = "delete",
    }
);

closed_words!(
    /// How far a replacement was when this was recorded.
    Step, "step", {
        /// The new subvolume is complete, and at its staging path.
        Staged = "staged",
        /// The new subvolume is at the live path.
        Exchanged = "exchanged",
        /// The old one is where it goes.
        Archived = "archived",
    }
);

closed_words!(
    /// Where a replacement is going.
    Direction, "direction", {
        /// The new subvolume is to become live.
        Forward = "forward",
        /// The old subvolume is to be live again.
        Back = "back",
    }
);

/// Which subvolume stands at each path of an operation; none where there is nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// At the staging path.
    pub staged: Option<Uuid>,
    /// At the live path.
    pub live: Option<Uuid>,
    /// Where the old one goes.
    pub old: Option<Uuid>,
}

/// What to do next for an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next<'a> {
    /// Nothing more.
    Done,
    /// Exchange what stands at these two paths.
    Exchange(&'a PoolPath, &'a PoolPath),
    /// Rename the first path to the second, where nothing stands.
    Rename(&'a PoolPath, &'a PoolPath),
    /// Nothing that is safe: something else stands there.
    Unexpected(Standing),
}

impl BootRecord {
    /// What this version of the tool knows of boot.json.
    pub const KNOWN: Known = Known {
        what: "boot.json",
        version: 1,
        read_only_compatible: &[],
        incompatible: &[],
    };

    /// A record with nothing to do.
    pub fn new() -> Self {
        Self {
            format: Format::new(Self::KNOWN.version),
            sequence: 0,
            operations: Vec::new(),
            done: Vec::new(),
            unknown: Map::new(),
        }
    }

    /// Parses the content of a boot.json.
    pub fn parse(bytes: &[u8]) -> Result<Self, FileError> {
        let record: Self = file_error::parse(&Self::KNOWN, SIZE_MAX, bytes)?;
        let wrong = |detail: String| FileError::Wrong {
            what: Self::KNOWN.what,
            detail,
        };
        if record.operations.len() > OPERATIONS_MAX {
            return Err(wrong(format!(
                "{} operations, at most {OPERATIONS_MAX} are allowed",
                record.operations.len()
            )));
        }
        if record.done.len() > DONE_MAX {
            return Err(wrong(format!(
                "{} finished numbers, at most {DONE_MAX} are allowed",
                record.done.len()
            )));
        }
        let mut numbers: Vec<u64> = record.operations.iter().map(|o| o.number).collect();
        numbers.sort_unstable();
        if let Some(pair) = numbers.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(wrong(format!("operation {} stands twice", pair[0])));
        }
        for operation in &record.operations {
            operation.check().map_err(wrong)?;
        }
        Ok(record)
    }

    /// The bytes to write.
    pub fn to_bytes(&self) -> Vec<u8> {
        file_error::to_bytes(self)
    }

    /// An error when a newer tool's features forbid this one to change the file.
    pub fn writable(&self) -> Result<(), FormatError> {
        self.format.writable(&Self::KNOWN)
    }

    /// Adds an operation, for the next write.
    pub fn add(&mut self, operation: PendingOperation) {
        self.sequence += 1;
        self.operations.push(operation);
    }

    /// Records a step and a direction, for the next write; says whether the
    /// operation is there.
    pub fn set_step(&mut self, number: u64, step: Step, direction: Direction) -> bool {
        self.sequence += 1;
        match self.operations.iter_mut().find(|o| o.number == number) {
            Some(operation) => {
                operation.step = step;
                operation.direction = direction;
                true
            }
            None => false,
        }
    }

    /// Moves an operation to the finished ones, for the next write.
    pub fn finish(&mut self, number: u64) {
        self.sequence += 1;
        self.operations
            .retain(|operation| operation.number != number);
        if let Err(place) = self.done.binary_search(&number) {
            self.done.insert(place, number);
        }
        let surplus = self.done.len().saturating_sub(DONE_MAX);
        self.done.drain(..surplus);
    }

    /// The operations that are not finished, neither here nor in the boot log.
    pub fn pending<'a>(&'a self, log: &'a BootLog) -> impl Iterator<Item = &'a PendingOperation> {
        self.operations
            .iter()
            .filter(move |o| !self.done.contains(&o.number) && !log.finished(o.number))
    }
}

impl Default for BootRecord {
    fn default() -> Self {
        Self::new()
    }
}

impl PendingOperation {
    /// What to do, from what stands where. Called again after each action, it
    /// ends in [`Next::Done`] after at most two.
    pub fn next(&self, standing: &Standing) -> Next<'_> {
        let new = Some(self.staged.uuid);
        match (&self.old, self.direction) {
            (None, Direction::Forward) => match (standing.staged, standing.live) {
                (_, live) if live == new => Next::Done,
                (staged, None) if staged == new => Next::Rename(&self.staged.path, &self.live),
                _ => Next::Unexpected(*standing),
            },
            (None, Direction::Back) => match (standing.staged, standing.live) {
                (None, live) if live == new => Next::Rename(&self.live, &self.staged.path),
                (_, None) => Next::Done,
                _ => Next::Unexpected(*standing),
            },
            (Some(old), Direction::Forward) => self.next_forward(old, standing),
            (Some(old), Direction::Back) => self.next_back(old, standing),
        }
    }

    fn next_forward<'a>(&'a self, old: &'a Place, standing: &Standing) -> Next<'a> {
        let (new, replaced) = (Some(self.staged.uuid), Some(old.uuid));
        if standing.live == new {
            // Exchanged. The old one stands in staging, or was moved already,
            // or was collected already.
            return match (standing.staged, standing.old) {
                (staged, None) if staged == replaced && old.path != self.staged.path => {
                    Next::Rename(&self.staged.path, &old.path)
                }
                (staged, Some(_)) if staged == replaced && old.path != self.staged.path => {
                    Next::Unexpected(*standing)
                }
                _ => Next::Done,
            };
        }
        if standing.live == replaced && standing.staged == new {
            return Next::Exchange(&self.staged.path, &self.live);
        }
        Next::Unexpected(*standing)
    }

    fn next_back<'a>(&'a self, old: &'a Place, standing: &Standing) -> Next<'a> {
        let (new, replaced) = (Some(self.staged.uuid), Some(old.uuid));
        if standing.live == replaced {
            return Next::Done;
        }
        if standing.live == new && standing.staged == replaced {
            return Next::Exchange(&self.staged.path, &self.live);
        }
        if standing.live == new && standing.old == replaced {
            return Next::Exchange(&old.path, &self.live);
        }
        Next::Unexpected(*standing)
    }

    /// The paths must be apart, or an exchange would be none.
    fn check(&self) -> Result<(), String> {
        if self.staged.path == self.live {
            return Err(format!(
                "operation {}: staged and live are the same path",
                self.number
            ));
        }
        if let Some(old) = &self.old {
            if old.path == self.live {
                return Err(format!(
                    "operation {}: old and live are the same path",
                    self.number
                ));
            }
            if old.uuid == self.staged.uuid {
                return Err(format!(
                    "operation {}: old and staged are the same subvolume",
                    self.number
                ));
            }
        }
        Ok(())
    }
}
