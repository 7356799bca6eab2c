//! What retention asks and records: which transactions still have snapshots, and what those hold.

use rusqlite::params;

use super::row::{Columns, FIRST_WITH_RETENTION};
use super::{Durability, Journal, Result};
use crate::model::{ProfileId, Time, TransactionNumber};
use crate::state::State;

/// What retention needs to know of a transaction: a tenth of the row, since there may be thousands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithSnapshots {
    /// Its number.
    pub number: TransactionNumber,
    /// Its state.
    pub state: State,
    /// When it began.
    pub started: Time,
    /// When it ended.
    pub ended: Option<Time>,
    /// Name of the snapshot before.
    pub pre: Option<String>,
    /// Name of the snapshot after; another transaction's, or the origin, where it brought that state back.
    pub post: Option<String>,
    /// Whether its snapshots are kept whatever retention says.
    pub pinned: bool,
}

impl Journal {
    /// The transactions of a profile whose row names a snapshot, oldest first.
    pub fn with_snapshots(&self, profile: &ProfileId) -> Result<Vec<WithSnapshots>> {
        let verb = "list transactions with snapshots";
        let connection = self.connection(verb)?;
        let failed = self.failed(verb);
        let mut statement = connection.prepare_cached(WITH_SNAPSHOTS).map_err(&failed)?;
        let mut rows = statement.query([profile.as_str()]).map_err(&failed)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(&failed)? {
            let mut columns = Columns::new(self, verb, row);
            found.push(WithSnapshots {
                number: columns
                    .number()?
                    .ok_or_else(|| columns.malformed(0, &"it is null"))?,
                state: columns.parse()?,
                started: columns.parse()?,
                ended: columns.parse_optional()?,
                pre: columns.get()?,
                post: columns.get()?,
                pinned: columns.get()?,
            });
        }
        Ok(found)
    }

    /// Remembers how many bytes the snapshots of a transaction hold that nothing newer does; `measured` says
    /// between which subvolumes that was found. Not synced: it is measured again when it is lost.
    pub fn set_size(&self, number: TransactionNumber, measured: &str, bytes: u64) -> Result<()> {
        let verb = "record the size of snapshots";
        self.write(verb, Durability::Ordered, || {
            let connection = self.connection(verb)?;
            self.state(verb, number)?;
            connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO snapshot_sizes (txn, measured, bytes) \
                     VALUES (?1, ?2, ?3)",
                )
                .and_then(|mut insert| {
                    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
                    insert.execute(params![number.get(), measured, bytes])
                })
                .map_err(self.failed(verb))?;
            Ok(())
        })
    }

    /// What [`Journal::set_size`] recorded of a profile's transactions: number, what it was measured between, bytes.
    pub fn sizes(&self, profile: &ProfileId) -> Result<Vec<(TransactionNumber, String, u64)>> {
        let verb = "read the sizes of snapshots";
        if self.format.version < FIRST_WITH_RETENTION {
            return Ok(Vec::new());
        }
        let connection = self.connection(verb)?;
        let failed = self.failed(verb);
        let mut statement = connection.prepare_cached(SIZES).map_err(&failed)?;
        let mut rows = statement.query([profile.as_str()]).map_err(&failed)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(&failed)? {
            let mut columns = Columns::new(self, verb, row);
            let number = columns.number()?;
            let number = number.ok_or_else(|| columns.malformed(0, &"it is null"))?;
            found.push((number, columns.get()?, columns.unsigned()?));
        }
        Ok(found)
    }

    /// Drops the size of snapshots that go.
    pub(super) fn forget_size(&self, number: TransactionNumber) -> Result<()> {
        let verb = "forget the size of snapshots";
        let connection = self.connection(verb)?;
        connection
            .execute("DELETE FROM snapshot_sizes WHERE txn = ?1", [number.get()])
            .map_err(self.failed(verb))?;
        Ok(())
    }
}

/// From the transactions that have snapshots to what is known of these.
const SIZES: &str = "SELECT s.txn, s.measured, s.bytes FROM transactions t \
    CROSS JOIN snapshot_sizes s ON s.txn = t.number \
    WHERE t.profile = ?1 AND (t.pre IS NOT NULL OR t.post IS NOT NULL)";

/// Oldest first by number, which is the last part of the index.
pub(super) const WITH_SNAPSHOTS: &str = "SELECT number, state, started, ended, pre, post, pinned \
    FROM transactions WHERE profile = ?1 AND (pre IS NOT NULL OR post IS NOT NULL) \
    ORDER BY number";
