//! Two processes on one journal, kills, full disks and read-only filesystems.
//!
//! The other process is this test program itself, started again for one of the
//! tests below that are only helpers: they do nothing unless [`DIRECTORY`] is
//! in their environment.
#![cfg(feature = "journal")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use profile_db::journal::{
    Access, Durability, Error, Filter, Journal, NewTransaction, TransactionKind,
};
use profile_db::model::{Owner, Time, TransactionNumber};
use profile_db::{PoolFile, state::State};
use uuid::Uuid;

/// Where a helper finds the journal.
const DIRECTORY: &str = "PROFILE_DB_TEST_DIRECTORY";
const BUSY: Duration = Duration::from_secs(10);

fn time() -> Time {
    "2026-11-21T08:48:00Z".parse().unwrap()
}

fn create(directory: &Path) -> Journal {
    let pool = PoolFile::new(Uuid::from_u128(1), Uuid::from_u128(2), time(), 1 << 20);
    Journal::create(&directory.join("journal.db"), &pool).unwrap()
}

fn open(directory: &Path) -> Journal {
    Journal::open(&directory.join("journal.db"), Access::ReadWrite, BUSY).unwrap()
}

fn transaction(command: &str) -> NewTransaction {
    NewTransaction {
        profile: "abcdefgh".parse().unwrap(),
        base: "13.2".parse().unwrap(),
        kind: TransactionKind::Apt,
        command: command.to_owned(),
        user: None,
        uid: None,
        front_end: "apt".to_owned(),
        owner: Owner {
            pid: 1,
            start_time: 2,
            pid_ns: 3,
            boot_id: String::new(),
            soft_reboots: 0,
        },
        started: time(),
        undoes: None,
        noticed: Vec::new(),
    }
}

/// Starts a helper, its output piped.
fn start(helper: &str, directory: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", helper, "--nocapture", "--test-threads=1"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The helper's lines that begin with `number `.
fn numbers(child: &mut Child) -> impl Iterator<Item = i64> + use<> {
    let output = child.stdout.take().unwrap();
    BufReader::new(output)
        .lines()
        .map_while(Result::ok)
        .filter_map(|line| line.split_once("number ")?.1.parse().ok())
}

fn helper_directory() -> Option<PathBuf> {
    std::env::var_os(DIRECTORY).map(PathBuf::from)
}

#[test]
fn helper_begins_for_ever() {
    let Some(directory) = helper_directory() else {
        return;
    };
    let journal = open(&directory);
    loop {
        let number = journal.begin(&transaction("for ever")).unwrap();
        println!("number {number}");
    }
}

#[test]
fn helper_begins_a_hundred() {
    let Some(directory) = helper_directory() else {
        return;
    };
    let journal = open(&directory);
    for _ in 0..100 {
        println!("number {}", journal.begin(&transaction("hundred")).unwrap());
    }
}

#[test]
fn helper_keeps_the_lock() {
    let Some(directory) = helper_directory() else {
        return;
    };
    let journal = open(&directory);
    journal
        .batch(Durability::Ordered, |journal| -> Result<(), Error> {
            let number = journal.begin(&transaction("never committed"))?;
            println!("number {number}");
            loop {
                std::thread::park();
            }
        })
        .unwrap();
}

#[test]
fn processes_that_record_at_once_get_different_numbers() {
    let directory = tempfile::tempdir().unwrap();
    drop(create(directory.path()));
    let mut all: Vec<Child> = (0..4)
        .map(|_| start("helper_begins_a_hundred", directory.path()))
        .collect();
    let mut seen: Vec<i64> = all.iter_mut().flat_map(numbers).collect();
    assert!(all.iter_mut().all(|one| one.wait().unwrap().success()));
    seen.sort_unstable();
    assert_eq!(seen, (1..=400).collect::<Vec<i64>>());
}

#[test]
fn a_process_that_keeps_the_lock_gives_a_typed_error_and_its_end_frees_it() {
    let directory = tempfile::tempdir().unwrap();
    drop(create(directory.path()));
    let path = directory.path().join("journal.db");
    let journal = Journal::open(&path, Access::ReadWrite, Duration::from_millis(100)).unwrap();
    let mut holder = start("helper_keeps_the_lock", directory.path());
    assert_eq!(numbers(&mut holder).next(), Some(1));
    let error = journal.begin(&transaction("refused")).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "cannot begin a transaction: another process has kept the journal {} locked for 0.1 s",
            path.display()
        )
    );
    assert!(matches!(error, Error::Locked { .. }));
    assert!(
        journal
            .transactions(&Filter::default())
            .unwrap_err()
            .is_locked()
    );
    holder.kill().unwrap();
    holder.wait().unwrap();
    let number = journal.begin(&transaction("after")).unwrap();
    assert_eq!(journal.transaction(number).unwrap().command, "after");
    assert_eq!(
        journal.counts(None).unwrap().transactions,
        1,
        "what the killed one began is gone"
    );
}

