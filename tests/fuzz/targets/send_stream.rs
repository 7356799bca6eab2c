//! The stream of `BTRFS_IOC_SEND`, and what it says of a tree.

#![no_main]

use libfuzzer_sys::fuzz_target;
use profile_store::delta::stream::Stream;
use profile_store::delta::touched::{Touched, fold};

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
            break;
        }
    }
    let Ok(stream) = Stream::new(bytes) else {
        panic!("read once, refused now");
    };
    if let Ok(touched) = fold(stream) {
        check(&touched, bytes.len());
    }
});

/// What every caller relies on, whatever the stream.
fn check(touched: &Touched, length: usize) {
    let is_safe = |path: &[u8]| {
        path.is_empty()
            || path
                .split(|&byte| byte == b'/')
                .all(|name| !matches!(name, b"" | b"." | b"..") && !name.contains(&0))
    };
    // A command of ten bytes and an attribute of four names a path of one byte, or two such.
    assert!(touched.paths.len() + touched.only_times.len() <= length);
    for (path, touch) in &touched.paths {
        assert!(is_safe(path), "{path:?}");
        assert!(touch.before || touch.after, "{path:?} is in neither tree");
        assert!(!touched.only_times.contains(path), "{path:?} is told twice");
    }
    assert!(touched.only_times.iter().all(|path| is_safe(path)));
    for renamed in &touched.renamed {
        assert!(touched.paths.contains_key(&renamed.from));
        assert!(touched.paths.contains_key(&renamed.to));
    }
}
