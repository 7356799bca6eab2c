//! The command line. The doc comments here are the manual: the man pages are made from them.

mod base;
mod history;
mod undo;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand};
use profile_db::pool_file::{INODE_FLOOR_DEFAULT, INODE_FLOOR_MAX};

pub use base::{BaseAdd, BaseCommand, BaseName};
pub use history::{Blame, Diff, History, Pin, Restore, Show};
pub use undo::{Forget, Redo, Running, Undo};

use crate::output::units::parse_size;

/// Profiles for Debian: plain apt, automatic snapshots, undo
///
/// flipper-profile keeps a Debian base read-only and puts everything that is changed above it into
/// a profile: packages, configuration, files. Several profiles stand beside each other over one
/// base; each is created, cloned, renamed and reset in a moment.
///
/// Inside a profile apt and dpkg are used as ever. Around every transaction a snapshot is taken
/// and a row of the journal is written: which command, which user, which packages in which
/// versions, and how it ended. "flipper-profile undo" brings back what was before.
#[derive(Debug, Parser)]
#[command(
    name = "flipper-profile",
    version,
    max_term_width = 100,
    disable_help_subcommand = false
)]
pub struct Cli {
    /// Options that stand before or after every verb.
    #[command(flatten)]
    pub global: Global,
    /// The verb.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every verb.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Use the pool on this image file, block device or mounted directory
    ///
    /// Without it the variable FLIPPER_POOL is used, and without that the pool of the profile that
    /// the command runs in.
    #[arg(long, global = true, value_name = "IMAGE|DEVICE|DIR", env = "FLIPPER_POOL", hide_env = true,
          value_parser = clap::builder::OsStringValueParser::new(), value_hint = clap::ValueHint::AnyPath)]
    pub pool: Option<OsString>,

    /// Work on this profile
    ///
    /// For acknowledge, blame, diff, forget, history, info, pin, redo, restore, show, status, undo and unpin.
    /// Without it they work on the profile that the command runs in.
    #[arg(short, long, global = true, value_name = "NAME|ID")]
    pub profile: Option<String>,

    /// Print one JSON object, and progress as JSON lines on standard error
    #[arg(long, global = true)]
    pub json: bool,

    /// Answer the question whether to go on with yes
    ///
    /// It confirms what was asked, and resolves no conflict.
    #[arg(long, global = true)]
    pub yes: bool,

    /// Say more
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub verbose: bool,

    /// Print results and errors only
    #[arg(short, long, global = true)]
    pub quiet: bool,
}

