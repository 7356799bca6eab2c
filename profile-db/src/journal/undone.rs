//! Which transactions an undo takes back.

use rusqlite::params;

use super::{Durability, Error, Journal, Result};
use crate::model::TransactionNumber;

/// The version of the schema that has the table of sets.
const FIRST_WITH_SETS: u32 = 2;
const ROW: &str = "SELECT undoes FROM transactions WHERE number = ?1 AND undoes IS NOT NULL";
const ROW_AND_SET: &str = "SELECT undone FROM undone_sets WHERE undo = ?1 \
     UNION SELECT undoes FROM transactions WHERE number = ?1 AND undoes IS NOT NULL ORDER BY 1 DESC";

impl Journal {
    /// Records that an undo takes back several transactions: all of them, the one in its row as well.
    ///
    /// Not synced: it reaches the disk with the intent of the undo at the latest.
    pub fn set_undone(&self, undo: TransactionNumber, undone: &[TransactionNumber]) -> Result<()> {
        let verb = "record what is taken back by transaction";
        self.write(verb, Durability::Ordered, || {
            let connection = self.connection(verb)?;
            self.state(verb, undo)?;
            let mut insert = connection
                .prepare_cached("INSERT INTO undone_sets (undo, undone) VALUES (?1, ?2)")
                .map_err(self.failed(verb))?;
            for one in undone {
                insert
                    .execute(params![undo.get(), one.get()])
                    .map_err(self.failed(verb))?;
            }
            Ok(())
        })
    }

    /// The transactions that an undo takes back, newest first; those that it took back once when it is undone
    /// itself. Empty for a transaction that is no undo.
    pub fn undone(&self, undo: TransactionNumber) -> Result<Vec<TransactionNumber>> {
        let verb = "read what is taken back by transaction";
        let connection = self.connection(verb)?;
        let failed = self.failed(verb);
        self.state(verb, undo)?;
        let mut select = connection
            .prepare_cached(match self.format.version {
                // Opened for reading only it may be older than the table.
                ..FIRST_WITH_SETS => ROW,
                _ => ROW_AND_SET,
            })
            .map_err(&failed)?;
        let numbers = select
            .query_map([undo.get()], |row| row.get(0))
            .and_then(|rows| rows.collect::<rusqlite::Result<Vec<i64>>>())
            .map_err(&failed)?;
        numbers
            .into_iter()
            .map(|number| {
                TransactionNumber::new(number).map_err(|error| Error::Malformed {
                    verb,
                    path: self.path.clone(),
                    place: format!("what transaction {undo} takes back"),
                    detail: error.to_string(),
                })
            })
            .collect()
    }
}
