//! One man page for the command and one for each verb: `flipper-profile-pool-create.1`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Command;
use clap_mangen::Man;
use profile_store::Exit;

use crate::cli;
use crate::context::Result;
use crate::failure::Failure;
use crate::generate::pages;

const NAME: &str = "flipper-profile";

/// Writes all pages into `directory`.
///
/// # Errors
///
/// A page cannot be written.
pub fn generate(directory: &Path) -> Result<Vec<PathBuf>> {
    pages()
        .iter()
        .map(|(name, page)| write(directory, name, page))
        .collect()
}

/// Names and contents of all pages.
pub fn pages() -> Vec<(String, Vec<u8>)> {
    let mut command = cli::visible();
    // Propagates the global options into the verbs.
    command.build();
    let mut pages = Vec::new();
    collect(&command, &[], &mut pages);
    pages
}

fn collect(command: &Command, words: &[&str], pages: &mut Vec<(String, Vec<u8>)>) {
    pages.push((page_name(words), page(command, words)));
    for verb in command
        .get_subcommands()
        .filter(|verb| !verb.is_hide_set() && verb.get_name() != "help")
    {
        let words = [words, &[verb.get_name()]].concat();
        collect(verb, &words, pages);
    }
}

/// "flipper-profile-pool-create.1".
fn page_name(words: &[&str]) -> String {
    format!("{}.1", [&[NAME], words].concat().join("-"))
}

fn page(command: &Command, words: &[&str]) -> Vec<u8> {
    let title = [&[NAME], words].concat().join("-");
    let man = Man::new(command.clone())
        .title(title.to_uppercase())
        .section("1")
        .source(format!("{NAME} {}", env!("CARGO_PKG_VERSION")))
        .manual("User Commands");
    let mut out = Vec::new();
    let rendered = man
        .render_title(&mut out)
        .and_then(|()| man.render_name_section(&mut out))
        .and_then(|()| man.render_synopsis_section(&mut out))
        .and_then(|()| man.render_description_section(&mut out))
        .and_then(|()| man.render_options_section(&mut out));
    rendered.expect("BUG: writing into memory does not fail");
    out.extend_from_slice(further_sections(command, words).as_bytes());
    out
}

/// The sections that clap does not know.
fn further_sections(command: &Command, words: &[&str]) -> String {
    let mut text = String::new();
    let verbs: Vec<_> = command
        .get_subcommands()
        .filter(|verb| !verb.is_hide_set() && verb.get_name() != "help")
        .collect();
    if !verbs.is_empty() {
        text.push_str(".SH COMMANDS\n");
        for verb in &verbs {
            let about = verb
                .get_about()
                .map(ToString::to_string)
                .unwrap_or_default();
            let page = page_name(&[words, &[verb.get_name()]].concat());
            let reference = format!("{}(1)", page.trim_end_matches(".1"));
            item(
                &mut text,
                &bold(&escape(&reference)),
                &format!("{}.", escape(&about)),
            );
        }
    }
    if words.is_empty() {
        text.push_str(".SH ENVIRONMENT\n");
        item(
            &mut text,
            &bold("FLIPPER_POOL"),
            "The pool, where \\fB\\-\\-pool\\fR is not given.",
        );
        item(
            &mut text,
            &bold("NO_COLOR"),
            "When set and not empty, no colours are used.",
        );
    }
    text.push_str(".SH EXIT STATUS\n");
    let verb = words.join("-");
    let statuses = if verb == "run" {
        pages::RUN_STATUS
    } else {
        pages::EXIT_STATUS
    };
    for (status, meaning) in statuses {
        item(&mut text, &bold(status), meaning);
    }
    text.push_str(".SH FILES\n");
    for (path, meaning) in pages::FILES {
        item(&mut text, &format!("\\fI{path}\\fR"), meaning);
    }
    text.push_str(".SH EXAMPLES\n");
    for (wish, line) in pages::examples(&verb) {
        if !wish.is_empty() {
            // Infallible: the target is a String.
            let _ = writeln!(text, ".PP\n{}:", escape(wish));
        }
        let _ = writeln!(text, ".PP\n.RS 4\n.nf\n{}\n.fi\n.RE", escape(line));
    }
    text.push_str(".SH SEE ALSO\n");
    text.push_str(&see_also(words));
    text
}

fn see_also(words: &[&str]) -> String {
    let mut references = Vec::new();
    if let Some((_, parents)) = words.split_last() {
        for length in (0..=parents.len()).rev() {
            references.push(
                page_name(&parents[..length])
                    .trim_end_matches(".1")
                    .to_owned()
                    + "(1)",
            );
        }
    }
    references.extend(["apt(8)", "dpkg(1)", "btrfs(8)"].map(str::to_owned));
    let list: Vec<String> = references
        .iter()
        .map(|reference| bold(&escape(reference)))
        .collect();
    format!("{}\n", list.join(",\n"))
}

/// One entry of a list of terms.
fn item(text: &mut String, term: &str, meaning: &str) {
    let _ = writeln!(text, ".TP\n{term}\n{meaning}");
}

fn bold(text: &str) -> String {
    format!("\\fB{text}\\fR")
}

/// Text as roff takes it: a backslash, a dash and a line that begins like a request are escaped.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for (index, line) in text.lines().enumerate() {
        if index > 0 {
            escaped.push('\n');
        }
        if line.starts_with(['.', '\'']) {
            escaped.push_str("\\&");
        }
        escaped.push_str(
            &line
                .replace('\\', "\\e")
                .replace('-', "\\-")
                .replace('\'', "\\(aq"),
        );
    }
    escaped
}

/// Writes one generated file.
///
/// # Errors
///
/// The directory cannot be made or the file cannot be written.
pub fn write(directory: &Path, name: &str, content: &[u8]) -> Result<PathBuf> {
    let path = directory.join(name);
    let written = std::fs::create_dir_all(directory).and_then(|()| std::fs::write(&path, content));
    match written {
        Ok(()) => Ok(path),
        Err(error) => {
            let mut failure = Failure::new(
                Exit::Failed,
                "cannot-write",
                format!("cannot write {}: {error}", path.display()),
            )
            .state("files written before this one stay");
            failure.path = Some(path);
            Err(failure)
        }
    }
}

#[cfg(test)]
#[path = "man_tests.rs"]
mod tests;
