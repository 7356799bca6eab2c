use std::collections::BTreeSet;

use clap::Parser;

use super::*;
use crate::cli::Cli;

fn text_of(name: &str) -> String {
    let page = pages().into_iter().find(|(page, _)| page == name);
    String::from_utf8(page.unwrap_or_else(|| panic!("no page {name}")).1).unwrap()
}

#[test]
fn every_verb_has_a_page_with_all_sections_and_an_example() {
    for (name, page) in pages() {
        let page = String::from_utf8(page).unwrap();
        for section in [
            "NAME",
            "SYNOPSIS",
            "DESCRIPTION",
            "OPTIONS",
            "\"EXIT STATUS\"",
            "FILES",
            "EXAMPLES",
            "\"SEE ALSO\"",
        ] {
            let plain = section.trim_matches('"');
            assert!(
                page.contains(&format!(".SH {section}\n"))
                    || page.contains(&format!(".SH {plain}\n")),
                "{name} has no section {plain}"
            );
        }
        assert!(
            page.contains(".RS 4\n.nf\nflipper\\-profile"),
            "{name} has no example"
        );
    }
}

#[test]
fn the_pages_are_those_of_the_visible_verbs() {
    let names: BTreeSet<String> = pages().into_iter().map(|(name, _)| name).collect();
    for name in [
        "flipper-profile.1",
        "flipper-profile-undo.1",
        "flipper-profile-pool.1",
        "flipper-profile-base-add.1",
    ] {
        assert!(names.contains(name), "{name}");
    }
    assert!(
        !names
            .iter()
            .any(|name| name.contains("generate") || name.contains("help")),
        "{names:?}"
    );
}

#[test]
fn every_example_is_a_valid_command_line() {
    for (verb, examples) in pages::EXAMPLES {
        for (_, line) in *examples {
            let words: Vec<String> = line
                .split('\'')
                .enumerate()
                .flat_map(|(index, part)| match index % 2 {
                    0 => part
                        .split_whitespace()
                        .map(str::to_owned)
                        .collect::<Vec<_>>(),
                    _ => vec![part.to_owned()],
                })
                .collect();
            let cli = Cli::try_parse_from(&words).unwrap_or_else(|error| panic!("{line}: {error}"));
            let said = cli.command.verb();
            assert!(
                verb.is_empty() || said == *verb || said.starts_with(&format!("{verb}-")),
                "{line} is an example of {said}"
            );
        }
    }
}

#[test]
fn the_global_options_are_told_on_every_page() {
    for (name, page) in pages() {
        let page = String::from_utf8(page).unwrap();
        assert!(page.contains("\\-\\-json"), "{name}");
    }
}

#[test]
fn run_tells_the_statuses_of_env() {
    let page = text_of("flipper-profile-run.1");
    for status in ["125", "126", "127"] {
        assert!(page.contains(&format!("\\fB{status}\\fR")), "{status}");
    }
}

#[test]
fn roff_requests_cannot_come_from_text() {
    assert_eq!(
        escape(".so /etc/passwd\n'x\na\\b -c"),
        "\\&.so /etc/passwd\n\\&\\(aqx\na\\eb \\-c"
    );
}

#[test]
fn the_same_source_gives_the_same_pages() {
    assert_eq!(pages(), pages());
}
