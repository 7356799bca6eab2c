use proptest::prelude::*;

use super::*;
use crate::journal::{
    Action, Attention, Commits, ConffileChange, ConffileOutcome, Durability, Error, Finish,
    Outcome, PackageChange, PackageCounts,
};
use crate::state::{Event, State};

fn done() -> Finish {
    Finish {
        outcome: Outcome::Done,
        ended: Some(time()),
        problem: None,
    }
}

fn finish(outcome: Outcome) -> Finish {
    Finish {
        outcome,
        ended: None,
        problem: None,
    }
}

fn package(name: &str, action: Action) -> PackageChange {
    PackageChange {
        name: name.to_owned(),
        architecture: "amd64".to_owned(),
        action,
        old_version: Some("1".to_owned()),
        new_version: None,
        auto_before: Some(false),
        auto_after: None,
        status_after: Some("deinstall ok config-files".to_owned()),
    }
}

#[test]
fn reads_back_what_began() {
    let place = Place::new().reopen();
    let number = place.begin();
    let read = place.reopen().journal.transaction(number).unwrap();
    let new = transaction();
    assert_eq!(read.number, number);
    assert_eq!(read.profile, new.profile);
    assert_eq!(read.base, new.base);
    assert_eq!(read.kind, new.kind);
    assert_eq!(read.command, new.command);
    assert_eq!(read.user, new.user);
    assert_eq!(read.uid, new.uid);
    assert_eq!(read.front_end, new.front_end);
    assert_eq!(read.owner, new.owner);
    assert_eq!(read.started, new.started);
    assert_eq!(read.noticed, new.noticed);
    assert_eq!(read.state, State::Open);
    assert_eq!(read.attention, Attention::None);
    assert_eq!(read.commits, Commits { begun: 1, ended: 0 });
    assert_eq!(read.packages, PackageCounts::default());
    assert!(read.ended.is_none() && read.pre.is_none() && read.undone_by.is_none());
}

#[test]
fn begin_is_one_commit_and_synced() {
    let place = Place::new().reopen();
    place.begin();
    let before = commits(&place);
    place.begin();
    assert_eq!(commits(&place) - before, 1);
    let synchronous = || -> i64 {
        place
            .connection()
            .query_row("PRAGMA synchronous", [], |row| row.get(0))
            .unwrap()
    };
    place
        .journal
        .hold(|journal| {
            assert_eq!(synchronous(), 2, "FULL");
            journal.set_pre(number(1), "1-pre")?;
            assert_eq!(synchronous(), 1, "NORMAL");
            journal.begin(&transaction())?;
            assert_eq!(synchronous(), 2, "FULL");
            journal.set_pre(number(1), "1-pre")
        })
        .unwrap();
    assert_eq!(synchronous(), 2, "FULL, for the next call");
}

/// Commits in the WAL: frames whose header says how large the database is
/// (https://www.sqlite.org/fileformat2.html, section 4.1).
fn commits(place: &Place) -> usize {
    let wal = std::fs::read(format!("{}-wal", place.path().display())).unwrap();
    wal[32..]
        .chunks_exact(24 + 4096)
        .filter(|frame| frame[4..8] != [0; 4])
        .count()
}

fn number(number: i64) -> TransactionNumber {
    TransactionNumber::new(number).unwrap()
}

#[test]
fn a_batch_is_one_commit_and_all_or_nothing() {
    let place = Place::new();
    let n = place.begin();
    let before = commits(&place);
    place
        .journal
        .batch(Durability::Durable, |journal| {
            journal.set_post(n, Some("1-post"))?;
            journal.set_packages(n, &[package("vim", Action::Install)])?;
            journal.end_commit(n)?;
            journal.finish(n, &done())
        })
        .unwrap();
    assert_eq!(commits(&place) - before, 1);
    let read = place.journal.transaction(n).unwrap();
    assert_eq!(read.state, State::Done);
    assert_eq!(read.post.as_deref(), Some("1-post"));
    assert_eq!(read.commits, Commits { begun: 1, ended: 1 });

    let n = place.begin();
    let error = place
        .journal
        .batch(Durability::Durable, |journal| {
            journal.set_command(n, "never")?;
            journal.set_pre(number(99), "99-pre")
        })
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot record the snapshot before: there is no transaction 99"
    );
    assert_eq!(
        place.journal.transaction(n).unwrap().command,
        "apt install nginx"
    );
}

