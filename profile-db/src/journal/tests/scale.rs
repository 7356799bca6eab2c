//! A hundred thousand transactions: instant, and memory flat.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::*;
use crate::journal::{Change, ChangeRow, Durability, FileType, Filter};

const TRANSACTIONS: i64 = 100_000;
/// As many paths as the largest transactions have.
const BIG_LISTS: i64 = 5;
const SMALL_LISTS: i64 = 1000;

/// Resident memory of this process in KiB.
fn resident() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn list(paths: i64, seed: i64) -> Vec<ChangeRow> {
    (0..paths)
        .map(|n| ChangeRow {
            path: format!(
                "/usr/lib/package-{}/directory-{}/file-{n}.py",
                seed % 7,
                n / 50
            )
            .into_bytes(),
            change: Change::Created,
            before: None,
            after: Some(FileType::File),
            attribution: Some(format!("package-{}", seed % 7)),
        })
        .collect()
}

#[test]
fn a_hundred_thousand_transactions() {
    let place = Place::new();
    let journal = &place.journal;
    // The rows by SQL, which takes a second; by `begin` it would take a minute.
    place.connection()
        .execute_batch(&format!(
            "BEGIN;
             WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {TRANSACTIONS})
             INSERT INTO transactions (profile, base, kind, state, command, user, uid, front_end,
                 owner_pid, owner_start_time, owner_pid_ns, owner_boot_id, owner_soft_reboots,
                 started, ended, pre, post, upgraded)
             SELECT printf('profil%02d', n / 1000 % 10), '13.2', 'apt', 'done',
                 'apt-get install --no-install-recommends package-' || n, 'joe', 1000, 'apt', n, n,
                 4026531836, 'a3b1c5d7-0000-4000-8000-000000000001', 0, '2026-11-21T08:48:00Z',
                 '2026-11-21T08:49:00Z', n || '-pre', n || '-post', 1 FROM n;
             INSERT INTO packages (txn, position, name, architecture, action, old_version, new_version)
             SELECT number, 0, 'package-' || (number % 5000), 'amd64', 'upgrade', '1', '2'
             FROM transactions;
             COMMIT"
        ))
        .unwrap();
    for n in 1..=BIG_LISTS {
        let number = TransactionNumber::new(n * 10_000).unwrap();
        journal.store_changes(number, &list(16_000, n)).unwrap();
    }
    journal
        .batch(Durability::Ordered, |journal| {
            (1..=SMALL_LISTS).try_for_each(|n| {
                let number = TransactionNumber::new(n * 100 - 1).unwrap();
                journal.store_changes(number, &list(5, n))
            })
        })
        .unwrap();
    journal.checkpoint().unwrap();
    let place = place.reopen();
    let journal = &place.journal;

    let all = Filter::default();
    let page = |filter: &Filter| {
        let started = Instant::now();
        let found = journal
            .transactions(&Filter {
                limit: Some(50),
                ..filter.clone()
            })
            .unwrap();
        let took = started.elapsed();
        // Generous: an unoptimised build on a busy machine. A listing that
        // reads everything takes seconds.
        assert!(took < Duration::from_millis(250), "{took:?} {filter:?}");
        found
    };
    let profile = "profil03".parse().ok();
    assert_eq!(page(&all).len(), 50);
    assert_eq!(page(&all)[0].number.get(), TRANSACTIONS);
    assert_eq!(
        page(&Filter {
            before: TransactionNumber::new(200).ok(),
            ..all.clone()
        })
        .len(),
        50
    );
    assert_eq!(
        page(&Filter {
            profile,
            ..all.clone()
        })
        .len(),
        50
    );
    assert_eq!(
        page(&Filter {
            package: Some("package-7".into()),
            ..all.clone()
        })
        .len(),
        20
    );
    let path = |path: &str| Filter {
        path: Some(path.into()),
        ..all.clone()
    };
    assert_eq!(page(&path("/usr")).len(), 50);
    assert_eq!(
        page(&path("/usr/lib/package-3/directory-0/file-1.py")).len(),
        50
    );
    assert_eq!(page(&path("/usr/lib/package-3/directory-300")).len(), 1);
    assert_eq!(page(&path("/var")).len(), 0);

    let walk = |filter: &Filter| {
        let mut seen = 0;
        journal
            .each_transaction(filter, |_| {
                seen += 1;
                ControlFlow::Continue(())
            })
            .unwrap();
        seen
    };
    let before = resident();
    assert_eq!(walk(&all), TRANSACTIONS);
    assert_eq!(walk(&path("/usr")), BIG_LISTS + SMALL_LISTS);
    let grown = resident() - before;
    // The rows themselves are over 30 MiB.
    assert!(grown < 8 * 1024, "grew by {grown} KiB");

    let counts = journal.counts(None).unwrap();
    assert_eq!(counts.transactions, TRANSACTIONS.unsigned_abs());
    let big = TransactionNumber::new(20_000).unwrap();
    assert_eq!(journal.changes(big).unwrap().unwrap().len(), 16_000);
}

#[test]
fn the_wal_stays_small_whoever_writes() {
    let place = Place::new();
    let wal = format!("{}-wal", place.path().display());
    let mut largest = 0;
    for _ in 0..600 {
        place.begin();
        largest = largest.max(std::fs::metadata(&wal).unwrap().len());
    }
    assert!(largest > 128 << 10, "it was used: {largest}");
    assert!(largest < 320 << 10, "{largest}");
    assert_eq!(place.journal.integrity_check().unwrap(), [""; 0]);
}
