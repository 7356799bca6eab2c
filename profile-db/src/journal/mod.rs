//! The journal: what happened to the profiles of a pool, and what is under way.
//!
//! One SQLite database per pool, `@flipper/journal.db`, outside every upper, so
//! that no undo rewinds it. This module and those below it are the only callers
//! of SQL. The schema is `schema/*.sql`, described in `docs/journal.md`.
//!
//! Invariants:
//! 1. Every call is one transaction of SQLite, or part of one
//!    ([`Journal::batch`]): after an error nothing has changed, after a kill
//!    the journal is as before the call or as after it.
//! 2. What is [`Durability::Durable`] is on the disk when the call returns (WAL,
//!    `synchronous=FULL`). What is [`Durability::Ordered`] reaches the disk with
//!    the next durable call at the latest, never before what was written
//!    earlier; a power cut may lose it, a killed process does not.
//! 3. The number of a transaction and the id of an operation are never given
//!    out twice, also not after the newest was dropped.
//! 4. The state of a transaction changes only along [`crate::state::transition`].
//! 5. An older tool opens a newer journal, records and lists, unless the
//!    journal's features forbid it; then it is refused before anything is read.
//! 6. A file that is no journal is never written to.
//!
//! 7. Nothing is mapped into memory, no lock is kept between calls (but see
//!    [`Journal::open_in_use`]), and a full
//!    disk is an error, never a signal (see the module `connection`).
//!
//! Listing reads rows one by one along an index, newest first: memory does not
//! grow with the journal.

mod changes;
mod check;
mod conffiles;
mod connection;
mod create;
mod error;
mod list_form;
mod open;
mod operations;
mod packages;
mod paths;
mod query;
mod record;
mod retention;
mod row;
mod schema;
mod types;
mod undone;
mod write;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use uuid::Uuid;

pub use changes::{Change, ChangeRow, ChangesSummary, FileType};
pub use error::{Error, NotAJournal, Result};
#[cfg(fuzzing)]
pub use list_form::decode as decode_changes;
pub use open::Access;
pub use operations::{Operation, OperationId, Pending};
pub use query::{Filter, Newest};
pub use retention::WithSnapshots;
pub use schema::{APPLICATION_ID, KNOWN};
pub use types::{
    Action, Attention, Commits, ConffileChange, ConffileOutcome, Counts, Finish, NewTransaction,
    Outcome, PackageChange, PackageCounts, Transaction, TransactionKind,
};
pub use write::Durability;

use crate::format::Format;

/// An open journal.
pub struct Journal {
    /// There while a call uses it (see the module `connection`).
    connection: RefCell<Option<Connection>>,
    /// How many calls, one inside the other, use it.
    uses: Cell<usize>,
    /// Whether the connection that opened it is still there, for the first use.
    kept: Cell<bool>,
    path: PathBuf,
    access: Access,
    busy: Duration,
    format: Format,
    pool: Uuid,
    /// What `PRAGMA synchronous` is set to, to set it only when it changes.
    durability: Cell<Durability>,
}

impl Journal {
    /// Where the journal lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The id of the pool the journal was created for.
    pub fn pool(&self) -> Uuid {
        self.pool
    }

    /// The version and the features of the journal.
    pub fn format(&self) -> &Format {
        &self.format
    }

    /// Whether it was opened to be written.
    pub fn access(&self) -> Access {
        self.access
    }

    /// What to make of an error of SQLite while doing `verb`.
    fn failed(&self, verb: &'static str) -> impl Fn(rusqlite::Error) -> Error + '_ {
        move |source| Error::from_sqlite(verb, &self.path, self.busy, source)
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal")
            .field("path", &self.path)
            .field("access", &self.access)
            .field("pool", &self.pool)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
