//! One file for each verb: options in, calls of the store, a report out.

mod acknowledge;
mod base;
mod blame;
mod clone;
mod create;
mod delete;
mod diff;
mod forget;
mod generate;
mod history;
mod hold;
mod info;
mod list;
mod path;
mod pin;
mod pool;
mod recover;
mod rename;
mod reset;
mod resolve;
mod restore;
mod run;
mod set;
mod show;
mod status;
mod undo;

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

impl<T: Report + 'static> From<T> for Outcome {
    fn from(report: T) -> Self {
        Self::Report(Box::new(report))
    }
}

/// Runs one verb.
///
/// # Errors
///
/// What the verb says.
pub fn run(command: Command, context: &Context) -> Result<Outcome> {
    if let (Some(name), false) = (context.named_profile(), command.takes_profile()) {
        let message = format!(
            "-p {name} means nothing to {}",
            crate::context::words(context.verb)
        );
        return Err(
            Failure::usage(message).hint("name the profile behind the verb, or leave -p out")
        );
    }
    match command {
        Command::Pool(verb) => pool::run(&verb, context),
        Command::Base(verb) => base::run(&verb, context),
        Command::Create(arguments) => create::run(&arguments, context),
        Command::List => list::run(context),
        Command::Info(arguments) => info::run(&arguments, context),
        Command::Clone(arguments) => clone::run(&arguments, context),
        Command::Rename(arguments) => rename::run(&arguments, context),
        Command::Delete(arguments) => delete::run(&arguments, context),
        Command::Reset(arguments) => reset::run(&arguments, context),
        Command::Set(arguments) => set::run(&arguments, context),
        Command::Run(arguments) => run::run(arguments, context),
        Command::History(arguments) => history::run(&arguments, context),
        Command::Show(arguments) => show::run(&arguments, context),
        Command::Diff(arguments) => diff::run(&arguments, context),
        Command::Undo(arguments) => undo::undo(&arguments, context),
        Command::Redo(arguments) => undo::redo(&arguments, context),
        Command::Blame(arguments) => blame::run(&arguments, context),
        Command::Restore(arguments) => restore::run(&arguments, context),
        Command::Forget(arguments) => forget::run(&arguments, context),
        Command::Pin(arguments) => pin::run(&arguments, true, context),
        Command::Unpin(arguments) => pin::run(&arguments, false, context),
        Command::Status => status::run(context),
        Command::Acknowledge(arguments) => acknowledge::run(&arguments, context),
        Command::Recover => recover::run(context),
        Command::Generate(what) => generate::run(&what),
    }
}