/// What a killed process was told is begun is there; at most one more is, and
/// that one whole.
#[test]
fn a_process_killed_in_the_middle_of_begin_leaves_old_or_new() {
    let directory = tempfile::tempdir().unwrap();
    drop(create(directory.path()));
    let mut last = 0;
    for round in 0..25 {
        let mut child = start("helper_begins_for_ever", directory.path());
        let mut told = numbers(&mut child);
        let mut newest = told.next().expect("one at least");
        assert_eq!(newest, last + 1);
        for _ in 0..round % 7 {
            newest = told.next().expect("one more");
        }
        std::thread::sleep(Duration::from_micros(round * 137));
        child.kill().unwrap();
        child.wait().unwrap();
        newest = told.last().unwrap_or(newest);
        let journal = open(directory.path());
        let found = journal.transactions(&Filter::default()).unwrap();
        last = found[0].number.get();
        assert!(
            last == newest || last == newest + 1,
            "told {newest}, found {last}"
        );
        assert_eq!(i64::try_from(found.len()), Ok(last), "none is missing");
        assert!(
            found
                .iter()
                .all(|t| t.state == State::Open && t.command == "for ever")
        );
        assert_eq!(journal.integrity_check().unwrap(), Vec::<String>::new());
    }
}

/// A power cut: of the WAL, any beginning may have reached the disk.
#[test]
fn a_wal_cut_anywhere_holds_the_old_or_the_new() {
    let directory = tempfile::tempdir().unwrap();
    let journal = create(directory.path());
    journal.begin(&transaction("old")).unwrap();
    let wal = directory.path().join("journal.db-wal");
    let before = std::fs::metadata(&wal).unwrap().len() as usize;
    journal.begin(&transaction("new")).unwrap();
    let database = std::fs::read(directory.path().join("journal.db")).unwrap();
    let wal = std::fs::read(wal).unwrap();
    assert!(wal.len() > before);
    let mut seen = [0; 2];
    for length in (before..=wal.len())
        .step_by(997)
        .chain([wal.len() - 1, wal.len()])
    {
        let copy = tempfile::tempdir().unwrap();
        std::fs::write(copy.path().join("journal.db"), &database).unwrap();
        std::fs::write(copy.path().join("journal.db-wal"), &wal[..length]).unwrap();
        let journal = open(copy.path());
        assert_eq!(journal.integrity_check().unwrap(), Vec::<String>::new());
        let found = journal.transactions(&Filter::default()).unwrap();
        let commands: Vec<&str> = found.iter().map(|t| t.command.as_str()).collect();
        match commands.as_slice() {
            ["old"] => seen[0] += 1,
            ["new", "old"] => seen[1] += 1,
            other => panic!("{other:?} at {length} of {}", wal.len()),
        }
        let next = journal.begin(&transaction("next")).unwrap();
        assert_eq!(next.get(), i64::try_from(found.len()).unwrap() + 1);
    }
    assert!(seen[0] > 1 && seen[1] >= 1, "{seen:?}");
}

/// A power cut in the middle of a checkpoint: of the database any beginning is
/// new, its end is old, and the WAL is still whole.
#[test]
fn a_checkpoint_cut_anywhere_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal.db");
    let journal = create(directory.path());
    journal.checkpoint().unwrap();
    for _ in 0..60 {
        journal.begin(&transaction(&"long ".repeat(300))).unwrap();
    }
    let old = std::fs::read(&path).unwrap();
    let wal = std::fs::read(directory.path().join("journal.db-wal")).unwrap();
    journal.checkpoint().unwrap();
    let new = std::fs::read(&path).unwrap();
    assert!(new.len() > old.len() + 4096);
    for page in 0..=new.len() / 4096 {
        let cut = page * 4096;
        let mut mixed = new[..cut].to_vec();
        mixed.extend_from_slice(old.get(cut..).unwrap_or_default());
        let copy = tempfile::tempdir().unwrap();
        std::fs::write(copy.path().join("journal.db"), &mixed).unwrap();
        std::fs::write(copy.path().join("journal.db-wal"), &wal).unwrap();
        let journal = open(copy.path());
        assert_eq!(
            journal.counts(None).unwrap().transactions,
            60,
            "page {page}"
        );
        assert_eq!(journal.integrity_check().unwrap(), Vec::<String>::new());
    }
}

