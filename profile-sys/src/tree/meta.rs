//! What an entry is, apart from its content.

use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use super::place::{Handle, Place, open_parent};
use crate::{Result, fault, file, xattr};

/// The types of entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symlink.
    Symlink,
    /// A character device; number 0:0 is overlayfs's whiteout.
    CharDevice,
    /// A block device.
    BlockDevice,
    /// A named pipe.
    Fifo,
    /// The name of a local socket.
    Socket,
}

/// What lstat says of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    /// Its type.
    pub kind: Kind,
    /// Its permission bits, with setuid, setgid and sticky.
    pub mode: u32,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// The bytes of a file, or of a symlink's text.
    pub size: u64,
    /// When its content last changed, in nanoseconds since 1970; may be negative.
    pub mtime_ns: i128,
    /// The number of a device.
    pub rdev: u64,
    /// How many names it has.
    pub nlink: u64,
    /// Its inode number.
    pub ino: u64,
    /// Its filesystem; each btrfs subvolume has its own.
    pub dev: u64,
}

impl Meta {
    /// Whether this is overlayfs's mark for a deleted entry, as seen in an upper.
    #[must_use]
    pub fn is_whiteout(&self) -> bool {
        self.kind == Kind::CharDevice && self.rdev == 0
    }
}

impl From<&Metadata> for Meta {
    fn from(meta: &Metadata) -> Self {
        let of = meta.file_type();
        let kind = if of.is_dir() {
            Kind::Directory
        } else if of.is_symlink() {
            Kind::Symlink
        } else if of.is_char_device() {
            Kind::CharDevice
        } else if of.is_block_device() {
            Kind::BlockDevice
        } else if of.is_fifo() {
            Kind::Fifo
        } else if of.is_socket() {
            Kind::Socket
        } else {
            Kind::File
        };
        Self {
            kind,
            mode: meta.mode() & 0o7777,
            uid: meta.uid(),
            gid: meta.gid(),
            size: meta.size(),
            mtime_ns: i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec()),
            rdev: meta.rdev(),
            nlink: meta.nlink(),
            ino: meta.ino(),
            dev: meta.dev(),
        }
    }
}

/// What an entry is, `None` when nothing has this name.
///
/// # Errors
/// When that cannot be told.
pub fn lstat(path: &Path) -> Result<Option<Meta>> {
    Ok(file::metadata(path)?.as_ref().map(Meta::from))
}

/// All extended attributes of the entry itself, sorted by name.
///
/// # Errors
/// When they cannot be read.
pub fn xattrs(path: &Path) -> Result<Vec<(OsString, Vec<u8>)>> {
    let mut found = Vec::new();
    for name in xattr::list(path)? {
        // One removed between the two calls is one that is not there.
        if let Some(value) = xattr::get(path, &name)? {
            found.push((name, value));
        }
    }
    found.sort();
    Ok(found)
}

/// Whether a directory of an upper hides what the base has at the same path: overlayfs's mark for that (Linux
/// Documentation/filesystems/overlayfs.rst, "whiteouts and opaque directories").
///
/// # Errors
/// When its attributes cannot be read.
pub fn is_opaque(directory: &Path) -> Result<bool> {
    let mark = xattr::get(directory, OsStr::new("trusted.overlay.opaque"))?;
    Ok(mark.as_deref() == Some(b"y"))
}

/// Gives an entry the owner, mode and time of `meta`; not its attributes, which [`super::copy_entry`] copies.
///
/// # Errors
/// When the system refuses.
pub fn set_meta(path: &Path, meta: &Meta) -> Result<()> {
    let parent = open_parent(path)?;
    set_meta_at(&Place::of(path, &parent)?, meta)
}

/// As [`set_meta`], of an entry in an open directory; `.` is the directory itself.
pub(super) fn set_meta_at(place: &Place<'_>, meta: &Meta) -> Result<()> {
    fault::point("set owner and mode of", &place.shown)?;
    let entry = Handle::open(place)?;
    entry.set_owner(meta.uid, meta.gid)?;
    entry.set_mode(meta)?;
    entry.set_modified(meta.mtime_ns)
}
