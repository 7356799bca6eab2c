//! The kernel's list of mounts, and the names our own mounts carry.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mounts) = profile_sys::mountinfo::parse(bytes) else {
        return;
    };
    for mount in mounts {
        if let Some(source) = mount.source.to_str() {
            let _ = profile_store::session::parse_overlay_source(source);
        }
    }
});
