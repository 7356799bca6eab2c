//! Versions of packages: an order, whatever they look like.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../../conffile-diff/tests/targets/mod.rs"]
mod targets;

fuzz_target!(|pair: (&str, &str)| targets::versions(pair.0, pair.1));
