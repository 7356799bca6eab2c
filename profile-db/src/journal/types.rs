//! What the journal records.

use crate::model::words::open_words;
use crate::model::{BaseVersion, Owner, ProfileId, Time, TransactionNumber};
use crate::state::State;

open_words!(
    /// What a transaction was.
    TransactionKind, {
        /// Packages changed by apt or a front end over libapt.
        Apt = "apt",
        /// Packages changed by dpkg alone.
        Dpkg = "dpkg",
        /// A transaction was taken back.
        Undo = "undo",
        /// An undone transaction was done again.
        Redo = "redo",
        /// Single paths were brought back.
        Restore = "restore",
        /// The profile went back to its origin.
        Reset = "reset",
        /// The profile was created.
        Create = "create",
        /// The profile was cloned from another.
        Clone = "clone",
        /// The profile got another name.
        Rename = "rename",
        /// A setting of the profile changed.
        Set = "set",
        /// The profile went to trash.
        Delete = "delete",
        /// The profile was imported.
        Import = "import",
        /// The profile moved to another base.
        Rebase = "rebase",
        /// A session was kept.
        Keep = "keep",
        /// A path was taken out of the snapshots.
        Forget = "forget",
        /// A snapshot asked for by hand.
        Manual = "manual",
    }
);

open_words!(
    /// What happened to a package.
    Action, {
        /// It was not there.
        Install = "install",
        /// To a newer version.
        Upgrade = "upgrade",
        /// To an older version.
        Downgrade = "downgrade",
        /// Removed, its conffiles kept.
        Remove = "remove",
        /// Removed with its conffiles.
        Purge = "purge",
        /// The same version again.
        Reinstall = "reinstall",
        /// Only configured.
        Configure = "configure",
    }
);

open_words!(
    /// What happened to a conffile.
    ConffileOutcome, {
        /// The user's version stayed.
        Kept = "kept",
        /// The package's version was taken.
        TookNew = "took-new",
        /// It was not there before.
        Installed = "installed",
        /// It went away.
        Removed = "removed",
        /// The package no longer ships it; it stayed.
        Obsolete = "obsolete",
        /// Left undecided, with a file beside it.
        Undecided = "undecided",
    }
);

/// A transaction that begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTransaction {
    /// The profile it changes.
    pub profile: ProfileId,
    /// The base the profile stands on.
    pub base: BaseVersion,
    /// What it is.
    pub kind: TransactionKind,
    /// The command line; the caller took secrets out (see [`crate::redact`]).
    pub command: String,
    /// The user who asked for it.
    pub user: Option<String>,
    /// That user's number.
    pub uid: Option<u32>,
    /// The program that asks: `apt`, `aptitude`, `unattended-upgrades`, …
    pub front_end: String,
    /// The process it belongs to; commits of one owner are one transaction.
    pub owner: Owner,
    /// When it began.
    pub started: Time,
    /// The transaction it takes back or does again.
    pub undoes: Option<TransactionNumber>,
    /// What changed outside transactions and was noticed now.
    pub noticed: Vec<String>,
}

/// A transaction as recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Its number.
    pub number: TransactionNumber,
    /// The profile it changed.
    pub profile: ProfileId,
    /// The base the profile stood on.
    pub base: BaseVersion,
    /// What it was.
    pub kind: TransactionKind,
    /// Its state.
    pub state: State,
    /// The state it had before it was undone.
    pub state_before_undo: Option<State>,
    /// The command line.
    pub command: String,
    /// The user who asked for it.
    pub user: Option<String>,
    /// That user's number.
    pub uid: Option<u32>,
    /// The program that asked.
    pub front_end: String,
    /// The process it belongs to.
    pub owner: Owner,
    /// When it began.
    pub started: Time,
    /// When it ended.
    pub ended: Option<Time>,
    /// Name of the snapshot before.
    pub pre: Option<String>,
    /// Name of the snapshot after.
    pub post: Option<String>,
    /// What went wrong.
    pub problem: Option<String>,
    /// Why there is no protection, when there is none.
    pub unprotected_reason: Option<String>,
    /// Whether the user is still to be told about it.
    pub attention: Attention,
    /// The transaction it takes back or does again.
    pub undoes: Option<TransactionNumber>,
    /// The transaction that took it back.
    pub undone_by: Option<TransactionNumber>,
    /// What changed outside transactions and was noticed.
    pub noticed: Vec<String>,
    /// Whether its snapshots are kept whatever retention says.
    pub pinned: bool,
    /// Commits of its group that began, and that ended.
    pub commits: Commits,
    /// How many packages changed, by action.
    pub packages: PackageCounts,
    /// When retention deleted its snapshots, if it did: what it changed is known, the files are gone.
    pub files_gone: Option<Time>,
}

