//! The stored form of a list of changed paths, `zlib-1`.
//!
//! A zlib stream of records, one after the other: a byte for the change, one
//! for what stood there before and one for what stands there after (letters, so
//! that a dump can be read), then the attribution and the path, each as a
//! little-endian u32 length and its bytes; a length of 2^32-1 is "none". Paths
//! are bytes: they may hold newlines and need not be UTF-8.

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

use super::{Change, ChangeRow, FileType};

/// The longest path or attribution: PATH_MAX is 4096.
const TEXT_MAX: usize = 64 * 1024;
/// The longest list after decompression: over 100 bytes for each of two
/// million paths. A damaged list cannot take all memory.
const LIST_MAX: u64 = 256 << 20;
/// The length that means "none".
const NONE: u32 = u32::MAX;

/// Why a stored list cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// It is no zlib stream, or a damaged one.
    #[error("cannot decompress it: {0}")]
    Compression(io::Error),
    /// It ends in the middle of a record.
    #[error("it ends in the middle of a record")]
    Truncated,
    /// It is larger than any list can be.
    #[error("it has more than {max} bytes")]
    TooLarge {
        /// The largest size accepted.
        max: u64,
    },
    /// A text is longer than any path.
    #[error("a text in it has {0} bytes")]
    TextTooLong(usize),
    /// A letter that means nothing.
    #[error("it has the letter {:?} where {what} should be", char::from(*.letter))]
    Letter {
        /// What the letter should say.
        what: &'static str,
        /// The letter.
        letter: u8,
    },
    /// An attribution that is no UTF-8.
    #[error("an attribution in it is no UTF-8")]
    NotUtf8,
}

const CHANGES: [(u8, Change); 5] = [
    (b'+', Change::Created),
    (b'-', Change::Removed),
    (b'c', Change::Content),
    (b'm', Change::Metadata),
    (b't', Change::Type),
];

/// The letters of `ls -l`, and a dot for nothing.
const TYPES: [(u8, Option<FileType>); 8] = [
    (b'.', None),
    (b'-', Some(FileType::File)),
    (b'd', Some(FileType::Directory)),
    (b'l', Some(FileType::Symlink)),
    (b'c', Some(FileType::CharDevice)),
    (b'b', Some(FileType::BlockDevice)),
    (b'p', Some(FileType::Fifo)),
    (b's', Some(FileType::Socket)),
];

/// The stored form of a list.
pub(super) fn encode(changes: &[ChangeRow]) -> io::Result<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    for change in changes {
        encoder.write_all(&[
            letter(&CHANGES, &change.change),
            letter(&TYPES, &change.before),
            letter(&TYPES, &change.after),
        ])?;
        write_text(
            &mut encoder,
            change.attribution.as_deref().map(str::as_bytes),
        )?;
        write_text(&mut encoder, Some(&change.path))?;
    }
    encoder.finish()
}

/// The list of a stored form.
pub fn decode(list: &[u8]) -> Result<Vec<ChangeRow>, ListError> {
    decode_bounded(list, LIST_MAX)
}

/// The list of a stored form that has at most `max` bytes when decompressed.
pub(super) fn decode_bounded(list: &[u8], max: u64) -> Result<Vec<ChangeRow>, ListError> {
    let mut bytes = Vec::new();
    ZlibDecoder::new(list)
        .take(max + 1)
        .read_to_end(&mut bytes)
        .map_err(ListError::Compression)?;
    if bytes.len() as u64 > max {
        return Err(ListError::TooLarge { max });
    }
    let mut rest = bytes.as_slice();
    let mut changes = Vec::new();
    while !rest.is_empty() {
        let letters = take(&mut rest, 3)?;
        let (change, before, after) = (
            meaning(&CHANGES, "a change", letters[0])?,
            meaning(&TYPES, "a file type", letters[1])?,
            meaning(&TYPES, "a file type", letters[2])?,
        );
        let attribution = read_text(&mut rest)?
            .map(|text| std::str::from_utf8(text).map(str::to_owned))
            .transpose()
            .map_err(|_| ListError::NotUtf8)?;
        let path = read_text(&mut rest)?.unwrap_or_default().to_vec();
        changes.push(ChangeRow {
            path,
            change,
            before,
            after,
            attribution,
        });
    }
    Ok(changes)
}

fn letter<T: PartialEq>(table: &[(u8, T)], value: &T) -> u8 {
    table
        .iter()
        .find(|(_, meaning)| meaning == value)
        .map(|(letter, _)| *letter)
        .expect("BUG: the table has every value")
}

fn meaning<T: Copy>(table: &[(u8, T)], what: &'static str, letter: u8) -> Result<T, ListError> {
    table
        .iter()
        .find(|(known, _)| *known == letter)
        .map(|(_, meaning)| *meaning)
        .ok_or(ListError::Letter { what, letter })
}

fn write_text(writer: &mut impl Write, text: Option<&[u8]>) -> io::Result<()> {
    let Some(text) = text else {
        return writer.write_all(&NONE.to_le_bytes());
    };
    if text.len() > TEXT_MAX {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("a path or an attribution has {} bytes", text.len()),
        ));
    }
    writer.write_all(&(text.len() as u32).to_le_bytes())?;
    writer.write_all(text)
}

fn read_text<'a>(rest: &mut &'a [u8]) -> Result<Option<&'a [u8]>, ListError> {
    let length = take(rest, 4)?;
    let length = u32::from_le_bytes([length[0], length[1], length[2], length[3]]);
    if length == NONE {
        return Ok(None);
    }
    let length = length as usize;
    if length > TEXT_MAX {
        return Err(ListError::TextTooLong(length));
    }
    take(rest, length).map(Some)
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], ListError> {
    let (taken, left) = rest.split_at_checked(length).ok_or(ListError::Truncated)?;
    *rest = left;
    Ok(taken)
}
