//! Where output goes, and how much of it: decided once, at the start.

use std::io::{self, IsTerminal, Write};

/// How a report is to be drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Standard output is a terminal.
    pub terminal: bool,
    /// Colours are wanted.
    pub colour: bool,
    /// Columns of the terminal, where known.
    pub width: Option<u16>,
    /// `-v`: say more.
    pub verbose: bool,
}

impl Style {
    /// Not a terminal, nothing extra.
    #[cfg(test)]
    pub fn plain() -> Self {
        Self {
            terminal: false,
            colour: false,
            width: None,
            verbose: false,
        }
    }

    /// The text in an SGR colour, or as it is.
    pub fn paint(&self, sgr: &str, text: &str) -> String {
        if self.colour {
            format!("\x1b[{sgr}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// The three standard streams as this process has them, and what the user wants on them.
#[derive(Debug, Clone, Copy)]
pub struct Screen {
    /// For reports on standard output.
    pub out: Style,
    /// For errors, notes and progress on standard error.
    pub err: Style,
    /// Standard input and standard error are a terminal and nobody asked for JSON: questions may be asked.
    pub interactive: bool,
    /// `--json`.
    pub json: bool,
    /// `-q`: results and errors only.
    pub quiet: bool,
}

impl Screen {
    /// Looks at the streams and at `NO_COLOR` (<https://no-color.org>: set and not empty) and `TERM`.
    pub fn new(json: bool, quiet: bool, verbose: bool) -> Self {
        let colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            && std::env::var_os("TERM").is_none_or(|value| value != "dumb");
        let style = |terminal: bool| Style {
            terminal,
            colour: terminal && colour,
            width: terminal
                .then(|| terminal_size::terminal_size().map(|(width, _)| width.0))
                .flatten(),
            verbose,
        };
        Self {
            out: style(io::stdout().is_terminal()),
            err: style(io::stderr().is_terminal()),
            interactive: !json && io::stdin().is_terminal() && io::stderr().is_terminal(),
            json,
            quiet,
        }
    }

    /// A line on standard error that `-q` leaves out and that `--json` has no place for.
    pub fn note(&self, text: &str) {
        if !self.quiet && !self.json {
            self.complain("note", "36", text);
        }
    }

    /// `word: text` on standard error. A closed standard error is nothing to fail about: the exit
    /// status says the same.
    pub fn complain(&self, word: &str, sgr: &str, text: &str) {
        let word = self.err.paint(sgr, &format!("{word}:"));
        let _ = writeln!(io::stderr(), "{word} {text}");
    }

    /// One indented line below a complaint.
    pub fn complain_detail(&self, text: &str) {
        let _ = writeln!(io::stderr(), "  {text}");
    }
}

/// What became of a write to standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It went out.
    Whole,
    /// The reader has gone (`| head`): nothing more is to be written, and nothing is wrong.
    ReaderGone,
}

/// Writes to standard output, now.
///
/// # Errors
///
/// Standard output cannot be written (a full disk behind a redirection), for another reason than
/// a reader that has gone.
pub fn write(bytes: &[u8]) -> io::Result<Written> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => Ok(Written::Whole),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Written::ReaderGone),
        Err(error) => Err(error),
    }
}
