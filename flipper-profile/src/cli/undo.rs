//! `undo`, `redo`, `forget`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::transaction_number;
use crate::span::Span;

/// `undo`
#[derive(Debug, Args)]
pub struct Undo {
    /// Number of the transaction, or the first and the last of several; without it the newest that is not
    /// taken back
    #[arg(value_name = "N[..M]", value_parser = Span::parse)]
    pub span: Option<Span>,
    /// Take back every transaction after this one
    ///
    /// What was changed by hand since stays; with --exact the snapshot after N comes back whole.
    #[arg(long, value_name = "N", value_parser = transaction_number(), conflicts_with = "span")]
    pub to: Option<i64>,
    /// Only tell what would be done and what stands in the way
    #[arg(long, visible_alias = "dry-run")]
    pub check: bool,
    /// Take back also what others changed meanwhile
    #[arg(long)]
    pub exact: bool,
    /// Take later transactions that stand in the way back as well
    ///
    /// They are listed first, and it is asked whether to go on.
    #[arg(long)]
    pub cascade: bool,
    /// Leave everything that stands in the way as it is now
    ///
    /// A package that stands in the way stays whole, with what it needs.
    #[arg(long, conflicts_with = "take_old")]
    pub keep_mine: bool,
    /// Bring everything that stands in the way back as it was before the transaction
    ///
    /// A package that stands in the way comes back whole. What is now stays in the snapshot that this undo
    /// makes. A later package that would miss something is left to --cascade.
    #[arg(long)]
    pub take_old: bool,
    /// Decide about one path or one package; "mine", "old", or a file whose content the path gets
    #[arg(long, value_name = "PATH|PACKAGE=mine|old|FILE", value_parser = clap::builder::OsStringValueParser::new())]
    pub resolve: Vec<OsString>,
    /// Hold the packages that go back to an older version: the next upgrade leaves them as they are
    ///
    /// It is part of the undo, so a redo takes the hold back as well; `apt-mark unhold` in the profile ends it.
    #[arg(long)]
    pub hold: bool,
    /// Withdraw the undo that waits for the next start of the profile
    #[arg(long, exclusive = true)]
    pub withdraw: bool,
    #[command(flatten)]
    pub running: Running,
    #[command(flatten)]
    pub later: Later,
}

/// What `undo`, `redo` and `restore` are told about the programs that run in the profile meanwhile.
#[derive(Debug, Args)]
pub struct Running {
    /// Replace also what every program runs from: the C library, dpkg, systemd, the message bus
    #[arg(long)]
    pub live: bool,
    /// Only list the services that should be restarted
    #[arg(long)]
    pub no_restart: bool,
}

/// What `undo` and `redo` are told about when.
#[derive(Debug, Default, Args)]
pub struct Later {
    /// While the profile is mounted, wait and do it before the profile starts next
    ///
    /// What is done until then stays: the plan is made anew. Where it does not fit any more nothing is changed, and
    /// `status` tells why.
    #[arg(long, conflicts_with_all = ["live", "no_restart"])]
    pub next_start: bool,
}

/// `redo`
#[derive(Debug, Args)]
pub struct Redo {
    /// Number of the undo; without it the newest that is not taken back
    #[arg(value_name = "N", value_parser = transaction_number())]
    pub number: Option<i64>,
    /// Only tell what would be done and what stands in the way
    #[arg(long, visible_alias = "dry-run")]
    pub check: bool,
    #[command(flatten)]
    pub running: Running,
    #[command(flatten)]
    pub later: Later,
}

/// `forget`
#[derive(Debug, Args)]
pub struct Forget {
    /// The path, as it is named in the profile; a directory with all that is in it
    #[arg(value_name = "PATH", value_hint = clap::ValueHint::AnyPath)]
    pub path: PathBuf,
}
