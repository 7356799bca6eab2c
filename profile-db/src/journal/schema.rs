//! The versions of the schema, and how one becomes the next.

use rusqlite::Connection;

use crate::format::{Format, Known};

/// SQLite's application id of a journal: `FlPr`.
pub const APPLICATION_ID: u32 = 0x466c_5072;

/// What this version of the tool knows of the journal.
pub const KNOWN: Known = Known {
    what: "journal",
    version: 3,
    read_only_compatible: &[],
    incompatible: &[],
};

/// One step from a version of the schema to the next.
///
/// Only additive steps belong here: they run by themselves when a newer tool
/// opens an older journal, and an older tool must go on working. A change that
/// is not additive is a feature, made by `pool upgrade`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Migration {
    /// The version after it.
    pub version: u32,
    /// What it executes.
    pub sql: &'static str,
}

/// Every step, in order; the first makes an empty database a journal.
pub(super) const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        sql: include_str!("schema/v1.sql"),
    },
    Migration {
        version: 2,
        sql: include_str!("schema/v2.sql"),
    },
    Migration {
        version: 3,
        sql: include_str!("schema/v3.sql"),
    },
];

/// The version in the database.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<u32> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Brings the schema to the newest of `migrations`. The caller has begun a
/// transaction: every step and the version are committed together or not.
/// A newer version is left as it is.
pub(super) fn migrate(connection: &Connection, migrations: &[Migration]) -> rusqlite::Result<()> {
    let current = version(connection)?;
    for migration in migrations.iter().filter(|m| m.version > current) {
        connection.execute_batch(migration.sql)?;
        connection.pragma_update(None, "user_version", migration.version)?;
    }
    Ok(())
}

/// The version and the features in the database.
pub(super) fn format(connection: &Connection) -> rusqlite::Result<Format> {
    let mut format = Format::new(version(connection)?);
    let mut statement = connection.prepare("SELECT name, class FROM features ORDER BY name")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        match row.get_ref(1)?.as_str()? {
            "compatible" => format.compatible.push(name),
            "read-only-compatible" => format.read_only_compatible.push(name),
            // A class nobody has heard of says nothing about what is safe.
            _ => format.incompatible.push(name),
        }
    }
    Ok(format)
}
