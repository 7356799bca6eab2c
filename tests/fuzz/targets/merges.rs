//! Three-way merges of accounts, stanzas, lines, alternatives and texts: a byte for the kind, then three sides.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../../conffile-diff/tests/targets/mod.rs"]
mod targets;

fuzz_target!(|bytes: &[u8]| targets::merges(bytes));
