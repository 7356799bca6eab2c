//! What apt writes to its hook, version 3 of the protocol.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[allow(dead_code, missing_docs)]
#[path = "../../../apt-hook/src/protocol.rs"]
mod protocol;

fuzz_target!(|bytes: &[u8]| {
    let _ = protocol::Plan::parse(bytes);
});
