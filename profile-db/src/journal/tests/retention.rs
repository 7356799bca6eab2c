//! Snapshots that go while their rows stay.

use super::*;
use crate::journal::retention::WITH_SNAPSHOTS;
use crate::model::Time;

fn gone() -> Time {
    "2026-11-22T08:00:00Z".parse().unwrap()
}

#[test]
fn only_transactions_with_a_snapshot_are_listed_oldest_first() {
    let place = Place::new();
    let journal = &place.journal;
    let rows: Vec<_> = (0..4).map(|_| place.begin()).collect();
    journal.set_pre(rows[0], "1-pre").unwrap();
    journal.set_post(rows[0], Some("1-post")).unwrap();
    journal.set_pre(rows[1], "2-pre").unwrap();
    journal.set_post(rows[3], Some("1-pre")).unwrap();
    journal.set_pinned(rows[3], true).unwrap();
    let found = journal.with_snapshots(&profile()).unwrap();
    let names: Vec<_> = found
        .iter()
        .map(|one| {
            (
                one.number,
                one.pre.as_deref(),
                one.post.as_deref(),
                one.pinned,
            )
        })
        .collect();
    assert_eq!(
        names,
        [
            (rows[0], Some("1-pre"), Some("1-post"), false),
            (rows[1], Some("2-pre"), None, false),
            (rows[3], None, Some("1-pre"), true),
        ]
    );
    journal.forget_snapshots(rows[0], gone()).unwrap();
    assert_eq!(journal.with_snapshots(&profile()).unwrap().len(), 2);
    let plan: String = other_program(&place)
        .query_row(
            &format!("EXPLAIN QUERY PLAN {WITH_SNAPSHOTS}"),
            [profile().as_str()],
            |row| row.get(3),
        )
        .unwrap();
    assert!(plan.contains("transactions_with_snapshots"), "{plan}");
}

#[test]
fn a_size_is_known_until_the_snapshots_go() {
    let place = Place::new();
    let (n, other) = (place.begin(), place.begin());
    let journal = &place.journal;
    for row in [n, other] {
        journal.set_pre(row, &format!("{row}-pre")).unwrap();
    }
    assert_eq!(journal.sizes(&profile()).unwrap(), []);
    journal.set_size(n, "a b c", 4096).unwrap();
    journal.set_size(other, "c d", u64::MAX).unwrap();
    journal.set_size(n, "a b d", 1).unwrap();
    let found = journal.sizes(&profile()).unwrap();
    let largest = i64::MAX.unsigned_abs();
    assert_eq!(
        found,
        [(n, "a b d".into(), 1), (other, "c d".into(), largest)]
    );
    journal.forget_snapshots(n, gone()).unwrap();
    assert_eq!(journal.sizes(&profile()).unwrap().len(), 1);
    assert!(
        journal
            .set_size(TransactionNumber::new(99).unwrap(), "x", 1)
            .is_err()
    );
    assert_eq!(journal.integrity_check().unwrap(), [""; 0]);
}
