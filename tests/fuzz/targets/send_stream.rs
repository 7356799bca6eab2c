//! The stream of `BTRFS_IOC_SEND`, and what it says of a tree.

#![no_main]

use libfuzzer_sys::fuzz_target;
use profile_store::delta::stream::Stream;

fuzz_target!(|bytes: &[u8]| {
    let Ok(stream) = Stream::new(bytes) else {
        return;
    };
    let mut commands = 0;
    for command in stream {
        commands += 1;
        // Each has a header of ten bytes at least.
        assert!(commands * 10 <= bytes.len());
        if command.is_err() {
            return;
        }
    }
});
