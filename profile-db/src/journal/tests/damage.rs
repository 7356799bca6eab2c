//! Damage is found by the check and said by name.

use std::io::{Seek, SeekFrom, Write};

use super::*;
use crate::journal::{Change, ChangeRow, Error, Filter};

fn filled() -> Place {
    let place = Place::new();
    for _ in 0..400 {
        place.begin();
    }
    place
        .connection()
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .unwrap();
    place
}

#[test]
fn a_sound_journal_has_no_problems() {
    assert_eq!(
        filled().reopen().journal.integrity_check().unwrap(),
        [""; 0]
    );
}

#[test]
fn a_corrupted_page_is_found() {
    let place = filled();
    let pages = std::fs::metadata(place.path()).unwrap().len() / 4096;
    assert!(pages > 30);
    // The largest tree is that of the transactions; the last pages are its leaves.
    let Place { directory, journal } = place;
    drop(journal);
    let path = directory.path().join("journal.db");
    let mut file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.seek(SeekFrom::Start((pages - 2) * 4096)).unwrap();
    file.write_all(&[0xa5; 4096]).unwrap();
    file.sync_all().unwrap();
    let journal = Journal::open(&path, Access::ReadWrite, BUSY).unwrap();
    let problems = journal.integrity_check().unwrap();
    assert!(!problems.is_empty());
    let error = journal.transactions(&Filter::default()).unwrap_err();
    assert!(error.is_damage(), "{error}");
    assert!(
        error.to_string().starts_with(&format!(
            "cannot list transactions: the journal {} is damaged: ",
            path.display()
        )),
        "{error}"
    );
}

#[test]
fn every_corrupted_page_but_free_ones_is_found() {
    let place = filled();
    let sound = std::fs::read(place.path()).unwrap();
    for page in 1..sound.len() / 4096 {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal.db");
        let mut content = sound.clone();
        content[page * 4096..(page + 1) * 4096].fill(0xa5);
        std::fs::write(&path, content).unwrap();
        match Journal::open(&path, Access::ReadOnly, BUSY) {
            Ok(journal) => {
                let problems = journal.integrity_check().unwrap();
                assert!(!problems.is_empty(), "page {page}");
            }
            Err(error) => assert!(error.is_damage(), "page {page}: {error}"),
        }
    }
}

#[test]
fn a_file_cut_in_the_middle_is_found() {
    let place = filled();
    let sound = std::fs::read(place.path()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal.db");
    std::fs::write(&path, &sound[..sound.len() / 2]).unwrap();
    match Journal::open(&path, Access::ReadOnly, BUSY) {
        Ok(journal) => assert!(!journal.integrity_check().unwrap().is_empty()),
        Err(error) => assert!(error.is_damage(), "{error}"),
    }
}

#[test]
fn what_the_database_cannot_know_is_found_too() {
    let sabotage = |sql: &str| -> Vec<String> {
        let place = Place::new();
        let n = place.begin();
        let change = ChangeRow {
            path: b"/etc/x".to_vec(),
            change: Change::Content,
            before: None,
            after: None,
            attribution: None,
        };
        place.journal.store_changes(n, &[change]).unwrap();
        let connection = other_program(&place);
        connection
            .execute_batch("PRAGMA foreign_keys = off")
            .unwrap();
        connection.execute_batch(sql).unwrap();
        drop(connection);
        place.journal.integrity_check().unwrap()
    };
    assert_eq!(sabotage(""), [""; 0]);
    assert_eq!(
        sabotage("UPDATE sqlite_sequence SET seq = 0 WHERE name = 'transactions'"),
        ["the counter of transactions stands at 0, below the newest number 1"]
    );
    assert_eq!(
        sabotage("UPDATE transactions SET undone_by = 77"),
        ["a row of transactions names a row of transactions that is not there"]
    );
    assert_eq!(
        sabotage("UPDATE path_lists SET entries = 5"),
        ["the list of paths of transaction 1 has 1 entries, not 5"]
    );
    let problems = sabotage("UPDATE path_lists SET list = x'789c'");
    assert!(
        problems[0].contains("the list of paths of transaction 1 is wrong"),
        "{problems:?}"
    );
    let problems = sabotage("UPDATE transactions SET state = 'asleep'");
    assert!(
        problems[0].ends_with("state of row 1 is wrong: unknown state of a transaction 'asleep'"),
        "{problems:?}"
    );
    let problems = sabotage("UPDATE transactions SET profile = '../etc'");
    assert!(
        problems[0].contains("profile of row 1 is wrong"),
        "{problems:?}"
    );
}

#[test]
fn a_journal_without_its_pool_is_said() {
    let place = Place::new();
    other_program(&place)
        .execute("DELETE FROM meta", [])
        .unwrap();
    let error = Journal::open(&place.path(), Access::ReadWrite, BUSY).unwrap_err();
    assert!(matches!(error, Error::Malformed { .. }));
    assert!(
        error
            .to_string()
            .ends_with("the pool's id is wrong: it is missing"),
        "{error}"
    );
}