/// All verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make, examine and repair pools
    #[command(subcommand)]
    Pool(PoolCommand),
    /// Add, examine and remove bases
    #[command(subcommand)]
    Base(BaseCommand),
    /// Create a profile over a base
    Create(Create),
    /// List the profiles
    List,
    /// Show one profile
    ///
    /// Name, kind, base, origin, times, size, number of transactions, and who has it mounted.
    Info(Info),
    /// Make a second profile that is equal to the first
    ///
    /// It takes the same time for a small and a large profile, and the clone starts a history of its
    /// own. The clone gets a snapshot of the first profile's state (home directories, logs, caches),
    /// which undo never touches.
    Clone(CloneProfile),
    /// Give a profile another name
    ///
    /// Its id stays, so nothing that is mounted or recorded is disturbed.
    Rename(Rename),
    /// Delete a profile
    ///
    /// It goes to the pool's trash, with its snapshots and its state, until it is collected.
    Delete(Delete),
    /// Make a profile what it was when it was created
    ///
    /// Packages and configuration are as at the beginning; so is the state, except home directories.
    /// A reset is a transaction: undo takes it back.
    Reset(Reset),
    /// Change a setting of a profile
    ///
    /// description is for people. home=shared binds the home directories of all profiles to the same place.
    /// state-paths names further directories that undo does not rewind, separated by commas.
    ///
    /// How long snapshots are kept: keep-newest=20 transactions keep theirs whatever else is said;
    /// keep-most=100 transactions have some at most (all: any number); keep-days=90 days old they go, as far
    /// as the clock is synchronised (all: never); keep-free=10%,4G is to stay free of the pool, the smaller of
    /// both, and while it is not the oldest go (none: whatever is free). These are the values of a profile
    /// for which none is set. Pinned ones are always kept. An empty value takes a setting away.
    Set(Set),
    /// Enter a profile that is not booted
    ///
    /// Runs a command, or a login shell, in the profile with everything mounted as at boot. Services
    /// are not started. Further entries join the first one. This is no sandbox: root inside is root.
    ///
    /// An undo of the profile that was cut short is finished first, as recover does.
    Run(Run),
    /// List the transactions of a profile, newest first
    History(History),
    /// Show one transaction
    ///
    /// Who, when, which command, which packages in which versions, and which paths it changed.
    Show(Show),
    /// Show what a transaction, or several, changed
    ///
    /// For text files a unified diff, for everything else the kind of the change. What a file held
    /// that came or went is shown only where a path is named. Files of which nothing but the time
    /// changed are shown with -v, and with --json.
    Diff(Diff),
    /// Tell who last changed a path
    ///
    /// The transaction, its command and user, and the packages that the path belongs to. It also says
    /// when the path is as the base has it, when it was changed outside of any transaction and between
    /// which ones, and when it is gone.
    Blame(Blame),
    /// Take a transaction back
    ///
    /// Without a number the newest transaction that is not taken back yet; said again it goes further
    /// back. What was changed afterwards by others is kept and listed. When something stands in the
    /// way, all of it is listed and nothing is changed.
    Undo(Undo),
    /// Take an undo back
    Redo(Redo),
    /// Bring a file or a directory back as it was
    ///
    /// From the snapshot before transaction N or after it; a directory with all that is below it, and
    /// without what came since. It is a transaction: what was there before is in its snapshot, and undo
    /// takes it back. dpkg is not told, so where the files of a package come from another version than
    /// the installed one that is said, and dpkg's own database is refused.
    Restore(Restore),
    /// Take a path out of every snapshot
    ///
    /// For a secret that should never have been there: no undo, restore or reset brings it back. It lists the
    /// snapshots and asks. The file as it is now stays.
    Forget(Forget),
    /// Keep the snapshots of a transaction
    ///
    /// No rule of retention deletes them until the pin is taken away. A transaction whose snapshots are
    /// gone cannot be pinned.
    Pin(Pin),
    /// Take the pin of a transaction away
    Unpin(Pin),
    /// Tell where a profile stands
    ///
    /// Its base, unprotected, failed and interrupted transactions, and what needs attention.
    Status,
    /// Stop being told about an unprotected, failed or interrupted transaction
    Acknowledge(Acknowledge),
    /// Finish or take back what was interrupted
    ///
    /// Safe to run at any time and any number of times. Run it after a power cut: until profiles can
    /// be booted, nothing does so at boot. A transaction of apt or dpkg that was cut is also recorded
    /// as interrupted by the next hook or command in its profile.
    Recover,
    /// Write the man pages or the shell completions
    #[command(subcommand, hide = true)]
    Generate(Generate),
}

/// `pool …`
#[derive(Debug, Subcommand)]
pub enum PoolCommand {
    /// Make a pool on an image file or a block device
    Create(PoolCreate),
    /// Show what a pool is and holds
    Info,
    /// Examine a pool for damage
    ///
    /// Checks the layout, the inode floor, the bases, the profiles and the journal. Changes nothing.
    Check(PoolCheck),
    /// Bring a pool to the newest form
    ///
    /// Lists the versions of this tool in the bases and profiles of the pool, and which of them could
    /// not use the result.
    Upgrade(PoolUpgrade),
    /// Collect what nothing needs any more
    ///
    /// Deleted profiles and what they kept, states that a reset replaced, and what interrupted
    /// commands left. After it, undo cannot bring a deleted profile or a replaced state back: what
    /// undo would need is listed, and nothing of it goes without a yes.
    ///
    /// Snapshots that the keep-... settings of their profile no longer keep are deleted too, without a
    /// question: `set` tells which those are, --dry-run lists them, `pin` keeps one. The history stays.
    Gc(PoolGc),
}

