//! The packages of a transaction.

use rusqlite::params;

use super::row::Columns;
use super::{Action, Durability, Journal, PackageChange, PackageCounts, Result};
use crate::model::TransactionNumber;

impl Journal {
    /// Records what a transaction did to packages, in place of what was
    /// recorded before. Not synced by itself: `finish` follows, or batch both.
    pub fn set_packages(
        &self,
        number: TransactionNumber,
        packages: &[PackageChange],
    ) -> Result<()> {
        let verb = "record packages";
        self.write(verb, Durability::Ordered, || {
            let connection = self.connection(verb)?;
            let failed = self.failed(verb);
            self.state(verb, number)?;
            connection
                .execute("DELETE FROM packages WHERE txn = ?1", [number.get()])
                .map_err(&failed)?;
            let mut insert = connection
                .prepare_cached(
                    "INSERT INTO packages (txn, position, name, architecture, action, \
                     old_version, new_version, auto_before, auto_after, status_after) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                )
                .map_err(&failed)?;
            for (position, package) in (0_i64..).zip(packages) {
                insert
                    .execute(params![
                        number.get(),
                        position,
                        package.name,
                        package.architecture,
                        package.action.as_str(),
                        package.old_version,
                        package.new_version,
                        package.auto_before,
                        package.auto_after,
                        package.status_after,
                    ])
                    .map_err(&failed)?;
            }
            // Kept beside the transaction, so that a listing reads one table.
            let counts = PackageCounts::of(packages);
            connection
                .prepare_cached(
                    "UPDATE transactions SET installed = ?2, upgraded = ?3, downgraded = ?4, \
                     removed = ?5, purged = ?6, reinstalled = ?7, configured = ?8, \
                     other_actions = ?9 WHERE number = ?1",
                )
                .and_then(|mut update| {
                    update.execute(params![
                        number.get(),
                        counts.installed,
                        counts.upgraded,
                        counts.downgraded,
                        counts.removed,
                        counts.purged,
                        counts.reinstalled,
                        counts.configured,
                        counts.other,
                    ])
                })
                .map_err(&failed)?;
            Ok(())
        })
    }

    /// What a transaction did to packages, in the order it was recorded.
    pub fn packages(&self, number: TransactionNumber) -> Result<Vec<PackageChange>> {
        let verb = "read packages";
        let connection = self.connection(verb)?;
        let failed = self.failed(verb);
        self.state(verb, number)?;
        let mut statement = connection
            .prepare_cached(
                "SELECT name, architecture, action, old_version, new_version, auto_before, \
                 auto_after, status_after FROM packages WHERE txn = ?1 ORDER BY position",
            )
            .map_err(&failed)?;
        let mut rows = statement.query([number.get()]).map_err(&failed)?;
        let mut packages = Vec::new();
        while let Some(row) = rows.next().map_err(&failed)? {
            let mut columns = Columns::new(self, verb, row);
            packages.push(PackageChange {
                name: columns.get()?,
                architecture: columns.get()?,
                action: Action::from_word(&columns.get::<String>()?),
                old_version: columns.get()?,
                new_version: columns.get()?,
                auto_before: columns.get()?,
                auto_after: columns.get()?,
                status_after: columns.get()?,
            });
        }
        Ok(packages)
    }
}
