//! Names and messages made safe for a terminal.
//!
//! A file name may hold a newline, an escape sequence or bytes that are no UTF-8; a package
//! description may turn the direction of text. Printed raw they forge lines of our output or
//! drive the terminal. `--json` carries the exact name; this is what people see.

use std::fmt::Write as _;

/// A name as people may see it: control characters, characters that turn or hide text, and bytes
/// that are no UTF-8 become escapes; backslashes are doubled only in a name that has such escapes.
pub fn bytes(name: &[u8]) -> String {
    let clean = std::str::from_utf8(name).is_ok_and(|text| !text.chars().any(is_hostile));
    let mut shown = String::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        for character in chunk.valid().chars() {
            push(&mut shown, character, clean);
        }
        for byte in chunk.invalid() {
            // Writing to a String does not fail.
            let _ = write!(shown, "\\x{byte:02x}");
        }
    }
    shown
}

/// As [`bytes`], for text.
pub fn text(name: &str) -> String {
    bytes(name.as_bytes())
}

/// As [`text`], for a message of several lines: its newlines stay.
pub fn lines(message: &str) -> String {
    let mut shown: Vec<String> = message
        .trim_end_matches('\n')
        .split('\n')
        .map(text)
        .collect();
    // A terminal ends a line with "\r\n"; so may what a program wrote to its standard error.
    for line in &mut shown {
        if let Some(cut) = line.strip_suffix("\\r") {
            *line = cut.to_owned();
        }
    }
    shown.join("\n")
}

fn push(shown: &mut String, character: char, clean: bool) {
    match character {
        '\\' if !clean => shown.push_str("\\\\"),
        '\n' => shown.push_str("\\n"),
        '\t' => shown.push_str("\\t"),
        '\r' => shown.push_str("\\r"),
        other if is_hostile(other) => {
            let _ = write!(shown, "\\u{{{:x}}}", u32::from(other));
        }
        other => shown.push(other),
    }
}

/// Whether a character moves the cursor, hides, or turns the direction of what follows.
fn is_hostile(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ordinary_name_stays_as_it_is() {
        for name in [
            "/etc/nginx/nginx.conf",
            "dev-disk-by\\x2duuid.swap",
            "größe",
            "-x",
            " a b ",
        ] {
            assert_eq!(text(name), name);
        }
    }

    #[test]
    fn control_characters_and_foreign_bytes_become_escapes() {
        assert_eq!(bytes(b"a\nb"), "a\\nb");
        assert_eq!(bytes(b"\x1b[31mred"), "\\u{1b}[31mred");
        assert_eq!(bytes(b"caf\xe9"), "caf\\xe9");
        assert_eq!(text("a\u{202e}b"), "a\\u{202e}b");
    }

    #[test]
    fn an_escape_cannot_be_forged_by_a_name() {
        assert_ne!(bytes(b"a\\n\xff"), bytes(b"a\n\xff"));
        assert_eq!(bytes(b"a\\n\xff"), "a\\\\n\\xff");
    }

    #[test]
    fn a_message_keeps_its_lines() {
        assert_eq!(lines("one\r\ntwo\x07\n"), "one\ntwo\\u{7}");
    }
}
