//! Why the journal could not do something, by situation.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::ErrorCode;
use rusqlite::ffi;

use super::OperationId;
use crate::format::FormatError;
use crate::model::TransactionNumber;
use crate::state::WrongTransition;

/// The result of a call of the journal.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why the journal could not do something.
///
/// Whatever the variant, the call changed nothing: every call is one
/// transaction of SQLite, and what cannot be committed is rolled back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no journal.
    #[error("cannot open the journal {}: it does not exist", .path.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// There is one already, where a new one should be made.
    #[error("cannot create the journal {}: it exists", .path.display())]
    Exists {
        /// The journal.
        path: PathBuf,
    },
    /// Something else stands where the journal should be; it was not touched.
    #[error("cannot open the journal {}: {what}", .path.display())]
    NotAJournal {
        /// What stands there.
        path: PathBuf,
        /// What it is.
        what: NotAJournal,
    },
    /// A newer tool wrote it, and this one must not read, or not write it.
    #[error("cannot use the journal {}: {source}", .path.display())]
    Format {
        /// The journal.
        path: PathBuf,
        /// Both sides.
        source: FormatError,
    },
    /// It was opened to be read, and should be written.
    #[error("cannot {verb}: the journal {} was opened read-only", .path.display())]
    OpenedReadOnly {
        /// What was to be done.
        verb: &'static str,
        /// The journal.
        path: PathBuf,
    },
    /// Another process kept it locked for as long as one was ready to wait.
    #[error("cannot {verb}: another process has kept the journal {} locked for {} s", .path.display(), .waited.as_secs_f32())]
    Locked {
        /// What was to be done.
        verb: &'static str,
        /// The journal.
        path: PathBuf,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The filesystem is full: release the reserve and try again.
    #[error("cannot {verb}: no space for the journal {}", .path.display())]
    NoSpace {
        /// What was to be done.
        verb: &'static str,
        /// The journal.
        path: PathBuf,
    },
    /// The filesystem is read-only.
    #[error("cannot {verb}: the filesystem of the journal {} is read-only", .path.display())]
    ReadOnlyFilesystem {
        /// What was to be done.
        verb: &'static str,
        /// The journal.
        path: PathBuf,
    },
    /// The database is damaged.
    #[error("cannot {verb}: the journal {} is damaged: {detail}", .path.display())]
    Damaged {
        /// What was to be done.
        verb: &'static str,
        /// The journal.
        path: PathBuf,
        /// What SQLite says, or what does not fit.
        detail: String,
    },
    /// A value in the journal is none that this tool could have written.
    #[error("cannot {verb}: in the journal {}, {place} is wrong: {detail}", .path.display())]
    Malformed {
        /// What was to be done.
        verb: &'static str,
        /// The journal.
        path: PathBuf,
        /// Which row and column.
        place: String,
        /// What is wrong with it.
        detail: String,
    },
    /// There is no transaction with this number.
    #[error("cannot {verb}: there is no transaction {number}")]
    NoSuchTransaction {
        /// What was to be done.
        verb: &'static str,
        /// The number.
        number: TransactionNumber,
    },
    /// There is no pending operation with this id.
    #[error("cannot {verb}: operation {operation} is not pending")]
    NoSuchOperation {
        /// What was to be done.
        verb: &'static str,
        /// The operation.
        operation: OperationId,
    },
    /// The transaction is in a state in which this cannot happen.
    #[error("cannot {verb} {number}: {source}")]
    WrongState {
        /// What was to be done.
        verb: &'static str,
        /// The transaction.
        number: TransactionNumber,
        /// The state and the event.
        source: WrongTransition,
    },
    /// The transaction was to be dropped as empty, but it is not.
    #[error("cannot drop transaction {number}: it has {what}")]
    NotEmpty {
        /// The transaction.
        number: TransactionNumber,
        /// What it has.
        what: &'static str,
    },
    /// A path that is not absolute and plain.
    #[error("cannot {verb}: path '{}' is not absolute, or has an empty part, '.' or '..'", .path.escape_ascii())]
    BadPath {
        /// What was to be done.
        verb: &'static str,
        /// The path.
        path: Vec<u8>,
    },
    /// A file operation beside SQLite failed.
    #[error("cannot {verb} {}: {source}", .path.display())]
    File {
        /// What was to be done.
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// SQLite refused for a reason that has no variant of its own.
    #[error("cannot {verb}: the journal {}: {source}", .path.display())]
    Sqlite {
        /// What was to be done.
        verb: &'static str,
        /// The journal.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
}

/// What stands where a journal should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotAJournal {
    /// No regular file.
    #[error("it is not a regular file")]
    NotAFile,
    /// A file of no bytes: a creation that was cut off.
    #[error("it is empty")]
    Empty,
    /// Something else than an SQLite database.
    #[error("it is not an SQLite database")]
    NotSqlite,
    /// The database of another program.
    #[error("it is the SQLite database of another program (application id {application_id:#010x})")]
    OtherProgram {
        /// SQLite's application id.
        application_id: u32,
    },
}

impl Error {
    /// Whether space would help: then the caller releases its reserve and tries again.
    pub fn is_no_space(&self) -> bool {
        matches!(self, Self::NoSpace { .. })
    }

    /// Whether waiting would help.
    pub fn is_locked(&self) -> bool {
        matches!(self, Self::Locked { .. })
    }

    /// The error for what SQLite said.
    pub(super) fn from_sqlite(
        verb: &'static str,
        path: &Path,
        busy: Duration,
        source: rusqlite::Error,
    ) -> Self {
        let path = path.to_path_buf();
        // Every statement here is right for the schema of its version: a table
        // or a column that is not there was lost.
        if let rusqlite::Error::SqlInputError { msg, .. } = &source {
            let detail = msg.clone();
            return Self::Damaged { verb, path, detail };
        }
        let rusqlite::Error::SqliteFailure(failure, ref message) = source else {
            return Self::Sqlite { verb, path, source };
        };
        match failure.code {
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Locked {
                verb,
                path,
                waited: busy,
            },
            ErrorCode::DiskFull => Self::NoSpace { verb, path },
            ErrorCode::NotADatabase => Self::NotAJournal {
                path,
                what: NotAJournal::NotSqlite,
            },
            ErrorCode::DatabaseCorrupt => Self::Damaged {
                verb,
                path,
                detail: message.clone().unwrap_or_else(|| source.to_string()),
            },
            // SQLite hides the system's error in these two: "unable to open
            // database file" is what it says when the -wal cannot be created
            // on a full disk.
            ErrorCode::CannotOpen | ErrorCode::SystemIoFailure => {
                Self::from_hidden(verb, path, failure, source)
            }
            ErrorCode::ReadOnly => Self::ReadOnlyFilesystem { verb, path },
            ErrorCode::Unknown
                if message
                    .as_deref()
                    .is_some_and(|m| m.starts_with("no such ")) =>
            {
                let detail = message.clone().unwrap_or_default();
                Self::Damaged { verb, path, detail }
            }
            _ => Self::Sqlite { verb, path, source },
        }
    }

    fn from_hidden(
        verb: &'static str,
        path: PathBuf,
        failure: ffi::Error,
        source: rusqlite::Error,
    ) -> Self {
        if failure.extended_code == ffi::SQLITE_IOERR_SHMSIZE {
            return Self::NoSpace { verb, path };
        }
        match probe(&path) {
            Err(error) if is_no_space(&error) => Self::NoSpace { verb, path },
            Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => {
                Self::ReadOnlyFilesystem { verb, path }
            }
            _ => Self::Sqlite { verb, path, source },
        }
    }
}

/// Whether an error of the system means that there is no space or no quota.
fn is_no_space(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

/// Writes a page beside the journal and removes it, to learn what the system
/// says. Only called after SQLite has failed.
pub(super) fn probe(path: &Path) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".probe-{}", std::process::id()));
    let probe = PathBuf::from(name);
    let written = std::fs::File::create_new(&probe).and_then(|mut file| {
        io::Write::write_all(&mut file, &[0u8; 64 * 1024])?;
        file.sync_all()
    });
    match std::fs::remove_file(&probe) {
        Err(error) if written.is_ok() => Err(error),
        _ => written,
    }
}
