use proptest::prelude::*;

use super::*;

/// Builds streams, so that tests can damage what they know.
pub(crate) struct Builder(Vec<u8>);

impl Builder {
    pub(crate) fn new() -> Builder {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(VERSION.to_le_bytes());
        Builder(bytes)
    }

    pub(crate) fn command(mut self, number: u16, attributes: &[(u16, &[u8])]) -> Builder {
        let mut payload = Vec::new();
        for (kind, value) in attributes {
            payload.extend(kind.to_le_bytes());
            payload.extend((value.len() as u16).to_le_bytes());
            payload.extend(*value);
        }
        self.raw(number, &payload);
        self
    }

    fn raw(&mut self, number: u16, payload: &[u8]) {
        let mut header = (payload.len() as u32).to_le_bytes().to_vec();
        header.extend(number.to_le_bytes());
        header.extend([0; 4]);
        let sum = crc32c::update(crc32c::update(0, &header), payload);
        header[6..].copy_from_slice(&sum.to_le_bytes());
        self.0.extend(header);
        self.0.extend(payload);
    }

    pub(crate) fn end(self) -> Vec<u8> {
        self.command(21, &[]).0
    }
}

fn read(bytes: &[u8]) -> Result<Vec<Command>, Error> {
    Stream::new(bytes)?.collect()
}

fn sample() -> Vec<u8> {
    let number = 7u64.to_le_bytes();
    Builder::new()
        .command(2, &[(15, b"1-post"), (1, &[0; 16]), (2, &number)])
        .command(3, &[(15, b"o257-9-0"), (3, &number)])
        .command(9, &[(15, b"o257-9-0"), (16, b"upper/etc/\xff new")])
        .command(
            13,
            &[(15, b"upper"), (13, b"trusted.overlay.opaque"), (14, b"y")],
        )
        .command(
            5,
            &[
                (15, b"upper/gone"),
                (5, &0o20644u64.to_le_bytes()),
                (8, &[0; 8]),
            ],
        )
        .command(
            22,
            &[(15, b"upper/etc/\xff new"), (18, &[0; 8]), (4, &number)],
        )
        .command(20, &[(15, b"")])
        .end()
}

#[test]
fn reads_commands_with_paths_as_bytes() {
    let commands = read(&sample()).unwrap();
    assert_eq!(commands.len(), 8);
    assert_eq!(
        commands[2],
        Command::Rename {
            from: b"o257-9-0".to_vec(),
            to: b"upper/etc/\xff new".to_vec()
        }
    );
    assert_eq!(
        commands[4],
        Command::MakeNode {
            path: b"upper/gone".to_vec(),
            mode: 0o20644,
            device: 0
        }
    );
    assert_eq!(
        commands[5],
        Command::UpdateExtent {
            path: b"upper/etc/\xff new".to_vec(),
            length: 7
        }
    );
    assert_eq!(commands[6], Command::Times { path: Vec::new() });
    assert_eq!(commands[7], Command::End);
}

#[test]
fn a_stream_cut_anywhere_is_an_error() {
    let bytes = sample();
    for length in 0..bytes.len() {
        assert!(
            matches!(read(&bytes[..length]), Err(Error::Truncated { .. })),
            "cut at {length}"
        );
    }
}

#[test]
fn one_wrong_bit_anywhere_is_an_error() {
    let bytes = sample();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << bit;
            assert!(read(&damaged).is_err(), "bit {bit} of byte {at}");
        }
    }
}

#[test]
fn refuses_what_it_does_not_know() {
    let message = |bytes: &[u8]| read(bytes).unwrap_err().to_string();
    assert_eq!(
        message(b"something else, and long enough"),
        "this is no btrfs send stream"
    );
    let mut newer = sample();
    newer[MAGIC.len()] = 2;
    assert_eq!(
        message(&newer),
        "the send stream has version 2, this program reads version 1"
    );
    let unknown = Builder::new().command(99, &[]).end();
    assert_eq!(
        message(&unknown),
        "the command at byte 17 of the send stream has the unknown number 99"
    );
    let pathless = Builder::new().command(11, &[]).end();
    assert_eq!(
        message(&pathless),
        "the command at byte 17 of the send stream has no path"
    );
    let mut long = Builder::new().0;
    long.extend(u32::MAX.to_le_bytes());
    long.extend([0; 6]);
    assert!(matches!(read(&long), Err(Error::TooLong { .. })));
    let mut more = sample();
    more.push(0);
    assert!(matches!(read(&more), Err(Error::Trailing { .. })));
}

#[test]
fn refuses_paths_that_leave_the_subvolume() {
    for path in ["/etc", "..", "a/../b", "a//b", "a/", "./a", "a\0b"] {
        let bytes = Builder::new().command(11, &[(15, path.as_bytes())]).end();
        assert!(
            matches!(read(&bytes), Err(Error::UnsafePath { .. })),
            "{path:?}"
        );
    }
    let long = vec![b'x'; LONGEST_PATH_BYTES + 1];
    let bytes = Builder::new().command(11, &[(15, &long)]).end();
    assert!(matches!(read(&bytes), Err(Error::UnsafePath { .. })));
}

#[test]
fn refuses_attributes_that_do_not_fill_the_payload() {
    for payload in [&b"\x0f\0\xff\0ab"[..], b"\x0f\0", b"\x0f\0\x01\0ab"] {
        let mut builder = Builder::new();
        builder.raw(11, payload);
        assert!(
            matches!(read(&builder.end()), Err(Error::Attributes { .. })),
            "{payload:?}"
        );
    }
}

#[test]
fn hands_on_the_error_of_the_ioctl() {
    struct Failing<'a>(&'a [u8]);
    impl Read for Failing<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self.0.read(buffer)? {
                0 => Err(io::Error::other("Operation not permitted")),
                count => Ok(count),
            }
        }
    }
    let bytes = sample();
    let outcome: Result<Vec<_>, _> = Stream::new(Failing(&bytes)).unwrap().collect();
    assert!(matches!(outcome, Err(Error::Read(_))));
}

proptest! {
    #[test]
    fn never_panics_on_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _outcome = read(&bytes);
    }

    /// Commands with right sums and any contents, which plain damage never reaches.
    #[test]
    fn never_panics_on_any_commands(commands in prop::collection::vec((0..26u16, prop::collection::vec((0..26u16, prop::collection::vec(any::<u8>(), 0..20)), 0..5)), 0..8), ended in any::<bool>()) {
        let mut builder = Builder::new();
        for (number, attributes) in &commands {
            let attributes: Vec<_> = attributes.iter().map(|(kind, value)| (*kind, value.as_slice())).collect();
            builder = builder.command(*number, &attributes);
        }
        let bytes = if ended { builder.end() } else { builder.0 };
        let count = Stream::new(&bytes[..]).unwrap().count();
        prop_assert!(count <= commands.len() + 1);
    }

    #[test]
    fn never_panics_on_any_payload(number in 0..26u16, payload in prop::collection::vec(any::<u8>(), 0..80)) {
        let mut builder = Builder::new();
        builder.raw(number, &payload);
        let _outcome = read(&builder.end());
    }

    #[test]
    fn never_panics_on_damage(edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut bytes = sample();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _outcome = read(&bytes);
    }
}
