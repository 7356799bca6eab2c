//! Between the journal's rows and what the package databases say.

use std::time::Duration;

use conffile_diff::dpkg::{self, Notice, State as PackageState};
use profile_db::journal::{
    self, Access, Action, Durability, Filter, Journal, PackageChange, Transaction,
};
use profile_db::model::{Owner, TransactionNumber};

use super::{World, reserve};
use crate::error::{Error, Result};
use crate::pool::Pool;

/// How far back a row is looked for: a front end's own row is the newest or one of the few that
/// others began meanwhile.
const RECENT: usize = 16;

/// How long a hook after the first one, or the trigger, waits for another process that has the journal:
/// the first has waited already, or recorded what there is to record.
pub const PATIENCE: Duration = Duration::from_millis(500);

/// Opens the journal for writing, for a use that follows at once ([`Journal::open_in_use`]); no call
/// waits longer than `wait` for another process.
///
/// # Errors
///
/// As [`crate::Pool::journal`].
pub fn journal_within(pool: &Pool, wait: Duration) -> Result<Journal> {
    let path = pool.layout().journal();
    reserve::with_reserve(pool, || {
        Ok(Journal::open_in_use(&path, Access::ReadWrite, wait)?)
    })
}

/// Does several calls with one connection to the journal. Other processes wait meanwhile, so nothing
/// slow belongs in here.
///
/// # Errors
///
/// As `work`, or the journal cannot be opened.
pub fn held<T>(journal: &Journal, work: impl FnOnce(&Journal) -> Result<T>) -> Result<T> {
    journal.hold(|journal| Ok(work(journal)))?
}

/// Records several things as one, durably; gives the reserve back when the disk is full.
///
/// # Errors
///
/// The journal cannot be written.
pub fn durably<T>(
    world: &World<'_>,
    journal: &Journal,
    work: impl Fn(&Journal) -> journal::Result<T>,
) -> Result<T> {
    reserve::with_reserve(
        world.pool,
        || Ok(journal.batch(Durability::Durable, &work)?),
    )
}

/// The newest transactions of a profile.
///
/// # Errors
///
/// The journal cannot be read.
pub fn recent(world: &World<'_>, journal: &Journal) -> Result<Vec<Transaction>> {
    newest_first(world, journal, None).collect()
}

/// As [`recent`], below a number when one is given; each is read when it is asked for: mostly the first
/// tells enough.
pub fn newest_first<'a>(
    world: &World<'_>,
    journal: &'a Journal,
    before: Option<TransactionNumber>,
) -> impl Iterator<Item = Result<Transaction>> + use<'a> {
    let mut filter = Filter {
        profile: Some(world.profile),
        before,
        limit: Some(1),
        ..Filter::default()
    };
    let read = move || {
        let row = journal.transactions(&filter).map(|mut rows| rows.pop());
        if let Ok(Some(row)) = &row {
            filter.before = Some(row.number);
        }
        row.map_err(Error::from).transpose()
    };
    std::iter::from_fn(read).take(RECENT)
}

/// The transaction that is going on for a process.
///
/// # Errors
///
/// The journal cannot be read.
pub fn going_on(
    world: &World<'_>,
    journal: &Journal,
    owner: &Owner,
) -> Result<Option<Transaction>> {
    Ok(unended(world, journal)?
        .into_iter()
        .find(|row| row.owner == *owner))
}

/// The newest transactions of a profile that have not ended: open, or unprotected or failed while the run
/// that they are of goes on.
///
/// # Errors
///
/// The journal cannot be read.
pub fn unended(world: &World<'_>, journal: &Journal) -> Result<Vec<Transaction>> {
    Ok(journal.unended(&world.profile, RECENT)?)
}

/// A change of a package as the journal keeps it.
pub fn package_row(change: &dpkg::PackageChange, broken_words: Option<String>) -> PackageChange {
    PackageChange {
        name: change.name.clone(),
        architecture: change.architecture.clone(),
        action: action(change.action),
        old_version: change.old_version.clone(),
        new_version: change.new_version.clone(),
        auto_before: change.auto_before,
        auto_after: change.auto_after,
        status_after: broken_words,
    }
}

/// The journal's word for an action.
pub fn action(action: dpkg::Action) -> Action {
    match action {
        dpkg::Action::Install => Action::Install,
        dpkg::Action::Upgrade => Action::Upgrade,
        dpkg::Action::Downgrade => Action::Downgrade,
        dpkg::Action::Remove => Action::Remove,
        dpkg::Action::Purge => Action::Purge,
        dpkg::Action::Reinstall => Action::Reinstall,
        dpkg::Action::Configure => Action::Configure,
    }
}

/// What happened outside transactions, in words; changes of packages are told as packages.
pub fn noticed_words(notices: &[Notice]) -> Vec<String> {
    notices
        .iter()
        .filter(|notice| !matches!(notice, Notice::Package(_)))
        .map(ToString::to_string)
        .collect()
}

/// dpkg's words for a package when they are not `install ok installed`; a removed package has none,
/// its action says it.
pub fn status_words(package: &dpkg::Package) -> Option<String> {
    let ordinary = matches!(
        package.state,
        PackageState::Installed | PackageState::NotInstalled | PackageState::ConfigFiles
    );
    (!ordinary).then(|| format!("{} {} {}", package.want, package.flag, package.state))
}
