//! Arguments of the verbs about the history of a profile.

use std::path::PathBuf;

use clap::Args;

use super::{Running, transaction_number};
use crate::span::Span;

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
    /// Number of the transaction; N..M is from before N to after M, both included
    #[arg(value_name = "N[..M]", value_parser = Span::parse)]
    pub span: Span,
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

/// `restore`
#[derive(Debug, Args)]
pub struct Restore {
    /// The path; from the root of the profile's tree, or inside of the profile from where one is
    #[arg(value_name = "PATH", value_hint = clap::ValueHint::AnyPath)]
    pub path: PathBuf,
    /// Bring it back from before transaction N, or with ":post" from after it
    #[arg(long, value_name = "N[:pre|:post]", value_parser = parse_from)]
    pub from: From,
    /// Only tell what would be done
    #[arg(long, visible_alias = "dry-run")]
    pub check: bool,
    #[command(flatten)]
    pub running: Running,
}

/// Where a path is restored from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct From {
    /// Number of the transaction.
    pub number: i64,
    /// The snapshot after it, in place of the one before.
    pub post: bool,
}

fn parse_from(word: &str) -> Result<From, String> {
    let (number, post) = match word.split_once(':') {
        None => (word, false),
        Some((number, "pre")) => (number, false),
        Some((number, "post")) => (number, true),
        Some(_) => return Err("expected N, N:pre or N:post".into()),
    };
    match number.parse() {
        Ok(number) if number > 0 => Ok(From { number, post }),
        _ => Err("expected N, N:pre or N:post, with the number of a transaction".into()),
    }
}
