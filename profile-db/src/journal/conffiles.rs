//! What became of the conffiles in a transaction.

use rusqlite::params;

use super::row::Columns;
use super::{ConffileChange, ConffileOutcome, Durability, Journal, Result};
use crate::model::TransactionNumber;

impl Journal {
    /// Records what became of conffiles, in place of what was recorded before.
    /// Not synced by itself: `finish` follows, or batch both.
    pub fn set_conffiles(
        &self,
        number: TransactionNumber,
        conffiles: &[ConffileChange],
    ) -> Result<()> {
        let verb = "record conffiles";
        self.write(verb, Durability::Ordered, || {
            let connection = self.connection(verb)?;
            let failed = self.failed(verb);
            self.state(verb, number)?;
            connection
                .execute("DELETE FROM conffiles WHERE txn = ?1", [number.get()])
                .map_err(&failed)?;
            let mut insert = connection
                .prepare_cached(
                    "INSERT INTO conffiles (txn, position, path, package, outcome, beside) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )
                .map_err(&failed)?;
            for (position, conffile) in (0_i64..).zip(conffiles) {
                insert
                    .execute(params![
                        number.get(),
                        position,
                        conffile.path,
                        conffile.package,
                        conffile.outcome.as_str(),
                        conffile.beside,
                    ])
                    .map_err(&failed)?;
            }
            Ok(())
        })
    }

    /// What became of conffiles, in the order it was recorded.
    pub fn conffiles(&self, number: TransactionNumber) -> Result<Vec<ConffileChange>> {
        let verb = "read conffiles";
        let connection = self.connection(verb)?;
        let failed = self.failed(verb);
        self.state(verb, number)?;
        let mut statement = connection
            .prepare_cached(
                "SELECT path, package, outcome, beside FROM conffiles WHERE txn = ?1 \
                 ORDER BY position",
            )
            .map_err(&failed)?;
        let mut rows = statement.query([number.get()]).map_err(&failed)?;
        let mut conffiles = Vec::new();
        while let Some(row) = rows.next().map_err(&failed)? {
            let mut columns = Columns::new(self, verb, row);
            conffiles.push(ConffileChange {
                path: columns.get()?,
                package: columns.get()?,
                outcome: ConffileOutcome::from_word(&columns.get::<String>()?),
                beside: columns.get()?,
            });
        }
        Ok(conffiles)
    }
}
