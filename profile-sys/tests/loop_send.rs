//! The kernel's difference of two snapshots, as a stream.

mod support;

use std::fs;
use std::io::Read;
use std::path::PathBuf;

use profile_sys::btrfs;
use support::Pool;

const MAGIC: &[u8] = b"btrfs-stream\0";

/// Two read-only snapshots with some changes between them.
fn two_snapshots(pool: &Pool, files: u32) -> (PathBuf, PathBuf) {
    let live = pool.subvolume("live");
    for number in 0..files {
        fs::write(live.join(format!("file-{number}")), "before").expect("write");
    }
    let (pre, post) = (pool.at("pre"), pool.at("post"));
    btrfs::snapshot(&live, &pre, true).expect("snapshot");
    fs::write(live.join("file-0"), "after").expect("write");
    fs::write(live.join("made"), "new").expect("write");
    btrfs::snapshot(&live, &post, true).expect("snapshot");
    (pre, post)
}

#[test]
fn loop_two_snapshots_yield_a_whole_stream_without_data() {
    let pool = Pool::new(256);
    let (pre, post) = two_snapshots(&pool, 2000);
    let mut stream = Vec::new();
    btrfs::send_without_data(&post, Some(&pre))
        .expect("start")
        .read_to_end(&mut stream)
        .expect("read");
    assert!(stream.starts_with(MAGIC));
    assert_eq!(
        stream[MAGIC.len()..MAGIC.len() + 4],
        1u32.to_le_bytes(),
        "version 1"
    );
    // BTRFS_SEND_C_END: length 0, command 21, checksum.
    assert_eq!(
        stream[stream.len() - 10..stream.len() - 4],
        [0, 0, 0, 0, 21, 0]
    );
    let holds = |text: &[u8]| stream.windows(text.len()).any(|window| window == text);
    assert!(holds(b"made") && holds(b"file-0") && !holds(b"file-1"));
    assert!(!holds(b"after"), "no file data");
    assert!(
        stream.len() < 4096,
        "{} bytes: in proportion to the change",
        stream.len()
    );
    let mut other_way = Vec::new();
    let mut reader = btrfs::send_without_data(&pre, Some(&post)).expect("start");
    reader
        .read_to_end(&mut other_way)
        .expect("either one may be the parent");
    assert!(other_way.starts_with(MAGIC));
}

#[test]
fn loop_without_a_parent_everything_is_new() {
    let pool = Pool::new(256);
    let (pre, _) = two_snapshots(&pool, 3000);
    let mut stream = Vec::new();
    btrfs::send_without_data(&pre, None)
        .expect("start")
        .read_to_end(&mut stream)
        .expect("read");
    assert!(stream.len() > 200_000, "{} bytes", stream.len());
}

#[test]
fn loop_the_kernels_failure_is_an_error() {
    let pool = Pool::new(256);
    let (pre, _) = two_snapshots(&pool, 10);
    let error = btrfs::send_without_data(&pool.at("live"), Some(&pre))
        .expect("start")
        .read_to_end(&mut Vec::new())
        .expect_err("it is writable");
    let error = error.into_inner().expect("our own error");
    let error = error
        .downcast_ref::<profile_sys::Error>()
        .expect("our own error");
    assert_eq!(error.errno(), Some(libc::EPERM));
    assert!(
        btrfs::send_without_data(&pool.at("none"), None)
            .expect_err("missing")
            .is_not_found()
    );
}

#[test]
fn loop_a_comparison_keeps_hold_of_no_snapshot() {
    let pool = Pool::new(256);
    let (pre, _) = two_snapshots(&pool, 10);
    let mut stream = btrfs::send_without_data(&pre, None).expect("compare");
    stream.read_exact(&mut [0; 4]).expect("it has begun");
    drop(stream);
    // The kernel refuses this while a send uses the snapshot.
    btrfs::set_read_only(&pre, false).expect("no send is using it");
}
