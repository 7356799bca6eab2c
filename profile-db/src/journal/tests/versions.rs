//! Newer journals and older tools.

use super::*;
use crate::format::{Compatibility, FormatError};
use crate::journal::schema::{self, MIGRATIONS, Migration};
use crate::journal::{Error, Filter};

/// A version that nobody knows yet.
const NEXT: u32 = KNOWN + 1;
const KNOWN: u32 = schema::KNOWN.version;

/// A journal that a later version made: more columns, more tables.
fn from_the_future(features: &str) -> Place {
    let place = Place::new();
    let connection = other_program(&place);
    connection
        .execute_batch(&format!(
            "ALTER TABLE transactions ADD COLUMN comment TEXT;
             ALTER TABLE transactions ADD COLUMN weight INTEGER NOT NULL DEFAULT 1;
             ALTER TABLE packages ADD COLUMN origin TEXT;
             CREATE TABLE boots (id INTEGER PRIMARY KEY, txn INTEGER REFERENCES transactions (number));
             {features}
             PRAGMA user_version = {NEXT};"
        ))
        .unwrap();
    place
}

#[test]
fn an_older_tool_still_records_in_a_newer_compatible_journal() {
    let place = from_the_future("INSERT INTO features VALUES ('boots', 'compatible');").reopen();
    assert_eq!(place.journal.format().version, NEXT);
    assert_eq!(
        place.journal.format().check(&schema::KNOWN),
        Compatibility::Full
    );
    let n = place.begin();
    place.journal.set_pre(n, "1-pre").unwrap();
    let finish = crate::journal::Finish {
        outcome: crate::journal::Outcome::Done,
        ended: None,
        problem: None,
    };
    place.journal.finish(n, &finish).unwrap();
    let connection = other_program(&place);
    connection
        .execute(
            "UPDATE transactions SET comment = 'kept', kind = 'teleport'",
            [],
        )
        .unwrap();
    drop(connection);
    place.journal.set_pinned(n, true).unwrap();
    let read = &place.journal.transactions(&Filter::default()).unwrap()[0];
    assert_eq!(read.kind, TransactionKind::Other("teleport".to_owned()));
    let kept: (String, i64) = other_program(&place)
        .query_row("SELECT comment, weight FROM transactions", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    assert_eq!(kept, ("kept".to_owned(), 1));
    assert_eq!(place.journal.integrity_check().unwrap(), [""; 0]);
    assert_eq!(
        schema::version(&place.connection()).unwrap(),
        NEXT,
        "not taken back"
    );
}

#[test]
fn a_newer_incompatible_journal_is_refused_and_both_sides_are_said() {
    let place = from_the_future(
        "INSERT INTO features VALUES ('sharded-lists', 'incompatible'), ('old-news', 'compatible');",
    );
    let before = std::fs::read(place.path()).unwrap();
    for access in [Access::ReadWrite, Access::ReadOnly] {
        let error = Journal::open(&place.path(), access, BUSY).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "cannot use the journal {}: journal has format {NEXT} and needs feature sharded-lists, \
                 this tool knows format {} and no features: use a newer flipper-profile",
                place.path().display(),
                KNOWN
            )
        );
        assert!(matches!(
            error,
            Error::Format {
                source: FormatError::Refused {
                    found: NEXT,
                    known: KNOWN,
                    ..
                },
                ..
            }
        ));
    }
    assert_eq!(std::fs::read(place.path()).unwrap(), before);
}

#[test]
fn a_class_nobody_has_heard_of_is_refused_too() {
    let place = Place::new();
    other_program(&place)
        .execute_batch(
            "PRAGMA ignore_check_constraints = on; INSERT INTO features VALUES ('x', 'dangerous')",
        )
        .unwrap();
    assert!(Journal::open(&place.path(), Access::ReadOnly, BUSY).is_err());
}

#[test]
fn a_newer_read_only_compatible_journal_is_read_and_not_written() {
    let place = from_the_future("INSERT INTO features VALUES ('signed', 'read-only-compatible');");
    let error = Journal::open(&place.path(), Access::ReadWrite, BUSY).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "cannot use the journal {}: journal has format {NEXT} with feature signed, which this tool \
             (format {} with no features) may read but not write: use a newer flipper-profile",
            place.path().display(),
            KNOWN
        )
    );
    let reader = Journal::open(&place.path(), Access::ReadOnly, BUSY).unwrap();
    assert!(reader.transactions(&Filter::default()).unwrap().is_empty());
}

#[test]
fn migrations_are_numbered_without_gaps_and_end_at_what_is_known() {
    let versions: Vec<u32> = MIGRATIONS.iter().map(|m| m.version).collect();
    let expected: Vec<u32> = (1..=schema::KNOWN.version).collect();
    assert_eq!(versions, expected);
}

#[test]
fn migrations_are_all_or_nothing_with_the_version() {
    let place = Place::new();
    let connection = other_program(&place);
    let steps = [
        Migration {
            version: KNOWN,
            sql: "this is never run",
        },
        Migration {
            version: NEXT,
            sql: "ALTER TABLE transactions ADD COLUMN comment TEXT",
        },
        Migration {
            version: NEXT + 1,
            sql: "CREATE TABLE more (x); INSERT INTO nowhere VALUES (1)",
        },
    ];
    let transaction = connection.unchecked_transaction().unwrap();
    assert!(schema::migrate(&transaction, &steps).is_err());
    drop(transaction);
    assert_eq!(schema::version(&connection).unwrap(), KNOWN);
    assert!(
        connection
            .prepare("SELECT comment FROM transactions")
            .is_err()
    );
    let transaction = connection.unchecked_transaction().unwrap();
    schema::migrate(&transaction, &steps[..2]).unwrap();
    transaction.commit().unwrap();
    assert_eq!(schema::version(&connection).unwrap(), NEXT);
    assert!(
        connection
            .prepare("SELECT comment FROM transactions")
            .is_ok()
    );
    drop(connection);
    place.begin();
}

#[test]
fn an_upgrade_while_the_journal_is_open_is_noticed() {
    let place = Place::new();
    place.begin();
    other_program(&place)
        .execute_batch(
            "INSERT INTO features VALUES ('sharded-lists', 'incompatible'); PRAGMA user_version = 9",
        )
        .unwrap();
    let error = place.journal.begin(&transaction()).unwrap_err();
    assert!(matches!(error, Error::Format { .. }), "{error}");
}
