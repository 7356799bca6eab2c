//! Reports about changed paths: `diff`, and the paths of `show`.

use serde::Serialize;

use super::Human;
use crate::output::encode::{JsonPath, base64};
use crate::output::{Style, escape};

/// The difference of a text file, for JSON.
#[derive(Debug, Clone, Serialize)]
pub struct TextDiff {
    /// Unified diff; bytes that are no UTF-8 are replaced.
    diff: String,
    /// The exact bytes, base64, when `diff` is not exact.
    #[serde(skip_serializing_if = "Option::is_none")]
    diff_b64: Option<String>,
    #[serde(skip)]
    bytes: Vec<u8>,
}

impl TextDiff {
    /// From the bytes of a unified diff.
    pub fn new(bytes: Vec<u8>) -> Self {
        let exact = std::str::from_utf8(&bytes).is_ok();
        Self {
            diff: String::from_utf8_lossy(&bytes).into_owned(),
            diff_b64: (!exact).then(|| base64(&bytes)),
            bytes,
        }
    }
}

/// One changed path.
#[derive(Debug, Clone, Serialize)]
pub struct Change {
    /// Absolute in the merged tree.
    #[serde(flatten)]
    pub path: JsonPath,
    /// "added", "removed", "modified", "type", "metadata".
    pub change: &'static str,
    /// What stood there before: "file", "directory", "symlink", …
    pub before: Option<&'static str>,
    /// What stands there afterwards.
    pub after: Option<&'static str>,
    /// Why the transaction is held to have changed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attribution: Option<String>,
    /// What changed, in words: "mode 0644 -> 0755".
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
    /// The difference of the content, for text.
    #[serde(flatten)]
    pub diff: Option<TextDiff>,
    /// The exact name, for people.
    #[serde(skip)]
    pub name: Vec<u8>,
}

impl Change {
    /// A change of the path with these bytes, without a difference of its content.
    pub fn new(name: Vec<u8>, change: &'static str, details: Vec<String>) -> Self {
        Self {
            path: JsonPath::new(&name),
            change,
            before: None,
            after: None,
            attribution: None,
            details,
            diff: None,
            name,
        }
    }

    /// "modified  /etc/x  (mode 0644 -> 0755)".
    pub fn line(&self) -> String {
        let details = if self.details.is_empty() {
            String::new()
        } else {
            format!("  ({})", escape::text(&self.details.join(", ")))
        };
        format!("{:<8}  {}{details}", self.change, escape::bytes(&self.name))
    }
}

/// `diff`.
#[derive(Debug, Serialize)]
pub struct Diff {
    /// Number of the transaction, or of the first of several.
    pub transaction: i64,
    /// Number of the last of them; the same when it is one.
    pub last: i64,
    /// The changed paths, in order of their names.
    pub changes: Vec<Change>,
}

impl Human for Diff {
    fn human(&self, style: &Style) -> String {
        String::from_utf8_lossy(&self.human_bytes(style)).into_owned()
    }

    fn human_bytes(&self, style: &Style) -> Vec<u8> {
        if self.changes.is_empty() {
            return b"No differences.\n".to_vec();
        }
        let mut text = Vec::new();
        for change in &self.changes {
            text.extend_from_slice(change.line().as_bytes());
            text.push(b'\n');
            if let Some(diff) = &change.diff {
                if style.terminal {
                    text.extend_from_slice(for_terminal(&diff.bytes, style).as_bytes());
                } else {
                    // Exact, so that patch(1) can read it; the lines between are skipped by it.
                    text.extend_from_slice(&diff.bytes);
                    if !diff.bytes.ends_with(b"\n") {
                        text.push(b'\n');
                    }
                }
            }
        }
        text
    }
}

/// A unified diff with its lines coloured, and without anything that could drive the terminal.
fn for_terminal(diff: &[u8], style: &Style) -> String {
    let mut text = String::new();
    for line in diff
        .strip_suffix(b"\n")
        .unwrap_or(diff)
        .split(|byte| *byte == b'\n')
    {
        // Tabs are what indentation is made of: they stay.
        let shown = line
            .split(|byte| *byte == b'\t')
            .map(escape::bytes)
            .collect::<Vec<_>>()
            .join("\t");
        let sgr = match line {
            [b'+', b'+', b'+', ..] | [b'-', b'-', b'-', ..] => Some("1"),
            [b'@', ..] => Some("36"),
            [b'+', ..] => Some("32"),
            [b'-', ..] => Some("31"),
            _ => None,
        };
        match sgr {
            Some(sgr) => text.push_str(&style.paint(sgr, &shown)),
            None => text.push_str(&shown),
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn a_pipe_gets_the_exact_bytes() {
        let expected: &[u8] = b"modified  /etc/motd  (mode 0644 -> 0600)
--- 12-pre/etc/motd
+++ 12-post/etc/motd
@@ -1 +1 @@
-caf\xe9
+caf\xc3\xa9\x1b[2J
removed   /usr/lib/x
";
        assert_eq!(samples::diff().human_bytes(&Style::plain()), expected);
    }

    #[test]
    fn a_terminal_gets_colours_of_ours_only() {
        let style = Style {
            terminal: true,
            colour: true,
            ..Style::plain()
        };
        let text = samples::diff().human(&style);
        assert!(text.contains("\x1b[31m-caf\\xe9\x1b[0m\n"), "{text:?}");
        assert!(
            text.contains("\x1b[32m+café\\u{1b}[2J\x1b[0m\n"),
            "{text:?}"
        );
    }

    #[test]
    fn json_has_the_diff_and_its_exact_bytes() {
        let json = serde_json::to_value(samples::diff()).unwrap();
        let first = &json["changes"][0];
        assert_eq!(first["path"], "/etc/motd");
        assert!(
            first["diff"]
                .as_str()
                .unwrap()
                .starts_with("--- 12-pre/etc/motd\n")
        );
        assert!(first["diff_b64"].is_string());
        assert!(json["changes"][1].get("diff").is_none());
    }

    #[test]
    fn no_difference_is_said() {
        let diff = Diff {
            transaction: 3,
            last: 3,
            changes: Vec::new(),
        };
        assert_eq!(diff.human(&Style::plain()), "No differences.\n");
    }
}
