//! The smaller files of dpkg and apt: lists, conffiles, registries, marks, apt's log.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../../conffile-diff/tests/targets/mod.rs"]
mod targets;

fuzz_target!(|bytes: &[u8]| {
    targets::info(bytes);
    targets::marks(bytes);
    targets::history(bytes);
    targets::edit(bytes);
});
