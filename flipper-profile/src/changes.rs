//! What a transaction changed, as `show` and `diff` tell it.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use conffile_diff::text::{Difference, LONGEST_BYTES, difference};
use profile_db::ProfileFile;
use profile_db::journal::{self, FileType, Journal, TransactionKind};
use profile_db::model::TransactionNumber;
use profile_store::delta::{self, ChangeKind};
use profile_store::undo;
use profile_store::{Error, Pool, changes, profile, state_paths};
use profile_sys::file;
use profile_sys::tree::{Kind, Meta, Root};

use crate::context::Result;
use crate::output::encode::JsonPath;
use crate::output::units;
use crate::report::change::{Change, TextDiff};

/// The transaction, when it is one of this profile.
///
/// # Errors
///
/// The profile has no such transaction.
pub fn transaction(
    journal: &Journal,
    profile: &ProfileFile,
    number: TransactionNumber,
) -> Result<journal::Transaction> {
    let none = || Error::NoSuchTransaction {
        number,
        profile: Some(profile.name.to_string()),
    };
    match journal.transaction(number) {
        Ok(row) if row.profile == profile.id => Ok(row),
        Ok(_) | Err(journal::Error::NoSuchTransaction { .. }) => Err(none().into()),
        Err(error) => Err(error.into()),
    }
}

/// The paths that a transaction changed; `None` when that is not known any more.
///
/// # Errors
///
/// The snapshots cannot be compared.
pub fn list(
    pool: &Pool,
    journal: &Journal,
    row: &journal::Transaction,
) -> Result<Option<Vec<Change>>> {
    match changes::of(pool, journal, row) {
        Ok(rows) => Ok(Some(rows.iter().map(of_journal).collect())),
        Err(Error::NotUndoable { .. } | Error::SnapshotMissing { .. }) => {
            Ok(if has_content(&row.kind) {
                None
            } else {
                Some(Vec::new())
            })
        }
        Err(error) => Err(error.into()),
    }
}

/// Whether transactions of this kind change files of the profile.
fn has_content(kind: &TransactionKind) -> bool {
    !matches!(
        kind,
        TransactionKind::Create
            | TransactionKind::Clone
            | TransactionKind::Rename
            | TransactionKind::Set
            | TransactionKind::Delete
    )
}

/// Which changes of nothing but the modification time are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// None: for people.
    Untold,
    /// All but those of directories, which follow from what came and went in them: for programs.
    OfFiles,
    /// All.
    Told,
}

impl Times {
    fn tell(self, change: &delta::Change) -> bool {
        let directory = change.new == Some(Kind::Directory);
        match self {
            _ if change.kind != ChangeKind::Times => true,
            Self::Untold => false,
            Self::OfFiles => !directory,
            Self::Told => true,
        }
    }
}

/// The transactions from `first` to `last` as if they were one: with the snapshot before the first and the one
/// after the last.
///
/// # Errors
///
/// The last one has no snapshot after it.
pub fn as_one(
    first: &journal::Transaction,
    last: &journal::Transaction,
) -> Result<journal::Transaction> {
    if last.number != first.number && last.post.is_none() {
        return Err(Error::NotUndoable {
            number: last.number,
            participle: "compared",
            detail: "it has no snapshot from after it, or none any more".into(),
        }
        .into());
    }
    let mut one = first.clone();
    one.post.clone_from(&last.post);
    if one.pre.is_some() {
        // Of the first its state before counts, which is there.
        one.unprotected_reason = None;
    }
    Ok(one)
}

/// The changes of a transaction with the differences of text files: all paths, or `below` one.
///
/// What an added or removed file holds is told only when a path is named: after the installation of
/// a package it would be the whole package.
///
/// # Errors
///
/// The transaction has no snapshots to compare, or they cannot be compared.
pub fn with_text(
    pool: &Pool,
    row: &journal::Transaction,
    below: Option<&Path>,
    times: Times,
) -> Result<Vec<Change>> {
    let sides = undo::sides(pool, row, "compared")?;
    let state = state_paths::of(&profile::read_file(&sides.post)?);
    let (pre, post) = ((&*sides.pre, &*sides.base), (&*sides.post, &*sides.base));
    let compared = delta::compared(pool, pre, post, &state)?;
    let Some((old, new)) = compared.trees() else {
        return Ok(Vec::new());
    };
    let wanted = |change: &&delta::Change| {
        times.tell(change) && below.is_none_or(|path| change.path.starts_with(path))
    };
    let labels = [&row.pre, &row.post].map(|name| name.clone().unwrap_or_default());
    let trees = Trees {
        old: Root::open(old)?,
        new: Root::open(new)?,
        labels,
        whole_files: below.is_some(),
    };
    let mut changes = Vec::new();
    for change in compared.delta.changes.iter().filter(wanted) {
        changes.push(trees.describe(change)?);
    }
    // An open root would keep its tree from being unmounted.
    drop(trees);
    compared.close()?;
    Ok(changes)
}

/// The merged trees before and after.
struct Trees {
    old: Root,
    new: Root,
    labels: [String; 2],
    whole_files: bool,
}

