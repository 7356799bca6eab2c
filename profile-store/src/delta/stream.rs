//! The btrfs send stream, version 1: bytes in, typed commands out.
//!
//! Invariants:
//! 1. Nothing in a stream makes this panic, allocate more than one command, or loop.
//! 2. Every command's checksum is verified before its contents are looked at.
//! 3. A path is relative, without `.` and `..`, and is bytes: names need not be UTF-8.
//! 4. A stream that ends before its end command is an error, never a short result.
//!
//! Format: Linux `fs/btrfs/send.h`; a header (magic, version), then commands of a length, a
//! number, a CRC32C and attributes (type, length, value), all little-endian. The kernel fills a
//! buffer of 64 KiB for each command of version 1 (`BTRFS_SEND_BUF_SIZE_V1`).

use std::io::{self, Read};

use super::crc32c;

const MAGIC: &[u8; 13] = b"btrfs-stream\0";
const VERSION: u32 = 1;
const COMMAND_HEADER_BYTES: usize = 10;

/// Longest payload that a command of version 1 can have.
pub const LONGEST_PAYLOAD_BYTES: usize = (64 << 10) - COMMAND_HEADER_BYTES;

/// Longest path the kernel sends (`PATH_MAX`).
pub(super) const LONGEST_PATH_BYTES: usize = 4096;

/// Why a stream cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The reader failed; the ioctl's own error arrives here too.
    #[error("cannot read the send stream: {0}")]
    Read(#[source] io::Error),
    /// The stream ends in the middle.
    #[error("the send stream ends after {offset} bytes, before its end")]
    Truncated {
        /// Bytes read until then.
        offset: u64,
    },
    /// The first bytes are not those of a send stream.
    #[error("this is no btrfs send stream")]
    NoStream,
    /// Another version than the one this program asks the kernel for.
    #[error("the send stream has version {found}, this program reads version {VERSION}")]
    Version {
        /// The version found.
        found: u32,
    },
    /// A command claims to be longer than any command can be.
    #[error("the command at byte {offset} of the send stream claims {length} bytes")]
    TooLong {
        /// Where the command begins.
        offset: u64,
        /// The length it claims.
        length: u32,
    },
    /// The checksum does not fit.
    #[error("the command at byte {offset} of the send stream has a wrong checksum")]
    Checksum {
        /// Where the command begins.
        offset: u64,
    },
    /// A command of a number that version 1 does not have.
    #[error("the command at byte {offset} of the send stream has the unknown number {number}")]
    UnknownCommand {
        /// Where the command begins.
        offset: u64,
        /// Its number.
        number: u16,
    },
    /// Attributes do not fill the payload exactly, or one is shorter than its kind needs.
    #[error("the command at byte {offset} of the send stream has malformed attributes")]
    Attributes {
        /// Where the command begins.
        offset: u64,
    },
    /// An attribute that the command cannot do without is missing.
    #[error("the command at byte {offset} of the send stream has no {attribute}")]
    Missing {
        /// Where the command begins.
        offset: u64,
        /// What is missing.
        attribute: &'static str,
    },
    /// A path that leaves the subvolume or is no path.
    #[error("the command at byte {offset} of the send stream has the unsafe path {path:?}")]
    UnsafePath {
        /// Where the command begins.
        offset: u64,
        /// The path, for people.
        path: String,
    },
    /// Something follows the end command.
    #[error("bytes follow the end of the send stream at byte {offset}")]
    Trailing {
        /// Where they begin.
        offset: u64,
    },
}

