//! Every JSON file: what is written is read back, damage of any kind is a typed
//! error, and what a newer version added survives.

use std::collections::BTreeMap;

use profile_db::FileError;
use profile_db::base_file::{BaseFile, BaseSource};
use profile_db::boot_log::{BootLog, BootLogLine, LINE_MAX, Outcome};
use profile_db::boot_record::{
    BootRecord, Direction, OperationKind, PendingOperation, Place, Step,
};
use profile_db::format::{Format, FormatError};
use profile_db::model::{
    BaseVersion, Kind, PoolPath, ProfileId, ProfileName, Time, TransactionNumber, TreeHash,
};
use profile_db::pool_file::PoolFile;
use profile_db::profile_file::{BaseRef, Origin, ProfileFile};
use profile_db::waiting_undo::{TRANSACTIONS_MAX, WaitingUndo};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use uuid::Uuid;

fn times() -> impl Strategy<Value = Time> {
    (0..4_102_444_800_000_i64).prop_map(|ms| Time::from_millisecond(ms).unwrap())
}

fn uuids() -> impl Strategy<Value = Uuid> {
    any::<u128>().prop_map(Uuid::from_u128)
}

fn ids() -> impl Strategy<Value = ProfileId> {
    "[a-z0-9]{8}".prop_map(|text| text.parse().unwrap())
}

fn names() -> impl Strategy<Value = ProfileName> {
    "[A-Za-z0-9][A-Za-z0-9._+-]{0,63}".prop_filter_map("reserved", |text| text.parse().ok())
}

fn versions() -> impl Strategy<Value = BaseVersion> {
    "[0-9][A-Za-z0-9._+~-]{0,20}".prop_map(|text| text.parse().unwrap())
}

fn hashes() -> impl Strategy<Value = TreeHash> {
    vec(any::<u8>(), 32).prop_map(|bytes| TreeHash::from_bytes("sha256", &bytes).unwrap())
}

fn values() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
        vec(any::<u8>(), 0..3).prop_map(|list| json!({ "nested": list })),
    ]
}

/// Fields of a version that is not written yet.
fn unknown() -> impl Strategy<Value = Map<String, Value>> {
    btree_map("later-[a-z]{1,8}", values(), 0..3).prop_map(|map| map.into_iter().collect())
}

fn formats() -> impl Strategy<Value = Format> {
    let features = || vec("[a-z][a-z0-9-]{0,10}", 0..3);
    (1..9_u32, features(), features()).prop_map(|(version, compatible, read_only_compatible)| {
        Format {
            version,
            compatible,
            read_only_compatible,
            incompatible: Vec::new(),
        }
    })
}

fn pool_files() -> impl Strategy<Value = PoolFile> {
    (
        formats(),
        uuids(),
        uuids(),
        times(),
        257..1_u64 << 32,
        unknown(),
    )
        .prop_map(
            |(format, id, filesystem, created, inode_floor, unknown)| PoolFile {
                format,
                id,
                filesystem,
                created,
                inode_floor,
                unknown,
            },
        )
}

fn origins() -> impl Strategy<Value = Origin> {
    prop_oneof![
        Just(Origin::Created),
        Just(Origin::Delivered),
        (ids(), names()).prop_map(|(from, name)| Origin::Cloned { from, name }),
        "\\PC{0,20}".prop_map(|source| Origin::Imported { source }),
        Just(Origin::Other(Map::from_iter([
            ("how".to_owned(), json!("beamed")),
            ("from".to_owned(), json!(["orbit"])),
        ]))),
    ]
}

