//! A full disk, as SQLite sees it. The real one is in `tests/processes.rs`.

use super::*;
use crate::journal::{Change, ChangeRow, Durability, Filter};

fn limit(place: &Place, pages: i64) {
    place
        .connection()
        .pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
        .unwrap();
}

fn pages(place: &Place) -> i64 {
    place
        .connection()
        .query_row("PRAGMA page_count", [], |row| row.get(0))
        .unwrap()
}

fn many_changes() -> Vec<ChangeRow> {
    (0..2000)
        .map(|n| ChangeRow {
            path: format!("/usr/share/some/where/{n}").into_bytes(),
            change: Change::Created,
            before: None,
            after: None,
            attribution: None,
        })
        .collect()
}

#[test]
fn a_full_disk_is_typed_changes_nothing_and_can_be_tried_again() {
    let place = Place::new();
    let n = place.begin();
    // The limit is the connection's: keep one.
    let _connection = place.connection();
    limit(&place, pages(&place) + 1);
    let error = place.journal.store_changes(n, &many_changes()).unwrap_err();
    assert!(error.is_no_space(), "{error}");
    assert_eq!(
        error.to_string(),
        format!(
            "cannot store changed paths: no space for the journal {}",
            place.path().display()
        )
    );
    assert_eq!(place.journal.changes(n).unwrap(), None);
    assert_eq!(place.journal.integrity_check().unwrap(), [""; 0]);
    // The caller releases its reserve and tries again.
    limit(&place, 100_000);
    place.journal.store_changes(n, &many_changes()).unwrap();
    let filter = Filter {
        path: Some(b"/usr/share".to_vec()),
        ..Filter::default()
    };
    assert_eq!(place.journal.transactions(&filter).unwrap().len(), 1);
}

#[test]
fn a_batch_that_runs_full_is_taken_back_whole() {
    let place = Place::new();
    let n = place.begin();
    // The limit is the connection's: keep one.
    let _connection = place.connection();
    limit(&place, pages(&place) + 1);
    let result = place.journal.batch(Durability::Durable, |journal| {
        journal.set_command(n, "never")?;
        journal.store_changes(n, &many_changes())
    });
    assert!(result.unwrap_err().is_no_space());
    assert_eq!(
        place.journal.transaction(n).unwrap().command,
        "apt install nginx"
    );
    limit(&place, 100_000);
    place.journal.set_command(n, "again").unwrap();
}
