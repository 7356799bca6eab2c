//! Maintainer scripts and lists: which package a changed path is of; and texts, how they differ.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../../conffile-diff/tests/targets/mod.rs"]
mod targets;

fuzz_target!(|bytes: &[u8]| {
    targets::attribution(bytes);
    let (old, new) = bytes.split_at(bytes.len() / 2);
    targets::texts(old, new);
});
