use std::os::unix::ffi::OsStrExt;

use proptest::prelude::*;

use super::*;

#[test]
fn parses_a_line_with_optional_fields_and_escapes() {
    let text = b"36 35 98:0 /mnt1 /mnt\\0402\\134x rw,noatime master:1 shared:2 - ext3 /dev/root rw,errors=continue\n";
    let mounts = parse(text).expect("one line");
    assert_eq!(mounts.len(), 1);
    let mount = &mounts[0];
    assert_eq!(
        (mount.id, mount.parent, mount.major, mount.minor),
        (36, 35, 98, 0)
    );
    assert_eq!(mount.root, Path::new("/mnt1"));
    assert_eq!(mount.mount_point, Path::new("/mnt 2\\x"));
    assert_eq!(mount.options, "rw,noatime");
    assert_eq!(
        (mount.fs_type.as_str(), mount.source.as_bytes()),
        ("ext3", &b"/dev/root"[..])
    );
    assert_eq!(mount.super_options, "rw,errors=continue");
}

#[test]
fn an_empty_source_is_a_field_of_no_bytes() {
    let mounts = parse(b"1 0 0:1 / / rw -  tmpfs  rw\n");
    assert!(
        mounts.is_err(),
        "two spaces shift the fields, and the line is refused: {mounts:?}"
    );
    let mounts = parse(b"1 0 0:1 / / rw - tmpfs  rw\n").expect("an empty source");
    assert_eq!(mounts[0].source, "");
}

#[test]
fn refuses_the_whole_list_for_one_bad_line() {
    let error = parse(b"1 0 0:1 / / rw - tmpfs none rw\n2 1 0:1 / /x rw\n").expect_err("no dash");
    assert!(error.to_string().contains("line 2"), "{error}");
}

#[test]
fn reads_the_mounts_of_this_process() {
    let mounts = read_own().expect("/proc");
    assert!(
        mounts
            .iter()
            .any(|mount| mount.mount_point == Path::new("/"))
    );
    assert_eq!(
        read_of(std::process::id()).expect("/proc").len(),
        mounts.len()
    );
}

#[test]
fn one_that_has_ended_is_gone_though_it_is_still_listed() {
    let mut child = std::process::Command::new("true").spawn().expect("true");
    let stat = format!("/proc/{}/stat", child.id());
    let is_zombie = || std::fs::read_to_string(&stat).is_ok_and(|text| text.contains(") Z "));
    while !is_zombie() {
        std::thread::yield_now();
    }
    let error = read_of(child.id()).expect_err("it has no namespace");
    assert!(error.is_not_found(), "{error}");
    child.wait().expect("its status");
}

/// The kernel's side: escapes space, tab, newline, backslash and `#`.
fn mangle(bytes: &[u8]) -> Vec<u8> {
    let escape = |&byte: &u8| match byte {
        b' ' | b'\t' | b'\n' | b'\\' | b'#' => format!("\\{byte:03o}").into_bytes(),
        other => vec![other],
    };
    bytes.iter().flat_map(escape).collect()
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(1u8..=255, 1..40)
}

proptest! {
    #[test]
    fn whatever_bytes_a_path_has_they_come_back(
        root in name(), point in name(), source in name(), id in any::<u32>(),
    ) {
        let mut line = format!("{id} 1 0:33 ").into_bytes();
        line.extend(mangle(&root));
        line.push(b' ');
        line.extend(mangle(&point));
        line.extend(b" rw,relatime shared:1 - overlay ");
        line.extend(mangle(&source));
        line.extend(b" rw,lowerdir=/a\n");
        let mounts = parse(&line).expect("a line as the kernel writes it");
        prop_assert_eq!(mounts.len(), 1);
        prop_assert_eq!(mounts[0].id, u64::from(id));
        prop_assert_eq!(mounts[0].root.as_os_str().as_bytes(), &root[..]);
        prop_assert_eq!(mounts[0].mount_point.as_os_str().as_bytes(), &point[..]);
        prop_assert_eq!(mounts[0].source.as_bytes(), &source[..]);
    }

    #[test]
    fn never_panics(text in prop::collection::vec(any::<u8>(), 0..300)) {
        // Only that it returns: random bytes are refused or, rarely, a mount.
        let _ = parse(&text);
    }
}

#[test]
fn a_mount_holds_the_entry_that_it_stands_on_and_none_of_another_filesystem() {
    let mounts = parse(
        b"1 0 0:9 / / rw - ext4 host rw\n\
          20 1 0:30 / / rw - overlay profile rw\n\
          21 20 0:31 / /run rw - tmpfs run rw\n\
          22 20 0:32 / /etc/x rw - btrfs one rw\n\
          23 20 0:30 /opt /mnt/opt rw - overlay profile rw\n\
          24 23 0:33 / /mnt/opt/y rw - tmpfs two rw\n\
          25 21 0:34 / /run/z rw - tmpfs three rw\n",
    )
    .expect("a list");
    let held: Vec<_> = on_entries_of_root(&mounts)
        .into_iter()
        .map(|(entry, mount)| (entry, mount.id))
        .collect();
    let of = |entry: &str, id| (PathBuf::from(entry), id);
    assert_eq!(
        held,
        [
            of("run", 21),
            of("etc/x", 22),
            of("mnt/opt", 23),
            of("opt/y", 24)
        ]
    );
    assert!(on_entries_of_root(&[]).is_empty());
}