impl Trees {
    fn describe(&self, change: &delta::Change) -> Result<Change> {
        // Of what only came or went there is nothing to say but that, unless its content is asked for.
        let one_side = change.old.is_none() || change.new.is_none();
        let looked_at = !one_side || self.whole_files;
        let side = |root: &Root, kind: Option<Kind>| match kind {
            Some(_) if looked_at => root.lstat(&change.path),
            _ => Ok(None),
        };
        let (before, after) = (side(&self.old, change.old)?, side(&self.new, change.new)?);
        let mut told = of_delta(change, details(change, before.as_ref(), after.as_ref()));
        let link_kind = Some(Kind::Symlink);
        let both_links = change.old == link_kind && change.new == link_kind;
        if change.kind == ChangeKind::Content && both_links {
            let (old, new) = (
                self.old.read_link(&change.path)?,
                self.new.read_link(&change.path)?,
            );
            told.details.push(format!(
                "target {} -> {}",
                old.to_string_lossy(),
                new.to_string_lossy()
            ));
        }
        let content = match change.kind {
            ChangeKind::Content => change.old == Some(Kind::File),
            ChangeKind::Added | ChangeKind::Removed | ChangeKind::Type => self.whole_files,
            ChangeKind::Metadata | ChangeKind::Times => false,
        };
        if content {
            let (old, new) = (
                self.content(&self.old, change, before.as_ref())?,
                self.content(&self.new, change, after.as_ref())?,
            );
            match self.difference(&change.path, old, new) {
                Difference::Unified(bytes) => told.diff = Some(TextDiff::new(bytes)),
                Difference::Binary => told.details.push(sizes(before.as_ref(), after.as_ref())),
                Difference::Same => {}
            }
        }
        Ok(told)
    }

    /// A regular file's bytes; `None` when there are more than are compared. Everything else counts as
    /// a file without bytes.
    fn content(
        &self,
        root: &Root,
        change: &delta::Change,
        meta: Option<&Meta>,
    ) -> Result<Option<Vec<u8>>> {
        match meta {
            Some(meta) if meta.kind == Kind::File && meta.size > LONGEST_BYTES as u64 => Ok(None),
            Some(meta) if meta.kind == Kind::File => {
                Ok(Some(file::read(&root.path().join(&change.path))?))
            }
            _ => Ok(Some(Vec::new())),
        }
    }

    fn difference(&self, path: &Path, old: Option<Vec<u8>>, new: Option<Vec<u8>>) -> Difference {
        let [before, after] = &self.labels;
        let label = |side: &str| format!("{side}/{}", path.display());
        match (old, new) {
            (Some(old), Some(new)) => difference(&old, &new, &label(before), &label(after)),
            _ => Difference::Binary,
        }
    }
}

fn sizes(old: Option<&Meta>, new: Option<&Meta>) -> String {
    let size = |meta: Option<&Meta>| meta.map(|meta| units::size(meta.size));
    match (size(old), size(new)) {
        (Some(old), Some(new)) => format!("no text, {old} -> {new}"),
        (Some(size), None) | (None, Some(size)) => format!("no text, {size}"),
        (None, None) => "no text".into(),
    }
}

/// A change as the delta has it.
fn of_delta(change: &delta::Change, details: Vec<String>) -> Change {
    let name = [b"/", change.path.as_os_str().as_bytes()].concat();
    let word = match change.kind {
        ChangeKind::Content => "modified",
        other => other.as_str(),
    };
    let mut told = Change::new(name, word, details);
    told.before = change.old.map(kind_word);
    told.after = change.new.map(kind_word);
    told
}

/// What changed besides the content.
fn details(change: &delta::Change, old: Option<&Meta>, new: Option<&Meta>) -> Vec<String> {
    let (Some(old), Some(new)) = (old, new) else {
        return Vec::new();
    };
    if old.kind != new.kind {
        return vec![format!(
            "{} -> {}",
            kind_word(old.kind),
            kind_word(new.kind)
        )];
    }
    let mut details = Vec::new();
    if old.mode != new.mode {
        details.push(format!("mode {:04o} -> {:04o}", old.mode, new.mode));
    }
    if (old.uid, old.gid) != (new.uid, new.gid) {
        details.push(format!(
            "owner {}:{} -> {}:{}",
            old.uid, old.gid, new.uid, new.gid
        ));
    }
    if change.kind == ChangeKind::Metadata && details.is_empty() {
        details.push("extended attributes".into());
    }
    details
}

/// What stands at a path, in one word.
pub fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::File => FileType::File,
        Kind::Directory => FileType::Directory,
        Kind::Symlink => FileType::Symlink,
        Kind::CharDevice => FileType::CharDevice,
        Kind::BlockDevice => FileType::BlockDevice,
        Kind::Fifo => FileType::Fifo,
        Kind::Socket => FileType::Socket,
    }
    .as_str()
}

/// A change as the journal keeps it.
pub fn of_journal(row: &journal::ChangeRow) -> Change {
    use journal::Change as Recorded;
    let word = match row.change {
        Recorded::Created => "added",
        Recorded::Removed => "removed",
        Recorded::Content => "modified",
        Recorded::Metadata => "metadata",
        Recorded::Type => "type",
    };
    let mut change = Change::new(row.path.clone(), word, Vec::new());
    change.before = row.before.map(|kind| kind.as_str());
    change.after = row.after.map(|kind| kind.as_str());
    match &row.attribution {
        Some(reason) => change.attribution = Some(reason.clone()),
        None => change.details.push("changed meanwhile".into()),
    }
    change
}

/// A path as reports have it.
pub fn json_path(path: &Path) -> (JsonPath, Vec<u8>) {
    let name = [b"/", path.as_os_str().as_bytes()].concat();
    (JsonPath::new(&name), name)
}
