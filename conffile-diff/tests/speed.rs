//! What the hooks pay for reading dpkg's status. Run it in release; it prints and bounds.

use std::fmt::Write;
use std::time::{Duration, Instant};

use conffile_diff::dpkg::changes::Side;
use conffile_diff::dpkg::{AutoMarks, Hints, Status, changes};

/// A status file as large as a real one: about 900 bytes a package, as on Debian 13.
fn status(packages: usize) -> Vec<u8> {
    let mut text = String::new();
    for number in 0..packages {
        write!(
            text,
            "Package: package-{number}\nStatus: install ok installed\nPriority: optional\nSection: libs\nInstalled-Size: 1234\nMaintainer: Debian Somebody Team <somebody@lists.example.org>\nArchitecture: amd64\nMulti-Arch: same\nSource: source-{number} (1.2-3)\nVersion: 1:{number}.2.3-4+deb13u1\nReplaces: other (<< 1.2), another (<< 3.4)\nDepends: libc6 (>= 2.38), libgcc-s1 (>= 3.0), libstdc++6 (>= 13.1), zlib1g (>= 1:1.1.4)\nBreaks: other (<< 1.2), another (<< 3.4)\nConffiles:\n /etc/package-{number}/one.conf 00112233445566778899aabbccddeeff\n /etc/package-{number}/two.conf 00112233445566778899aabbccddeeff\nDescription: a package that exists for measuring\n It has a description of several lines, because most packages have one, and the\n parser has to walk over them.\n .\n This is the second paragraph of the description of package number {number}.\nHomepage: https://www.example.org/package-{number}/\n\n"
        )
        .expect("writing to a string cannot fail");
    }
    text.into_bytes()
}

fn best_of(times: usize, mut work: impl FnMut()) -> Duration {
    (0..times)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .min()
        .unwrap_or_default()
}

#[test]
fn reads_a_status_of_500_packages_within_a_hooks_budget() {
    let bytes = status(500);
    let parsed = Status::parse(&bytes).expect("the sample is valid");
    assert_eq!(parsed.packages().len(), 500);
    let parse = best_of(20, || drop(Status::parse(&bytes)));
    let auto = AutoMarks::default();
    let side = Side {
        status: &parsed,
        bytes: &bytes,
        auto: &auto,
    };
    let compare = best_of(20, || drop(changes(side, side, &Hints::default())));
    let text = String::from_utf8(bytes.clone()).expect("the sample is text");
    let lossless = best_of(5, || {
        drop(text.parse::<deb822_lossless::Deb822>());
    });
    println!(
        "500 packages, {} KiB: parse {parse:?}, compare {compare:?}; deb822-lossless parses in {lossless:?}",
        bytes.len() / 1024
    );
    // Wide enough for an unoptimised build on a busy machine; the release build is asked for 3 ms.
    let budget = if cfg!(debug_assertions) { 300 } else { 3 };
    assert!(parse + compare < Duration::from_millis(budget));
}
