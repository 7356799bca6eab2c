//! The JSON files of a pool and the boot record: what is read is written as it was.

#![no_main]

use libfuzzer_sys::fuzz_target;
use profile_db::{BaseFile, BootRecord, PoolFile, ProfileFile, WaitingUndo};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(file) = PoolFile::parse(bytes) {
        assert_eq!(PoolFile::parse(&file.to_bytes()).ok(), Some(file));
    }
    if let Ok(file) = ProfileFile::parse(bytes) {
        assert_eq!(ProfileFile::parse(&file.to_bytes()).ok(), Some(file));
    }
    if let Ok(file) = BaseFile::parse(bytes) {
        assert_eq!(BaseFile::parse(&file.to_bytes()).ok(), Some(file));
    }
    if let Ok(file) = WaitingUndo::parse(bytes) {
        assert_eq!(WaitingUndo::parse(&file.to_bytes()).ok(), Some(file));
    }
    let _ = BootRecord::parse(bytes);
    profile_db::boot_log::BootLog::parse(bytes);
});