fn profile_files() -> impl Strategy<Value = ProfileFile> {
    let words = || vec("[ -~é]{1,40}", 0..4);
    (
        (
            formats(),
            ids(),
            names(),
            any::<bool>(),
            origins(),
            versions(),
            hashes(),
        ),
        (
            times(),
            times(),
            "[ -~\nåß]{0,60}",
            btree_map("[a-z-]{1,12}", values(), 0..4),
            words(),
            words(),
            unknown(),
        ),
    )
        .prop_map(
            |(
                (format, id, name, built_in, origin, version, tree_hash),
                (created, modified, description, policies, overlays, kernel_arguments, unknown),
            )| ProfileFile {
                format,
                id,
                name,
                kind: if built_in { Kind::BuiltIn } else { Kind::User },
                origin,
                base: BaseRef { version, tree_hash },
                created,
                modified,
                description,
                policies,
                overlays,
                kernel_arguments,
                unknown,
            },
        )
}

fn base_files() -> impl Strategy<Value = BaseFile> {
    (
        (
            formats(),
            versions(),
            uuids(),
            hashes(),
            any::<u64>(),
            "[a-z0-9]{1,10}",
            "[a-z]{1,10}",
        ),
        (
            times(),
            "[a-z]{1,10}",
            btree_map("p-[a-z]{1,8}", values(), 0..3),
            any::<u64>(),
            any::<u64>(),
            unknown(),
        ),
    )
        .prop_map(
            |(
                (format, version, uuid, tree_hash, highest_inode, architecture, release),
                (added, how, particulars, entries, size, unknown),
            )| BaseFile {
                format,
                version,
                uuid,
                tree_hash,
                highest_inode,
                architecture,
                release,
                added,
                source: BaseSource { how, particulars },
                entries,
                size,
                unknown,
            },
        )
}

fn operations(number: u64) -> impl Strategy<Value = PendingOperation> {
    let kinds = (0..OperationKind::KNOWN.len() + 1).prop_map(|i| {
        OperationKind::KNOWN
            .get(i)
            .cloned()
            .unwrap_or(OperationKind::Other("beam".to_owned()))
    });
    (
        kinds,
        0..Step::ALL.len(),
        any::<bool>(),
        ids(),
        uuids(),
        any::<bool>(),
        unknown(),
    )
        .prop_map(
            move |(kind, step, forward, profile, uuid, replaces, unknown)| {
                let path = |text: String| text.parse::<PoolPath>().unwrap();
                PendingOperation {
                    number,
                    kind,
                    step: Step::ALL[step],
                    direction: if forward {
                        Direction::Forward
                    } else {
                        Direction::Back
                    },
                    profile,
                    staged: Place {
                        path: path(format!("@flipper/staging/{number}")),
                        uuid,
                    },
                    live: path(format!("@profiles/{profile}")),
                    old: replaces.then(|| Place {
                        path: path(format!("@flipper/trash/{number}")),
                        uuid: Uuid::from_u128(!uuid.as_u128()),
                    }),
                    unknown,
                }
            },
        )
}

fn boot_records() -> impl Strategy<Value = BootRecord> {
    let some = (0..4_u64).prop_flat_map(|count| (0..count).map(operations).collect::<Vec<_>>());
    (
        formats(),
        any::<u64>(),
        some,
        vec(any::<u64>(), 0..5),
        unknown(),
    )
        .prop_map(|(format, sequence, operations, done, unknown)| BootRecord {
            format,
            sequence,
            operations,
            done,
            unknown,
        })
}

fn waiting_undos() -> impl Strategy<Value = WaitingUndo> {
    let numbers = (1..i64::MAX).prop_map(|number| TransactionNumber::new(number).unwrap());
    (
        (formats(), ids(), times(), unknown()),
        any::<[bool; 4]>(),
        vec(numbers, 1..9),
        "\\PC{0,20}",
        option::of("\\PC{0,20}"),
        option::of(any::<u32>()),
        option::of("\\PC{0,20}"),
    )
        .prop_map(
            |(
                (format, profile, asked, unknown),
                [redo, exact, keep_mine, hold],
                transactions,
                command,
                user,
                uid,
                dropped,
            )| {
                WaitingUndo {
                    format,
                    profile,
                    redo,
                    transactions,
                    exact,
                    keep_mine,
                    hold,
                    command,
                    user,
                    uid,
                    asked,
                    dropped,
                    unknown,
                }
            },
        )
}

