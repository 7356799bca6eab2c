//! Checking a whole journal.

use rusqlite::ErrorCode;

use super::{Error, Journal, Result};
use crate::model::TransactionNumber;

const VERB: &str = "check the journal";
/// SQLite reports at most so many problems of its own.
const PROBLEMS_MAX: u32 = 100;

impl Journal {
    /// Checks the database and what it says. The outer error means that it
    /// could not be checked; the list is what is wrong, empty when nothing is.
    pub fn integrity_check(&self) -> Result<Vec<String>> {
        let _connection = self.connection(VERB)?;
        let mut problems = Vec::new();
        // Once a tree is damaged the queries of the other checks tell nothing
        // more, or the same again.
        for check in [
            Self::check_database,
            Self::check_references,
            Self::check_numbers,
            Self::check_lists,
        ] {
            match check(self, &mut problems) {
                Ok(()) => {}
                Err(Error::Damaged { detail, .. }) => problems.push(detail),
                Err(error @ Error::Malformed { .. }) => problems.push(error.to_string()),
                Err(error) => return Err(error),
            }
            if !problems.is_empty() {
                break;
            }
        }
        Ok(problems)
    }

    fn check_database(&self, problems: &mut Vec<String>) -> Result<()> {
        let connection = self.connection(VERB)?;
        let failed = self.failed(VERB);
        let mut statement = connection
            .prepare(&format!("PRAGMA integrity_check({PROBLEMS_MAX})"))
            .map_err(&failed)?;
        let mut rows = statement.query([]).map_err(&failed)?;
        while let Some(row) = rows.next().map_err(&failed)? {
            let line: String = row.get(0).map_err(&failed)?;
            if line != "ok" {
                problems.push(line);
            }
        }
        Ok(())
    }

    fn check_references(&self, problems: &mut Vec<String>) -> Result<()> {
        let connection = self.connection(VERB)?;
        let failed = self.failed(VERB);
        let mut statement = connection
            .prepare("PRAGMA foreign_key_check")
            .map_err(&failed)?;
        let mut rows = statement.query([]).map_err(&failed)?;
        while let Some(row) = rows.next().map_err(&failed)? {
            let table: String = row.get(0).map_err(&failed)?;
            let target: String = row.get(2).map_err(&failed)?;
            problems.push(format!(
                "a row of {table} names a row of {target} that is not there"
            ));
        }
        Ok(())
    }

    /// Numbers are never reused only as long as SQLite's own counter stands at
    /// or above the newest.
    fn check_numbers(&self, problems: &mut Vec<String>) -> Result<()> {
        let connection = self.connection(VERB)?;
        for (table, column) in [("transactions", "number"), ("operations", "id")] {
            let (newest, counter): (Option<i64>, Option<i64>) = connection
                .query_row(
                    &format!(
                        "SELECT max({column}), (SELECT seq FROM sqlite_sequence WHERE name = ?1) \
                         FROM {table}"
                    ),
                    [table],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )
                .map_err(self.failed(VERB))?;
            if newest > counter {
                problems.push(format!(
                    "the counter of {table} stands at {}, below the newest number {}",
                    counter.unwrap_or_default(),
                    newest.unwrap_or_default()
                ));
            }
        }
        Ok(())
    }

    /// Every transaction and every list of paths can be read.
    fn check_lists(&self, problems: &mut Vec<String>) -> Result<()> {
        let connection = self.connection(VERB)?;
        let failed = self.failed(VERB);
        let mut statement = connection
            .prepare("SELECT txn, entries FROM path_lists ORDER BY txn")
            .map_err(&failed)?;
        let mut rows = statement.query([]).map_err(&failed)?;
        while let Some(row) = rows.next().map_err(&failed)? {
            let number: i64 = row.get(0).map_err(&failed)?;
            let entries: i64 = row.get(1).map_err(&failed)?;
            let Ok(number) = TransactionNumber::new(number) else {
                problems.push(format!("there is a list of paths of transaction {number}"));
                continue;
            };
            match self.changes(number) {
                Ok(list) => {
                    let found = list.map_or(0, |list| list.len());
                    if i64::try_from(found) != Ok(entries) {
                        problems.push(format!(
                            "the list of paths of transaction {number} has {found} entries, not {entries}"
                        ));
                    }
                }
                Err(error @ Error::Malformed { .. }) => problems.push(error.to_string()),
                Err(error) => return Err(error),
            }
        }
        drop(rows);
        self.each_transaction(&super::Filter::default(), |_| {
            std::ops::ControlFlow::Continue(())
        })
    }
}

impl Error {
    /// Whether the journal itself is at fault, and `pool check` would say more.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Damaged { .. } | Self::Malformed { .. } => true,
            Self::Sqlite { source, .. } => {
                source.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt)
            }
            _ => false,
        }
    }
}
