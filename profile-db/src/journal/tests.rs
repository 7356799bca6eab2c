//! Tests of the journal that look inside. What needs other processes, full
//! disks or kills is in `tests/`.

mod damage;
mod life;
mod listing;
mod lists;
mod operations;
mod refusal;
mod retention;
mod scale;
mod space;
mod versions;

use std::path::PathBuf;
use std::time::Duration;

use uuid::Uuid;

use super::{Access, Journal, NewTransaction, TransactionKind};
use crate::model::{Owner, ProfileId, Time, TransactionNumber};
use crate::pool_file::PoolFile;

/// How long tests wait for a lock that nobody gives up.
const BUSY: Duration = Duration::from_millis(50);

/// A journal in a directory of its own.
struct Place {
    directory: tempfile::TempDir,
    journal: Journal,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let journal =
            Journal::create(&directory.path().join("journal.db"), &pool()).expect("a journal");
        Self { directory, journal }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("journal.db")
    }

    /// Closes the journal and opens it again, as another process would.
    fn reopen(self) -> Self {
        let Self { directory, journal } = self;
        drop(journal);
        let journal = Journal::open(
            &directory.path().join("journal.db"),
            Access::ReadWrite,
            BUSY,
        )
        .expect("to open again");
        Self { directory, journal }
    }

    /// The journal's own connection, for what it has no call for.
    fn connection(&self) -> super::connection::Guard<'_> {
        self.journal.connection("test").expect("a connection")
    }

    fn begin(&self) -> TransactionNumber {
        self.journal.begin(&transaction()).expect("to begin")
    }
}

fn pool() -> PoolFile {
    PoolFile::new(Uuid::from_u128(1), Uuid::from_u128(2), time(), 1 << 20)
}

fn time() -> Time {
    "2026-11-21T08:48:00Z".parse().expect("a time")
}

fn profile() -> ProfileId {
    "abcdefgh".parse().expect("an id")
}

fn transaction() -> NewTransaction {
    NewTransaction {
        profile: profile(),
        base: "13.2".parse().expect("a version"),
        kind: TransactionKind::Apt,
        command: "apt install nginx".to_owned(),
        user: Some("joe".to_owned()),
        uid: Some(1000),
        front_end: "apt".to_owned(),
        owner: Owner {
            pid: 4242,
            start_time: u64::MAX,
            pid_ns: 4_026_531_836,
            boot_id: "a3b1c5d7-0000-4000-8000-000000000001".to_owned(),
            soft_reboots: 2,
        },
        started: time(),
        undoes: None,
        noticed: vec!["apt-mark: vim is manual now".to_owned()],
    }
}

/// A connection as another program makes it. While it is open and was used,
/// the journal is locked.
fn other_program(place: &Place) -> rusqlite::Connection {
    let connection = rusqlite::Connection::open(place.path()).expect("a second connection");
    connection.busy_timeout(BUSY).expect("a timeout");
    connection
}
