//! A stored list of changed paths, below its compression.

#![no_main]

use std::io::Write as _;

use flate2::{Compression, write::ZlibEncoder};
use libfuzzer_sys::fuzz_target;
use profile_db::journal::decode_changes;

fuzz_target!(|bytes: &[u8]| {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(bytes).expect("memory takes everything");
    let list = encoder.finish().expect("memory takes everything");
    if let Ok(changes) = decode_changes(&list) {
        assert!(changes.len() * 3 <= bytes.len());
    }
    let _ = decode_changes(bytes);
});
