//! Command lines and the hooks' settings.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[allow(dead_code)]
#[path = "../../../apt-hook/src/bare.rs"]
mod bare;
#[allow(dead_code)]
#[path = "../../../apt-hook/src/mode.rs"]
mod mode;
#[allow(dead_code)]
#[path = "../../../apt-hook/src/policy.rs"]
mod policy;
#[allow(dead_code)]
#[path = "../../../apt-hook/src/settings.rs"]
mod settings;

fuzz_target!(|bytes: &[u8]| {
    let words: Vec<Vec<u8>> = bytes.split(|&byte| byte == 0).map(<[u8]>::to_vec).collect();
    bare::Line::parse(&words);
    let text = String::from_utf8_lossy(bytes);
    settings::parse(&text);
    // Said again nothing more is taken out.
    let redacted = profile_db::redact::command(&text);
    assert_eq!(profile_db::redact::command(&redacted), redacted);
});
