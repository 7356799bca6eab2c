//! `generate`: man pages and completions, for the package's build.

use crate::cli::Generate;
use crate::commands::Outcome;
use crate::context::Result;
use crate::generate::{completions, man};

/// Writes the files; says nothing, as build tools do.
///
/// # Errors
///
/// A file cannot be written.
pub fn run(what: &Generate) -> Result<Outcome> {
    match what {
        Generate::Man(into) => man::generate(&into.directory)?,
        Generate::Completions(into) => completions::generate(&into.directory)?,
    };
    Ok(Outcome::Ended(0))
}
