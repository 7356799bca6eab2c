//! The changed paths of transactions, kept in the journal so that they outlive the snapshots.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use conffile_diff::attribution::{Reason, Verdict};
use profile_db::ProfileFile;
use profile_db::journal::{self, ChangeRow, FileType, Filter, Journal, Transaction};
use profile_db::model::ProfileId;
use profile_db::state::State;
use profile_sys::file;
use profile_sys::tree::Kind;

use crate::delta::{Change, ChangeKind};
use crate::error::{Error, Result};
use crate::pool::Pool;
use crate::progress::Progress;
use crate::undo::{made, sides};

/// How many transactions are looked at when the last session of a profile ends.
const NEWEST: usize = 32;

/// The changed paths of a transaction: from the journal, else compared now and, when the journal is
/// open for writing, stored there.
///
/// # Errors
///
/// The transaction has no snapshots and no stored list, or they cannot be compared.
pub fn of(pool: &Pool, journal: &Journal, transaction: &Transaction) -> Result<Vec<ChangeRow>> {
    if let Some(rows) = journal.changes(transaction.number)? {
        return Ok(rows);
    }
    let sides = sides(pool, transaction, "compared")?;
    let made = made(pool, journal, transaction, &sides)?;
    let rows: Vec<ChangeRow> = made
        .delta
        .changes
        .iter()
        .zip(&made.verdicts)
        .filter(|(change, _)| change.kind != ChangeKind::Times)
        .map(|(change, verdict)| row(change, verdict))
        .collect();
    // Nobody knows when an interrupted one ended; that it has ended is certain.
    let interrupted = Some(State::Interrupted);
    let ended = transaction.ended.is_some()
        || Some(transaction.state) == interrupted
        || transaction.state_before_undo == interrupted;
    if journal.access() == journal::Access::ReadWrite && ended {
        journal.store_changes(transaction.number, &rows)?;
    }
    Ok(rows)
}

/// Compares and stores the paths of every transaction of a profile that has no list yet, so that the
/// history can be asked for a path.
///
/// # Errors
///
/// As [`of`], apart from transactions that have nothing to compare.
pub fn ensure(
    pool: &Pool,
    journal: &Journal,
    profile: &ProfileFile,
    progress: &mut dyn Progress,
) -> Result<()> {
    // Only what still has its snapshots can be compared: a history of any length costs one listing.
    let snapshots = pool.layout().snapshots(&profile.id);
    let present: HashSet<OsString> = match file::exists(&snapshots)? {
        true => file::list(&snapshots)?.into_iter().collect(),
        false => HashSet::new(),
    };
    let there = |name: &Option<String>| {
        name.as_ref()
            .is_some_and(|name| present.contains(OsStr::new(name)))
    };
    let mut missing = Vec::new();
    let filter = Filter {
        profile: Some(profile.id),
        ..Filter::default()
    };
    journal.each_transaction(&filter, |transaction| {
        if there(&transaction.pre) && there(&transaction.post) {
            missing.push(transaction);
        }
        std::ops::ControlFlow::Continue(())
    })?;
    let total = missing.len() as u64;
    progress.begin("comparing transactions");
    for (count, transaction) in missing.iter().enumerate() {
        progress.advance(count as u64, Some(total));
        if journal.changes_summary(transaction.number)?.is_none() {
            keep(pool, journal, transaction)?;
        }
    }
    Ok(())
}

/// Compares and stores the paths of the newest transactions of a profile, back to the first whose list
/// is there, so that a later undo, `show` or `history --path` finds them compared.
///
/// # Errors
///
/// As [`of`]; what was stored until then stays.
pub fn ensure_newest(pool: &Pool, journal: &Journal, profile: &ProfileId) -> Result<()> {
    let newest = journal.transactions(&Filter {
        profile: Some(*profile),
        limit: Some(NEWEST),
        ..Filter::default()
    })?;
    for transaction in &newest {
        if transaction.pre.is_none() || transaction.post.is_none() {
            continue;
        }
        if journal.changes_summary(transaction.number)?.is_some() {
            break;
        }
        keep(pool, journal, transaction)?;
    }
    Ok(())
}

/// Compares and stores the paths of one transaction, when it has something to compare.
///
/// # Errors
///
/// As [`of`], apart from a transaction without snapshots, or with one missing.
pub fn keep(pool: &Pool, journal: &Journal, transaction: &Transaction) -> Result<()> {
    match of(pool, journal, transaction) {
        Ok(_) | Err(Error::NotUndoable { .. } | Error::SnapshotMissing { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

fn row(change: &Change, verdict: &Verdict) -> ChangeRow {
    ChangeRow {
        path: [b"/", change.path.as_os_str().as_bytes()].concat(),
        change: match change.kind {
            ChangeKind::Added => journal::Change::Created,
            ChangeKind::Removed => journal::Change::Removed,
            ChangeKind::Type => journal::Change::Type,
            ChangeKind::Content => journal::Change::Content,
            ChangeKind::Metadata | ChangeKind::Times => journal::Change::Metadata,
        },
        before: change.old.map(file_type),
        after: change.new.map(file_type),
        attribution: match verdict {
            Verdict::Attributed(reason) => Some(words(reason)),
            Verdict::ChangedMeanwhile => None,
        },
    }
}

fn file_type(kind: Kind) -> FileType {
    match kind {
        Kind::File => FileType::File,
        Kind::Directory => FileType::Directory,
        Kind::Symlink => FileType::Symlink,
        Kind::CharDevice => FileType::CharDevice,
        Kind::BlockDevice => FileType::BlockDevice,
        Kind::Fifo => FileType::Fifo,
        Kind::Socket => FileType::Socket,
    }
}

/// The package that the words of an attribution name.
pub(crate) fn package_in(attribution: &str) -> Option<&str> {
    [
        "shipped by ",
        "conffile of ",
        "named by a script of ",
        "named after ",
    ]
    .iter()
    .find_map(|words| attribution.strip_prefix(words))
}

/// Why a path belongs to a transaction, in a few words.
fn words(reason: &Reason) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match reason {
        Reason::Owned { package } => format!("shipped by {package}"),
        Reason::Conffile { package } => format!("conffile of {package}"),
        Reason::Distribution => "below /usr".into(),
        Reason::Database { name } => (*name).into(),
        Reason::WithDirectory { directory } => format!("with its directory {}", text(directory)),
        Reason::NamedByScript { package } => format!("named by a script of {package}"),
        Reason::InsideDirectory { directory } => format!("inside {}", text(directory)),
        Reason::NamedAfterPackage { package } => format!("named after {package}"),
        Reason::HoldsOnlyAttributed => "part of the change".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_an_attribution_name_its_package() {
        let package = || "nginx".to_owned();
        for reason in [
            Reason::Owned { package: package() },
            Reason::Conffile { package: package() },
            Reason::NamedByScript { package: package() },
            Reason::NamedAfterPackage { package: package() },
        ] {
            assert_eq!(package_in(&words(&reason)), Some("nginx"), "{reason:?}");
        }
        assert_eq!(package_in(&words(&Reason::Distribution)), None);
    }
}
