//! What can go wrong in a pool, one variant per situation, each with the state of the disk and the
//! command that helps.

mod aftermath;
mod exit;

use std::path::PathBuf;

pub use exit::Exit;
use profile_db::model::{BaseVersion, TransactionNumber};

/// What helps when the pool is full.
const FREE_SPACE: &str =
    "free space with `flipper-profile pool gc`, which lists what would go for good and asks";

/// What a name may be.
const NAME_RULE: &str = "a name begins with an ASCII letter or digit, has only ASCII letters, digits and . _ + - in it, at most 64 of them, and is none of our own words, such as 'current'";

/// The Debian package that a program of ours comes from.
fn package_of(program: &str) -> &str {
    match program {
        "mkfs.btrfs" => "btrfs-progs",
        "wipefs" => "util-linux",
        named_alike => named_alike,
    }
}

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// A failure, by situation.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An effect failed.
    #[error(transparent)]
    Sys(#[from] profile_sys::Error),
    /// The journal refused or failed.
    #[error(transparent)]
    Journal(#[from] profile_db::journal::Error),
    /// A name is not valid.
    #[error(transparent)]
    Name(#[from] profile_db::model::NameError),
    /// A file of the pool cannot be used.
    #[error("cannot use {path}: {source}")]
    PoolPart {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: profile_db::FileError,
    },
    /// A file of the pool is of a form that this version must not write.
    #[error(transparent)]
    Format(#[from] profile_db::format::FormatError),
    /// dpkg's or apt's own databases cannot be read.
    #[error("cannot read the package database {path}: {detail}")]
    PackageDatabase {
        /// The file.
        path: PathBuf,
        /// What the parser says.
        detail: String,
    },

    /// No pool was named and the running system has none.
    #[error("no pool: none was named, and this system was not started from one")]
    NoPool,
    /// The named pool does not exist.
    #[error("no pool at {path}: there is no such file or device")]
    PoolMissing {
        /// As the user gave it.
        path: PathBuf,
    },
    /// What stands there is no btrfs filesystem.
    #[error("{path} is not a pool: it holds {found}, not btrfs")]
    PoolNotBtrfs {
        /// As the user gave it.
        path: PathBuf,
        /// What was found, or "nothing known".
        found: String,
    },
    /// A btrfs filesystem without our subvolume.
    #[error("{path} is a btrfs filesystem, but not a pool: it has no @flipper subvolume")]
    PoolForeign {
        /// As the user gave it.
        path: PathBuf,
    },
    /// `pool create` was interrupted here.
    #[error("the pool {path} was never finished: {missing} is missing")]
    PoolHalfMade {
        /// As the user gave it.
        path: PathBuf,
        /// The first part that is missing.
        missing: String,
    },
    /// A part of a finished pool is gone.
    #[error("the pool {path} is damaged: it lacks {missing}")]
    PoolDamaged {
        /// As the user gave it.
        path: PathBuf,
        /// Every part that is missing, joined.
        missing: String,
    },
    /// The pool is of a form that this version cannot use.
    #[error("the pool {path} needs features that this version does not know: {}", features.join(", "))]
    PoolIncompatible {
        /// As the user gave it.
        path: PathBuf,
        /// The unknown incompatible features.
        features: Vec<String>,
    },
    /// The pool can be read but not changed by this version.
    #[error("the pool {path} can only be read by this version, it has: {}", features.join(", "))]
    PoolReadOnly {
        /// As the user gave it.
        path: PathBuf,
        /// The unknown read-only-compatible features.
        features: Vec<String>,
    },
    /// `pool create` found data.
    #[error("{path} is not empty: it holds {found}")]
    TargetHoldsData {
        /// The device or image.
        path: PathBuf,
        /// What it holds.
        found: String,
    },
    /// A directory where a pool was to be made, or something stranger.
    #[error("{path} is neither a file nor a block device")]
    TargetNoDevice {
        /// The target.
        path: PathBuf,
    },
    /// `pool create` cannot work with these sizes.
    #[error("a pool needs at least {least} bytes, {path} would have {size}")]
    TargetTooSmall {
        /// The device or image.
        path: PathBuf,
        /// Bytes it has or would get.
        size: u64,
        /// Bytes that are needed.
        least: u64,
    },
    /// An image file was asked for without a size.
    #[error("{path} does not exist, and no size was given for a new image")]
    TargetNeedsSize {
        /// The image.
        path: PathBuf,
    },
    /// `pool create` found somebody at work on the target.
    #[error("{path} is in use: {by}")]
    TargetInUse {
        /// The device or image.
        path: PathBuf,
        /// By what.
        by: String,
    },
    /// `pool create` failed after it had begun to overwrite the target.
    #[error("making a pool on {path} failed: {source}")]
    TargetOverwritten {
        /// The device or image.
        path: PathBuf,
        /// What failed.
        source: Box<Error>,
    },
    /// The filesystem of the pool is full.
    #[error("the pool has no space left ({free} bytes free) to {verb}")]
    NoSpace {
        /// What was to be done.
        verb: &'static str,
        /// Bytes free now.
        free: u64,
    },

    /// No profile has this name or id.
    #[error("there is no profile '{name}'")]
    NoSuchProfile {
        /// As the user gave it.
        name: String,
    },
    /// The name is taken.
    #[error("a profile '{name}' exists already")]
    ProfileExists {
        /// The name.
        name: String,
    },
    /// profile.json cannot be used.
    #[error("the profile file {path} cannot be used: {detail}")]
    ProfileFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// Built-in profiles are only cloned and reset.
    #[error("the profile '{name}' is built in and cannot be {participle}")]
    BuiltIn {
        /// The profile.
        name: String,
        /// deleted, renamed.
        participle: &'static str,
    },
    /// The profile is mounted somewhere, or that cannot be ruled out.
    #[error("the profile '{name}' is in use: {by}")]
    ProfileInUse {
        /// The profile.
        name: String,
        /// Where.
        by: String,
    },
    /// A key that `set` does not know, or a value it refuses.
    #[error("cannot set {key}: {detail}")]
    Setting {
        /// The key.
        key: String,
        /// Why not.
        detail: String,
    },

    /// No base has this version.
    #[error("there is no base '{version}'")]
    NoSuchBase {
        /// The version.
        version: String,
    },
    /// The version is taken.
    #[error("a base '{version}' exists already")]
    BaseExists {
        /// The version.
        version: BaseVersion,
    },
    /// A profile's base is gone or is not what the profile pins.
    #[error("the base '{version}' of profile '{name}' cannot be used: {detail}")]
    BaseUnusable {
        /// The profile.
        name: String,
        /// The base it pins.
        version: BaseVersion,
        /// Missing, or another tree than the pinned one.
        detail: String,
    },
    /// Something still names the base.
    #[error("the base '{version}' is still needed by {}", by.join(", "))]
    BaseNeeded {
        /// The base.
        version: BaseVersion,
        /// Profiles, snapshots, staging, trash, pins, boot entries, mounts.
        by: Vec<String>,
    },
    /// The tree's inode numbers reach into the profiles' range.
    #[error("the base's highest inode number {highest} is not below the pool's floor {floor}")]
    BaseAboveFloor {
        /// Highest inode number in the tree.
        highest: u64,
        /// The pool's floor.
        floor: u64,
    },
    /// What was imported is no Debian root.
    #[error("{path} is not a Debian root: {missing} is missing")]
    BaseNotDebian {
        /// Where it came from.
        path: PathBuf,
        /// The first thing that is missing.
        missing: String,
    },
    /// The base's tree is not what it was when it was promoted.
    #[error("the base '{version}' is damaged: {detail}")]
    BaseDamaged {
        /// The base.
        version: BaseVersion,
        /// What differs.
        detail: String,
    },

    /// There is no such transaction.
    #[error("there is no transaction {number}{}", profile.as_ref().map(|name| format!(" of profile '{name}'")).unwrap_or_default())]
    NoSuchTransaction {
        /// The number.
        number: TransactionNumber,
        /// The profile that was looked at, when one was.
        profile: Option<String>,
    },
    /// Nothing that could be undone or redone.
    #[error("profile '{name}' has nothing to {verb}")]
    NothingTo {
        /// The profile.
        name: String,
        /// undo, redo.
        verb: &'static str,
    },
    /// The transaction cannot be taken back as it stands.
    #[error("transaction {number} cannot be {participle}: {detail}")]
    NotUndoable {
        /// The transaction.
        number: TransactionNumber,
        /// undone, redone, compared.
        participle: &'static str,
        /// Why.
        detail: String,
    },
    /// A pin would keep nothing.
    #[error("transaction {number} cannot be pinned: {detail}")]
    NothingToPin {
        /// The transaction.
        number: TransactionNumber,
        /// Why.
        detail: &'static str,
    },
    /// A path cannot be brought back from a snapshot.
    #[error(transparent)]
    NotRestorable(#[from] crate::restore::Refused),
    /// apt or dpkg is at work in the profile.
    #[error("a package manager is at work in profile '{name}'")]
    PackageManagerBusy {
        /// The profile.
        name: String,
    },
    /// A service that would lose its files does not stop, or what was stopped for nothing did not start again.
    #[error("{detail}")]
    Services {
        /// What systemd said.
        detail: String,
    },
    /// Something is mounted on what an undo in the entered profile would remove or replace.
    #[error(
        "in profile '{name}' something is mounted on what would be removed or replaced: {}",
        shown(mount_points)
    )]
    MountedOn {
        /// The profile.
        name: String,
        /// Where, as seen in the profile.
        mount_points: Vec<PathBuf>,
    },
    /// A snapshot that is needed is gone.
    #[error("the snapshot {path} is gone")]
    SnapshotMissing {
        /// Where it was.
        path: PathBuf,
    },

    /// Another command holds the pool's lock.
    #[error("the pool is locked by another command")]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// An earlier change was cut short.
    #[error("an earlier change was interrupted: {what}")]
    NeedsRecover {
        /// Which.
        what: String,
    },
    /// The session file and the mounted root disagree, or it cannot be parsed.
    #[error("the session file {path} cannot be believed: {detail}")]
    SessionFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// A command that was to run in a profile could not be started.
    #[error("cannot start {command} in profile '{name}': {detail}")]
    CannotStart {
        /// The program.
        command: String,
        /// The profile.
        name: String,
        /// Why.
        detail: String,
        /// 126 (found, cannot be run) or 127 (not found), as env(1) has it; 125 for our own failure.
        status: u8,
    },
    /// A send stream does not parse.
    #[error("cannot compare {from} with {to}: {detail}")]
    Delta {
        /// Older side.
        from: PathBuf,
        /// Newer side.
        to: PathBuf,
        /// What the parser says.
        detail: String,
    },
    /// A change failed after its intent was recorded.
    #[error("{what} was interrupted: {source}")]
    Interrupted {
        /// Which change.
        what: String,
        /// What failed.
        source: Box<Error>,
    },
    /// What was done had to be taken back, and that failed too.
    #[error("{failed}; taking it back failed as well: {rollback}")]
    RollbackFailed {
        /// The first failure.
        failed: Box<Error>,
        /// The second one.
        rollback: Box<Error>,
    },
}

/// Paths in a sentence.
fn shown(paths: &[PathBuf]) -> String {
    let paths: Vec<_> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    paths.join(", ")
}

impl Error {
    /// A stable word for the situation, for `--json`.
    pub fn situation(&self) -> &'static str {
        match self {
            Self::Sys(error) if error.is_no_space() => "no-space",
            Self::Sys(profile_sys::Error::Locked { .. }) => "locked",
            Self::Sys(_) => "effect-failed",
            Self::Journal(error) if error.is_no_space() => "no-space",
            Self::Journal(_) => "journal",
            Self::Name(_) => "invalid-name",
            Self::PoolPart { .. } => "pool-part",
            Self::Format(_) => "format",
            Self::PackageDatabase { .. } => "package-database",
            Self::NoPool => "no-pool",
            Self::PoolMissing { .. } => "pool-missing",
            Self::PoolNotBtrfs { .. } => "pool-not-btrfs",
            Self::PoolForeign { .. } => "pool-foreign",
            Self::PoolHalfMade { .. } => "pool-half-made",
            Self::PoolDamaged { .. } => "pool-damaged",
            Self::PoolIncompatible { .. } => "pool-incompatible",
            Self::PoolReadOnly { .. } => "pool-read-only",
            Self::TargetHoldsData { .. } => "target-holds-data",
            Self::TargetNoDevice { .. } => "target-no-device",
            Self::TargetTooSmall { .. } => "target-too-small",
            Self::TargetNeedsSize { .. } => "target-needs-size",
            Self::TargetInUse { .. } => "in-use",
            Self::TargetOverwritten { .. } => "target-overwritten",
            Self::NoSpace { .. } => "no-space",
            Self::NoSuchProfile { .. } => "no-such-profile",
            Self::ProfileExists { .. } => "profile-exists",
            Self::ProfileFile { .. } => "profile-file",
            Self::BuiltIn { .. } => "built-in",
            Self::ProfileInUse { .. } => "in-use",
            Self::Setting { .. } => "setting",
            Self::NoSuchBase { .. } => "no-such-base",
            Self::BaseExists { .. } => "base-exists",
            Self::BaseUnusable { .. } => "base-unusable",
            Self::BaseNeeded { .. } => "base-needed",
            Self::BaseAboveFloor { .. } => "base-above-floor",
            Self::BaseNotDebian { .. } => "base-not-debian",
            Self::BaseDamaged { .. } => "base-damaged",
            Self::NoSuchTransaction { .. } => "no-such-transaction",
            Self::NothingTo { .. } => "nothing-to-do",
            Self::NotUndoable { .. } => "not-undoable",
            Self::NothingToPin { .. } => "nothing-to-pin",
            Self::NotRestorable(_) => "not-restorable",
            Self::PackageManagerBusy { .. } => "package-manager-busy",
            Self::Services { .. } => "services",
            Self::MountedOn { .. } => "mounted-on",
            Self::SnapshotMissing { .. } => "snapshot-missing",
            Self::Locked { .. } => "locked",
            Self::NeedsRecover { .. } => "needs-recover",
            Self::SessionFile { .. } => "session-file",
            Self::CannotStart { .. } => "cannot-start",
            Self::Delta { .. } => "delta",
            Self::Interrupted { .. } => "interrupted",
            Self::RollbackFailed { .. } => "rollback-failed",
        }
    }

    /// The exit status of the command that ends with this error.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Locked { .. } | Self::PackageManagerBusy { .. } => Exit::Locked,
            Self::Sys(profile_sys::Error::Locked { .. }) => Exit::Locked,
            Self::Journal(error) if error.is_locked() => Exit::Locked,
            Self::Journal(error) if error.is_damage() => Exit::Damaged,
            Self::PoolHalfMade { .. }
            | Self::PoolDamaged { .. }
            | Self::TargetOverwritten { .. }
            | Self::NeedsRecover { .. }
            | Self::Interrupted { .. }
            | Self::RollbackFailed { .. }
            | Self::BaseDamaged { .. }
            | Self::PoolPart { .. }
            | Self::ProfileFile { .. } => Exit::Damaged,
            Self::Name(_) | Self::NoPool | Self::Setting { .. } | Self::TargetNeedsSize { .. } => {
                Exit::Usage
            }
            _ => Exit::Failed,
        }
    }

    /// What is on disk now.
    pub fn state(&self) -> &'static str {
        match self {
            Self::RollbackFailed { .. } => "the change was neither finished nor taken back",
            Self::Interrupted { .. } => {
                "the change is recorded and `recover` finishes it or takes it back"
            }
            Self::NeedsRecover { .. } => {
                "the interrupted change is recorded; nothing else was changed"
            }
            Self::TargetOverwritten { .. } => {
                "what the target held may be overwritten, and it is no pool"
            }
            _ => "nothing was changed",
        }
    }

    /// The next command, or what else helps.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoPool => {
                "name one with --pool IMAGE|DEVICE|DIR or FLIPPER_POOL, or make one with `flipper-profile pool create`".into()
            }
            Self::PoolMissing { path } | Self::TargetNeedsSize { path } => {
                format!("make one with `flipper-profile pool create {} --size 16G`", path.display())
            }
            Self::PoolHalfMade { path, .. } => {
                format!("make it anew with `flipper-profile pool create --force {}`", path.display())
            }
            Self::PoolDamaged { path, .. } => {
                let device = match path.is_dir() {
                    true => "DEVICE".into(),
                    false => path.display().to_string(),
                };
                format!("its other parts are untouched, make no new pool there; `mount -o subvolid=5 {device} /mnt` shows them below /mnt, where what is missing can be put back")
            }
            Self::TargetInUse { .. } => "leave its profiles and unmount it, then try again".into(),
            Self::TargetOverwritten { path, .. } => {
                format!("try again with `flipper-profile pool create --force {}`", path.display())
            }
            Self::PoolNotBtrfs { path, .. } | Self::PoolForeign { path } => {
                format!("`flipper-profile pool create {}` makes a new pool there", path.display())
            }
            Self::TargetHoldsData { path, .. } => {
                format!("`flipper-profile pool create --force {}` destroys what is there", path.display())
            }
            Self::TargetNoDevice { .. } => {
                "name a block device or an image file; `flipper-profile pool create FILE --size 16G` makes one".into()
            }
            Self::PoolIncompatible { .. } | Self::PoolReadOnly { .. } => "install a newer flipper-profile".into(),
            Self::NoSpace { .. } => FREE_SPACE.into(),
            Self::Sys(error) if error.is_no_space() => FREE_SPACE.into(),
            Self::Sys(profile_sys::Error::CommandMissing { program }) => {
                format!("install it with `apt install {}`", package_of(program))
            }
            Self::Name(_) => NAME_RULE.into(),
            Self::NoSuchProfile { .. } => "`flipper-profile list` shows the profiles".into(),
            Self::ProfileExists { .. } => "choose another name".into(),
            Self::BuiltIn { name, .. } => format!("clone it with `flipper-profile clone {name} NAME` and change the clone"),
            Self::ProfileInUse { .. } => "leave the profile first; `flipper-profile info` tells who has it".into(),
            Self::NoSuchBase { .. } => "`flipper-profile base list` shows the bases".into(),
            Self::BaseExists { .. } => "choose another version".into(),
            Self::BaseNeeded { .. } => "delete or rebase what needs it first".into(),
            Self::BaseUnusable { version, .. } => format!("add the same base again with `flipper-profile base add {version} …`"),
            Self::BaseAboveFloor { .. } => "add the base from a tar or a directory, so that it is numbered anew".into(),
            Self::BaseDamaged { version, .. } => {
                format!("add it anew under another version; profiles over '{version}' should be checked")
            }
            Self::NoSuchTransaction { .. } | Self::NothingTo { .. } | Self::NothingToPin { .. } => "`flipper-profile history` shows the transactions".into(),
            Self::NotRestorable(refused) => return refused.hint(),
            Self::PackageManagerBusy { .. } => "wait until it has finished, then try again".into(),
            Self::Services { .. } => {
                "`systemctl --failed` and `systemctl list-jobs` in the profile tell more; stop it there, then try again".into()
            }
            Self::MountedOn { mount_points, .. } => {
                let of = mount_points.first().map(|path| path.display().to_string());
                format!("`umount {}` in the profile, or leave the profile, then try again", of.unwrap_or_default())
            }
            Self::Locked { .. } => "wait until it has finished, then try again".into(),
            Self::NeedsRecover { .. } | Self::Interrupted { .. } | Self::RollbackFailed { .. } => "run `flipper-profile recover`".into(),
            Self::Journal(error) if error.is_no_space() => FREE_SPACE.into(),
            Self::Journal(error) if error.is_locked() => {
                "wait until the other command has finished, then try again".into()
            }
            Self::Journal(_) => "`flipper-profile pool check` says what is damaged; profiles and snapshots are not touched by it".into(),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests;
