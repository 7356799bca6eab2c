//! Help, version, and command lines that make no sense.

use std::ffi::OsString;
use std::io::{self, Write};

use clap::CommandFactory;
use clap::error::ErrorKind;

use crate::cli::Cli;
use crate::envelope;
use crate::failure::{Failure, NOTHING_CHANGED};
use crate::output::{Screen, screen};

/// Answers what clap could not, or need not, parse; returns the exit status.
pub fn answer(error: &clap::Error, arguments: &[OsString]) -> u8 {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    ) {
        // A reader that has gone (`--help | head -1`) is no failure.
        return match error.print() {
            Err(failed) if failed.kind() != io::ErrorKind::BrokenPipe => 1,
            _ => 0,
        };
    }
    let words = before_separator(arguments);
    let json = words.contains(&"--json");
    let screen = Screen::new(json, false, false);
    if json {
        let (message, hint) = plain(error);
        let mut failure = Failure::usage(message);
        failure.hint = hint;
        // Nothing more can be done about a standard output that cannot be written.
        let _ = screen::write(&envelope::failure(&verb(&words), &failure, &[]));
        return 2;
    }
    let rendered = error.render();
    let text = if screen.err.colour {
        rendered.ansi().to_string()
    } else {
        rendered.to_string()
    };
    let _ = write!(io::stderr(), "{text}");
    if error.kind() != ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        screen.complain("note", "36", NOTHING_CHANGED);
    }
    2
}

/// The arguments before `--`: what follows belongs to the command that `run` starts.
fn before_separator(arguments: &[OsString]) -> Vec<&str> {
    arguments
        .iter()
        .skip(1)
        .map(|word| word.to_str().unwrap_or(""))
        .take_while(|word| *word != "--")
        .collect()
}

/// clap's message without its decoration: the sentence, and what it recommends.
fn plain(error: &clap::Error) -> (String, Option<String>) {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return (
            "a verb is missing".into(),
            Some("`flipper-profile help` lists the verbs".into()),
        );
    }
    let text = error.render().to_string();
    let mut message = Vec::new();
    let mut hint = None;
    for line in text.lines().map(str::trim) {
        if line.starts_with("Usage:") || line.starts_with("For more information") {
            break;
        }
        match line.strip_prefix("tip: ") {
            Some(tip) => hint = Some(tip.to_owned()),
            None if !line.is_empty() => message.push(line.strip_prefix("error: ").unwrap_or(line)),
            None => {}
        }
    }
    (message.join(" "), hint)
}

/// The verb that the command line begins to say, for the schema's name.
fn verb(words: &[&str]) -> String {
    let mut command = Cli::command();
    let mut verb = Vec::new();
    let mut skip = false;
    for word in words {
        if std::mem::take(&mut skip) {
            continue;
        }
        if ["--pool", "-p", "--profile"].contains(word) {
            skip = true;
            continue;
        }
        match command.find_subcommand(word).cloned() {
            Some(found) => {
                verb.push(found.get_name().to_owned());
                command = found;
            }
            None if word.starts_with('-') => {}
            None => break,
        }
    }
    // `pool` alone is no verb yet.
    if verb.is_empty() || command.has_subcommands() {
        "usage".into()
    } else {
        verb.join("-")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verb_is_found_between_the_options() {
        for (line, expected) in [
            ("--json pool info --wrong", "pool-info"),
            ("--pool list --json history --limit x", "history"),
            ("-p pool status --x", "status"),
            ("--json", "usage"),
            ("nonsense --json", "usage"),
            ("pool --json", "usage"),
        ] {
            let words: Vec<&str> = line.split(' ').collect();
            assert_eq!(verb(&words), expected, "{line}");
        }
    }

    #[test]
    fn the_message_is_one_line_without_usage() {
        use clap::Parser;
        let error = Cli::try_parse_from(["flipper-profile", "lst"]).unwrap_err();
        let (message, hint) = plain(&error);
        assert_eq!(message, "unrecognized subcommand 'lst'");
        assert!(hint.unwrap().contains("'list'"));
    }
}
