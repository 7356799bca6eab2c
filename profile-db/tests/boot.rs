//! What early boot does about an operation, from what stands where.

use std::collections::BTreeMap;

use profile_db::boot_log::{BootLog, BootLogLine, Outcome};
use profile_db::boot_record::{
    BootRecord, Direction, Next, OperationKind, PendingOperation, Place, Standing, Step,
};
use profile_db::model::PoolPath;
use proptest::prelude::*;
use uuid::Uuid;

const STAGED: &str = "@flipper/staging/7";
const LIVE: &str = "@profiles/abcdefgh";
const TRASH: &str = "@flipper/trash/7";

fn uuid(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

fn path(text: &str) -> PoolPath {
    text.parse().unwrap()
}

/// Subvolume 1 is new, 2 is the one it replaces.
fn operation(direction: Direction, replaces: bool) -> PendingOperation {
    PendingOperation {
        number: 7,
        kind: OperationKind::Undo,
        step: Step::Staged,
        direction,
        profile: "abcdefgh".parse().unwrap(),
        staged: Place {
            path: path(STAGED),
            uuid: uuid(1),
        },
        live: path(LIVE),
        old: replaces.then(|| Place {
            path: path(TRASH),
            uuid: uuid(2),
        }),
        unknown: serde_json::Map::new(),
    }
}

/// A pool as early boot sees it: which subvolume stands at which path.
type Pool = BTreeMap<String, Uuid>;

fn pool(staged: u128, live: u128, old: u128) -> Pool {
    [(STAGED, staged), (LIVE, live), (TRASH, old)]
        .into_iter()
        .filter(|(_, n)| *n != 0)
        .map(|(path, n)| (path.to_owned(), uuid(n)))
        .collect()
}

fn standing(pool: &Pool) -> Standing {
    Standing {
        staged: pool.get(STAGED).copied(),
        live: pool.get(LIVE).copied(),
        old: pool.get(TRASH).copied(),
    }
}

/// Does what the operation says, until it says no more; the number of actions,
/// or none when something unexpected stood there.
fn run(operation: &PendingOperation, pool: &mut Pool, most: usize) -> Option<usize> {
    for actions in 0..=most {
        match operation.next(&standing(pool)) {
            Next::Done => return Some(actions),
            Next::Unexpected(_) => return None,
            Next::Exchange(one, two) => {
                let (a, b) = (pool[one.as_str()], pool[two.as_str()]);
                pool.insert(one.to_string(), b);
                pool.insert(two.to_string(), a);
            }
            Next::Rename(from, to) => {
                assert!(!pool.contains_key(to.as_str()), "renames over nothing");
                let moved = pool.remove(from.as_str()).unwrap();
                pool.insert(to.to_string(), moved);
            }
        }
    }
    panic!("no end after {most} actions");
}

#[test]
fn finishes_and_takes_back_from_every_step() {
    use Direction::{Back, Forward};
    // Direction, whether it replaces, (staged, live, old) before and after.
    for (direction, replaces, before, after) in [
        (Forward, true, (1, 2, 0), (0, 1, 2)),
        (Forward, true, (2, 1, 0), (0, 1, 2)),
        (Forward, true, (0, 1, 2), (0, 1, 2)),
        // The old one was collected meanwhile.
        (Forward, true, (0, 1, 0), (0, 1, 0)),
        (Back, true, (1, 2, 0), (1, 2, 0)),
        (Back, true, (2, 1, 0), (1, 2, 0)),
        (Back, true, (0, 1, 2), (0, 2, 1)),
        // Never staged, or collected.
        (Back, true, (0, 2, 0), (0, 2, 0)),
        (Forward, false, (1, 0, 0), (0, 1, 0)),
        (Forward, false, (0, 1, 0), (0, 1, 0)),
        (Back, false, (1, 0, 0), (1, 0, 0)),
        (Back, false, (0, 1, 0), (1, 0, 0)),
        (Back, false, (0, 0, 0), (0, 0, 0)),
    ] {
        let operation = operation(direction, replaces);
        let mut found = pool(before.0, before.1, before.2);
        run(&operation, &mut found, 2).unwrap_or_else(|| panic!("{direction} {before:?}"));
        assert_eq!(
            found,
            pool(after.0, after.1, after.2),
            "{direction} {before:?}"
        );
        assert_eq!(run(&operation, &mut found, 0), Some(0), "again: nothing");
    }
}

#[test]
fn touches_nothing_when_something_else_stands_there() {
    use Direction::{Back, Forward};
    for (direction, replaces, before) in [
        (Forward, true, (1, 9, 0)),
        (Forward, true, (9, 2, 0)),
        (Forward, true, (0, 2, 0)),
        (Forward, true, (0, 0, 0)),
        (Forward, true, (2, 1, 9)),
        (Back, true, (9, 9, 9)),
        (Back, true, (9, 1, 0)),
        (Back, true, (0, 0, 2)),
        (Forward, false, (1, 9, 0)),
        (Forward, false, (9, 0, 0)),
        (Back, false, (9, 1, 0)),
        (Back, false, (1, 9, 0)),
    ] {
        let operation = operation(direction, replaces);
        let mut found = pool(before.0, before.1, before.2);
        assert_eq!(
            run(&operation, &mut found, 2),
            None,
            "{direction} {before:?}"
        );
        assert_eq!(found, pool(before.0, before.1, before.2));
    }
}

proptest! {
    /// Whatever stands there: it ends, loses no subvolume, and never leaves the
    /// live path empty that was not.
    #[test]
    fn never_loses_anything(staged in 0..4_u128, live in 0..4_u128, old in 0..4_u128, forward in any::<bool>(), replaces in any::<bool>()) {
        prop_assume!(staged == 0 || (staged != live && staged != old));
        prop_assume!(live == 0 || live != old);
        let direction = if forward { Direction::Forward } else { Direction::Back };
        let operation = operation(direction, replaces);
        let before = pool(staged, live, old);
        let mut after = before.clone();
        let result = run(&operation, &mut after, 2);
        let sorted = |pool: &Pool| { let mut all: Vec<Uuid> = pool.values().copied().collect(); all.sort(); all };
        prop_assert_eq!(sorted(&before), sorted(&after));
        if replaces && live != 0 {
            prop_assert!(after.contains_key(LIVE));
        }
        if result.is_some() {
            let live = after.get(LIVE).copied();
            let expected = match (forward, replaces) {
                (true, _) => Some(uuid(1)),
                (false, true) => Some(uuid(2)),
                (false, false) => None,
            };
            prop_assert_eq!(live, expected);
        }
    }
}

#[test]
fn what_is_finished_here_or_in_the_log_is_not_pending() {
    let mut record = BootRecord::new();
    for number in [3, 5, 7] {
        let mut operation = operation(Direction::Forward, true);
        operation.number = number;
        record.add(operation);
    }
    record.finish(3);
    record.finish(3);
    assert_eq!(record.done, [3]);
    assert_eq!(record.sequence, 5);
    let line = |number, outcome| BootLogLine {
        sequence: 5,
        number,
        outcome,
        boot_id: String::new(),
        time: None,
        detail: String::new(),
        unknown: serde_json::Map::new(),
    };
    let bytes = [line(5, Outcome::Done), line(7, Outcome::Failed)].map(|line| line.to_bytes());
    let log = BootLog::parse(&bytes.concat());
    let pending = |record: &BootRecord, log: &BootLog| -> Vec<u64> {
        record.pending(log).map(|o| o.number).collect()
    };
    assert_eq!(pending(&record, &log), [7]);
    assert_eq!(pending(&record, &BootLog::default()), [5, 7]);
    // An old copy of the record repeats nothing.
    let mut old = record.clone();
    old.operations.push(operation(Direction::Forward, true));
    old.operations.last_mut().unwrap().number = 3;
    assert_eq!(pending(&old, &log), [7]);
    assert!(record.set_step(7, Step::Exchanged, Direction::Back));
    assert!(!record.set_step(3, Step::Exchanged, Direction::Back));
    assert_eq!(record.operations[1].direction, Direction::Back);
}

#[test]
fn the_list_of_finished_numbers_is_bounded_and_loses_the_oldest() {
    let mut record = BootRecord::new();
    for number in 0..5000 {
        record.finish(number);
    }
    assert_eq!(record.done.len(), 4096);
    assert_eq!(record.done[0], 904);
    assert!(BootRecord::parse(&record.to_bytes()).is_ok());
}

#[test]
fn refuses_a_record_that_contradicts_itself() {
    let message = |change: &dyn Fn(&mut BootRecord)| {
        let mut record = BootRecord::new();
        record.add(operation(Direction::Forward, true));
        change(&mut record);
        BootRecord::parse(&record.to_bytes())
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        message(&|r| r.operations.push(operation(Direction::Back, false))),
        "boot.json is wrong: operation 7 stands twice"
    );
    assert_eq!(
        message(&|r| r.operations[0].live = path(STAGED)),
        "boot.json is wrong: operation 7: staged and live are the same path"
    );
    assert_eq!(
        message(&|r| r.operations[0].old.as_mut().unwrap().path = path(LIVE)),
        "boot.json is wrong: operation 7: old and live are the same path"
    );
    assert_eq!(
        message(&|r| r.operations[0].old.as_mut().unwrap().uuid = uuid(1)),
        "boot.json is wrong: operation 7: old and staged are the same subvolume"
    );
    let bytes = BootRecord::new().to_bytes();
    let text = String::from_utf8(bytes).unwrap();
    let climbing = text.replace(
        "\"operations\": []",
        r#""operations": [{"number":1,"kind":"undo","step":"staged","direction":"forward","profile":"abcdefgh","staged":{"path":"@flipper/staging/../../x","uuid":"00000000-0000-0000-0000-000000000001"},"live":"@profiles/abcdefgh"}]"#,
    );
    let error = BootRecord::parse(climbing.as_bytes())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("must be relative, without '.', '..'"),
        "{error}"
    );
}