#[test]
fn a_part_that_fails_leaves_no_half_when_the_batch_goes_on() {
    let place = Place::new();
    let n = place.begin();
    place
        .journal
        .batch(Durability::Durable, |journal| {
            journal.set_command(n, "kept")?;
            let part = journal.write("fail", Durability::Durable, || {
                journal.set_command(n, "lost")?;
                journal.set_pre(number(99), "")
            });
            assert!(part.is_err());
            Ok(())
        })
        .unwrap();
    assert_eq!(place.journal.transaction(n).unwrap().command, "kept");
}

#[test]
fn numbers_are_never_reused() {
    let mut place = Place::new();
    let mut newest = 0;
    for _ in 0..3 {
        let n = place.begin();
        assert_eq!(n.get(), newest + 1);
        place.journal.drop_empty(n).unwrap();
        assert!(matches!(
            place.journal.transaction(n),
            Err(Error::NoSuchTransaction { .. })
        ));
        place = place.reopen();
        let n = place.begin();
        assert_eq!(
            n.get(),
            newest + 2,
            "after the newest was dropped and a reopen"
        );
        newest = n.get();
    }
    // Nor when everything is gone and the WAL with it.
    for n in place
        .journal
        .transactions(&super::super::Filter::default())
        .unwrap()
    {
        place.journal.drop_empty(n.number).unwrap();
    }
    place.journal.checkpoint().unwrap();
    assert_eq!(place.reopen().begin().get(), newest + 1);
}

#[test]
fn only_what_is_empty_is_dropped() {
    let place = Place::new();
    let n = place.begin();
    place
        .journal
        .set_packages(n, &[package("vim", Action::Install)])
        .unwrap();
    assert_eq!(
        place.journal.drop_empty(n).unwrap_err().to_string(),
        "cannot drop transaction 1: it has packages"
    );
    let n = place.begin();
    place.journal.finish(n, &done()).unwrap();
    assert_eq!(
        place.journal.drop_empty(n).unwrap_err().to_string(),
        "cannot drop transaction 2: it has ended"
    );
    let by = place.begin();
    place.journal.mark_undone(n, by).unwrap();
    assert!(matches!(
        place.journal.drop_empty(by),
        Err(Error::NotEmpty { .. })
    ));
}

#[test]
fn packages_and_conffiles_replace_what_was_recorded() {
    let place = Place::new();
    let n = place.begin();
    let all: Vec<PackageChange> = Action::KNOWN
        .iter()
        .chain(&[Action::Other("hold".to_owned())])
        .map(|action| package(action.as_str(), action.clone()))
        .collect();
    place
        .journal
        .set_packages(n, &[package("old", Action::Purge)])
        .unwrap();
    place.journal.set_packages(n, &all).unwrap();
    assert_eq!(place.journal.packages(n).unwrap(), all);
    let counts = place.journal.transaction(n).unwrap().packages;
    assert_eq!(counts, PackageCounts::of(&all));
    assert_eq!(counts.total(), 8);
    assert_eq!((counts.purged, counts.other), (1, 1));

    let conffiles = vec![ConffileChange {
        path: b"/etc/odd\n\xff".to_vec(),
        package: Some("nginx".to_owned()),
        outcome: ConffileOutcome::Undecided,
        beside: Some(b"/etc/odd\n\xff.dpkg-dist".to_vec()),
    }];
    place.journal.set_conffiles(n, &conffiles).unwrap();
    assert_eq!(place.journal.conffiles(n).unwrap(), conffiles);
    let none = TransactionNumber::new(7).unwrap();
    assert!(matches!(
        place.journal.packages(none),
        Err(Error::NoSuchTransaction { .. })
    ));
}

