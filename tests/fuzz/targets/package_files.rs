//! The smaller files of dpkg and apt: lists, conffiles, registries, marks, apt's log.

#![no_main]

use conffile_diff::dpkg::{AutoMarks, edit, history_log, info};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    assert!(info::parse_list(bytes).iter().all(|path| path[0] == b'/'));
    info::parse_conffiles(bytes);
    info::parse_ucf_registry(bytes);
    info::parse_name(bytes);
    if let Ok(marks) = AutoMarks::parse(bytes) {
        assert!(
            marks
                .iter()
                .all(|(name, architecture)| marks.is_auto(name, architecture))
        );
    }
    assert_eq!(history_log::last(bytes), history_log::entries(bytes).pop());
    if let Ok(edited) = edit::set_field(bytes, "Status", "install ok installed") {
        assert!(!edited.is_empty());
    }
});
