//! The rules on histories made by hand, and what holds for every history.

use proptest::prelude::*;

use super::*;
use crate::retention::rules::Free;

const NONE: Rules = Rules {
    newest: 1,
    most: None,
    days: None,
    free: Free {
        percent: None,
        bytes: None,
    },
};

fn number(number: i64) -> TransactionNumber {
    TransactionNumber::new(number).unwrap()
}

fn day(day: i64) -> Time {
    Time::from_millisecond(1_800_000_000_000 + day * DAY_MILLISECONDS).unwrap()
}

fn clock(now: i64, synchronised: bool) -> Clock {
    Clock {
        now: day(now),
        synchronised,
    }
}

/// A transaction that was done at the end of a day.
fn row(n: i64, at: i64) -> WithSnapshots {
    WithSnapshots {
        number: number(n),
        state: State::Done,
        started: day(at),
        ended: Some(day(at)),
        pre: Some(format!("{n}-pre")),
        post: Some(format!("{n}-post")),
        pinned: false,
    }
}

fn rows(count: i64) -> Vec<WithSnapshots> {
    (1..=count).map(|n| row(n, n)).collect()
}

fn plan(rows: &[WithSnapshots], rules: Rules, clock: Clock) -> (Vec<(i64, Why)>, Vec<i64>) {
    let plan = decide(rows, &HashSet::new(), &rules, clock);
    let by_rule = plan
        .by_rule
        .iter()
        .map(|(n, why)| (n.get(), *why))
        .collect();
    (by_rule, plan.for_space.iter().map(|n| n.get()).collect())
}

#[test]
fn the_newest_stay_and_the_older_ones_may_go_for_space_oldest_first() {
    let rules = Rules { newest: 2, ..NONE };
    assert_eq!(
        plan(&rows(5), rules, clock(9, true)),
        (vec![], vec![1, 2, 3])
    );
    assert_eq!(plan(&rows(2), rules, clock(9, true)), (vec![], vec![]));
    assert_eq!(plan(&[], rules, clock(9, true)), (vec![], vec![]));
}

#[test]
fn what_is_more_than_the_most_goes_by_number() {
    let rules = Rules {
        newest: 2,
        most: Some(3),
        ..NONE
    };
    let expected = (vec![(1, Why::Most), (2, Why::Most)], vec![3]);
    assert_eq!(plan(&rows(5), rules, clock(9, false)), expected);
}

#[test]
fn the_newest_stay_even_where_fewer_are_allowed() {
    let rules = Rules {
        newest: 4,
        most: Some(1),
        days: Some(1),
        ..NONE
    };
    assert_eq!(
        plan(&rows(5), rules, clock(1000, true)),
        (vec![(1, Why::Most)], vec![])
    );
}

#[test]
fn age_counts_only_with_a_synchronised_clock() {
    let rules = Rules {
        days: Some(10),
        ..NONE
    };
    let old = (vec![(1, Why::Days), (2, Why::Days)], vec![3]);
    assert_eq!(plan(&rows(4), rules, clock(13, true)), old);
    assert_eq!(
        plan(&rows(4), rules, clock(13, false)),
        (vec![], vec![1, 2, 3])
    );
}

#[test]
fn a_clock_that_stood_behind_makes_nothing_old() {
    let rules = Rules {
        days: Some(10),
        ..NONE
    };
    // The second one was recorded in 1970, after a first one of yesterday.
    let mut history = vec![row(1, 99), row(2, 0), row(3, 100)];
    history[1].started = Time::from_millisecond(0).unwrap();
    history[1].ended = None;
    history[1].state = State::Interrupted;
    assert_eq!(
        plan(&history, rules, clock(100, true)),
        (vec![], vec![1, 2])
    );
    // One from the future keeps what came after it, and not what came before.
    let history = vec![row(1, 1), row(2, 5000), row(3, 2), row(4, 100)];
    assert_eq!(
        plan(&history, rules, clock(100, true)),
        (vec![(1, Why::Days)], vec![2, 3])
    );
}

