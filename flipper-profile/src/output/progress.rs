//! Progress of long work, on standard error: a bar on a terminal, JSON lines with `--json`, one
//! line for each step otherwise, nothing with `-q`.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use profile_store::Progress;
use serde_json::json;

use super::{Screen, escape};

/// Schema of each JSON line.
pub const SCHEMA: &str = "flipper-profile/progress/1";
/// Shortest time between two JSON lines of one step.
const INTERVAL: Duration = Duration::from_millis(250);

/// The progress that suits the screen.
pub fn of(screen: &Screen) -> Box<dyn Progress> {
    if screen.quiet {
        Box::new(profile_store::Silent)
    } else if screen.json {
        Box::new(Lines::new(io::stderr()))
    } else if screen.err.terminal {
        Box::new(Bar {
            bar: None,
            colour: screen.err.colour,
        })
    } else {
        Box::new(Steps { out: io::stderr() })
    }
}

/// One line for each step.
struct Steps<W: Write> {
    out: W,
}

impl<W: Write> Progress for Steps<W> {
    fn begin(&mut self, what: &str) {
        // Progress that nobody reads is no failure.
        let _ = writeln!(self.out, "{}", escape::text(what));
    }

    fn advance(&mut self, _done: u64, _total: Option<u64>) {}
}

/// JSON lines: `{"schema":…,"step":…,"done":…,"total":…}`.
struct Lines<W: Write> {
    out: W,
    step: String,
    said: Option<Instant>,
}

impl<W: Write> Lines<W> {
    fn new(out: W) -> Self {
        Self {
            out,
            step: String::new(),
            said: None,
        }
    }

    fn say(&mut self, done: u64, total: Option<u64>) {
        let line = json!({"schema": SCHEMA, "step": self.step, "done": done, "total": total});
        let _ = writeln!(self.out, "{line}");
    }
}

impl<W: Write> Progress for Lines<W> {
    fn begin(&mut self, what: &str) {
        what.clone_into(&mut self.step);
        self.said = None;
        self.say(0, None);
    }

    fn advance(&mut self, done: u64, total: Option<u64>) {
        let whole = total == Some(done);
        if whole || self.said.is_none_or(|said| said.elapsed() >= INTERVAL) {
            self.said = Some(Instant::now());
            self.say(done, total);
        }
    }
}

/// A bar, or a spinner while the total is not known.
struct Bar {
    bar: Option<ProgressBar>,
    colour: bool,
}

impl Bar {
    fn template(&self, known: bool) -> ProgressStyle {
        let template = match (known, self.colour) {
            (true, true) => "{msg} [{bar:30.cyan}] {percent:>3}%",
            (true, false) => "{msg} [{bar:30}] {percent:>3}%",
            (false, _) => "{spinner} {msg}",
        };
        let style = if known {
            ProgressStyle::default_bar()
        } else {
            ProgressStyle::default_spinner()
        };
        style
            .clone()
            .template(template)
            .unwrap_or(style)
            .progress_chars("=> ")
    }
}

impl Progress for Bar {
    fn begin(&mut self, what: &str) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        let bar = ProgressBar::new_spinner();
        bar.set_style(self.template(false));
        bar.set_message(escape::text(what));
        bar.enable_steady_tick(Duration::from_millis(120));
        self.bar = Some(bar);
    }

    fn advance(&mut self, done: u64, total: Option<u64>) {
        let Some(bar) = &self.bar else { return };
        match total {
            Some(total) => {
                if bar.length() != Some(total) {
                    bar.set_length(total);
                    bar.set_style(self.template(true));
                }
                bar.set_position(done);
            }
            None => bar.tick(),
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_gets_one_escaped_line_for_each_step() {
        let mut out = Vec::new();
        let mut steps = Steps { out: &mut out };
        steps.begin("filling the base");
        steps.advance(3, Some(9));
        steps.begin("a\x1bb");
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "filling the base\na\\u{1b}b\n"
        );
    }

    #[test]
    fn a_program_gets_json_lines_that_are_not_too_many_and_end_whole() {
        let mut out = Vec::new();
        let mut lines = Lines::new(&mut out);
        lines.begin("filling the base");
        for done in 1..=1000 {
            lines.advance(done, Some(1000));
        }
        let text = String::from_utf8(out).unwrap();
        let parsed: Vec<serde_json::Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(
            parsed[0],
            json!({"schema": SCHEMA, "step": "filling the base", "done": 0, "total": null})
        );
        assert_eq!(parsed.last().unwrap()["done"], 1000);
        assert!(parsed.len() < 20, "{} lines", parsed.len());
    }
}