/// `pool create`
#[derive(Debug, Args)]
pub struct PoolCreate {
    /// The image file, made when it does not exist, or the block device
    #[arg(value_name = "IMAGE|DEVICE", value_hint = clap::ValueHint::FilePath)]
    pub target: PathBuf,
    /// Size of a new image file, such as 16G
    ///
    /// The file is sparse: it takes what is written to it.
    #[arg(long, value_parser = parse_size, value_name = "BYTES")]
    pub size: Option<u64>,
    /// Destroy what the target holds
    #[arg(long)]
    pub force: bool,
    /// Lowest inode number of files in profiles
    ///
    /// Every base must stay below it. Only pools for tests need another one than the default.
    #[arg(long, value_name = "NUMBER", default_value_t = INODE_FLOOR_DEFAULT, value_parser = clap::value_parser!(u64).range(1024..=INODE_FLOOR_MAX))]
    pub inode_floor: u64,
    /// Label of the filesystem
    #[arg(long, default_value = "flipper-profile", value_parser = parse_label)]
    pub label: String,
}

/// `pool check`
#[derive(Debug, Args)]
pub struct PoolCheck {
    /// Read every byte of the bases too
    #[arg(long)]
    pub deep: bool,
}

/// `pool upgrade`
#[derive(Debug, Args)]
pub struct PoolUpgrade {
    /// Only list who could not read the result
    #[arg(long)]
    pub dry_run: bool,
}

/// `pool gc`
#[derive(Debug, Args)]
pub struct PoolGc {
    /// Only list what would be collected
    #[arg(long)]
    pub dry_run: bool,
}

/// `create`
#[derive(Debug, Args)]
pub struct Create {
    /// Name of the new profile
    pub name: String,
    /// Version of its base; without it the pool's current base
    #[arg(long, value_name = "VERSION")]
    pub base: Option<String>,
    /// What it is for
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub description: String,
    /// Make it a built-in profile
    ///
    /// Those who build images do so: it can be cloned and reset, but not renamed or deleted.
    #[arg(long)]
    pub built_in: bool,
}

/// `info`
#[derive(Debug, Args)]
pub struct Info {
    /// The profile, by name or id; without it the one that the command runs in
    pub name: Option<String>,
    /// Measure what its snapshots hold, as far as it is not known yet
    #[arg(long)]
    pub sizes: bool,
}

/// `clone`
#[derive(Debug, Args)]
pub struct CloneProfile {
    /// The profile to clone, by name or id
    pub from: String,
    /// Name of the clone
    pub to: String,
    /// Start with empty home directories, logs and caches
    #[arg(long)]
    pub no_state: bool,
}

/// `rename`
#[derive(Debug, Args)]
pub struct Rename {
    /// The profile, by name or id
    pub from: String,
    /// Its new name
    pub to: String,
}

/// `delete`
#[derive(Debug, Args)]
pub struct Delete {
    /// The profile, by name or id
    pub name: String,
}

/// `reset`
#[derive(Debug, Args)]
pub struct Reset {
    /// The profile, by name or id
    pub name: String,
    /// Empty home directories too
    #[arg(long)]
    pub all: bool,
}

/// `set`
#[derive(Debug, Args)]
pub struct Set {
    /// The profile, by name or id
    pub name: String,
    /// What to set; "description=TEXT", or a policy such as "home=shared"
    #[arg(value_name = "KEY=VALUE", value_parser = parse_setting)]
    pub setting: (String, String),
}

/// `run`
#[derive(Debug, Args)]
pub struct Run {
    /// The profile, by name or id
    pub name: String,
    /// The command and its arguments; without it a login shell
    #[arg(last = true, value_name = "COMMAND", value_hint = clap::ValueHint::CommandWithArguments)]
    pub command: Vec<OsString>,
}

/// `acknowledge`
#[derive(Debug, Args)]
pub struct Acknowledge {
    /// Number of the transaction; without it all of the profile
    #[arg(value_name = "N", value_parser = transaction_number())]
    pub number: Option<i64>,
}