#[test]
fn unprotected_failed_and_interrupted_ones_want_attention_until_acknowledged() {
    let place = Place::new();
    let journal = &place.journal;
    let skipped = place.begin();
    let interrupted = place.begin();
    let failed = place.begin();
    let reason = Outcome::Skipped("pool is full".to_owned());
    assert_eq!(
        journal.finish(skipped, &finish(reason)).unwrap(),
        State::Skipped
    );
    journal
        .finish(interrupted, &finish(Outcome::Interrupted))
        .unwrap();
    journal.finish(failed, &finish(Outcome::Failed)).unwrap();
    // A skipped one is finished again when its post comes, and stays skipped.
    assert_eq!(journal.finish(skipped, &done()).unwrap(), State::Skipped);
    let read = journal.transaction(skipped).unwrap();
    assert_eq!(read.unprotected_reason.as_deref(), Some("pool is full"));
    assert_eq!(read.ended, Some(time()));
    let wanted = |journal: &Journal| -> Vec<i64> {
        let list = journal.unacknowledged(Some(&profile())).unwrap();
        list.iter().map(|t| t.number.get()).collect()
    };
    assert_eq!(wanted(journal), [3, 2, 1]);
    assert_eq!(journal.counts(None).unwrap().unacknowledged, 3);
    journal.acknowledge(skipped).unwrap();
    assert_eq!(wanted(journal), [3, 2]);
    // The late word of the process counts: it was not interrupted after all.
    assert_eq!(journal.finish(interrupted, &done()).unwrap(), State::Done);
    assert_eq!(wanted(journal), [3]);
    journal.acknowledge(failed).unwrap();
    // Ended once more the same way, it is not told again.
    journal.finish(failed, &finish(Outcome::Failed)).unwrap();
    assert_eq!(wanted(journal), [0; 0]);
    // And whoever acknowledged it is not told again.
    journal.finish(skipped, &done()).unwrap();
    assert_eq!(wanted(journal), [0; 0]);
    assert!(journal.transaction(skipped).unwrap().acknowledged());
}

#[test]
fn an_undone_interrupted_one_wants_no_attention() {
    let place = Place::new();
    let n = place.begin();
    place
        .journal
        .finish(n, &finish(Outcome::Interrupted))
        .unwrap();
    let by = place.begin();
    place.journal.mark_undone(n, by).unwrap();
    assert!(place.journal.unacknowledged(None).unwrap().is_empty());
}

#[test]
fn undo_and_its_undo() {
    let place = Place::new();
    let n = place.begin();
    place.journal.finish(n, &finish(Outcome::Failed)).unwrap();
    let by = place.begin();
    place.journal.mark_undone(n, by).unwrap();
    let read = place.journal.transaction(n).unwrap();
    assert_eq!((read.state, read.undone_by), (State::Undone, Some(by)));
    assert_eq!(read.state_before_undo, Some(State::Failed));
    assert_eq!(
        place.journal.mark_undone(n, by).unwrap_err().to_string(),
        "cannot mark as undone transaction 1: a transaction that is undone cannot be undone"
    );
    assert_eq!(place.journal.clear_undone(n).unwrap(), State::Failed);
    let read = place.journal.transaction(n).unwrap();
    assert_eq!((read.state, read.undone_by), (State::Failed, None));
    assert_eq!(
        place.journal.clear_undone(n).unwrap_err().to_string(),
        "cannot mark as not undone transaction 1: a transaction that is failed cannot be done again"
    );
}

#[test]
fn groups_count_their_commits() {
    let place = Place::new();
    let n = place.begin();
    place.journal.end_commit(n).unwrap();
    place.journal.end_commit(n).unwrap();
    assert_eq!(
        place.journal.transaction(n).unwrap().commits,
        Commits { begun: 1, ended: 1 }
    );
    place.journal.begin_commit(n).unwrap();
    assert_eq!(
        place.journal.transaction(n).unwrap().commits,
        Commits { begun: 2, ended: 1 }
    );
}

