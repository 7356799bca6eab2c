//! Files that earlier versions wrote, kept for ever: every later version reads
//! them, and says the same about them.
//!
//! `WRITE_FIXTURES=1 cargo test -p profile-db --test fixtures` writes the ones
//! that are missing, for a new version of a format; it never replaces one.

use std::path::PathBuf;

use profile_db::base_file::{BaseFile, BaseSource};
use profile_db::boot_log::{BootLog, BootLogLine, Outcome};
use profile_db::boot_record::{
    BootRecord, Direction, OperationKind, PendingOperation, Place, Step,
};
use profile_db::format::Format;
use profile_db::model::{Kind, Time, TreeHash};
use profile_db::pool_file::PoolFile;
use profile_db::profile_file::{BaseRef, Origin, ProfileFile};
use serde_json::{Map, json};
use uuid::Uuid;

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

/// The fixture's content; written first when it is missing and asked for.
fn fixture(name: &str, now: &[u8]) -> Vec<u8> {
    let path = path(name);
    if std::env::var_os("WRITE_FIXTURES").is_some() && !path.exists() {
        std::fs::write(&path, now).unwrap();
    }
    std::fs::read(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}

fn time(text: &str) -> Time {
    text.parse().unwrap()
}

fn hash() -> TreeHash {
    TreeHash::from_bytes("sha256", &[0xab; 32]).unwrap()
}

fn pool() -> PoolFile {
    let mut pool = PoolFile::new(
        Uuid::from_u128(0x11112222_3333_4444_8555_666677778888),
        Uuid::from_u128(0xaaaabbbb_cccc_4ddd_8eee_ffff00001111),
        time("2026-11-21T08:48:00.123Z"),
        1 << 20,
    );
    // No version ever wrote or read it; a file that has it keeps it.
    pool.unknown.insert("default_base".into(), "13.2".into());
    pool
}

#[test]
fn pool_v1() {
    let bytes = fixture("pool-v1.json", &pool().to_bytes());
    assert_eq!(PoolFile::parse(&bytes).unwrap(), pool());
}

#[test]
fn profile_v1() {
    let profile = ProfileFile {
        kind: Kind::BuiltIn,
        modified: time("2026-11-22T10:00:00Z"),
        description: "Sniffs what is in the air".to_owned(),
        policies: [
            ("home".to_owned(), json!("shared")),
            ("hook-policy".to_owned(), json!("warn")),
        ]
        .into(),
        overlays: vec!["spi1-cc1101".to_owned()],
        kernel_arguments: vec!["quiet".to_owned(), "loglevel=3".to_owned()],
        ..ProfileFile::new(
            "k3m9x0qa".parse().unwrap(),
            "sniffer".parse().unwrap(),
            Origin::Cloned {
                from: "a1b2c3d4".parse().unwrap(),
                name: "minimal".parse().unwrap(),
            },
            BaseRef {
                version: "13.2".parse().unwrap(),
                tree_hash: hash(),
            },
            time("2026-11-21T08:48:00Z"),
        )
    };
    let bytes = fixture("profile-v1.json", &profile.to_bytes());
    assert_eq!(ProfileFile::parse(&bytes).unwrap(), profile);
}

#[test]
fn base_v1() {
    let base = BaseFile {
        format: Format::new(1),
        version: "13.2".parse().unwrap(),
        uuid: Uuid::from_u128(5),
        tree_hash: hash(),
        highest_inode: 12_345,
        architecture: "arm64".to_owned(),
        release: "trixie".to_owned(),
        added: time("2026-11-21T08:48:00Z"),
        source: BaseSource {
            how: "bootstrap".to_owned(),
            particulars: [
                ("suite".to_owned(), json!("trixie")),
                (
                    "include".to_owned(),
                    json!(["systemd-sysv", "openssh-server"]),
                ),
            ]
            .into(),
        },
        entries: 12_000,
        size: 345_678_901,
        unknown: Map::new(),
    };
    let bytes = fixture("base-v1.json", &base.to_bytes());
    assert_eq!(BaseFile::parse(&bytes).unwrap(), base);
}

#[test]
fn boot_v1() {
    let place = |path: &str, n: u128| Place {
        path: path.parse().unwrap(),
        uuid: Uuid::from_u128(n),
    };
    let record = BootRecord {
        format: Format::new(1),
        sequence: 41,
        operations: vec![
            PendingOperation {
                number: 17,
                kind: OperationKind::Undo,
                step: Step::Staged,
                direction: Direction::Forward,
                profile: "k3m9x0qa".parse().unwrap(),
                staged: place("@flipper/staging/17", 1),
                live: "@profiles/k3m9x0qa".parse().unwrap(),
                old: Some(place("@flipper/trash/17", 2)),
                unknown: Map::new(),
            },
            PendingOperation {
                number: 18,
                kind: OperationKind::Create,
                step: Step::Exchanged,
                direction: Direction::Back,
                profile: "zzzzzzzz".parse().unwrap(),
                staged: place("@flipper/staging/18", 3),
                live: "@profiles/zzzzzzzz".parse().unwrap(),
                old: None,
                unknown: Map::new(),
            },
        ],
        done: vec![3, 15, 16],
        unknown: Map::new(),
    };
    let bytes = fixture("boot-v1.json", &record.to_bytes());
    assert_eq!(BootRecord::parse(&bytes).unwrap(), record);
}

#[test]
fn boot_log_v1() {
    let line = |number, outcome, detail: &str| BootLogLine {
        sequence: 41,
        number,
        outcome,
        boot_id: "a3b1c5d7-0000-4000-8000-000000000001".to_owned(),
        time: Some(time("1970-01-01T00:00:04.5Z")),
        detail: detail.to_owned(),
        unknown: Map::new(),
    };
    let lines = vec![
        line(
            17,
            Outcome::Done,
            "exchanged @flipper/staging/17 and @profiles/k3m9x0qa",
        ),
        line(
            18,
            Outcome::Unexpected,
            "another subvolume at @profiles/zzzzzzzz",
        ),
    ];
    let now: Vec<u8> = lines.iter().flat_map(BootLogLine::to_bytes).collect();
    let log = BootLog::parse(&fixture("boot-log-v1", &now));
    assert_eq!(log.lines, lines);
    assert!(log.unreadable.is_empty());
}

#[cfg(feature = "journal")]
mod journal {
    use std::time::Duration;

    use profile_db::Journal;
    use profile_db::journal::{
        Access, Action, Change, ChangeRow, ConffileChange, ConffileOutcome, Durability, FileType,
        Filter, Finish, NewTransaction, Operation, Outcome, PackageChange, Result, TransactionKind,
    };
    use profile_db::model::Owner;
    use profile_db::state::State;
    use serde_json::json;

    use super::{path, pool, time};

    fn package(name: &str, action: Action) -> PackageChange {
        PackageChange {
            name: name.to_owned(),
            architecture: "arm64".to_owned(),
            action,
            old_version: None,
            new_version: Some("1.26.3-3".to_owned()),
            auto_before: None,
            auto_after: Some(name != "nginx"),
            status_after: None,
        }
    }

    fn changes() -> Vec<ChangeRow> {
        let change = |path: &[u8], change, before, after, attribution: Option<&str>| ChangeRow {
            path: path.to_vec(),
            change,
            before,
            after,
            attribution: attribution.map(str::to_owned),
        };
        let file = Some(FileType::File);
        vec![
            change(
                b"/etc/nginx/nginx.conf",
                Change::Created,
                None,
                file,
                Some("nginx"),
            ),
            change(b"/etc/odd\n\xff", Change::Metadata, file, file, None),
            change(
                b"/usr/lib/x",
                Change::Type,
                Some(FileType::Directory),
                Some(FileType::Symlink),
                Some("nginx"),
            ),
            change(
                b"/usr/lib/y",
                Change::Removed,
                file,
                None,
                Some("nginx-common"),
            ),
            change(
                b"/var/lib/dpkg/status",
                Change::Content,
                file,
                file,
                Some("dpkg"),
            ),
        ]
    }

    fn conffiles() -> Vec<ConffileChange> {
        vec![ConffileChange {
            path: b"/etc/nginx/nginx.conf".to_vec(),
            package: Some("nginx".to_owned()),
            outcome: ConffileOutcome::Installed,
            beside: None,
        }]
    }

    fn operation() -> Operation {
        Operation {
            kind: "replace".to_owned(),
            profile: "k3m9x0qa".parse().ok(),
            transaction: None,
            begun: time("2026-11-21T09:00:00Z"),
            payload: json!({"staged": "@flipper/staging/1"}),
        }
    }

    /// Writes what the test below reads.
    fn write(path: &std::path::Path) -> Result<()> {
        let journal = Journal::create(path, &pool())?;
        let mut new = NewTransaction {
            profile: "k3m9x0qa".parse().expect("an id"),
            base: "13.2".parse().expect("a version"),
            kind: TransactionKind::Apt,
            command: "apt install nginx".to_owned(),
            user: Some("joe".to_owned()),
            uid: Some(1000),
            front_end: "apt".to_owned(),
            owner: Owner {
                pid: 4242,
                start_time: 123_456,
                pid_ns: 4_026_531_836,
                boot_id: "a3b1c5d7-0000-4000-8000-000000000001".to_owned(),
                soft_reboots: 1,
            },
            started: time("2026-11-21T08:50:00Z"),
            undoes: None,
            noticed: vec!["vim is marked manual now".to_owned()],
        };
        let install = journal.begin(&new)?;
        journal.set_pre(install, "1-pre")?;
        journal.batch(Durability::Durable, |journal| {
            journal.set_post(install, Some("1-post"))?;
            journal.set_packages(
                install,
                &[
                    package("nginx", Action::Install),
                    package("nginx-common", Action::Install),
                ],
            )?;
            journal.set_conffiles(install, &conffiles())?;
            journal.end_commit(install)?;
            journal.finish(
                install,
                &Finish {
                    outcome: Outcome::Done,
                    ended: Some(time("2026-11-21T08:51:00Z")),
                    problem: None,
                },
            )
        })?;
        journal.store_changes(install, &changes())?;
        new.kind = TransactionKind::Undo;
        new.command = "flipper-profile undo 1".to_owned();
        new.undoes = Some(install);
        let undo = journal.begin(&new)?;
        journal.mark_undone(install, undo)?;
        let dropped = journal.begin(&new)?;
        journal.drop_empty(dropped)?;
        let id = journal.intend(&operation())?;
        journal.record_step(id, "staged")?;
        drop(journal);
        // Everything into the one file.
        let connection = rusqlite::Connection::open(path).expect("to open it");
        connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .expect("a checkpoint");
        Ok(())
    }

    #[test]
    fn journal_v1() {
        let kept = path("journal-v1.db");
        if std::env::var_os("WRITE_FIXTURES").is_some() && !kept.exists() {
            write(&kept).unwrap();
        }
        // On a copy: reading must not change the one that is kept.
        let directory = tempfile::tempdir().unwrap();
        let copy = directory.path().join("journal.db");
        std::fs::copy(&kept, &copy).unwrap();
        for access in [Access::ReadOnly, Access::ReadWrite] {
            let journal = Journal::open(&copy, access, Duration::from_secs(1)).unwrap();
            assert_eq!(journal.pool(), pool().id);
            let all = journal.transactions(&Filter::default()).unwrap();
            let numbers: Vec<i64> = all.iter().map(|t| t.number.get()).collect();
            assert_eq!(numbers, [2, 1]);
            let (undo, install) = (&all[0], &all[1]);
            assert_eq!(undo.kind, TransactionKind::Undo);
            assert_eq!(
                (undo.state, undo.undoes),
                (State::Open, Some(install.number))
            );
            assert_eq!(install.state, State::Undone);
            assert_eq!(install.undone_by, Some(undo.number));
            assert_eq!(journal.undone(undo.number).unwrap(), [install.number]);
            assert_eq!(install.state_before_undo, Some(State::Done));
            assert_eq!(install.pre.as_deref(), Some("1-pre"));
            assert_eq!(install.post.as_deref(), Some("1-post"));
            assert_eq!(install.command, "apt install nginx");
            assert_eq!(install.ended, Some(time("2026-11-21T08:51:00Z")));
            assert_eq!(install.noticed, ["vim is marked manual now"]);
            assert_eq!(install.owner.pid_ns, 4_026_531_836);
            assert_eq!(install.packages.installed, 2);
            let packages = journal.packages(install.number).unwrap();
            assert_eq!(
                packages,
                [
                    package("nginx", Action::Install),
                    package("nginx-common", Action::Install)
                ]
            );
            assert_eq!(journal.conffiles(install.number).unwrap(), conffiles());
            assert_eq!(journal.changes(install.number).unwrap(), Some(changes()));
            let below = Filter {
                path: Some(b"/etc/nginx".to_vec()),
                ..Filter::default()
            };
            assert_eq!(journal.transactions(&below).unwrap().len(), 1);
            let pending = journal.pending_operations().unwrap();
            assert_eq!(pending.len(), 1);
            assert_eq!(pending[0].operation, operation());
            assert_eq!(pending[0].steps, ["staged"]);
            assert_eq!(journal.integrity_check().unwrap(), Vec::<String>::new());
            if access == Access::ReadWrite {
                journal.complete(pending[0].id).unwrap();
                assert_eq!(journal.intend(&operation()).unwrap().get(), 2);
            }
        }
    }
}