fn boot_log_lines() -> impl Strategy<Value = BootLogLine> {
    (
        any::<u64>(),
        any::<u64>(),
        0..5_usize,
        "\\PC{0,20}",
        option::of(times()),
        any::<String>(),
        unknown(),
    )
        .prop_map(
            |(sequence, number, outcome, boot_id, time, detail, unknown)| BootLogLine {
                sequence,
                number,
                outcome: Outcome::KNOWN
                    .get(outcome)
                    .cloned()
                    .unwrap_or(Outcome::Other("odd".to_owned())),
                boot_id,
                time,
                detail,
                unknown,
            },
        )
}

#[test]
fn a_file_cut_behind_the_sign_of_a_number_is_cut_and_one_with_a_wrong_number_is_not_json() {
    let bytes = br#"{"format": {"version": 1}, "later": -"#;
    let cut = ProfileFile::parse(bytes);
    assert!(matches!(cut, Err(FileError::Truncated { .. })), "{cut:?}");
    let wrong = ProfileFile::parse(br#"{"format": {"version": 1}, "later": -x}"#);
    assert!(matches!(wrong, Err(FileError::NotJson { .. })), "{wrong:?}");
    let wrong = ProfileFile::parse(b"{\"format\": {\"version\": 1},\n\"later\": -x,\n\"more\": 1e");
    assert!(matches!(wrong, Err(FileError::NotJson { .. })), "{wrong:?}");
}

proptest! {
    #[test]
    fn pool_files_round_trip(file in pool_files()) {
        prop_assert_eq!(PoolFile::parse(&file.to_bytes()).unwrap(), file);
    }

    #[test]
    fn profile_files_round_trip(file in profile_files()) {
        prop_assert_eq!(ProfileFile::parse(&file.to_bytes()).unwrap(), file);
    }

    #[test]
    fn base_files_round_trip(file in base_files()) {
        prop_assert_eq!(BaseFile::parse(&file.to_bytes()).unwrap(), file);
    }

    #[test]
    fn waiting_undos_round_trip(file in waiting_undos()) {
        prop_assert_eq!(WaitingUndo::parse(&file.to_bytes()).unwrap(), file);
    }

    #[test]
    fn a_waiting_undo_names_some_transactions_but_not_countless(mut file in waiting_undos(), many in any::<bool>()) {
        let one = file.transactions[0];
        file.transactions = if many { vec![one; TRANSACTIONS_MAX + 1] } else { Vec::new() };
        let parsed = WaitingUndo::parse(&file.to_bytes());
        prop_assert!(matches!(parsed, Err(FileError::Wrong { .. } | FileError::TooLarge { .. })), "{:?}", parsed);
    }

    #[test]
    fn boot_records_round_trip(record in boot_records()) {
        prop_assert_eq!(BootRecord::parse(&record.to_bytes()).unwrap(), record);
    }

    #[test]
    fn boot_logs_round_trip(lines in vec(boot_log_lines(), 0..5)) {
        let bytes: Vec<u8> = lines.iter().flat_map(BootLogLine::to_bytes).collect();
        let log = BootLog::parse(&bytes);
        prop_assert_eq!(log.lines, lines);
        prop_assert_eq!(log.unreadable, vec![]);
    }

    #[test]
    fn a_torn_line_of_a_boot_log_spoils_no_other(
        before in boot_log_lines(), torn in boot_log_lines(), after in boot_log_lines(), at in any::<prop::sample::Index>()
    ) {
        let torn = torn.to_bytes();
        let at = 1 + at.index(torn.len() - 2);
        let bytes = [before.to_bytes(), torn[..at].to_vec(), after.to_bytes()].concat();
        let log = BootLog::parse(&bytes);
        prop_assert_eq!(log.lines, vec![before, after]);
        let kept: Vec<Vec<u8>> = log.unreadable.into_iter().map(|(_, line)| line).collect();
        prop_assert_eq!(kept, if at > 1 { vec![torn[1..at].to_vec()] } else { vec![] });
    }

    #[test]
    fn a_line_of_a_boot_log_is_never_too_long(mut line in boot_log_lines(), long in "[\\x00-\\x20é]{0,5000}") {
        line.detail = long;
        let bytes = line.to_bytes();
        prop_assert!(bytes.len() <= LINE_MAX);
        let log = BootLog::parse(&bytes);
        prop_assert_eq!(log.lines.len(), 1);
        prop_assert_eq!(log.lines[0].number, line.number);
    }

    #[test]
    fn a_file_cut_anywhere_is_an_error(file in profile_files(), at in any::<prop::sample::Index>()) {
        let bytes = file.to_bytes();
        // Without its last newline it is still whole.
        let at = at.index(bytes.len() - 1);
        match ProfileFile::parse(&bytes[..at]) {
            Err(FileError::Empty { .. }) => prop_assert_eq!(at, 0),
            Err(FileError::Truncated { .. }) => {}
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn no_input_makes_a_parser_panic(bytes in vec(any::<u8>(), 0..200)) {
        let _ = PoolFile::parse(&bytes);
        let _ = ProfileFile::parse(&bytes);
        let _ = BaseFile::parse(&bytes);
        let _ = BootRecord::parse(&bytes);
        let _ = WaitingUndo::parse(&bytes);
        let _ = BootLog::parse(&bytes);
    }

    #[test]
    fn one_wrong_byte_makes_no_parser_panic(
        record in boot_records(), file in profile_files(), at in any::<prop::sample::Index>(), byte in any::<u8>()
    ) {
        for mut bytes in [record.to_bytes(), file.to_bytes()] {
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Err(error) = BootRecord::parse(&bytes) {
                prop_assert!(!error.to_string().chars().any(char::is_control));
            }
            if let Err(error) = ProfileFile::parse(&bytes) {
                prop_assert!(!error.to_string().chars().any(char::is_control));
            }
        }
    }

    #[test]
    fn an_unknown_incompatible_feature_refuses_every_file(feature in "[a-z][a-z0-9-]{0,20}", profile in profile_files(), record in boot_records()) {
        let mut profile = profile;
        profile.format.incompatible.push(feature.clone());
        let refused = matches!(ProfileFile::parse(&profile.to_bytes()), Err(FileError::Format(FormatError::Refused { .. })));
        prop_assert!(refused);
        let mut record = record;
        record.format.incompatible.push(feature);
        let refused = matches!(BootRecord::parse(&record.to_bytes()), Err(FileError::Format(FormatError::Refused { .. })));
        prop_assert!(refused);
    }
}

fn error<T: std::fmt::Debug>(result: Result<T, FileError>) -> String {
    result.unwrap_err().to_string()
}

fn changed(field: &str, value: Value) -> Vec<u8> {
    let bytes = std::fs::read(format!(
        "{}/tests/fixtures/profile-v1.json",
        env!("CARGO_MANIFEST_DIR")
    ))
    .unwrap();
    let mut file: Map<String, Value> = serde_json::from_slice(&bytes).unwrap();
    file.insert(field.to_owned(), value);
    serde_json::to_vec(&file).unwrap()
}

#[test]
fn a_file_from_the_future_is_refused_as_newer_before_anything_else() {
    // Nothing but the format is as this version knows it.
    let future = br#"{"format":{"version":3,"incompatible":["trees"]},"id":["not","one"]}"#;
    assert_eq!(
        error(ProfileFile::parse(future)),
        "profile.json has format 3 and needs feature trees, this tool knows format 1 and no features: use a newer flipper-profile"
    );
    assert_eq!(
        error(PoolFile::parse(future)),
        "pool.json has format 3 and needs feature trees, this tool knows format 1 and no features: use a newer flipper-profile"
    );
}

#[test]
fn each_situation_has_its_message() {
    assert_eq!(error(PoolFile::parse(b"")), "pool.json is empty");
    assert_eq!(error(PoolFile::parse(&[0; 4096])), "pool.json is empty");
    assert_eq!(
        error(PoolFile::parse(b"{\"format\":{\"version\":1")),
        "pool.json ends in the middle (line 1, column 22)"
    );
    assert_eq!(
        error(PoolFile::parse(b"hello")),
        "pool.json is no JSON: expected value at line 1 column 1"
    );
    assert_eq!(
        error(PoolFile::parse(b"{}")),
        "pool.json is wrong: missing field `format` at line 1 column 2"
    );
    assert_eq!(
        error(PoolFile::parse(&vec![b' '; 100_000])),
        "pool.json has 100000 bytes, at most 65536 are allowed"
    );
    assert_eq!(
        error(ProfileFile::parse(&changed("name", json!("../x"))))
            .split(" at line")
            .next()
            .unwrap(),
        "profile.json is wrong: profile name '../x' has a slash"
    );
    assert_eq!(
        error(ProfileFile::parse(&changed(
            "description",
            json!("\u{1b}[2J")
        ))),
        "profile.json is wrong: description has a control character"
    );
    assert_eq!(
        error(ProfileFile::parse(&changed(
            "description",
            json!("x".repeat(1001))
        ))),
        "profile.json is wrong: description has 1001 characters, at most 1000 are allowed"
    );
    assert_eq!(
        error(ProfileFile::parse(&changed(
            "kernel_arguments",
            json!(["a\nb"])
        ))),
        "profile.json is wrong: kernel_arguments has an entry that is empty, longer than 256 bytes, or has a control character"
    );
    assert_eq!(
        error(ProfileFile::parse(&changed(
            "overlays",
            json!(vec!["x"; 200])
        ))),
        "profile.json is wrong: overlays has 200 entries, at most 128 are allowed"
    );
    let deep = format!("{}{}", "[".repeat(2000), "]".repeat(2000));
    let deep: Vec<u8> = format!("{{\"format\":{{\"version\":1}},\"x\":{deep}}}").into_bytes();
    assert!(error(ProfileFile::parse(&deep)).contains("recursion limit"));
}

#[test]
fn what_a_newer_version_added_survives_a_rewrite() {
    let bytes = changed("later", json!({"deep": [1, 2]}));
    let mut file = ProfileFile::parse(&bytes).unwrap();
    file.name = "renamed".parse().unwrap();
    let again: Value = serde_json::from_slice(&file.to_bytes()).unwrap();
    assert_eq!(again["later"], json!({"deep": [1, 2]}));
    assert_eq!(again["name"], "renamed");
    let origin = json!({"how": "beamed", "orbit": 7});
    let file = ProfileFile::parse(&changed("origin", origin.clone())).unwrap();
    let again: Value = serde_json::from_slice(&file.to_bytes()).unwrap();
    assert_eq!(again["origin"], origin);
}

#[test]
fn a_read_only_feature_is_read_and_not_to_be_written() {
    let format = json!({"version": 2, "read_only_compatible": ["signed"]});
    let file = ProfileFile::parse(&changed("format", format)).unwrap();
    assert_eq!(
        file.writable().unwrap_err().to_string(),
        "profile.json has format 2 with feature signed, which this tool (format 1 with no features) may read but not write: use a newer flipper-profile"
    );
}

#[test]
fn a_pool_without_room_for_a_base_is_refused() {
    let pool = |floor: u64| {
        let time = "2026-11-21T08:48:00Z".parse().unwrap();
        PoolFile::new(Uuid::nil(), Uuid::nil(), time, floor).to_bytes()
    };
    assert!(PoolFile::parse(&pool(257)).is_ok());
    assert_eq!(
        error(PoolFile::parse(&pool(256))),
        "pool.json is wrong: inode_floor 256 is not in 257..2^32"
    );
    assert!(PoolFile::parse(&pool(1 << 32)).is_err());
}

#[test]
fn policies_may_hold_anything() {
    let policies = BTreeMap::from([("home".to_owned(), json!("shared"))]);
    let file = ProfileFile::parse(&changed("policies", json!(policies))).unwrap();
    assert_eq!(file.policies, policies);
}
