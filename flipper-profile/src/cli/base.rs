//! Arguments of the verbs about bases.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `base …`
#[derive(Debug, Subcommand)]
pub enum BaseCommand {
    /// Add a base
    ///
    /// From mmdebstrap, a directory or a tar archive. It becomes visible only when it is whole, and is
    /// never written again.
    Add(BaseAdd),
    /// List the bases
    List,
    /// Show one base
    Info(BaseName),
    /// Compare a base with what it was when it was added
    Verify(BaseName),
    /// Remove a base that nothing needs
    ///
    /// Refused while a profile, a snapshot or a mount needs it.
    Remove(BaseName),
}

/// `base add`
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("source").required(true))]
pub struct BaseAdd {
    /// Version of the new base, such as 13.2
    pub version: String,
    /// Make it with mmdebstrap from this Debian release, such as trixie
    #[arg(long, value_name = "SUITE", group = "source")]
    pub bootstrap: Option<String>,
    /// Copy it from this directory
    #[arg(long, value_name = "DIR", group = "source", value_hint = clap::ValueHint::DirPath)]
    pub from_directory: Option<PathBuf>,
    /// Unpack it from this tar archive, compressed or not
    #[arg(long, value_name = "TAR", group = "source", value_hint = clap::ValueHint::FilePath)]
    pub from_tar: Option<PathBuf>,
    /// Packages that mmdebstrap installs besides, separated by commas
    #[arg(long, value_name = "PACKAGES", value_delimiter = ',', conflicts_with_all = ["from_directory", "from_tar"])]
    pub include: Vec<String>,
    /// The mirror that mmdebstrap fetches from
    #[arg(long, value_name = "URL", conflicts_with_all = ["from_directory", "from_tar"])]
    pub mirror: Option<String>,
    /// The set of packages that mmdebstrap installs
    #[arg(long, value_name = "VARIANT", conflicts_with_all = ["from_directory", "from_tar"])]
    pub variant: Option<String>,
    /// Make it the base of new profiles
    ///
    /// The first base of a pool is so without being told.
    #[arg(long)]
    pub current: bool,
}

/// The one base that a verb is about.
#[derive(Debug, Args)]
pub struct BaseName {
    /// Version of the base
    pub version: String,
}