#[test]
fn small_facts_are_recorded() {
    let place = Place::new();
    let n = place.begin();
    let journal = &place.journal;
    journal.set_pre(n, "1-pre").unwrap();
    journal.set_post(n, Some("1-post")).unwrap();
    journal.set_post(n, None).unwrap();
    journal.set_command(n, "unattended-upgrade").unwrap();
    journal.set_user(n, None, Some(0)).unwrap();
    journal
        .set_noticed(n, &["a".to_owned(), "b".to_owned()])
        .unwrap();
    journal.set_pinned(n, true).unwrap();
    let read = journal.transaction(n).unwrap();
    assert_eq!(
        (read.pre.as_deref(), read.post.as_deref()),
        (Some("1-pre"), None)
    );
    assert_eq!((read.user, read.uid), (None, Some(0)));
    assert_eq!(read.command, "unattended-upgrade");
    assert_eq!(read.noticed, ["a", "b"]);
    assert!(read.pinned);
    assert_eq!(journal.pinned(Some(&profile())).unwrap().len(), 1);
    let gone = "2026-11-22T08:00:00Z".parse().unwrap();
    journal.forget_snapshots(n, gone).unwrap();
    let read = journal.transaction(n).unwrap();
    assert_eq!((read.pre, read.post), (None, None));
    assert_eq!(read.files_gone, Some(gone));
    assert!(matches!(
        journal.set_pinned(number(9), true),
        Err(Error::NoSuchTransaction { .. })
    ));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever happens, the journal has the state that the table says.
    #[test]
    fn the_journal_follows_the_table(events in proptest::collection::vec(0..6_usize, 0..12)) {
        let place = Place::new();
        let n = place.begin();
        let by = place.begin();
        let mut state = State::Open;
        let mut before = None;
        for index in events {
            let event = Event::ALL[index];
            let outcome = match event {
                Event::Succeed => Some(Outcome::Done),
                Event::Fail => Some(Outcome::Failed),
                Event::Interrupt => Some(Outcome::Interrupted),
                Event::Skip => Some(Outcome::Skipped("x".to_owned())),
                Event::Undo | Event::Restore => None,
            };
            let result = match (outcome, event) {
                (Some(outcome), _) => place.journal.finish(n, &finish(outcome)).ok(),
                (None, Event::Undo) => place.journal.mark_undone(n, by).ok().map(|()| State::Undone),
                (None, _) => place.journal.clear_undone(n).ok(),
            };
            let expected = match event {
                Event::Restore => before.take_if(|_| state == State::Undone),
                _ => crate::state::transition(state, event).ok(),
            };
            prop_assert_eq!(result, expected, "{} {}", state, event);
            if let Some(next) = expected {
                if next == State::Undone { before = Some(state); }
                state = next;
            }
            prop_assert_eq!(place.journal.transaction(n).unwrap().state, state);
        }
    }
}

#[test]
fn an_undo_of_several_knows_them_all_after_its_redo_too() {
    let place = Place::new();
    let (one, two, three) = (place.begin(), place.begin(), place.begin());
    let mut row = transaction();
    row.kind = TransactionKind::Undo;
    row.undoes = Some(two);
    let undo = place.journal.begin(&row).unwrap();
    assert_eq!(place.journal.undone(undo).unwrap(), [two]);
    place.journal.set_undone(undo, &[three, two, one]).unwrap();
    assert_eq!(place.journal.undone(undo).unwrap(), [three, two, one]);
    assert_eq!(place.journal.undone(one).unwrap(), []);
    assert!(place.journal.undone(number(99)).is_err());
    place.journal.drop_empty(undo).unwrap();
    assert!(place.journal.undone(undo).is_err());
}
