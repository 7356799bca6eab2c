//! The delta beside a walk of both trees, over changes that a generator makes in a real overlay on btrfs.
//!
//! The walk ([`walk`]) reads every path of both merged trees, mounted by mount(8), with the standard library alone:
//! it knows no stream, no upper and nothing of the product.
//!
//! `FLIPPER_DELTA_CASES` says how many transactions are made, `FLIPPER_DELTA_SEED` where the generator begins; a
//! failure prints the seed of its history and what was done in it. Every test is named `loop_*` and needs root.

mod act;
mod directed;
mod generate;
mod generations;
mod place;
mod random;
mod walk;

use std::collections::BTreeMap;

use generate::{History, TRANSACTIONS_OF_A_HISTORY};
use place::Place;

/// Transactions that are made when nothing else is said: some seconds.
const CASES: u64 = 60;

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} is no number: {text}"))
    })
}

#[test]
fn loop_the_delta_of_generated_changes_is_that_of_a_walk() {
    let cases = number("FLIPPER_DELTA_CASES", CASES);
    let first = number("FLIPPER_DELTA_SEED", 1);
    let place = Place::new();
    let mut seen = BTreeMap::new();
    let (mut made, mut compared, mut seed) = (0, 0, first);
    while made < cases {
        let left = (cases - made).min(TRANSACTIONS_OF_A_HISTORY);
        compared += History::new(&place, seed).play(left, &mut seen);
        made += left;
        seed += 1;
    }
    let searched = place.searched.get();
    println!(
        "{made} transactions, {compared} deltas, {searched} of them by search, seeds {first}..={}: {seen:?}",
        seed - 1
    );
    // The rest are states whose lines of descent were deleted: a former profile, and the state it came from.
    assert!(
        searched * 10 >= compared * 8,
        "{searched} of {compared} deltas were searched"
    );
    // A generator that makes too little shows nothing.
    for kind in ["added", "removed", "type", "content", "metadata", "times"] {
        assert!(
            seen.get(kind).is_some_and(|count| *count >= cases / 4),
            "hardly any change is of the kind {kind}: {seen:?}"
        );
    }
}