/// One command. Paths are relative to the subvolume; the subvolume itself is the empty path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// A whole subvolume begins.
    Subvolume {
        /// Its name.
        path: Vec<u8>,
    },
    /// The difference to a parent begins.
    Snapshot {
        /// Its name.
        path: Vec<u8>,
    },
    /// An empty file comes into being, mostly under a temporary name.
    MakeFile {
        /// The new path.
        path: Vec<u8>,
    },
    /// A directory comes into being.
    MakeDirectory {
        /// The new path.
        path: Vec<u8>,
    },
    /// A device node, or an overlay's whiteout, comes into being.
    MakeNode {
        /// The new path.
        path: Vec<u8>,
        /// Kind and permissions, as `st_mode`.
        mode: u64,
        /// Number of the device, as the kernel encodes it.
        device: u64,
    },
    /// A fifo comes into being.
    MakeFifo {
        /// The new path.
        path: Vec<u8>,
    },
    /// A socket comes into being.
    MakeSocket {
        /// The new path.
        path: Vec<u8>,
    },
    /// A symbolic link comes into being.
    Symlink {
        /// The new path.
        path: Vec<u8>,
        /// What it points to: any bytes.
        target: Vec<u8>,
    },
    /// A path gets another name.
    Rename {
        /// The present path.
        from: Vec<u8>,
        /// The new path.
        to: Vec<u8>,
    },
    /// A second name for an inode.
    Link {
        /// The new path.
        path: Vec<u8>,
        /// A present path of the inode.
        existing: Vec<u8>,
    },
    /// A name that is no directory goes.
    Unlink {
        /// The path.
        path: Vec<u8>,
    },
    /// An empty directory goes.
    RemoveDirectory {
        /// The path.
        path: Vec<u8>,
    },
    /// An extended attribute is set.
    SetXattr {
        /// The path.
        path: Vec<u8>,
        /// Name of the attribute.
        name: Vec<u8>,
        /// Its value.
        value: Vec<u8>,
    },
    /// An extended attribute goes.
    RemoveXattr {
        /// The path.
        path: Vec<u8>,
        /// Name of the attribute.
        name: Vec<u8>,
    },
    /// Bytes are written. Their number counts, the bytes are dropped.
    Write {
        /// The path.
        path: Vec<u8>,
        /// How many.
        length: u64,
    },
    /// Bytes are taken from another file.
    Clone {
        /// The path.
        path: Vec<u8>,
        /// How many.
        length: u64,
    },
    /// The length is set.
    Truncate {
        /// The path.
        path: Vec<u8>,
        /// The new length.
        size: u64,
    },
    /// The permissions are set.
    ChangeMode {
        /// The path.
        path: Vec<u8>,
        /// The new permissions.
        mode: u64,
    },
    /// Owner and group are set.
    ChangeOwner {
        /// The path.
        path: Vec<u8>,
        /// The new owner.
        uid: u64,
        /// The new group.
        gid: u64,
    },
    /// The times are set. Every directory around a change has one.
    Times {
        /// The path.
        path: Vec<u8>,
    },
    /// Bytes differ: what a stream without file data says in place of [`Command::Write`].
    UpdateExtent {
        /// The path.
        path: Vec<u8>,
        /// How many.
        length: u64,
    },
    /// The stream is whole.
    End,
}

/// Reads commands one after the other; ends after [`Command::End`], or after the first error.
#[derive(Debug)]
pub struct Stream<R> {
    reader: R,
    offset: u64,
    state: Progress,
    payload: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Reading,
    Ended,
}

