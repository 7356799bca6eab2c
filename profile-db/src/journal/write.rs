//! The one way in which the journal is written.

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::{Access, Error, Journal, Result};

/// What is promised about a write when its call returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// It is on the disk.
    Durable,
    /// It survives the end of the process; a power cut may lose it, but then
    /// also whatever was written to the journal after it.
    Ordered,
}

impl Durability {
    /// `PRAGMA synchronous`: in WAL mode NORMAL leaves out the sync of the WAL
    /// at a commit, and nothing else (https://www.sqlite.org/pragma.html).
    pub(super) const fn pragma(self) -> &'static str {
        match self {
            Self::Durable => "FULL",
            Self::Ordered => "NORMAL",
        }
    }
}

impl Journal {
    /// Does several things as one: all of them are recorded, or none; and with
    /// one sync. Calls inside keep their own checks; their own durability does
    /// not matter.
    ///
    /// The lock on the journal is held meanwhile: do nothing slow inside.
    pub fn batch<T>(
        &self,
        durability: Durability,
        work: impl FnOnce(&Self) -> Result<T>,
    ) -> Result<T> {
        self.write("record", durability, || work(self))
    }

    /// Runs `work` in a transaction of SQLite; in a savepoint when there is one
    /// already, so that a part that fails leaves no half behind when the caller
    /// goes on.
    pub(super) fn write<T>(
        &self,
        verb: &'static str,
        durability: Durability,
        work: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        self.must_write(verb)?;
        let connection = self.connection(verb)?;
        if !connection.is_autocommit() {
            return self.write_part(verb, &connection, work);
        }
        self.set_durability(verb, &connection, durability)?;
        // Immediate: a transaction that begins as a reader and then writes can
        // fail with "busy" at once, without waiting.
        let transaction = Transaction::new_unchecked(&connection, TransactionBehavior::Immediate)
            .map_err(self.failed(verb))?;
        let result = work()?;
        transaction.commit().map_err(self.failed(verb))?;
        self.checkpoint_when_due(&connection);
        Ok(result)
    }

    fn write_part<T>(
        &self,
        verb: &'static str,
        connection: &Connection,
        work: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let failed = self.failed(verb);
        connection
            .execute_batch("SAVEPOINT part")
            .map_err(&failed)?;
        match work() {
            Ok(result) => {
                connection.execute_batch("RELEASE part").map_err(&failed)?;
                Ok(result)
            }
            Err(error) => {
                // After some errors (disk full) SQLite has taken back the whole
                // transaction, and there is no savepoint left.
                if !connection.is_autocommit() {
                    connection
                        .execute_batch("ROLLBACK TO part; RELEASE part")
                        .map_err(&failed)?;
                }
                Err(error)
            }
        }
    }

    pub(super) fn must_write(&self, verb: &'static str) -> Result<()> {
        match self.access {
            Access::ReadWrite => Ok(()),
            Access::ReadOnly => Err(Error::OpenedReadOnly {
                verb,
                path: self.path.clone(),
            }),
        }
    }

    fn set_durability(
        &self,
        verb: &'static str,
        connection: &Connection,
        durability: Durability,
    ) -> Result<()> {
        if self.durability.get() != durability {
            connection
                .pragma_update(None, "synchronous", durability.pragma())
                .map_err(self.failed(verb))?;
            self.durability.set(durability);
        }
        Ok(())
    }
}