/// `generate …`
#[derive(Debug, Subcommand)]
pub enum Generate {
    /// Write the man pages into a directory
    Man(Directory),
    /// Write the completions for bash, zsh and fish into a directory
    Completions(Directory),
}

/// Where generated files go.
#[derive(Debug, Args)]
pub struct Directory {
    /// The directory, made when it does not exist
    #[arg(value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub directory: PathBuf,
}

fn transaction_number() -> clap::builder::RangedI64ValueParser {
    clap::value_parser!(i64).range(1..)
}

fn parse_setting(word: &str) -> Result<(String, String), String> {
    match word.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".into()),
    }
}

/// The command line without what is hidden, for pages and completions.
pub fn visible() -> clap::Command {
    let whole = Cli::command();
    let verbs: Vec<clap::Command> = whole
        .get_subcommands()
        .filter(|verb| !verb.is_hide_set())
        .cloned()
        .collect();
    let about = whole.get_about().cloned().unwrap_or_default();
    let long_about = whole.get_long_about().cloned().unwrap_or_default();
    clap::Command::new("flipper-profile")
        .version(env!("CARGO_PKG_VERSION"))
        .about(about)
        .long_about(long_about)
        .args(whole.get_arguments())
        .subcommands(verbs)
        .subcommand_required(true)
}

impl Command {
    /// The verb's words joined by a dash, as in the schema's name.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Pool(PoolCommand::Create(_)) => "pool-create",
            Self::Pool(PoolCommand::Info) => "pool-info",
            Self::Pool(PoolCommand::Check(_)) => "pool-check",
            Self::Pool(PoolCommand::Upgrade(_)) => "pool-upgrade",
            Self::Pool(PoolCommand::Gc(_)) => "pool-gc",
            Self::Base(BaseCommand::Add(_)) => "base-add",
            Self::Base(BaseCommand::List) => "base-list",
            Self::Base(BaseCommand::Info(_)) => "base-info",
            Self::Base(BaseCommand::Verify(_)) => "base-verify",
            Self::Base(BaseCommand::Remove(_)) => "base-remove",
            Self::Create(_) => "create",
            Self::List => "list",
            Self::Info(_) => "info",
            Self::Clone(_) => "clone",
            Self::Rename(_) => "rename",
            Self::Delete(_) => "delete",
            Self::Reset(_) => "reset",
            Self::Set(_) => "set",
            Self::Run(_) => "run",
            Self::History(_) => "history",
            Self::Show(_) => "show",
            Self::Diff(_) => "diff",
            Self::Blame(_) => "blame",
            Self::Undo(_) => "undo",
            Self::Redo(_) => "redo",
            Self::Restore(_) => "restore",
            Self::Forget(_) => "forget",
            Self::Pin(_) => "pin",
            Self::Unpin(_) => "unpin",
            Self::Status => "status",
            Self::Acknowledge(_) => "acknowledge",
            Self::Recover => "recover",
            Self::Generate(Generate::Man(_)) => "generate-man",
            Self::Generate(Generate::Completions(_)) => "generate-completions",
        }
    }

    /// Whether `-p` means something to the verb.
    pub fn takes_profile(&self) -> bool {
        matches!(
            self,
            Self::Info(_)
                | Self::History(_)
                | Self::Show(_)
                | Self::Diff(_)
                | Self::Blame(_)
                | Self::Undo(_)
                | Self::Redo(_)
                | Self::Restore(_)
                | Self::Forget(_)
                | Self::Pin(_)
                | Self::Unpin(_)
                | Self::Status
                | Self::Acknowledge(_)
        )
    }
}

/// A label that btrfs takes (BTRFS_LABEL_SIZE of the kernel, with its closing zero).
fn parse_label(text: &str) -> Result<String, String> {
    const LONGEST_BYTES: usize = 255;
    if text.len() > LONGEST_BYTES {
        return Err(format!("it has more than {LONGEST_BYTES} bytes"));
    }
    if text.contains(['/', '\\']) || text.contains(char::is_control) {
        return Err("it has a slash, a backslash or a control character".into());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
#[path = "cli_tests.rs"]
mod tests;