impl<R: Read> Stream<R> {
    /// Reads and checks the header. The reader should be buffered: commands are short.
    pub fn new(reader: R) -> Result<Stream<R>, Error> {
        let mut stream = Stream {
            reader,
            offset: 0,
            state: Progress::Reading,
            payload: Vec::new(),
        };
        let mut header = [0; MAGIC.len() + 4];
        stream.fill(&mut header)?;
        let (magic, version) = header.split_at(MAGIC.len());
        if magic != MAGIC {
            return Err(Error::NoStream);
        }
        match little_endian(version) {
            found if found == u64::from(VERSION) => Ok(stream),
            found => Err(Error::Version {
                found: found as u32,
            }),
        }
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), Error> {
        let offset = self.offset;
        self.reader
            .read_exact(buffer)
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => Error::Truncated { offset },
                _ => Error::Read(error),
            })?;
        self.offset += buffer.len() as u64;
        Ok(())
    }

    fn read_command(&mut self) -> Result<Command, Error> {
        let offset = self.offset;
        let mut header = [0; COMMAND_HEADER_BYTES];
        self.fill(&mut header)?;
        let length = little_endian(&header[..4]) as u32;
        let number = little_endian(&header[4..6]) as u16;
        let checksum = little_endian(&header[6..]) as u32;
        if length as usize > LONGEST_PAYLOAD_BYTES {
            return Err(Error::TooLong { offset, length });
        }
        let mut payload = std::mem::take(&mut self.payload);
        payload.resize(length as usize, 0);
        let outcome = self.fill(&mut payload).and_then(|()| {
            // The kernel sums the command with zeros in the place of the sum.
            header[6..].fill(0);
            let sum = crc32c::update(crc32c::update(0, &header), &payload);
            // A fuzzer does not find sums, and has to come past them.
            if sum != checksum && !cfg!(fuzzing) {
                return Err(Error::Checksum { offset });
            }
            let attributes = Attributes {
                offset,
                payload: &payload,
            };
            attributes.check()?;
            attributes.command(number)
        });
        self.payload = payload;
        outcome
    }

    /// After the end command there is nothing; an error of the ioctl shows up here.
    fn expect_nothing(&mut self) -> Result<(), Error> {
        let mut byte = [0];
        loop {
            match self.reader.read(&mut byte) {
                Ok(0) => return Ok(()),
                Ok(_) => {
                    return Err(Error::Trailing {
                        offset: self.offset,
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::Read(error)),
            }
        }
    }
}

impl<R: Read> Iterator for Stream<R> {
    type Item = Result<Command, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.state == Progress::Ended {
            return None;
        }
        let outcome = self.read_command().and_then(|command| {
            if command == Command::End {
                self.expect_nothing()?;
            }
            Ok(command)
        });
        if matches!(outcome, Ok(Command::End) | Err(_)) {
            self.state = Progress::Ended;
        }
        Some(outcome)
    }
}

fn little_endian(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |number, &byte| (number << 8) | u64::from(byte))
}

/// Numbers of the attributes (`BTRFS_SEND_A_*`) that commands are made of.
mod attribute {
    pub(super) const SIZE: u16 = 4;
    pub(super) const MODE: u16 = 5;
    pub(super) const UID: u16 = 6;
    pub(super) const GID: u16 = 7;
    pub(super) const RDEV: u16 = 8;
    pub(super) const XATTR_NAME: u16 = 13;
    pub(super) const XATTR_DATA: u16 = 14;
    pub(super) const PATH: u16 = 15;
    pub(super) const PATH_TO: u16 = 16;
    pub(super) const PATH_LINK: u16 = 17;
    pub(super) const DATA: u16 = 19;
    pub(super) const CLONE_LEN: u16 = 24;
}

struct Attributes<'a> {
    offset: u64,
    payload: &'a [u8],
}

