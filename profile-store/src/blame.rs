//! Who last changed a path.
//!
//! The newest stored list that has the path names the transaction. What happened between transactions is in
//! no list: so the path alone is compared along the snapshots from the present back to that transaction.

use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use conffile_diff::dpkg::Status;
use profile_db::ProfileFile;
use profile_db::journal::{ChangeRow, Filter, Journal, PackageChange, Transaction};
use profile_db::model::{SnapshotName, TransactionNumber};
use profile_db::state::State;
use profile_sys::file;
use profile_sys::tree::Kind;

use crate::changes::package_in;
use crate::error::{Error, Result};
use crate::merged::Merged;
use crate::package_database::{DPKG, unreadable};
use crate::pool::Pool;
use crate::{profile, state_paths};

/// Where what stands at a path came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// It is no part of what transactions cover.
    State {
        /// The state path that covers it.
        path: PathBuf,
        /// Whether all profiles share it.
        shared: bool,
    },
    /// Nothing stands there, and as far as is known nothing ever did.
    Nothing,
    /// The base, unchanged.
    Base,
    /// It was so when the profile was created or cloned.
    Origin,
    /// A transaction.
    Transaction,
    /// Somebody, outside of any transaction that has snapshots.
    Outside {
        /// It was still as this transaction left it.
        after: Option<TransactionNumber>,
        /// This transaction found it as it is now.
        before: Option<TransactionNumber>,
        /// Transactions in between that were not protected, newest first.
        unprotected: Vec<TransactionNumber>,
    },
}

/// The newest transaction whose list has the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Last {
    /// The transaction.
    pub row: Transaction,
    /// What it did to the path.
    pub change: ChangeRow,
    /// Those of its packages that the path belongs to.
    pub packages: Vec<PackageChange>,
}

/// A package that a path belongs to now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Its name.
    pub name: String,
    /// Its architecture.
    pub architecture: Option<String>,
    /// Its version.
    pub version: Option<String>,
}

/// What is known about the last change of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blame {
    /// What stands there now.
    pub present: Option<Kind>,
    /// The packages that it belongs to.
    pub owners: Vec<Owner>,
    /// Where it came from.
    pub source: Source,
    /// The transaction that changed it last, as far as lists tell.
    pub last: Option<Last>,
    /// Transactions of the profile that are going on.
    pub going_on: Vec<TransactionNumber>,
}

/// Finds who last changed `path`, relative to the merged root and without symlinks on the way. The lists of the
/// profile's transactions are stored already ([`crate::changes::ensure`]).
///
/// # Errors
///
/// The profile's base is gone, or the journal, a snapshot or dpkg's database cannot be read.
pub fn of(pool: &Pool, journal: &Journal, profile: &ProfileFile, path: &Path) -> Result<Blame> {
    let (base, _) = profile::base_for(pool, profile)?;
    let present = Merged::new(&pool.layout().profile(&profile.id), &base);
    let found = present.find(path)?;
    let owners = owners(&present, path)?;
    let going_on = journal.open_transactions(Some(&profile.id))?;
    let mut blame = Blame {
        present: found.map(|entry| entry.meta.kind),
        owners,
        source: Source::Nothing,
        last: None,
        going_on: going_on.iter().map(|row| row.number).collect(),
    };
    let state = state_paths::of(profile);
    if let Some(covering) = state
        .iter()
        .rev()
        .find(|one| path.starts_with(one.relative()))
    {
        blame.source = Source::State {
            path: covering.path.clone(),
            shared: covering.shared,
        };
        return Ok(blame);
    }
    blame.last = last(journal, profile, path, &blame.owners)?;
    let trail = Trail {
        pool,
        journal,
        profile,
        path,
    };
    blame.source = trail.follow(present, &base, blame.last.as_ref())?;
    Ok(blame)
}

/// The newest transaction whose list has the path itself, not only something below it.
fn last(
    journal: &Journal,
    profile: &ProfileFile,
    path: &Path,
    owners: &[Owner],
) -> Result<Option<Last>> {
    let absolute = [b"/", path.as_os_str().as_bytes()].concat();
    let filter = Filter {
        profile: Some(profile.id),
        path: Some(absolute.clone()),
        ..Filter::default()
    };
    let mut found = None;
    let mut failure = None;
    journal.each_transaction(&filter, |row| match journal.changes(row.number) {
        Ok(changes) => {
            let change = changes
                .into_iter()
                .flatten()
                .find(|change| change.path == absolute);
            match change {
                Some(change) => {
                    found = Some((row, change));
                    ControlFlow::Break(())
                }
                None => ControlFlow::Continue(()),
            }
        }
        Err(error) => {
            failure = Some(error);
            ControlFlow::Break(())
        }
    })?;
    if let Some(error) = failure {
        return Err(error.into());
    }
    let Some((row, change)) = found else {
        return Ok(None);
    };
    let named = change.attribution.as_deref().and_then(package_in);
    let mut packages = journal.packages(row.number)?;
    packages.retain(|package| {
        named == Some(package.name.as_str())
            || owners.iter().any(|owner| owner.name == package.name)
    });
    Ok(Some(Last {
        row,
        change,
        packages,
    }))
}

