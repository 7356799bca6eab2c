//! Opening a journal, and refusing what is none.

use std::cell::{Cell, RefCell};
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use uuid::Uuid;

use super::connection::{connect, uri};
use super::schema::{self, APPLICATION_ID, KNOWN, MIGRATIONS};
use super::{Durability, Error, Journal, NotAJournal, Result};

const VERB: &str = "open the journal";

/// What a journal is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Read and record.
    ReadWrite,
    /// Only read; works on a read-only and on a full filesystem too.
    ReadOnly,
}

impl Journal {
    /// Opens a journal.
    ///
    /// `busy` is how long this and any later call waits for another process
    /// before it gives [`Error::Locked`]. Opening to write brings an older
    /// schema up to date (additive steps only, in one transaction with the
    /// version).
    ///
    /// Nothing is written to a file that is no journal, nor to a journal whose
    /// features this version does not know. No lock is kept: between calls
    /// others may use the journal.
    pub fn open(path: &Path, access: Access, busy: Duration) -> Result<Self> {
        let journal = Self::open_in_use(path, access, busy)?;
        journal.kept.set(false);
        journal.connection.take();
        Ok(journal)
    }

    /// As [`Journal::open`], with the connection kept for the first use, which saves making it twice.
    ///
    /// Others wait from now until that use has ended: it must follow at once.
    pub fn open_in_use(path: &Path, access: Access, busy: Duration) -> Result<Self> {
        look(path, busy)?;
        let (connection, format) = connect(VERB, path, access, busy)?;
        let mut journal = Self {
            connection: RefCell::new(Some(connection)),
            uses: Cell::new(0),
            kept: Cell::new(true),
            path: path.into(),
            access,
            busy,
            format,
            pool: Uuid::nil(),
            durability: Cell::new(Durability::Durable),
        };
        if access == Access::ReadWrite {
            journal.format = journal.migrate()?;
        }
        journal.pool = journal.read_pool()?;
        Ok(journal)
    }

    /// Moves what is in the WAL into the database. For programs that have time;
    /// a hook leaves it to them.
    pub fn checkpoint(&self) -> Result<()> {
        let verb = "checkpoint the journal";
        self.must_write(verb)?;
        self.connection(verb)?
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .map_err(self.failed(verb))
    }

    /// Brings the schema up to date, and says what it is now.
    fn migrate(&self) -> Result<crate::format::Format> {
        let failed = self.failed(VERB);
        let connection = self.connection.borrow();
        let Some(connection) = connection.as_ref() else {
            return Ok(self.format.clone());
        };
        let mode: String = connection
            .query_row("PRAGMA journal_mode", [], |row| row.get(0))
            .map_err(&failed)?;
        if mode != "wal" {
            // Somebody converted it with another program: every promise about
            // durability here is about WAL.
            connection
                .pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))
                .map_err(&failed)?;
        }
        if self.format.version >= KNOWN.version {
            return Ok(self.format.clone());
        }
        let transaction =
            rusqlite::Transaction::new_unchecked(connection, TransactionBehavior::Immediate)
                .map_err(&failed)?;
        schema::migrate(&transaction, MIGRATIONS).map_err(&failed)?;
        let format = schema::format(&transaction).map_err(&failed)?;
        transaction.commit().map_err(&failed)?;
        Ok(format)
    }

    fn read_pool(&self) -> Result<Uuid> {
        let malformed = |detail: String| Error::Malformed {
            verb: VERB,
            path: self.path.clone(),
            place: "the pool's id".to_owned(),
            detail,
        };
        let connection = self.connection.borrow();
        let text: Option<String> = match connection.as_ref() {
            None => None,
            Some(connection) => connection
                .prepare("SELECT value FROM meta WHERE key = 'pool'")
                .and_then(|mut select| select.query_map([], |row| row.get(0))?.next().transpose())
                .map_err(self.failed(VERB))?,
        };
        let text = text.ok_or_else(|| malformed("it is missing".to_owned()))?;
        text.parse()
            .map_err(|error: uuid::Error| malformed(error.to_string()))
    }
}

/// Looks at what stands there before it is opened for real: SQLite takes an
/// empty file for an empty database, would wait on a pipe, and would roll back
/// what another program left half done.
///
/// The header is read by SQLite, as a database that cannot change, and not with
/// a file of our own: closing that would drop the locks that another connection
/// of this process holds (POSIX locks belong to the process).
fn look(path: &Path, busy: Duration) -> Result<()> {
    let not = |what| {
        Err(Error::NotAJournal {
            path: path.into(),
            what,
        })
    };
    let metadata = fs::metadata(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => Error::Missing { path: path.into() },
        _ => Error::File {
            verb: "read the journal",
            path: path.into(),
            source,
        },
    })?;
    if !metadata.is_file() {
        return not(NotAJournal::NotAFile);
    }
    if metadata.len() == 0 {
        return not(NotAJournal::Empty);
    }
    let application_id = Connection::open_with_flags(
        uri(path, "immutable=1"),
        OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_URI
            | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .and_then(|connection| {
        connection.query_row("PRAGMA application_id", [], |row| row.get::<_, i32>(0))
    });
    let application_id = match application_id {
        Ok(application_id) => application_id as u32,
        // Without its WAL a sound journal can look damaged: in the middle of a
        // checkpoint, and when that was cut off by a power cut. The connection
        // that reads both tells.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => {
            return Ok(());
        }
        Err(source) => return Err(Error::from_sqlite(VERB, path, busy, source)),
    };
    match application_id {
        APPLICATION_ID => Ok(()),
        // Shorter than a header: SQLite takes it for empty.
        0 if metadata.len() < 512 => not(NotAJournal::NotSqlite),
        application_id => not(NotAJournal::OtherProgram { application_id }),
    }
}