/// Runs a helper on a filesystem of its own, in a mount namespace of its own.
fn on_its_own_filesystem(helper: &str, mount: &str) -> bool {
    let possible = Command::new("unshare")
        .args(["-m", "true"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !possible {
        eprintln!("SKIPPED: needs root and mount namespaces");
        return false;
    }
    let directory = tempfile::tempdir().unwrap();
    let status = Command::new("unshare")
        .args(["-m", "--propagation", "private", "sh", "-ec"])
        .arg(format!(
            "{mount}; exec \"$1\" --exact {helper} --nocapture --test-threads=1"
        ))
        .arg("sh")
        .arg(std::env::current_exe().unwrap())
        .env(DIRECTORY, directory.path())
        .status()
        .unwrap();
    assert!(status.success(), "{helper} failed");
    true
}

#[test]
fn a_full_disk_is_typed_and_releasing_the_reserve_helps() {
    on_its_own_filesystem(
        "helper_fills_the_disk",
        &format!("mount -t tmpfs -o size=1m none \"${DIRECTORY}\""),
    );
}

#[test]
fn helper_fills_the_disk() {
    let Some(directory) = helper_directory() else {
        return;
    };
    let fill = |name: &str| {
        let mut file = std::fs::File::create(directory.join(name)).unwrap();
        while std::io::Write::write_all(&mut file, &[0; 512]).is_ok() {}
    };
    // Full before there is a journal.
    fill("ballast");
    let pool = PoolFile::new(Uuid::from_u128(1), Uuid::from_u128(2), time(), 1 << 20);
    let path = directory.join("journal.db");
    let error = Journal::create(&path, &pool).unwrap_err();
    assert!(error.is_no_space(), "{error}");
    assert!(!path.exists());
    std::fs::remove_file(directory.join("ballast")).unwrap();
    drop(Journal::create(&path, &pool).unwrap());

    // Full while there is no WAL.
    std::fs::remove_file(directory.join("journal.db-wal")).unwrap();
    std::fs::write(directory.join("reserve"), vec![1; 128 * 1024]).unwrap();
    fill("ballast");
    let error = Journal::open(&path, Access::ReadWrite, BUSY)
        .and_then(|journal| journal.begin(&transaction("refused")))
        .unwrap_err();
    assert!(error.is_no_space(), "{error:?}");
    std::fs::remove_file(directory.join("reserve")).unwrap();
    let journal = Journal::open(&path, Access::ReadWrite, BUSY).unwrap();
    journal.begin(&transaction("first")).unwrap();

    // Full in the middle of its life.
    fill("more ballast");
    let mut recorded = 1;
    let error = loop {
        match journal.begin(&transaction("until it is full")) {
            Ok(_) => recorded += 1,
            Err(error) => break error,
        }
    };
    assert!(error.is_no_space(), "{error:?}");
    assert_eq!(
        error.to_string(),
        format!(
            "cannot begin a transaction: no space for the journal {}",
            path.display()
        )
    );
    // Reading works on a full disk, and nothing half is there.
    assert_eq!(journal.counts(None).unwrap().transactions, recorded);
    assert_eq!(journal.integrity_check().unwrap(), Vec::<String>::new());
    // Also for a process that comes now.
    drop(journal);
    fill("last ballast");
    let writer = Journal::open(&path, Access::ReadWrite, BUSY).unwrap();
    assert!(
        writer
            .begin(&transaction("refused"))
            .unwrap_err()
            .is_no_space()
    );
    let reader = Journal::open(&path, Access::ReadOnly, BUSY).unwrap();
    assert_eq!(reader.counts(None).unwrap().transactions, recorded);
    drop(reader);
    std::fs::remove_file(directory.join("more ballast")).unwrap();
    let journal = Journal::open(&path, Access::ReadWrite, BUSY).unwrap();
    let number = journal.begin(&transaction("with the reserve")).unwrap();
    assert_eq!(number, TransactionNumber::new(recorded as i64 + 1).unwrap());
}

#[test]
fn a_read_only_filesystem_is_read_and_not_written() {
    on_its_own_filesystem(
        "helper_reads_a_read_only_filesystem",
        &format!("mount -t tmpfs none \"${DIRECTORY}\""),
    );
}

#[test]
fn helper_reads_a_read_only_filesystem() {
    let Some(directory) = helper_directory() else {
        return;
    };
    let remount = |how: &str| {
        let status = Command::new("mount")
            .args(["-o", &format!("remount,{how}")])
            .arg(&directory)
            .status()
            .unwrap();
        assert!(status.success());
    };
    let path = directory.join("journal.db");
    let journal = create(&directory);
    journal.begin(&transaction("seen")).unwrap();
    journal.begin(&transaction("seen")).unwrap();
    drop(journal);
    let wal = directory.join("journal.db-wal");
    assert!(wal.exists(), "kept when closed");

    let readable = |expected: u64| {
        remount("ro");
        let reader = Journal::open(&path, Access::ReadOnly, BUSY).unwrap();
        assert_eq!(reader.counts(None).unwrap().transactions, expected);
        drop(reader);
        let error = Journal::open(&path, Access::ReadWrite, BUSY)
            .and_then(|journal| journal.begin(&transaction("refused")))
            .unwrap_err();
        assert!(
            matches!(error, Error::ReadOnlyFilesystem { .. }),
            "{error:?}"
        );
        remount("rw");
    };
    // With a WAL, as after a crash.
    readable(2);
    // Without one, as when another program closed it last.
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .unwrap();
    drop(connection);
    assert!(!wal.exists());
    readable(2);
}
