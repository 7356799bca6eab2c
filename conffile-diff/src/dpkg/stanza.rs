//! Splits a control file into stanzas and fields without copying it.
//!
//! Hand-split instead of deb822-lossless, for two measured reasons: the hooks of every apt run
//! read the whole status file, and deb822-lossless takes several times as long (`tests/speed.rs`
//! measures both); and it refuses a file with one byte that is not UTF-8, where dpkg reads on.
//! It stays in use where it is sound: [`super::edit`].

use std::ops::Range;

/// A line of a control file that is neither a field, nor its continuation, nor blank.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} is neither a field nor its continuation: `{text}`")]
pub struct Malformed {
    /// Number of the line in the file, counted from one.
    pub line: usize,
    /// The first characters of the line.
    pub text: String,
}

/// The byte ranges of the stanzas of `bytes`, without the empty lines between them.
pub(crate) fn stanzas(bytes: &[u8]) -> Stanzas<'_> {
    Stanzas { bytes, position: 0 }
}

#[derive(Debug, Clone)]
pub(crate) struct Stanzas<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl Iterator for Stanzas<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Self::Item> {
        // Only an empty line ends a stanza: dpkg takes a line of blanks for a continuation.
        while line_is_empty(self.bytes, self.position) {
            self.position = line_end(self.bytes, self.position);
        }
        if self.position >= self.bytes.len() {
            return None;
        }
        let start = self.position;
        while self.position < self.bytes.len() && !line_is_empty(self.bytes, self.position) {
            self.position = line_end(self.bytes, self.position);
        }
        Some(start..self.position)
    }
}

/// Offset just after the line that starts at `start`.
fn line_end(bytes: &[u8], start: usize) -> usize {
    find_newline(&bytes[start..]).map_or(bytes.len(), |length| start + length + 1)
}

/// Where the first line ends, eight bytes at a time: half the work of a parse is this search.
fn find_newline(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let words = bytes.chunks_exact(8).map(|chunk| {
        let mut word = [0; 8];
        word.copy_from_slice(chunk);
        u64::from_ne_bytes(word)
    });
    let skipped = words.take_while(|word| {
        // A byte of the difference is zero where a line ends; which one is found below.
        let difference = word ^ (ONES * u64::from(b'\n'));
        difference.wrapping_sub(ONES) & !difference & HIGHS == 0
    });
    let start = 8 * skipped.count();
    bytes[start..]
        .iter()
        .position(|&byte| byte == b'\n')
        .map(|length| start + length)
}

fn line_is_empty(bytes: &[u8], start: usize) -> bool {
    matches!(bytes[start..], [b'\n', ..] | [b'\r', b'\n', ..])
}

/// The fields of one stanza, in order: name as written, value without surrounding blanks.
///
/// A value of several lines keeps its line ends and the indentation of the lines after the first.
pub(crate) fn fields(stanza: &[u8]) -> Fields<'_> {
    Fields {
        stanza,
        position: 0,
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Fields<'a> {
    stanza: &'a [u8],
    position: usize,
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(&'a [u8], &'a [u8]), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.position >= self.stanza.len() {
            return None;
        }
        let start = self.position;
        let mut end = line_end(self.stanza, start);
        let first_line = &self.stanza[start..end];
        while matches!(self.stanza.get(end), Some(b' ' | b'\t')) {
            end = line_end(self.stanza, end);
        }
        self.position = end;
        let colon = first_line.iter().position(|&byte| byte == b':');
        let Some(colon) = colon.filter(|&colon| is_field_name(&first_line[..colon])) else {
            // One broken line must not hide the fields after it: the caller decides.
            self.position = start + first_line.len();
            return Some(Err(Malformed {
                line: line_number(self.stanza, start),
                text: excerpt(first_line),
            }));
        };
        let name = &self.stanza[start..start + colon];
        let value = self.stanza[start + colon + 1..end].trim_ascii();
        Some(Ok((name, value)))
    }
}

fn is_field_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|&byte| byte > b' ' && byte != 0x7f)
}

/// Number of the line that holds `offset`, counted from one.
pub(crate) fn line_number(bytes: &[u8], offset: usize) -> usize {
    1 + bytes[..offset]
        .iter()
        .filter(|&&byte| byte == b'\n')
        .count()
}

/// The value of the first field called `name`, in any case.
pub(crate) fn field<'a>(stanza: &'a [u8], name: &str) -> Option<&'a [u8]> {
    fields(stanza)
        .filter_map(Result::ok)
        .find(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes()))
        .map(|(_, value)| value)
}

/// Text for people and for keys: what is not UTF-8 is replaced, never refused.
pub(crate) fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The beginning of a line, for messages.
pub(crate) fn excerpt(line: &[u8]) -> String {
    const SHOWN: usize = 60;
    let line = line.trim_ascii();
    lossy(&line[..line.len().min(SHOWN)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_ranges_of_stanzas_between_any_number_of_empty_lines() {
        let text = b"\n\nA: 1\nB: 2\n\n\nA: 3";
        let ranges: Vec<_> = stanzas(text).collect();
        assert_eq!(ranges, [2..12, 14..18]);
    }

    #[test]
    fn finds_the_end_of_a_line_wherever_it_is() {
        for length in 0..40 {
            let mut text = vec![b'\x0b'; length];
            assert_eq!(find_newline(&text), None);
            text.extend(b"\n\n \n");
            assert_eq!(find_newline(&text), Some(length));
        }
    }

    #[test]
    fn takes_a_line_of_blanks_for_a_continuation() {
        let text = b"A: 1\n \nB: 2\n";
        assert_eq!(stanzas(text).count(), 1);
        assert_eq!(field(text, "B"), Some(&b"2"[..]));
    }

    #[test]
    fn reads_on_after_a_broken_line() {
        let found: Vec<_> = fields(b"A: 1\nbroken\nB: 2\n").collect();
        assert_eq!(found[0], Ok((&b"A"[..], &b"1"[..])));
        assert_eq!(found[1].as_ref().map_err(|error| error.line), Err(2));
        assert_eq!(found[2], Ok((&b"B"[..], &b"2"[..])));
    }

    #[test]
    fn reads_files_with_carriage_returns() {
        let text = b"A: 1\r\nB: 2\r\n\r\nA: 3\r\n";
        assert_eq!(stanzas(text).count(), 2);
        assert_eq!(field(&text[..12], "b"), Some(&b"2"[..]));
    }
}
