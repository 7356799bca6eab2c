use proptest::prelude::*;

use super::*;

/// The bytes of an inode item, as the kernel writes them: every number in its place, one after the other.
fn inode_bytes() -> Vec<u8> {
    let mut bytes = Vec::new();
    for number in [7u64, 9, 4096, 8192, 0] {
        bytes.extend(number.to_le_bytes());
    }
    for number in [2u32, 1000, 100, 0o100_644] {
        bytes.extend(number.to_le_bytes());
    }
    // The device; flags, sequence and four that are reserved.
    bytes.extend(0x0010_0003u64.to_le_bytes());
    bytes.extend([0xaa; 6 * 8]);
    for seconds in [1i64, 2, -3, 4] {
        bytes.extend(seconds.to_le_bytes());
        bytes.extend(500u32.to_le_bytes());
    }
    bytes
}

fn entry_bytes(kind: u32, file_type: u8, name: &[u8]) -> Vec<u8> {
    let mut bytes = 300u64.to_le_bytes().to_vec();
    bytes.push(kind as u8);
    bytes.extend([0; 16]);
    bytes.extend(0u16.to_le_bytes());
    bytes.extend((name.len() as u16).to_le_bytes());
    bytes.push(file_type);
    bytes.extend(name);
    bytes
}

fn attribute_bytes(name: &[u8], value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 25];
    bytes.extend((value.len() as u16).to_le_bytes());
    bytes.extend((name.len() as u16).to_le_bytes());
    bytes.push(8);
    bytes.extend(name);
    bytes.extend(value);
    bytes
}

fn item(kind: u32, data: &[u8]) -> Item<'_> {
    Item {
        inode: 400,
        kind,
        offset: 300,
        data,
    }
}

#[test]
fn an_inode_is_read_and_a_cut_one_is_none() {
    let bytes = inode_bytes();
    assert_eq!(bytes.len(), 160, "the size of btrfs_inode_item");
    let found = inode(&bytes).expect("an inode");
    assert_eq!((found.created, found.changed, found.size), (7, 9, 4096));
    assert_eq!((found.uid, found.gid), (1000, 100));
    assert_eq!((found.mode, found.device), (0o100_644, 0x0010_0003));
    assert_eq!(found.modified, (-3, 500));
    for length in 0..bytes.len() {
        assert_eq!(inode(&bytes[..length]), None);
    }
    assert_eq!(inode(&[bytes.as_slice(), b"x"].concat()), None);
}

#[test]
fn names_of_both_kinds_are_taken_apart() {
    let plain = b"\x02\0\0\0\0\0\0\0\x03\0one\x03\0\0\0\0\0\0\0\x02\0\xffa";
    let found = names(&item(NAMES, plain));
    assert_eq!(found, Some(vec![(300, &b"one"[..]), (300, b"\xffa")]));
    let more = b"\x09\x01\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x01\0x";
    assert_eq!(names(&item(MORE_NAMES, more)), Some(vec![(265, &b"x"[..])]));
    for length in 1..13 {
        assert_eq!(names(&item(NAMES, &plain[..length])), None);
    }
}

#[test]
fn a_name_that_leads_elsewhere_is_none() {
    for name in [&b"."[..], b"..", b"a/b", b"a\0b", b""] {
        let mut bytes = vec![0; 8];
        bytes.extend((name.len() as u16).to_le_bytes());
        bytes.extend(name);
        assert_eq!(names(&item(NAMES, &bytes)), None, "{name:?}");
        assert_eq!(entry(&entry_bytes(INODE, 1, name)), None, "{name:?}");
    }
    // What the top of a subvolume has in place of a name.
    let top = Item {
        inode: 256,
        kind: NAMES,
        offset: 256,
        data: b"\0\0\0\0\0\0\0\0\x02\0..",
    };
    assert_eq!(names(&top), Some(Vec::new()));
}

#[test]
fn entries_lead_to_inodes_and_subvolumes() {
    let to = |bytes: &[u8]| entry(bytes).map(|entry| entry.target);
    let number = 300;
    let inode = |directory| Some(Target::Inode { number, directory });
    assert_eq!(to(&entry_bytes(INODE, 1, b"file")), inode(false));
    assert_eq!(to(&entry_bytes(INODE, 2, b"directory")), inode(true));
    let subvolume = entry_bytes(raw::BTRFS_ROOT_ITEM_KEY, 2, b"nested");
    assert_eq!(to(&subvolume), Some(Target::Subvolume(300)));
    // Of a kind or a type that is not known nothing is said.
    assert_eq!(to(&entry_bytes(ENTRY, 1, b"file")), None);
    assert_eq!(to(&entry_bytes(INODE, 0x81, b"file")), None);
    assert_eq!(to(&entry_bytes(INODE, 0, b"file")), None);
}

#[test]
fn attributes_with_one_hash_share_an_item() {
    let bytes = [
        attribute_bytes(b"user.a/b", b"one"),
        attribute_bytes(b"trusted.overlay.opaque", b"y"),
        attribute_bytes(b"user.empty", b""),
    ]
    .concat();
    let found = attributes(&bytes).expect("attributes");
    assert_eq!(
        found,
        [
            (&b"user.a/b"[..], &b"one"[..]),
            (b"trusted.overlay.opaque", b"y"),
            (b"user.empty", b"")
        ]
    );
    assert_eq!(attributes(&bytes[..bytes.len() - 1]), None);
}

#[test]
fn extents_are_the_same_whoever_wrote_their_items() {
    let (one, other) = ([1; 8], [2; 8]);
    let rest = [7; 45];
    let whole = |generation: [u8; 8]| [generation.as_slice(), &rest].concat();
    assert_eq!(extent(&whole(one)), extent(&whole(other)));
    assert_eq!(extent(&whole(one)[..20]), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn nothing_makes_it_panic_or_tell_more_than_there_is(
        data in prop::collection::vec(any::<u8>(), 0..400),
        kind in prop::sample::select(vec![INODE, NAMES, MORE_NAMES, ATTRIBUTES, ENTRY, EXTENT]),
    ) {
        let _total = (inode(&data), extent(&data));
        if let Some(entry) = entry(&data) {
            prop_assert!(entry.name.len() < data.len());
        }
        let named: usize = names(&item(kind, &data)).into_iter().flatten().map(|(_, name)| name.len() + 10).sum();
        prop_assert!(named <= data.len());
        let told: usize = attributes(&data).into_iter().flatten()
            .map(|(name, value)| name.len() + value.len() + 30).sum();
        prop_assert!(told <= data.len());
    }

    #[test]
    fn what_is_written_is_read(
        names_of in prop::collection::vec(("[a-z]{1,9}", prop::collection::vec(any::<u8>(), 0..50)), 0..6),
    ) {
        let bytes: Vec<u8> = names_of.iter()
            .flat_map(|(name, value)| attribute_bytes(name.as_bytes(), value)).collect();
        let found = attributes(&bytes).unwrap();
        let found: Vec<_> = found.into_iter()
            .map(|(name, value)| (String::from_utf8(name.to_vec()).unwrap(), value.to_vec())).collect();
        prop_assert_eq!(found, names_of);
    }
}
