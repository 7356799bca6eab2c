//! The kernel's difference of two snapshots, as a stream.

mod support;

use std::fs;
use std::io::{self, Read};
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
    // More than a pipe holds: the kernel waits for the reader.
    assert!(stream.len() > 200_000, "{} bytes", stream.len());
}

#[test]
fn loop_the_kernels_failure_ends_the_stream_as_an_error() {
    let pool = Pool::new(256);
    let (pre, _) = two_snapshots(&pool, 10);
    let mut stream = btrfs::send_without_data(&pool.at("live"), Some(&pre)).expect("start");
    let error = io::copy(&mut stream, &mut io::sink()).expect_err("a writable subvolume");
    assert_eq!(error.raw_os_error(), Some(libc::EPERM));
    assert!(
        btrfs::send_without_data(&pool.at("none"), None)
            .expect_err("missing")
            .is_not_found()
    );
}

#[test]
fn loop_a_stream_given_up_ends_its_thread() {
    let pool = Pool::new(256);
    let (pre, _) = two_snapshots(&pool, 3000);
    let mut stream = btrfs::send_without_data(&pre, None).expect("start");
    stream.read_exact(&mut [0; 64]).expect("the beginning");
    drop(stream);
    // The kernel lets go of the snapshot: it can be made writable again only when no send uses it.
    btrfs::set_read_only(&pre, false).expect("no send is using it");
}
