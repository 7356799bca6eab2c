//! The command: it reads the command line, calls the store, and prints, prompts and formats.
//!
//! It takes no decision about pools: what is done, what stands in the way and what happens after a
//! crash is `profile-store`'s. Invariants:
//! 1. Exactly one JSON object goes to standard output with `--json`, whatever happens.
//! 2. Nothing is asked where nobody can answer: without a terminal a question is exit 3.
//! 3. Every error ends with where the system now stands.

mod actor;
mod changes;
mod cli;
mod commands;
mod context;
mod envelope;
mod failure;
mod generate;
mod output;
mod report;
#[cfg(test)]
mod schema_tests;
mod span;
mod usage;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use crate::cli::Cli;
use crate::commands::Outcome;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Screen;
use crate::output::screen::{self, Written};
use crate::report::Report;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let code = match Cli::try_parse_from(&arguments) {
        Ok(cli) => run(cli),
        Err(error) => usage::answer(&error, &arguments),
    };
    ExitCode::from(code)
}

/// Runs one command and returns the exit status.
fn run(cli: Cli) -> u8 {
    let verb = cli.command.verb();
    let screen = Screen::new(cli.global.json, cli.global.quiet, cli.global.verbose);
    let context = match Context::new(cli.global, screen, verb) {
        Ok(context) => context,
        Err(failure) => return ended(fail(&failure, verb, &screen, &[]), &screen),
    };
    let answered =
        commands::run(cli.command, &context).map_err(|failure| context.seen_from_outside(failure));
    let warnings = context.warnings();
    let done = match answered {
        Ok(Outcome::Report(report)) => print(report.as_ref(), verb, &screen, &warnings),
        Ok(Outcome::Ended(status)) => Ok(status),
        Err(failure) => fail(&failure, verb, &screen, &warnings),
    };
    ended(done, &screen)
}

/// The exit status of what was, or could not be, printed.
fn ended(done: std::io::Result<u8>, screen: &Screen) -> u8 {
    match done {
        Ok(code) => code,
        Err(error) => cannot_print(&error, screen),
    }
}

/// Prints a report, and what it found that needs a person.
fn print(
    report: &dyn Report,
    verb: &str,
    screen: &Screen,
    warnings: &[String],
) -> std::io::Result<u8> {
    let finding = report.finding();
    let code = finding.as_ref().map_or(0, |failure| failure.code);
    if screen.json {
        let result = report.to_json().map_err(std::io::Error::other)?;
        let answer = envelope::answer(verb, result, finding.as_ref(), warnings);
        screen::write(&answer)?;
        return Ok(code);
    }
    if !(screen.quiet && report.only_confirms())
        && screen::write(&report.human_bytes(&screen.out))? == Written::ReaderGone
    {
        return Ok(code);
    }
    if let Some(failure) = finding {
        failure.print(screen);
    }
    Ok(code)
}

/// Prints a failure.
fn fail(
    failure: &Failure,
    verb: &str,
    screen: &Screen,
    warnings: &[String],
) -> std::io::Result<u8> {
    if screen.json {
        screen::write(&envelope::failure(verb, failure, warnings))?;
    } else {
        failure.print(screen);
    }
    Ok(failure.code)
}

/// Standard output cannot be written: the work is done all the same, and that is said.
fn cannot_print(error: &std::io::Error, screen: &Screen) -> u8 {
    screen.complain(
        "error",
        "1;31",
        &format!("cannot write to standard output: {error}"),
    );
    screen.complain(
        "note",
        "36",
        "the command itself has ended; only its report is incomplete",
    );
    1
}