#[test]
fn what_somebody_needs_stays() {
    let rules = Rules {
        most: Some(1),
        ..NONE
    };
    let mut history = rows(8);
    history[0].pinned = true;
    history[1].state = State::Open;
    history[2].state = State::Skipped;
    history[2].ended = None;
    history[3].post = Some("4-after".into());
    history[4].state = State::Undone;
    history[5].state = State::Failed;
    let needed = HashSet::from([number(7)]);
    let found = decide(&history, &needed, &rules, clock(9, true));
    assert_eq!(
        found.by_rule,
        [(number(5), Why::Most), (number(6), Why::Most)]
    );
    assert_eq!(found.for_space, []);
}

#[test]
fn a_snapshot_that_another_row_names_stays_on_the_disk() {
    let present =
        ["origin", "1-pre", "1-post", "2-pre", "3-post"].map(|name| name.parse().unwrap());
    let mut rows = vec![row(2, 2)];
    rows[0].post = Some("1-pre".into());
    let gone = HashSet::from([number(1), number(2)]);
    let found = unneeded(&present, &rows, &gone);
    assert_eq!(found, ["1-post".parse().unwrap()]);
    // When the last one that names it has gone, it goes.
    let found = unneeded(&present, &[], &gone);
    let expected = ["1-pre", "1-post", "2-pre"].map(|name| name.parse().unwrap());
    assert_eq!(found, expected);
    // A row that names what cannot be understood may mean any of them.
    rows[0].post = Some("first".into());
    assert_eq!(unneeded(&present, &rows, &gone), []);
}

prop_compose! {
    fn any_row()(
        state in 0..6_usize,
        ended in any::<bool>(),
        at in -400..400_i64,
        pinned in prop::bool::weighted(0.1),
        odd in prop::bool::weighted(0.05),
    ) -> WithSnapshots {
        let state = [State::Open, State::Done, State::Failed, State::Interrupted, State::Skipped, State::Undone][state];
        WithSnapshots {
            number: number(1),
            state,
            started: day(at),
            ended: ended.then(|| day(at)),
            pre: Some(if odd { "x".into() } else { "1-pre".into() }),
            post: None,
            pinned,
        }
    }
}

proptest! {
    #[test]
    fn whatever_the_history_is(
        mut rows in prop::collection::vec(any_row(), 0..40),
        newest in 1..10_u32,
        most in prop::option::of(1..20_u32),
        days in prop::option::of(1..300_u32),
        synchronised in any::<bool>(),
        needed in prop::collection::hash_set(1..40_i64, 0..5),
    ) {
        for (index, row) in rows.iter_mut().enumerate() {
            row.number = number(index as i64 + 1);
        }
        let needed: HashSet<_> = needed.into_iter().map(number).collect();
        let rules = Rules { newest, most, days, ..NONE };
        let plan = decide(&rows, &needed, &rules, clock(0, synchronised));
        let by_rule: Vec<_> = plan.by_rule.iter().map(|(n, _)| *n).collect();
        prop_assert!(by_rule.is_sorted() && plan.for_space.is_sorted());
        let all: HashSet<_> = by_rule.iter().chain(&plan.for_space).copied().collect();
        prop_assert_eq!(all.len(), by_rule.len() + plan.for_space.len());
        for n in &all {
            let index = n.get() as usize - 1;
            let row = &rows[index];
            prop_assert!(rows.len() - index > newest as usize, "one of the newest goes");
            prop_assert!(!row.pinned && row.state != State::Open && !needed.contains(n));
            prop_assert!(row.pre.as_deref() != Some("x"));
        }
        if !synchronised {
            prop_assert!(plan.by_rule.iter().all(|(_, why)| *why == Why::Most));
        }
        // A second look after the first was carried out finds nothing more of count and age.
        let left: Vec<_> = rows.iter().filter(|row| !by_rule.contains(&row.number)).cloned().collect();
        let again = decide(&left, &needed, &rules, clock(0, synchronised));
        prop_assert!(again.by_rule.iter().all(|(_, why)| *why != Why::Most), "{:?}", again.by_rule);
        // Wider rules never delete more.
        let wider = Rules { newest: newest + 1, most: most.map(|most| most + 1), days: days.map(|days| days + 1), ..NONE };
        let fewer = decide(&rows, &needed, &wider, clock(0, synchronised));
        prop_assert!(fewer.by_rule.iter().all(|(n, _)| by_rule.contains(n)));
    }
}
