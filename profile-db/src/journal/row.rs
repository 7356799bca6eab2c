//! A row of the table of transactions, as a [`Transaction`].

use std::fmt::Display;
use std::str::FromStr;

use rusqlite::Row;
use rusqlite::types::FromSql;

use super::{
    Attention, Commits, Error, Journal, PackageCounts, Result, Transaction, TransactionKind,
};
use crate::model::{Owner, TransactionNumber};

/// What a query of transactions selects of every version of the schema; `t` is the table.
const OF_EVERY_VERSION: &str = "t.number, t.profile, t.base, t.kind, t.state, \
    t.state_before_undo, t.command, t.user, t.uid, t.front_end, t.owner_pid, \
    t.owner_start_time, t.owner_pid_ns, t.owner_boot_id, t.owner_soft_reboots, t.started, \
    t.ended, t.pre, t.post, t.problem, t.unprotected_reason, t.attention, t.undoes, \
    t.undone_by, t.noticed, t.pinned, t.commits_begun, t.commits_ended, t.installed, \
    t.upgraded, t.downgraded, t.removed, t.purged, t.reinstalled, t.configured, \
    t.other_actions";

/// The version of the schema that knows of retention.
pub(super) const FIRST_WITH_RETENTION: u32 = 3;

/// Reads columns one after the other, and says which one does not fit.
pub(super) struct Columns<'a> {
    journal: &'a Journal,
    verb: &'static str,
    row: &'a Row<'a>,
    next: usize,
}

impl<'a> Columns<'a> {
    pub(super) fn new(journal: &'a Journal, verb: &'static str, row: &'a Row<'a>) -> Self {
        Self {
            journal,
            verb,
            row,
            next: 0,
        }
    }

    /// The next column.
    pub(super) fn get<T: FromSql>(&mut self) -> Result<T> {
        let index = self.next;
        self.next += 1;
        self.row.get(index).map_err(|error| match error {
            rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..) => self.malformed(index, &error),
            error => self.journal.failed(self.verb)(error),
        })
    }

    /// The next column, a text that is parsed.
    pub(super) fn parse<T>(&mut self) -> Result<T>
    where
        T: FromStr,
        T::Err: Display,
    {
        let index = self.next;
        let text: String = self.get()?;
        text.parse().map_err(|error| self.malformed(index, &error))
    }

    /// The next column, a text that is parsed unless it is null.
    pub(super) fn parse_optional<T>(&mut self) -> Result<Option<T>>
    where
        T: FromStr,
        T::Err: Display,
    {
        let index = self.next;
        let text: Option<String> = self.get()?;
        text.map(|text| text.parse().map_err(|error| self.malformed(index, &error)))
            .transpose()
    }

    /// The next column, an unsigned number that SQLite keeps as its signed twin.
    pub(super) fn unsigned(&mut self) -> Result<u64> {
        let number: i64 = self.get()?;
        Ok(number as u64)
    }

    /// The next column, the number of a transaction or null.
    pub(super) fn number(&mut self) -> Result<Option<TransactionNumber>> {
        let index = self.next;
        let number: Option<i64> = self.get()?;
        number
            .map(|number| {
                TransactionNumber::new(number).map_err(|error| self.malformed(index, &error))
            })
            .transpose()
    }

    /// The error for a column whose value does not fit.
    pub(super) fn malformed(&self, index: usize, detail: &dyn Display) -> Error {
        let row: i64 = self.row.get(0).unwrap_or_default();
        let column = self.row.as_ref().column_name(index).unwrap_or("a column");
        Error::Malformed {
            verb: self.verb,
            path: self.journal.path.clone(),
            place: format!("{column} of row {row}"),
            detail: detail.to_string(),
        }
    }
}

impl Journal {
    /// What a query of transactions selects; `t` is the table. A journal of an older version that is only
    /// read stays as it is, and has no column for what that version did not know.
    pub(super) fn columns(&self) -> String {
        let files_gone = match self.format.version {
            ..FIRST_WITH_RETENTION => "NULL AS files_gone",
            FIRST_WITH_RETENTION.. => "t.files_gone",
        };
        format!("{OF_EVERY_VERSION}, {files_gone}")
    }

    /// The transaction in a row selected as [`Journal::columns`].
    pub(super) fn transaction_of(&self, verb: &'static str, row: &Row<'_>) -> Result<Transaction> {
        let mut columns = Columns::new(self, verb, row);
        let number = columns
            .number()?
            .ok_or_else(|| columns.malformed(0, &"it is null"))?;
        Ok(Transaction {
            number,
            profile: columns.parse()?,
            base: columns.parse()?,
            kind: TransactionKind::from_word(&columns.get::<String>()?),
            state: columns.parse()?,
            state_before_undo: columns.parse_optional()?,
            command: columns.get()?,
            user: columns.get()?,
            uid: columns.get()?,
            front_end: columns.get()?,
            owner: Owner {
                pid: columns.get()?,
                start_time: columns.unsigned()?,
                pid_ns: columns.unsigned()?,
                boot_id: columns.get()?,
                soft_reboots: columns.get()?,
            },
            started: columns.parse()?,
            ended: columns.parse_optional()?,
            pre: columns.get()?,
            post: columns.get()?,
            problem: columns.get()?,
            unprotected_reason: columns.get()?,
            attention: match columns.get::<i64>()? {
                0 => Attention::None,
                1 => Attention::Wanted,
                _ => Attention::Acknowledged,
            },
            undoes: columns.number()?,
            undone_by: columns.number()?,
            noticed: {
                let index = columns.next;
                let json: String = columns.get()?;
                serde_json::from_str(&json).map_err(|error| columns.malformed(index, &error))?
            },
            pinned: columns.get()?,
            commits: Commits {
                begun: columns.get()?,
                ended: columns.get()?,
            },
            packages: PackageCounts {
                installed: columns.get()?,
                upgraded: columns.get()?,
                downgraded: columns.get()?,
                removed: columns.get()?,
                purged: columns.get()?,
                reinstalled: columns.get()?,
                configured: columns.get()?,
                other: columns.get()?,
            },
            files_gone: columns.parse_optional()?,
        })
    }
}
