//! The lists of changed paths of transactions.

use rusqlite::{OptionalExtension, params};

use super::{Durability, Error, Journal, Result, list_form};
use crate::model::TransactionNumber;
use crate::model::words::closed_words;

/// How the lists of this version are encoded.
const ENCODING: &str = "zlib-1";

closed_words!(
    /// How a path changed.
    Change, "change", {
        /// It was not there before.
        Created = "created",
        /// It is gone.
        Removed = "removed",
        /// Its content changed; perhaps its metadata too.
        Content = "content",
        /// Only owner, mode, time or extended attributes changed.
        Metadata = "metadata",
        /// It is of another type now.
        Type = "type",
    }
);

closed_words!(
    /// What stands at a path.
    FileType, "file type", {
        /// A regular file.
        File = "file",
        /// A directory.
        Directory = "directory",
        /// A symbolic link.
        Symlink = "symlink",
        /// A character device.
        CharDevice = "char-device",
        /// A block device.
        BlockDevice = "block-device",
        /// A named pipe.
        Fifo = "fifo",
        /// A socket.
        Socket = "socket",
    }
);

/// One changed path of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeRow {
    /// The path in the merged tree: absolute and plain.
    pub path: Vec<u8>,
    /// How it changed.
    pub change: Change,
    /// What stood there before; none when nothing did.
    pub before: Option<FileType>,
    /// What stands there after; none when nothing does.
    pub after: Option<FileType>,
    /// Why the transaction is held to have changed it (a package, a script);
    /// none when it changed meanwhile.
    pub attribution: Option<String>,
}

/// What a stored list of changed paths comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangesSummary {
    /// How many paths it has.
    pub entries: u64,
    /// How many of them changed meanwhile, without an attribution; none when
    /// nobody counted.
    pub meanwhile: Option<u64>,
}

impl Journal {
    /// Stores the list of changed paths of a transaction, in place of the one
    /// that was stored before, and indexes it. Durable: a snapshot may be
    /// deleted when this has returned.
    pub fn store_changes(&self, number: TransactionNumber, changes: &[ChangeRow]) -> Result<()> {
        let verb = "store changed paths";
        // Compressed before the lock is taken.
        let list = list_form::encode(changes).map_err(|source| Error::File {
            verb: "compress changed paths for",
            path: self.path.clone(),
            source,
        })?;
        let meanwhile = changes
            .iter()
            .filter(|change| change.attribution.is_none())
            .count();
        self.write(verb, Durability::Durable, || {
            let connection = self.connection(verb)?;
            self.state(verb, number)?;
            if let Some(old) = self.read_changes(verb, number)? {
                self.unindex_paths(verb, number, &old)?;
            }
            connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO path_lists (txn, entries, meanwhile, encoding, list) \
                     VALUES (?1, ?2, ?3, ?4, ?5)",
                )
                .and_then(|mut insert| {
                    let (entries, meanwhile) = (changes.len() as i64, meanwhile as i64);
                    insert.execute(params![number.get(), entries, meanwhile, ENCODING, list])
                })
                .map_err(self.failed(verb))?;
            self.index_paths(verb, number, changes)
        })
    }

    /// The list of changed paths of a transaction; none when it was not stored.
    pub fn changes(&self, number: TransactionNumber) -> Result<Option<Vec<ChangeRow>>> {
        let verb = "read changed paths";
        let _connection = self.connection(verb)?;
        self.state(verb, number)?;
        self.read_changes(verb, number)
    }

    /// What the stored list of a transaction comes to, without reading it;
    /// none when it was not stored.
    pub fn changes_summary(&self, number: TransactionNumber) -> Result<Option<ChangesSummary>> {
        let verb = "count changed paths";
        let connection = self.connection(verb)?;
        self.state(verb, number)?;
        connection
            .prepare_cached("SELECT entries, meanwhile FROM path_lists WHERE txn = ?1")
            .and_then(|mut select| {
                select
                    .query_row([number.get()], |row| {
                        let meanwhile: Option<i64> = row.get(1)?;
                        Ok(ChangesSummary {
                            entries: row.get::<_, i64>(0)?.unsigned_abs(),
                            meanwhile: meanwhile.map(i64::unsigned_abs),
                        })
                    })
                    .optional()
            })
            .map_err(self.failed(verb))
    }

    fn read_changes(
        &self,
        verb: &'static str,
        number: TransactionNumber,
    ) -> Result<Option<Vec<ChangeRow>>> {
        let connection = self.connection(verb)?;
        let stored: Option<(String, Vec<u8>)> = connection
            .prepare_cached("SELECT encoding, list FROM path_lists WHERE txn = ?1")
            .and_then(|mut select| {
                select
                    .query_row([number.get()], |row| Ok((row.get(0)?, row.get(1)?)))
                    .optional()
            })
            .map_err(self.failed(verb))?;
        let Some((encoding, list)) = stored else {
            return Ok(None);
        };
        let malformed = |detail: String| Error::Malformed {
            verb,
            path: self.path.clone(),
            place: format!("the list of paths of transaction {number}"),
            detail,
        };
        if encoding != ENCODING {
            return Err(malformed(format!(
                "its encoding is '{}', this tool knows {ENCODING}",
                encoding.escape_debug()
            )));
        }
        list_form::decode(&list)
            .map(Some)
            .map_err(|error| malformed(error.to_string()))
    }
}
