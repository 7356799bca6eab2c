//! The difference of two files, for people.

use std::io::Write;

use similar::TextDiff;

/// The difference of two byte strings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// No difference.
    Same,
    /// A unified diff. Its bytes are those of the files: what is not UTF-8 stays as it is.
    Unified(Vec<u8>),
    /// At least one side is not text, or too long to compare line by line.
    Binary,
}

/// Lines of context around each change, as `diff -u` has them.
pub const CONTEXT_LINES: usize = 3;

/// Longest side that is compared line by line. A difference has to be read by someone, and the
/// comparison of two unrelated texts of this length still ends within about a second.
pub const LONGEST_BYTES: usize = 4 << 20;

/// Bytes that are looked at for a NUL, which no text contains: git's rule and its number.
const PROBED_BYTES: usize = 8000;

/// Whether a file is shown as text.
pub fn is_text(bytes: &[u8]) -> bool {
    !bytes[..bytes.len().min(PROBED_BYTES)].contains(&0)
}

/// Compares two files; `old_label` and `new_label` stand in the two header lines.
pub fn difference(old: &[u8], new: &[u8], old_label: &str, new_label: &str) -> Difference {
    if old == new {
        return Difference::Same;
    }
    let longest = old.len().max(new.len());
    if longest > LONGEST_BYTES || !is_text(old) || !is_text(new) {
        return Difference::Binary;
    }
    let diff = TextDiff::configure()
        // Unrelated long texts would take minutes; after this the rest is shown as replaced. The
        // clock decides only how small the difference is, never whether it is right.
        .timeout(std::time::Duration::from_secs(1))
        .diff_lines(old, new);
    let mut unified = Vec::new();
    write_unified(&diff, old_label, new_label, &mut unified)
        // Writing into memory cannot fail, and a part of a diff would be a wrong one.
        .map_or(Difference::Binary, |()| Difference::Unified(unified))
}

fn write_unified(
    diff: &TextDiff<'_, '_, [u8]>,
    old_label: &str,
    new_label: &str,
    out: &mut Vec<u8>,
) -> std::io::Result<()> {
    writeln!(out, "--- {}", one_line(old_label))?;
    writeln!(out, "+++ {}", one_line(new_label))?;
    // Hunk by hunk: the writer of the whole diff in similar 3.2.1 replaces bytes that are not
    // UTF-8, the writer of one hunk does not.
    for hunk in diff
        .unified_diff()
        .context_radius(CONTEXT_LINES)
        .iter_hunks()
    {
        hunk.to_writer(&mut *out)?;
    }
    Ok(())
}

/// A label with a line end in it would forge lines of the diff.
fn one_line(label: &str) -> String {
    if label.contains(|c: char| c.is_control()) {
        label.escape_debug().collect()
    } else {
        label.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unified(old: &[u8], new: &[u8]) -> String {
        match difference(old, new, "a/etc/x", "b/etc/x") {
            Difference::Unified(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn prints_a_unified_diff() {
        assert_eq!(
            unified(b"one\ntwo\nthree\n", b"one\n2\nthree\n"),
            "--- a/etc/x\n+++ b/etc/x\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n"
        );
    }

    #[test]
    fn shows_that_the_last_line_has_no_end() {
        assert!(unified(b"a\n", b"a").contains("\\ No newline at end of file"));
    }

    #[test]
    fn shows_a_file_that_came_and_one_that_went() {
        assert!(unified(b"", b"new\n").ends_with("@@ -0,0 +1 @@\n+new\n"));
        assert!(unified(b"old\n", b"").ends_with("-old\n"));
    }

    #[test]
    fn keeps_bytes_that_are_not_utf8() {
        let Difference::Unified(bytes) = difference(b"\xe9\n", b"\xe8\n", "a", "b") else {
            panic!("text with a NUL only is binary");
        };
        assert!(bytes.ends_with(b"-\xe9\n+\xe8\n"));
    }

    #[test]
    fn tells_text_from_the_rest() {
        assert_eq!(difference(b"a\0b", b"a", "a", "b"), Difference::Binary);
        assert_eq!(difference(b"a\0b", b"a\0b", "a", "b"), Difference::Same);
        let long = vec![b'x'; LONGEST_BYTES + 1];
        assert_eq!(difference(&long, b"", "a", "b"), Difference::Binary);
    }

    #[test]
    fn a_label_cannot_forge_lines() {
        let Difference::Unified(bytes) = difference(b"a", b"b", "x\n+++ y", "z") else {
            panic!("expected text");
        };
        assert!(bytes.starts_with(b"--- x\\n+++ y\n+++ z\n"));
    }

    proptest! {
        #[test]
        fn never_panics(old in prop::collection::vec(any::<u8>(), 0..200), new in prop::collection::vec(any::<u8>(), 0..200)) {
            let same = difference(&old, &new, "a", "b") == Difference::Same;
            prop_assert_eq!(same, old == new);
        }
    }
}