impl<'a> Attributes<'a> {
    /// The attributes one after the other; an error when they do not fill the payload.
    fn iter(&self) -> impl Iterator<Item = Result<(u16, &'a [u8]), Error>> {
        let offset = self.offset;
        let mut rest = self.payload;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let found = (|| {
                let (head, tail) = rest.split_at_checked(4)?;
                let length = little_endian(&head[2..]) as usize;
                let (value, tail) = tail.split_at_checked(length)?;
                rest = tail;
                Some((little_endian(&head[..2]) as u16, value))
            })();
            if found.is_none() {
                rest = &[];
            }
            Some(found.ok_or(Error::Attributes { offset }))
        })
    }

    fn check(&self) -> Result<(), Error> {
        self.iter().try_for_each(|attribute| attribute.map(|_| ()))
    }

    fn get(&self, wanted: u16, name: &'static str) -> Result<&'a [u8], Error> {
        self.iter()
            .filter_map(Result::ok)
            .find(|(number, _)| *number == wanted)
            .map(|(_, value)| value)
            .ok_or(Error::Missing {
                offset: self.offset,
                attribute: name,
            })
    }

    fn number(&self, wanted: u16, name: &'static str) -> Result<u64, Error> {
        let value = self.get(wanted, name)?;
        if value.len() != 8 {
            return Err(Error::Attributes {
                offset: self.offset,
            });
        }
        Ok(little_endian(value))
    }

    fn path(&self, wanted: u16, name: &'static str) -> Result<Vec<u8>, Error> {
        let path = self.get(wanted, name)?;
        if !is_safe(path) {
            return Err(Error::UnsafePath {
                offset: self.offset,
                path: String::from_utf8_lossy(&path[..path.len().min(200)]).into_owned(),
            });
        }
        Ok(path.to_vec())
    }

    fn command(&self, number: u16) -> Result<Command, Error> {
        // Every command but the end has a path; the numbers are `BTRFS_SEND_C_*`.
        let path = || self.path(attribute::PATH, "path");
        Ok(match number {
            1 => Command::Subvolume { path: path()? },
            2 => Command::Snapshot { path: path()? },
            3 => Command::MakeFile { path: path()? },
            4 => Command::MakeDirectory { path: path()? },
            5 => Command::MakeNode {
                path: path()?,
                mode: self.number(attribute::MODE, "mode")?,
                device: self.number(attribute::RDEV, "device")?,
            },
            6 => Command::MakeFifo { path: path()? },
            7 => Command::MakeSocket { path: path()? },
            8 => Command::Symlink {
                path: path()?,
                target: self.get(attribute::PATH_LINK, "target")?.to_vec(),
            },
            9 => Command::Rename {
                from: path()?,
                to: self.path(attribute::PATH_TO, "new path")?,
            },
            10 => Command::Link {
                path: path()?,
                existing: self.path(attribute::PATH_LINK, "present path")?,
            },
            11 => Command::Unlink { path: path()? },
            12 => Command::RemoveDirectory { path: path()? },
            13 => Command::SetXattr {
                path: path()?,
                name: self
                    .get(attribute::XATTR_NAME, "attribute's name")?
                    .to_vec(),
                value: self
                    .get(attribute::XATTR_DATA, "attribute's value")?
                    .to_vec(),
            },
            14 => Command::RemoveXattr {
                path: path()?,
                name: self
                    .get(attribute::XATTR_NAME, "attribute's name")?
                    .to_vec(),
            },
            15 => Command::Write {
                path: path()?,
                length: self.get(attribute::DATA, "data")?.len() as u64,
            },
            16 => Command::Clone {
                path: path()?,
                length: self.number(attribute::CLONE_LEN, "length")?,
            },
            17 => Command::Truncate {
                path: path()?,
                size: self.number(attribute::SIZE, "size")?,
            },
            18 => Command::ChangeMode {
                path: path()?,
                mode: self.number(attribute::MODE, "mode")?,
            },
            19 => Command::ChangeOwner {
                path: path()?,
                uid: self.number(attribute::UID, "owner")?,
                gid: self.number(attribute::GID, "group")?,
            },
            20 => Command::Times { path: path()? },
            21 => Command::End,
            22 => Command::UpdateExtent {
                path: path()?,
                length: self.number(attribute::SIZE, "size")?,
            },
            number => {
                return Err(Error::UnknownCommand {
                    offset: self.offset,
                    number,
                });
            }
        })
    }
}

/// Whether the path stays below the subvolume. Empty means the subvolume itself.
fn is_safe(path: &[u8]) -> bool {
    path.len() <= LONGEST_PATH_BYTES
        && !path.contains(&0)
        && (path.is_empty()
            || path
                .split(|&byte| byte == b'/')
                .all(|part| !matches!(part, b"" | b"." | b"..")))
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
