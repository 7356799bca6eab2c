//! Arguments of the verbs about the history of a profile.

use std::path::PathBuf;

use clap::Args;

use super::transaction_number;

/// `history`
#[derive(Debug, Args)]
pub struct History {
    /// Only transactions that changed this package
    #[arg(long, value_name = "PACKAGE")]
    pub package: Option<String>,
    /// Only transactions that changed this path, or something below it
    #[arg(long, value_name = "PATH", value_hint = clap::ValueHint::AnyPath)]
    pub path: Option<PathBuf>,
    /// At most this many; 0 for all
    #[arg(long, value_name = "NUMBER", default_value_t = 50)]
    pub limit: u64,
    /// Only transactions before this one
    #[arg(long, value_name = "N", value_parser = transaction_number())]
    pub before: Option<i64>,
}

/// `show`
#[derive(Debug, Args)]
pub struct Show {
    /// Number of the transaction
    #[arg(value_name = "N", value_parser = transaction_number())]
    pub number: i64,
}

/// `diff`
#[derive(Debug, Args)]
pub struct Diff {
    /// Number of the transaction
    #[arg(value_name = "N", value_parser = transaction_number())]
    pub number: i64,
    /// Only this path and what is below it
    #[arg(value_name = "PATH", value_hint = clap::ValueHint::AnyPath)]
    pub path: Option<PathBuf>,
}

/// `blame`
#[derive(Debug, Args)]
pub struct Blame {
    /// The path; from the root of the profile's tree, or inside of the profile from where one is
    #[arg(value_name = "PATH", value_hint = clap::ValueHint::AnyPath)]
    pub path: PathBuf,
}

/// `pin`, `unpin`
#[derive(Debug, Args)]
pub struct Pin {
    /// Number of the transaction
    #[arg(value_name = "N", value_parser = transaction_number())]
    pub number: i64,
}
