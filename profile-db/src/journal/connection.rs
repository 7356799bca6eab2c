//! The connection to the database: there only while a call needs it.
//!
//! SQLite shares the index of a WAL between processes through a mapped file,
//! `-shm`. On btrfs every write to a page of such a mapping may need new space,
//! and on a full filesystem the process is then killed by SIGBUS instead of
//! getting an error: a hook would die silently exactly when it must report. So
//! the journal is used in exclusive mode, in which SQLite keeps that index in
//! its own memory and there is no such file. The price is that a connection
//! locks everybody else out, readers too. Therefore it is made for one call and
//! closed after it (a third of a millisecond), for a batch or a listing of one
//! page at most, and others wait for as long as they said they would.

use std::cell::Ref;
use std::fmt::Write as _;
use std::io;
use std::ops::Deref;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::create::with_suffix;
use super::error::probe;
use super::schema::{self, KNOWN};
use super::{Access, Durability, Error, Journal, Result};
use crate::format::Format;

/// How large the WAL may be before a commit moves it into the database, in
/// bytes. Every connection reads all of it once, so it must stay small.
const WAL_MAX: u64 = 256 << 10;

/// How far the pauses between two attempts to connect are spread.
const PAUSE_SPREAD_MILLISECONDS: u32 = 16;

/// A use of the connection; the last one to end closes it.
pub(super) struct Guard<'a> {
    journal: &'a Journal,
    /// None only while dropped.
    connection: Option<Ref<'a, Connection>>,
}

impl Deref for Guard<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
            .as_deref()
            .expect("BUG: a guard has its connection until it is dropped")
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.connection = None;
        let left = self.journal.uses.get() - 1;
        self.journal.uses.set(left);
        if left == 0 {
            // Closing writes nothing that a commit has not written: an error
            // of it has nothing to say.
            self.journal.connection.take();
        }
    }
}

impl Journal {
    /// The connection, made when there is none.
    pub(super) fn connection(&self, verb: &'static str) -> Result<Guard<'_>> {
        if self.uses.get() == 0 && !self.kept.take() {
            let (connection, _) = connect(verb, &self.path, self.access, self.busy)?;
            self.connection.replace(Some(connection));
            self.durability.set(Durability::Durable);
        }
        self.uses.set(self.uses.get() + 1);
        let connection = Ref::map(self.connection.borrow(), |connection| {
            connection
                .as_ref()
                .expect("BUG: there is a connection while it is used")
        });
        Ok(Guard {
            journal: self,
            connection: Some(connection),
        })
    }

    /// Moves the WAL into the database and empties it, when it has grown large.
    pub(super) fn checkpoint_when_due(&self, connection: &Connection) {
        let wal = with_suffix(&self.path, "-wal");
        if std::fs::metadata(wal).is_ok_and(|wal| wal.len() > WAL_MAX) {
            // What was to be recorded is recorded; when this fails, for want of
            // space for example, the next commit tries again.
            let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        }
    }

    /// Keeps the connection for several calls, which saves making it for each.
    /// Other processes wait meanwhile: for a few quick calls only.
    pub fn hold<T>(&self, work: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        let _connection = self.connection("use the journal")?;
        work(self)
    }
}

/// Connects, sets everything that is set per connection, and looks whether this
/// version may still use the journal: it may have been upgraded meanwhile.
///
/// Waits for others with attempts of its own. SQLite's waiting would keep the
/// shared lock that every connection takes before the exclusive one, since it
/// gives up no lock in exclusive mode: two processes that came at the same
/// moment would wait for one another until both failed.
pub(super) fn connect(
    verb: &'static str,
    path: &Path,
    access: Access,
    busy: Duration,
) -> Result<(Connection, Format)> {
    let deadline = Instant::now() + busy;
    loop {
        match connect_at_once(verb, path, access, busy) {
            Err(Error::Locked { .. }) if Instant::now() < deadline => {
                std::thread::sleep(pause());
            }
            outcome => return outcome,
        }
    }
}

/// A time between two attempts that is another for each process, so that those
/// who met once do not meet again.
fn pause() -> Duration {
    let clock = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |now| now.subsec_micros());
    let spread = (clock ^ std::process::id()) % PAUSE_SPREAD_MILLISECONDS;
    Duration::from_millis(1 + u64::from(spread))
}

/// One attempt. The connection, with any lock, is gone when it fails.
fn connect_at_once(
    verb: &'static str,
    path: &Path,
    access: Access,
    busy: Duration,
) -> Result<(Connection, Format)> {
    // To read, too: the exclusive lock needs a file that is open for writing.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let made = Connection::open_with_flags(path, flags)
        .and_then(|connection| configured(connection, access));
    let (connection, format) = match made {
        Err(error) if access == Access::ReadOnly && is_hidden(&error) && is_read_only(path) => {
            connect_read_only(path).map_err(|_| error)
        }
        made => made,
    }
    .map_err(|source| Error::from_sqlite(verb, path, busy, source))?;
    let usable = match access {
        Access::ReadWrite => format.writable(&KNOWN),
        Access::ReadOnly => format.readable(&KNOWN),
    };
    match usable {
        Ok(()) => Ok((connection, format)),
        Err(source) => Err(Error::Format {
            path: path.into(),
            source,
        }),
    }
}

/// On a read-only filesystem nobody writes, and nothing has to be locked: so
/// SQLite's VFS without locks, since an exclusive lock needs a file that is open
/// for writing. Where there is no WAL, SQLite would want to make one, and is
/// told that the database alone is complete.
fn connect_read_only(path: &Path) -> rusqlite::Result<(Connection, Format)> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = if with_suffix(path, "-wal").exists() {
        Connection::open_with_flags_and_vfs(path, flags, "unix-none")?
    } else {
        let flags = flags | OpenFlags::SQLITE_OPEN_URI;
        Connection::open_with_flags(uri(path, "immutable=1"), flags)?
    };
    configured(connection, Access::ReadOnly)
}

/// Sets everything that is set per connection, and reads the format.
fn configured(connection: Connection, access: Access) -> rusqlite::Result<(Connection, Format)> {
    connection.busy_timeout(Duration::ZERO)?;
    // Before anything is read: later it would come too late.
    connection.pragma_update_and_check(None, "locking_mode", "EXCLUSIVE", |_| Ok(()))?;
    // A checkpoint at every close would cost a hook more syncs than its commit,
    // and removing the WAL means that it must be created again, which is what
    // fails first on a full disk.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    match access {
        Access::ReadWrite => {
            connection.pragma_update(None, "synchronous", Durability::Durable.pragma())?;
            // Done by `checkpoint_when_due`: what SQLite's own checkpoint leaves
            // behind, that the WAL may be used from its beginning again, is
            // known only in the memory of this connection.
            connection.pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(()))?;
        }
        Access::ReadOnly => connection.pragma_update(None, "query_only", true)?,
    }
    let format = schema::format(&connection)?;
    Ok((connection, format))
}

/// Whether SQLite says nothing about the cause.
fn is_hidden(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::CannotOpen | ErrorCode::SystemIoFailure | ErrorCode::ReadOnly)
    )
}

fn is_read_only(path: &Path) -> bool {
    probe(path).is_err_and(|error| error.kind() == io::ErrorKind::ReadOnlyFilesystem)
}

/// The path as a URI of SQLite with a parameter.
pub(super) fn uri(path: &Path, parameter: &str) -> String {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.".contains(byte) {
            uri.push(char::from(*byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri.push('?');
    uri.push_str(parameter);
    uri
}
