//! What is no journal is refused, said, and not touched.

use std::fs;
use std::path::Path;

use super::*;
use crate::journal::{Error, NotAJournal};

fn open(path: &Path) -> Error {
    let mut errors = [Access::ReadWrite, Access::ReadOnly]
        .map(|access| Journal::open(path, access, BUSY).expect_err("to be refused"));
    assert_eq!(errors[0].to_string(), errors[1].to_string());
    std::mem::replace(&mut errors[0], Error::Missing { path: path.into() })
}

/// Refused with this, no byte changed, and nothing made beside it.
fn refused(content: &[u8], expected: &NotAJournal) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal.db");
    fs::write(&path, content).unwrap();
    match open(&path) {
        Error::NotAJournal { what, .. } => assert_eq!(what, *expected),
        other => panic!("{other}"),
    }
    assert_eq!(fs::read(&path).unwrap(), content);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn refuses_what_is_no_database() {
    refused(b"", &NotAJournal::Empty);
    refused(b"hello", &NotAJournal::NotSqlite);
    refused(&[0; 8192], &NotAJournal::NotSqlite);
    refused(b"SQLite format 3\0", &NotAJournal::NotSqlite);
    let error = open(Path::new("/dev/null"));
    assert_eq!(
        error.to_string(),
        "cannot open the journal /dev/null: it is not a regular file"
    );
    let directory = tempfile::tempdir().unwrap();
    let error = open(directory.path());
    assert!(
        matches!(
            error,
            Error::NotAJournal {
                what: NotAJournal::NotAFile,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn refuses_the_database_of_another_program() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("other.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection
        .execute_batch("PRAGMA application_id = 7; CREATE TABLE t (x)")
        .unwrap();
    drop(connection);
    refused(
        &fs::read(&path).unwrap(),
        &NotAJournal::OtherProgram { application_id: 7 },
    );
    assert_eq!(
        open(&path).to_string(),
        format!(
            "cannot open the journal {}: it is the SQLite database of another program (application id 0x00000007)",
            path.display()
        )
    );
}

#[test]
fn a_database_with_our_id_and_nothing_else_is_damaged() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection
        .pragma_update(None, "application_id", crate::journal::APPLICATION_ID)
        .unwrap();
    drop(connection);
    let before = fs::read(&path).unwrap();
    let error = open(&path);
    assert!(error.is_damage(), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_missing_journal_is_missing_and_not_made() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal.db");
    assert_eq!(
        open(&path).to_string(),
        format!(
            "cannot open the journal {}: it does not exist",
            path.display()
        )
    );
    assert!(!path.exists());
}

#[test]
fn create_never_replaces() {
    let place = Place::new();
    let n = place.begin();
    let error = Journal::create(&place.path(), &pool()).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "cannot create the journal {}: it exists",
            place.path().display()
        )
    );
    assert!(place.journal.transaction(n).is_ok());
    let directory = tempfile::tempdir().unwrap();
    let error = Journal::create(&directory.path().join("no/journal.db"), &pool()).unwrap_err();
    assert!(matches!(error, Error::File { .. }), "{error}");
}

#[test]
fn create_leaves_one_private_file_and_starts_over_after_a_cut() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal.db");
    for leftover in ["journal.db.new", "journal.db.new-wal", "journal.db.new-shm"] {
        fs::write(directory.path().join(leftover), b"half").unwrap();
    }
    let journal = Journal::create(&path, &pool()).unwrap();
    assert_eq!(journal.pool(), pool().id);
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    drop(journal);
    let names: Vec<_> = fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains(".new"))
        .collect();
    assert_eq!(names, [""; 0]);
}

#[test]
fn a_journal_opened_to_read_records_nothing() {
    let place = Place::new();
    let n = place.begin();
    let reader = Journal::open(&place.path(), Access::ReadOnly, BUSY).unwrap();
    assert_eq!(reader.transaction(n).unwrap().number, n);
    assert_eq!(reader.access(), Access::ReadOnly);
    assert_eq!(
        reader.begin(&transaction()).unwrap_err().to_string(),
        format!(
            "cannot begin a transaction: the journal {} was opened read-only",
            place.path().display()
        )
    );
    assert!(matches!(
        reader.checkpoint(),
        Err(Error::OpenedReadOnly { .. })
    ));
    // What is committed later is seen.
    let later = place.begin();
    assert!(reader.transaction(later).is_ok());
}

#[test]
fn a_lock_that_is_kept_is_said_and_nothing_is_recorded() {
    let place = Place::new().reopen();
    let other = other_program(&place);
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = place.journal.begin(&transaction()).unwrap_err();
    assert!(error.is_locked());
    assert_eq!(
        error.to_string(),
        format!(
            "cannot begin a transaction: another process has kept the journal {} locked for 0.05 s",
            place.path().display()
        )
    );
    for access in [Access::ReadWrite, Access::ReadOnly] {
        assert!(
            Journal::open(&place.path(), access, BUSY)
                .unwrap_err()
                .is_locked()
        );
    }
    other.execute_batch("ROLLBACK").unwrap();
    drop(other);
    assert_eq!(place.begin().get(), 1);
}

#[test]
fn between_calls_nothing_is_locked_and_inside_one_everything_is() {
    let place = Place::new().reopen();
    let n = place.begin();
    let second = Journal::open(&place.path(), Access::ReadWrite, BUSY).unwrap();
    second.set_command(n, "by the second").unwrap();
    let reader = Journal::open(&place.path(), Access::ReadOnly, BUSY).unwrap();
    assert_eq!(reader.transaction(n).unwrap().command, "by the second");
    place
        .journal
        .hold(|journal| {
            journal.set_command(n, "held")?;
            assert!(reader.transaction(n).unwrap_err().is_locked());
            assert!(second.begin(&transaction()).unwrap_err().is_locked());
            // Opening looks at the file: that must not drop the locks.
            let opened = Journal::open(&place.path(), Access::ReadOnly, BUSY);
            assert!(opened.unwrap_err().is_locked());
            journal.set_command(n, "still held")
        })
        .unwrap();
    assert_eq!(reader.transaction(n).unwrap().command, "still held");
    // What a listing calls may take its time, and use the journal itself.
    reader
        .each_transaction(&super::super::Filter::default(), |found| {
            second.set_command(found.number, "while listed").unwrap();
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(reader.transaction(n).unwrap().command, "while listed");
}

#[test]
fn an_opening_in_use_keeps_the_lock_until_its_first_use_has_ended() {
    let place = Place::new().reopen();
    let n = place.begin();
    let opened = || Journal::open_in_use(&place.path(), Access::ReadWrite, BUSY).unwrap();
    let first = opened();
    assert!(place.journal.transaction(n).unwrap_err().is_locked());
    first
        .hold(|first| {
            first.set_command(n, "first")?;
            assert!(place.journal.transaction(n).unwrap_err().is_locked());
            first.set_command(n, "still first")
        })
        .unwrap();
    assert_eq!(place.journal.transaction(n).unwrap().command, "still first");
    // And as any other from then on.
    first.set_command(n, "again").unwrap();
    assert_eq!(place.journal.transaction(n).unwrap().command, "again");
    // One that is never used gives the lock back with itself.
    drop(opened());
    assert!(place.journal.transaction(n).is_ok());
}

#[test]
fn nothing_is_mapped_into_memory() {
    let place = Place::new().reopen();
    place.begin();
    place
        .journal
        .transactions(&super::super::Filter::default())
        .unwrap();
    let shm = format!("{}-shm", place.path().display());
    assert!(!Path::new(&shm).exists());
}
