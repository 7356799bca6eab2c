//! The one line that the user sees when protection fails.

pub use profile_store::transaction::reason::whole;

/// Says on standard error that something failed and what helps, in one line whatever the texts hold.
pub fn warn(what: &str, help: &str) {
    eprintln!("{}", line(what, help));
}

/// Says on standard error what was done without being asked, in one line.
pub fn note(what: &str) {
    eprintln!("{}", one_line("N", what, ""));
}

fn line(what: &str, help: &str) -> String {
    one_line("W", what, help)
}

/// As apt's own lines begin: W for a warning, N for a notice.
fn one_line(letter: &str, what: &str, help: &str) -> String {
    let mut text = format!("{letter}: flipper-profile: {what}");
    if !help.is_empty() {
        text.push_str("; ");
        text.push_str(help);
    }
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// What to do about an error of the store.
pub fn help(error: &profile_store::Error) -> String {
    error
        .hint()
        .unwrap_or_else(|| "`flipper-profile status` tells more".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_one_line() {
        assert_eq!(
            line("a\nb\u{1b}[1m", "do c"),
            "W: flipper-profile: a b [1m; do c"
        );
        assert_eq!(line("a", ""), "W: flipper-profile: a");
    }
}