/// The packages that have the path in their lists now, with their versions.
fn owners(present: &Merged, path: &Path) -> Result<Vec<Owner>> {
    let found = present.owners(path)?;
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let status_path = Path::new(DPKG).join("status");
    let bytes = present.read(&status_path)?;
    let status = Status::parse(&bytes)
        .map_err(|error| unreadable(&Path::new("/").join(&status_path), &error))?;
    let owner = |(name, architecture): (String, Option<String>)| {
        let package = match &architecture {
            Some(architecture) => status.get(&name, architecture),
            None => status.named(&name).first(),
        };
        Owner {
            version: package.map(|package| package.version.clone()),
            name,
            architecture,
        }
    };
    Ok(found.into_iter().map(owner).collect())
}

/// One path along the snapshots of a profile.
struct Trail<'a> {
    pool: &'a Pool,
    journal: &'a Journal,
    profile: &'a ProfileFile,
    path: &'a Path,
}

impl Trail<'_> {
    /// From the present back to the transaction that is held to have changed it, or to the origin.
    fn follow(&self, present: Merged, base: &Path, last: Option<&Last>) -> Result<Source> {
        let mut newer = (present, None);
        let mut unprotected = Vec::new();
        let mut outcome = None;
        let mut failure = None;
        let filter = Filter {
            profile: Some(self.profile.id),
            ..Filter::default()
        };
        self.journal.each_transaction(&filter, |row| {
            let reached = last.is_some_and(|last| last.row.number == row.number);
            match self.pass(&row, &mut newer, &mut unprotected) {
                Ok(Some(source)) => outcome = Some(source),
                Ok(None) if reached => outcome = Some(Source::Transaction),
                Ok(None) => return ControlFlow::Continue(()),
                Err(error) => failure = Some(error),
            }
            ControlFlow::Break(())
        })?;
        match (failure, outcome) {
            (Some(error), _) => Err(error),
            (None, Some(source)) => Ok(source),
            (None, None) => self.beginning(base, newer, unprotected),
        }
    }

    /// One transaction further back: the change, when it happened between this one and what came after it.
    fn pass(
        &self,
        row: &Transaction,
        newer: &mut (Merged, Option<TransactionNumber>),
        unprotected: &mut Vec<TransactionNumber>,
    ) -> Result<Option<Source>> {
        if row.state == State::Skipped {
            unprotected.push(row.number);
        }
        if let Some(post) = self.snapshot(row.post.as_deref())? {
            if post.differ(&newer.0, self.path)?.is_some() {
                return Ok(Some(Source::Outside {
                    after: Some(row.number),
                    before: newer.1,
                    unprotected: std::mem::take(unprotected),
                }));
            }
            unprotected.clear();
        }
        // What it did itself is in its list.
        if let Some(pre) = self.snapshot(row.pre.as_deref())? {
            *newer = (pre, Some(row.number));
        }
        Ok(None)
    }

    /// What was there before the oldest transaction that has snapshots.
    fn beginning(
        &self,
        base: &Path,
        (oldest, before): (Merged, Option<TransactionNumber>),
        unprotected: Vec<TransactionNumber>,
    ) -> Result<Source> {
        let name = SnapshotName::Origin.to_string();
        if let Some(origin) = self.snapshot(Some(&name))? {
            if origin.differ(&oldest, self.path)?.is_some() {
                return Ok(Source::Outside {
                    after: None,
                    before,
                    unprotected,
                });
            }
        }
        let alone = Merged::base_alone(base);
        Ok(match (alone.find(self.path)?, oldest.find(self.path)?) {
            (None, None) => Source::Nothing,
            _ if alone.differ(&oldest, self.path)?.is_none() => Source::Base,
            _ => Source::Origin,
        })
    }

    /// The tree of a snapshot; `None` when it, or the base below it, is gone.
    fn snapshot(&self, name: Option<&str>) -> Result<Option<Merged>> {
        let Some(name) = name else { return Ok(None) };
        let path = self.pool.layout().snapshots(&self.profile.id).join(name);
        if !file::exists(&path)? {
            return Ok(None);
        }
        match profile::base_for(self.pool, &profile::read_file(&path)?) {
            Ok((base, _)) => Ok(Some(Merged::new(&path, &base))),
            Err(Error::BaseUnusable { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
