//! dpkg's status file: what it says of two states, and what is noticed between them.

#![no_main]

use conffile_diff::dpkg::changes::Side;
use conffile_diff::dpkg::{AutoMarks, Hints, Status, changes, notices};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let middle = bytes.len() / 2;
    let (old, new) = bytes.split_at(middle);
    let (Ok(old_status), Ok(new_status)) = (Status::parse(old), Status::parse(new)) else {
        return;
    };
    let auto = AutoMarks::default();
    let side = |status, bytes| Side {
        status,
        bytes,
        auto: &auto,
    };
    let (old, new) = (side(&old_status, old), side(&new_status, new));
    assert!(changes(old, new, &Hints::default()).len() <= notices(old, new).len());
    assert!(notices(new, new).is_empty());
});
