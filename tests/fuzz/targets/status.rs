//! dpkg's status file: what it says of two states, and what is noticed between them.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../../conffile-diff/tests/targets/mod.rs"]
mod targets;

fuzz_target!(|bytes: &[u8]| {
    let (old, new) = bytes.split_at(bytes.len() / 2);
    targets::two_states(old, new);
});
