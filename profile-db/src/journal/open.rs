//! Opening a journal, and refusing what is none.

use std::cell::Cell;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use uuid::Uuid;

use super::create::with_suffix;
use super::schema::{self, APPLICATION_ID, KNOWN, MIGRATIONS};
use super::{Durability, Error, Journal, NotAJournal, Result};

const VERB: &str = "open the journal";
/// How large the WAL may stay after a checkpoint, in bytes.
const WAL_KEPT_BYTES: i64 = 4 << 20;

/// What a journal is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Read and record.
    ReadWrite,
    /// Only read; works on a read-only filesystem too.
    ReadOnly,
}

impl Journal {
    /// Opens a journal.
    ///
    /// `busy` is how long any later call waits for another process before it
    /// gives [`Error::Locked`]. Opening to write brings an older schema up to
    /// date (additive steps only, in one transaction with the version).
    ///
    /// Nothing is written to a file that is no journal, nor to a journal whose
    /// features this version does not know.
    pub fn open(path: &Path, access: Access, busy: Duration) -> Result<Self> {
        look(path)?;
        let failed = |source| Error::from_sqlite(VERB, path, busy, source);
        let connection = connect(path, access, busy).map_err(failed)?;
        let format = schema::format(&connection).map_err(failed)?;
        let usable = match access {
            Access::ReadWrite => format.writable(&KNOWN),
            Access::ReadOnly => format.readable(&KNOWN),
        };
        usable.map_err(|source| Error::Format {
            path: path.into(),
            source,
        })?;
        let mut journal = Self {
            connection,
            path: path.into(),
            access,
            busy,
            format,
            pool: Uuid::nil(),
            durability: Cell::new(Durability::Durable),
        };
        if access == Access::ReadWrite {
            journal.prepare_to_write()?;
        }
        journal.pool = journal.read_pool()?;
        Ok(journal)
    }

    /// Moves what is in the WAL into the database, as far as others allow. For
    /// programs that have time; a hook leaves it to them.
    pub fn checkpoint(&self) -> Result<()> {
        let verb = "checkpoint the journal";
        self.must_write(verb)?;
        self.connection
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
            .map_err(self.failed(verb))
    }

    fn prepare_to_write(&mut self) -> Result<()> {
        let failed = |source| Error::from_sqlite(VERB, &self.path, self.busy, source);
        let connection = &self.connection;
        let mode: String = connection
            .query_row("PRAGMA journal_mode", [], |row| row.get(0))
            .map_err(failed)?;
        if mode != "wal" {
            // Somebody converted it with another program: every promise about
            // durability here is about WAL.
            connection
                .pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))
                .map_err(failed)?;
        }
        connection
            .pragma_update(None, "synchronous", Durability::Durable.pragma())
            .map_err(failed)?;
        connection
            .pragma_update_and_check(None, "journal_size_limit", WAL_KEPT_BYTES, |_| Ok(()))
            .map_err(failed)?;
        if self.format.version < KNOWN.version {
            let transaction =
                rusqlite::Transaction::new_unchecked(connection, TransactionBehavior::Immediate)
                    .map_err(failed)?;
            schema::migrate(&transaction, MIGRATIONS).map_err(failed)?;
            let format = schema::format(&transaction).map_err(failed)?;
            transaction.commit().map_err(failed)?;
            self.format = format;
        }
        Ok(())
    }

    fn read_pool(&self) -> Result<Uuid> {
        let text: String = self
            .connection
            .query_row("SELECT value FROM meta WHERE key = 'pool'", [], |row| {
                row.get(0)
            })
            .map_err(|source| match source {
                rusqlite::Error::QueryReturnedNoRows => Error::Malformed {
                    verb: VERB,
                    path: self.path.clone(),
                    place: "the pool's id".to_owned(),
                    detail: "it is missing".to_owned(),
                },
                source => Error::from_sqlite(VERB, &self.path, self.busy, source),
            })?;
        text.parse().map_err(|error| Error::Malformed {
            verb: VERB,
            path: self.path.clone(),
            place: "the pool's id".to_owned(),
            detail: format!("{error}"),
        })
    }
}

/// Looks at what stands there before SQLite does: SQLite takes an empty file
/// for an empty database, and would wait on a pipe.
fn look(path: &Path) -> Result<()> {
    let not = |what| {
        Err(Error::NotAJournal {
            path: path.into(),
            what,
        })
    };
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => Error::Missing { path: path.into() },
        _ => Error::File {
            verb: "read the journal",
            path: path.into(),
            source,
        },
    };
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return not(NotAJournal::NotAFile);
    }
    let mut header = Vec::with_capacity(100);
    File::open(path)
        .and_then(|file| file.take(100).read_to_end(&mut header))
        .map_err(failed)?;
    // https://www.sqlite.org/fileformat2.html, section 1.3
    if header.is_empty() {
        return not(NotAJournal::Empty);
    }
    if header.len() < 100 || !header.starts_with(b"SQLite format 3\0") {
        return not(NotAJournal::NotSqlite);
    }
    let application_id = u32::from_be_bytes([header[68], header[69], header[70], header[71]]);
    if application_id != APPLICATION_ID {
        return not(NotAJournal::OtherProgram { application_id });
    }
    Ok(())
}

fn connect(path: &Path, access: Access, busy: Duration) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX
        | match access {
            Access::ReadWrite => OpenFlags::SQLITE_OPEN_READ_WRITE,
            Access::ReadOnly => OpenFlags::SQLITE_OPEN_READ_ONLY,
        };
    let connection = Connection::open_with_flags(path, flags)?;
    configure(&connection, busy)?;
    match (access, schema::version(&connection)) {
        // On a read-only filesystem SQLite cannot make the files that WAL
        // needs. Without a WAL there is nothing in it, and the database alone
        // is complete.
        (Access::ReadOnly, Err(error))
            if error.sqlite_error_code() == Some(rusqlite::ErrorCode::CannotOpen)
                && !with_suffix(path, "-wal").exists() =>
        {
            let connection =
                Connection::open_with_flags(immutable(path), flags | OpenFlags::SQLITE_OPEN_URI)?;
            configure(&connection, busy)?;
            Ok(connection)
        }
        (_, Err(error)) => Err(error),
        (_, Ok(_)) => Ok(connection),
    }
}

fn configure(connection: &Connection, busy: Duration) -> rusqlite::Result<()> {
    connection.busy_timeout(busy)?;
    // A checkpoint at every close would cost a hook more syncs than its commit,
    // and removing the WAL means that it must be created again, which is what
    // fails first on a full disk.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    Ok(())
}

/// The path as a URI of SQLite with `immutable=1`.
fn immutable(path: &Path) -> String {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.".contains(byte) {
            uri.push(char::from(*byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri.push_str("?immutable=1");
    uri
}
