//! Intents: what was begun on the pool and is not complete.
//!
//! An operation is recorded, durably, before its first effect; its steps as
//! they are done; and it is gone when it is complete. What is still here when
//! nobody works on it is what `recover` finishes or takes back.

use std::fmt;

use rusqlite::params;
use serde_json::Value;

use super::row::Columns;
use super::{Durability, Error, Journal, Result};
use crate::model::{ProfileId, Time, TransactionNumber};

/// The id of an operation; never given out twice. `boot.json` names operations
/// by it too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OperationId(i64);

impl OperationId {
    /// The id as an integer, as `boot.json` has it.
    pub const fn get(self) -> u64 {
        // Ids count from 1.
        self.0.unsigned_abs()
    }

    /// The id that `boot.json` or the boot log has; none when no journal could
    /// have given it out.
    pub fn from_boot(number: u64) -> Option<Self> {
        i64::try_from(number).ok().filter(|id| *id > 0).map(Self)
    }
}

impl fmt::Display for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// A word for what it does: whoever recovers it looks at this first.
    pub kind: String,
    /// The profile it works on.
    pub profile: Option<ProfileId>,
    /// The transaction it belongs to.
    pub transaction: Option<TransactionNumber>,
    /// When it was begun.
    pub begun: Time,
    /// Everything that is needed to finish it or to take it back.
    pub payload: Value,
}

/// An operation that is not complete.
#[derive(Debug, Clone, PartialEq)]
pub struct Pending {
    /// Its id.
    pub id: OperationId,
    /// What is to be done.
    pub operation: Operation,
    /// The steps that were recorded, in order.
    pub steps: Vec<String>,
}

impl Journal {
    /// Records an intent. Durable: when this returns, the first effect may
    /// happen.
    pub fn intend(&self, operation: &Operation) -> Result<OperationId> {
        let verb = "record an intent";
        self.write(verb, Durability::Durable, || {
            let connection = self.connection(verb)?;
            connection
                .execute(
                    "INSERT INTO operations (kind, profile, txn, begun, payload) \
                     VALUES (?1, ?2, ?3, ?4, ?5)",
                    params![
                        operation.kind,
                        operation.profile.as_ref().map(ProfileId::as_str),
                        operation.transaction.map(TransactionNumber::get),
                        operation.begun.to_string(),
                        operation.payload.to_string(),
                    ],
                )
                .map_err(self.failed(verb))?;
            Ok(OperationId(connection.last_insert_rowid()))
        })
    }

    /// Records that a step is done. Not synced: a step that was done and is not
    /// recorded is found done by looking at the world. Where that cannot be
    /// seen, use [`Journal::record_step_durably`].
    pub fn record_step(&self, operation: OperationId, step: &str) -> Result<()> {
        self.record_steps(operation, &[step], Durability::Ordered)
    }

    /// Records that a step is done, and returns when that is on the disk.
    pub fn record_step_durably(&self, operation: OperationId, step: &str) -> Result<()> {
        self.record_steps(operation, &[step], Durability::Durable)
    }

    /// Records that several steps are done, as one.
    pub fn record_steps(
        &self,
        operation: OperationId,
        steps: &[&str],
        durability: Durability,
    ) -> Result<()> {
        let verb = "record a step";
        self.write(verb, durability, || {
            let connection = self.connection(verb)?;
            let failed = self.failed(verb);
            self.must_be_pending(verb, operation)?;
            let mut insert = connection
                .prepare_cached(
                    "INSERT INTO operation_steps (operation, position, step) SELECT ?1, \
                     coalesce(max(position) + 1, 0), ?2 FROM operation_steps WHERE operation = ?1",
                )
                .map_err(&failed)?;
            for step in steps {
                insert
                    .execute(params![operation.0, step])
                    .map_err(&failed)?;
            }
            Ok(())
        })
    }

    /// Replaces the payload of an operation, when its plan became longer.
    /// Durable.
    pub fn set_payload(&self, operation: OperationId, payload: &Value) -> Result<()> {
        let verb = "record a plan";
        self.write(verb, Durability::Durable, || {
            let connection = self.connection(verb)?;
            self.must_be_pending(verb, operation)?;
            connection
                .execute(
                    "UPDATE operations SET payload = ?2 WHERE id = ?1",
                    params![operation.0, payload.to_string()],
                )
                .map_err(self.failed(verb))?;
            Ok(())
        })
    }

    /// Records that an operation is complete: it is no longer pending. Durable.
    pub fn complete(&self, operation: OperationId) -> Result<()> {
        let verb = "complete an operation";
        self.write(verb, Durability::Durable, || {
            let connection = self.connection(verb)?;
            self.must_be_pending(verb, operation)?;
            connection
                .execute("DELETE FROM operations WHERE id = ?1", [operation.0])
                .map_err(self.failed(verb))?;
            Ok(())
        })
    }

    /// The operations that are not complete, oldest first.
    pub fn pending_operations(&self) -> Result<Vec<Pending>> {
        let verb = "read pending operations";
        let connection = self.connection(verb)?;
        let failed = self.failed(verb);
        let mut statement = connection
            .prepare_cached(
                "SELECT id, kind, profile, txn, begun, payload FROM operations ORDER BY id",
            )
            .map_err(&failed)?;
        let mut rows = statement.query([]).map_err(&failed)?;
        let mut pending = Vec::new();
        while let Some(row) = rows.next().map_err(&failed)? {
            let mut columns = Columns::new(self, verb, row);
            let id = OperationId(columns.get()?);
            pending.push(Pending {
                id,
                operation: Operation {
                    kind: columns.get()?,
                    profile: columns.parse_optional()?,
                    transaction: columns.number()?,
                    begun: columns.parse()?,
                    payload: columns.parse()?,
                },
                steps: self.steps(verb, id)?,
            });
        }
        Ok(pending)
    }

    fn steps(&self, verb: &'static str, operation: OperationId) -> Result<Vec<String>> {
        let connection = self.connection(verb)?;
        let failed = self.failed(verb);
        let mut statement = connection
            .prepare_cached(
                "SELECT step FROM operation_steps WHERE operation = ?1 ORDER BY position",
            )
            .map_err(&failed)?;
        statement
            .query_map([operation.0], |row| row.get(0))
            .and_then(Iterator::collect)
            .map_err(&failed)
    }

    fn must_be_pending(&self, verb: &'static str, operation: OperationId) -> Result<()> {
        let connection = self.connection(verb)?;
        let found = connection
            .prepare_cached("SELECT 1 FROM operations WHERE id = ?1")
            .and_then(|mut select| select.exists([operation.0]))
            .map_err(self.failed(verb))?;
        if found {
            Ok(())
        } else {
            Err(Error::NoSuchOperation { verb, operation })
        }
    }
}
