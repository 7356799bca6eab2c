//! One file for each verb: options in, one call of the store, a report out.

mod generate;

use crate::cli::Command;
use crate::context::{Context, Result};
use crate::failure::Failure;
use crate::report::Report;

/// What a command ends with.
pub enum Outcome {
    /// An answer to print.
    Report(Box<dyn Report>),
    /// The command has printed what there was; the exit status.
    Ended(u8),
}

/// Runs one verb.
///
/// # Errors
///
/// What the verb says.
pub fn run(command: Command, context: &Context) -> Result<Outcome> {
    match command {
        Command::Generate(what) => generate::run(&what),
        _ => { context.pool()?; context.confirm("x")?; let _ = context.progress(); Err(Failure::usage("not yet")) }
    }
}
