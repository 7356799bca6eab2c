//! Making a journal.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::schema::{self, APPLICATION_ID, MIGRATIONS};
use super::{Access, Error, Journal, Result};
use crate::pool_file::PoolFile;

const VERB: &str = "create the journal";
/// How long a fresh journal waits for others, of which there should be none.
const BUSY: Duration = Duration::from_secs(5);

impl Journal {
    /// Makes a journal for a pool, mode 0600, and opens it.
    ///
    /// It is built beside its place as `<path>.new` and renamed: when this
    /// returns it is durable under its name; cut off before, there is nothing
    /// under its name. Refuses when anything stands there.
    pub fn create(path: &Path, pool: &PoolFile) -> Result<Self> {
        match fs::symlink_metadata(path) {
            Ok(_) => return Err(Error::Exists { path: path.into() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(file(path)(error)),
        }
        let new = with_suffix(path, ".new");
        for leftover in [
            new.clone(),
            with_suffix(&new, "-wal"),
            with_suffix(&new, "-shm"),
        ] {
            match fs::remove_file(&leftover) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(file(&leftover)(error)),
            }
        }
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)
            .map_err(file(&new))?;
        build(&new, pool).map_err(|source| Error::from_sqlite(VERB, path, BUSY, source))?;
        // SQLite syncs the content with its last checkpoint; the rename and
        // the name need syncs of their own.
        File::open(&new)
            .and_then(|f| f.sync_all())
            .map_err(file(&new))?;
        rename_no_replace(&new, path)?;
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        File::open(directory)
            .and_then(|d| d.sync_all())
            .map_err(file(directory))?;
        Self::open(path, Access::ReadWrite, BUSY)
    }
}

/// Fills an empty file and closes it, everything in the one file.
fn build(path: &Path, pool: &PoolFile) -> rusqlite::Result<()> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.pragma_update(None, "page_size", 4096)?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    let transaction = connection.unchecked_transaction()?;
    schema::migrate(&transaction, MIGRATIONS)?;
    transaction.execute(
        "INSERT INTO meta (key, value) VALUES ('pool', ?1), ('created', ?2)",
        (pool.id.to_string(), pool.created.to_string()),
    )?;
    transaction.commit()?;
    // The last connection to close moves the WAL into the file and removes it.
    connection.close().map_err(|(_, error)| error)
}

/// `link` and `unlink`, as one that refuses an existing name: two creations at
/// once must not replace each other's journal.
fn rename_no_replace(from: &Path, to: &Path) -> Result<()> {
    match fs::hard_link(from, to) {
        Ok(()) => fs::remove_file(from).map_err(file(from)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(Error::Exists { path: to.into() })
        }
        Err(error) => Err(file(to)(error)),
    }
}

/// A path with something appended to its last part.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// What to make of an error of the system about a file of a new journal.
fn file(path: &Path) -> impl FnOnce(io::Error) -> Error + '_ {
    move |source| match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::NoSpace {
            verb: VERB,
            path: path.into(),
        },
        io::ErrorKind::ReadOnlyFilesystem => Error::ReadOnlyFilesystem {
            verb: VERB,
            path: path.into(),
        },
        _ => Error::File {
            verb: VERB,
            path: path.into(),
            source,
        },
    }
}
