//! Damages realistic inputs of every parser, the same way each time, and expects no panic.
//!
//! Quick, and with the ordinary tests; `tests/fuzz` does the same guided by coverage, for as long as one likes.

mod targets;

use std::time::{Duration, Instant};

use conffile_diff::dpkg::Status;

const STATUS: &[u8] = b"Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nMulti-Arch: same\nSource: glibc (2.41-12)\nVersion: 2.41-12\nConfig-Version: 2.36-9\nConffiles:\n /etc/ld.so.conf.d/x86_64-linux-gnu.conf d4e7a7b88a71b5ffd9e2644e71a0cfab\n /etc/with blank newconffile obsolete remove-on-upgrade\nDescription: GNU C Library\n Contains \xe9 bytes.\n .\n End.\n\nPackage: nginx\nStatus: hold reinstreq half-configured\nArchitecture: all\nVersion: 1:1.26.3-3~deb13u1\n\n";
const HISTORY: &[u8] = b"\nStart-Date: 2026-11-21  08:01:02\nCommandline: apt-get install nginx\nRequested-By: anna (1000)\nInstall: nginx:amd64 (1.26.3-3), libx:amd64 (1, automatic)\nUpgrade: a:amd64 (1, 2)\nPurge: cc:amd64 ()\nError: Sub-process\nEnd-Date: 2026-11-21  08:01:20\n";
const STATES: &[u8] = b"Package: nginx\nArchitecture: amd64\nAuto-Installed: 1\n\nPackage: jq\nArchitecture: amd64\nAuto-Installed: 0\n";
const LIST: &[u8] = b"/.\n/etc\n/etc/nginx\n/etc/nginx/nginx.conf\n/usr/share/doc/x\n";
const SCRIPT: &[u8] = b"#!/bin/sh\nset -e\nif [ \"$1\" = configure ]; then\n  mkdir -p \"$DPKG_ROOT/var/lib/x/y\"\n  echo a > /etc/mailname\nfi\n";

/// Two sides of a merge; the damaged one is the third.
const PASSWD: &[u8] = b"root:x:0:0:root:/root:/bin/bash\nwww:x:33:33::/var/www:/bin/sh\nanna:x:1000:1000:A:/home/anna:/bin/sh\n";
const QUESTIONS: &[u8] = b"Name: a/b\nTemplate: a/b\nValue: yes\nOwners: a, b\nVariables:\n x = y\n\nName: c/d\nPackage: c\nArchitecture: all\nOwners: c\n\n";

fn every_kind(sample: &[u8], damaged: &[u8]) {
    // What both have changed of the ancestor differs: the sample has lost its first record, the other something else.
    let cut = |content: &[u8]| {
        content
            .iter()
            .position(|&byte| byte == b'\n')
            .map_or(0, |end| end + 1)
    };
    let mine = &sample[cut(sample)..];
    for kind in 0..targets::KINDS.len() as u8 {
        let end = [targets::SIDES_END];
        targets::merges(&[&[kind], sample, &end, mine, &end, damaged].concat());
        targets::merges(&[&[kind], sample, &end, damaged, &end, mine].concat());
    }
}

/// A parser, with an input that takes it far.
type Target = (&'static str, &'static [u8], fn(&[u8]));

const TARGETS: [Target; 10] = [
    ("status", STATUS, |bytes| {
        Status::parse(STATUS).expect("the sample is valid");
        targets::two_states(STATUS, bytes);
    }),
    ("extended_states", STATES, targets::marks),
    ("history_log", HISTORY, targets::history),
    ("info", LIST, targets::info),
    ("edit", STATUS, |bytes| {
        let stanza = bytes
            .split(|&byte| byte == b'\n')
            .next()
            .unwrap_or_default();
        targets::edit(stanza);
    }),
    ("text", SCRIPT, |bytes| targets::texts(SCRIPT, bytes)),
    ("versions", b"1:2.36-9+deb12u7~rc1", |bytes| {
        targets::versions(&String::from_utf8_lossy(bytes), "1:2.36-9");
    }),
    ("attribution", SCRIPT, targets::attribution),
    ("merge of accounts", PASSWD, |bytes| {
        every_kind(PASSWD, bytes)
    }),
    ("merge of stanzas", QUESTIONS, |bytes| {
        every_kind(QUESTIONS, bytes)
    }),
];

/// Numbers that look random and are the same in every run (Knuth's MMIX generator).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit.max(1)
    }
}

fn damage(sample: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = sample.to_vec();
    for _ in 0..=numbers.below(5) {
        let at = numbers.below(bytes.len());
        match numbers.below(5) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at.min(bytes.len()), numbers.below(256) as u8),
            2 if !bytes.is_empty() => drop(bytes.remove(at)),
            3 => {
                // Pieces of the input itself reach further than any byte.
                let piece = at..(at + numbers.below(30)).min(bytes.len());
                let piece = bytes[piece].to_vec();
                let to = numbers.below(bytes.len());
                bytes.splice(to..to, piece);
            }
            _ if !bytes.is_empty() => {
                const WORTH_TRYING: &[u8] = b"\n :/.-\0\xff,()0\t";
                bytes[at] = WORTH_TRYING[numbers.below(WORTH_TRYING.len())];
            }
            _ => {}
        }
    }
    bytes
}

#[test]
fn no_parser_panics_on_damaged_input() {
    const ROUNDS: usize = 3000;
    // A slow machine does fewer rounds rather than hold up everything after them.
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut numbers = Numbers(1);
    for (name, sample, target) in TARGETS {
        target(sample);
        target(b"");
        let mut rounds = 0;
        while rounds < ROUNDS && (rounds < 100 || Instant::now() < deadline) {
            target(&damage(sample, &mut numbers));
            rounds += 1;
        }
        println!("{name}: {rounds} rounds");
    }
}