impl Transaction {
    /// Whether nothing more is to be told about it.
    pub fn acknowledged(&self) -> bool {
        self.attention != Attention::Wanted
    }
}

/// Whether the user must be told about a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attention {
    /// It is ordinary.
    None,
    /// It was unprotected or interrupted, and nobody acknowledged it.
    Wanted,
    /// Somebody acknowledged it, or it was undone.
    Acknowledged,
}

/// The commits of one transaction: a front end may start dpkg many times for
/// one action of the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commits {
    /// That began.
    pub begun: u32,
    /// That ended.
    pub ended: u32,
}

/// How many packages a transaction changed, by action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PackageCounts {
    /// Installed.
    pub installed: u32,
    /// Upgraded.
    pub upgraded: u32,
    /// Downgraded.
    pub downgraded: u32,
    /// Removed.
    pub removed: u32,
    /// Purged.
    pub purged: u32,
    /// Installed again.
    pub reinstalled: u32,
    /// Only configured.
    pub configured: u32,
    /// Anything a newer version knows.
    pub other: u32,
}

impl PackageCounts {
    /// All of them.
    pub const fn total(&self) -> u32 {
        self.installed
            + self.upgraded
            + self.downgraded
            + self.removed
            + self.purged
            + self.reinstalled
            + self.configured
            + self.other
    }

    /// The counts of a list of changes.
    pub fn of(packages: &[PackageChange]) -> Self {
        let mut counts = Self::default();
        for package in packages {
            let count = match package.action {
                Action::Install => &mut counts.installed,
                Action::Upgrade => &mut counts.upgraded,
                Action::Downgrade => &mut counts.downgraded,
                Action::Remove => &mut counts.removed,
                Action::Purge => &mut counts.purged,
                Action::Reinstall => &mut counts.reinstalled,
                Action::Configure => &mut counts.configured,
                Action::Other(_) => &mut counts.other,
            };
            *count += 1;
        }
        counts
    }
}

/// What a transaction did to one package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageChange {
    /// The package's name.
    pub name: String,
    /// Its architecture.
    pub architecture: String,
    /// What happened to it.
    pub action: Action,
    /// The version before; none when it was not there.
    pub old_version: Option<String>,
    /// The version after; none when it is gone.
    pub new_version: Option<String>,
    /// Whether apt held it for automatically installed before.
    pub auto_before: Option<bool>,
    /// And after.
    pub auto_after: Option<bool>,
    /// dpkg's status words after, when they are not `install ok installed`.
    pub status_after: Option<String>,
}

/// What a transaction did to one conffile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConffileChange {
    /// Its path.
    pub path: Vec<u8>,
    /// The package it belongs to.
    pub package: Option<String>,
    /// What happened.
    pub outcome: ConffileOutcome,
    /// A file left beside it (`.dpkg-dist`, `.dpkg-old`, …).
    pub beside: Option<Vec<u8>>,
}

/// How a transaction ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finish {
    /// How.
    pub outcome: Outcome,
    /// When; none when nobody knows (an interrupted one).
    pub ended: Option<Time>,
    /// What went wrong. Replaces what was recorded before, unless none.
    pub problem: Option<String>,
}

/// How a transaction ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Well.
    Done,
    /// Badly.
    Failed,
    /// Its process is gone.
    Interrupted,
    /// Without protection, for this reason. The state is then `skipped`, and
    /// stays so when the transaction is finished again with another outcome.
    Skipped(String),
}

/// Numbers for `info` and `status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// All transactions.
    pub transactions: u64,
    /// By state.
    pub open: u64,
    /// By state.
    pub done: u64,
    /// By state.
    pub failed: u64,
    /// By state.
    pub interrupted: u64,
    /// By state.
    pub skipped: u64,
    /// By state.
    pub undone: u64,
    /// That the user must still be told about.
    pub unacknowledged: u64,
}
