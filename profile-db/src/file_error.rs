//! Why the content of a JSON file of a pool cannot be used, and the one way
//! in which such files are parsed.

use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::format::{Format, FormatError, Known};

/// Why the content of a file cannot be used. The caller adds the path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// No content at all: typically a write without sync before a power cut.
    #[error("{what} is empty")]
    Empty {
        /// The sort of file.
        what: &'static str,
    },
    /// More than any such file can have.
    #[error("{what} has {size} bytes, at most {limit} are allowed")]
    TooLarge {
        /// The sort of file.
        what: &'static str,
        /// Its size in bytes.
        size: usize,
        /// The largest size accepted.
        limit: usize,
    },
    /// It ends in the middle.
    #[error("{what} ends in the middle (line {line}, column {column})")]
    Truncated {
        /// The sort of file.
        what: &'static str,
        /// Where it ends.
        line: usize,
        /// Where it ends.
        column: usize,
    },
    /// It is no JSON.
    #[error("{what} is no JSON: {detail}")]
    NotJson {
        /// The sort of file.
        what: &'static str,
        /// What the parser says, with line and column.
        detail: String,
    },
    /// It is JSON, but a field is missing or has a value it cannot have.
    #[error("{what} is wrong: {detail}")]
    Wrong {
        /// The sort of file.
        what: &'static str,
        /// Which field, and why.
        detail: String,
    },
    /// A newer tool wrote it, and this one must not read it.
    #[error(transparent)]
    Format(#[from] FormatError),
}

/// The part of a file that says who may read the rest.
#[derive(Deserialize)]
struct Header {
    format: Format,
}

/// Parses a JSON file of a pool: bounded, and its format looked at first.
///
/// The order matters: a file from the future may lack fields that this version
/// needs, and must be refused as newer, not as broken.
pub(crate) fn parse<T: DeserializeOwned>(
    known: &Known,
    limit: usize,
    bytes: &[u8],
) -> Result<T, FileError> {
    let what = known.what;
    if bytes.len() > limit {
        return Err(FileError::TooLarge {
            what,
            size: bytes.len(),
            limit,
        });
    }
    if bytes
        .iter()
        .all(|b| matches!(b, 0 | b' ' | b'\t' | b'\r' | b'\n'))
    {
        return Err(FileError::Empty { what });
    }
    let header: Header = from_json(what, bytes)?;
    header.format.readable(known)?;
    from_json(what, bytes)
}

/// A file's bytes: indented for people, with a newline at the end.
pub(crate) fn to_bytes<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes =
        serde_json::to_vec_pretty(value).expect("BUG: the types of pool files are valid JSON");
    bytes.push(b'\n');
    bytes
}

fn from_json<T: DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<T, FileError> {
    serde_json::from_slice(bytes).map_err(|error| match error.classify() {
        // Cut behind the sign of a number, serde_json calls the number wrong instead.
        Category::Syntax
            if matches!(bytes, [.., b'-' | b'+' | b'e' | b'E']) && ends_at(&error, bytes) =>
        {
            FileError::Truncated {
                what,
                line: error.line(),
                column: error.column(),
            }
        }
        Category::Eof => FileError::Truncated {
            what,
            line: error.line(),
            column: error.column(),
        },
        Category::Data => FileError::Wrong {
            what,
            detail: printable(&error.to_string()),
        },
        Category::Syntax | Category::Io => FileError::NotJson {
            what,
            detail: printable(&error.to_string()),
        },
    })
}

/// Whether an error is about the last byte, in the numbers that serde_json has for places: lines from one, columns
/// in bytes.
fn ends_at(error: &serde_json::Error, bytes: &[u8]) -> bool {
    let lines = bytes.split(|&byte| byte == b'\n');
    let last = lines.clone().next_back().map_or(0, <[u8]>::len);
    error.line() == lines.count() && error.column() >= last
}

/// serde quotes the input in some of its messages: nothing of it may reach a
/// terminal as a control sequence, and it must stay one line.
fn printable(text: &str) -> String {
    text.chars()
        .take(400)
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}
