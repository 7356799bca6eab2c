//! Reflinks: files that share their extents until one of them is written.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use crate::raw;

/// Makes `to` share all of `from`'s data, in place of its own.
///
/// # Errors
/// EXDEV across filesystems (and from btrfs into an overlay over it), EOPNOTSUPP where there are no
/// reflinks, EINVAL when one of the two is marked no-copy-on-write. Copy the bytes then.
pub fn clone_file(from: &File, to: &File) -> io::Result<()> {
    raw::clone_file(from.as_fd(), to.as_fd())
}

/// Makes `length` bytes of `to` at `to_offset` share those of `from` at `from_offset`. Offsets and length are
/// multiples of the block size, except that the range may end with `from`; length 0 means up to its end.
///
/// # Errors
/// As [`clone_file`].
pub fn clone_range(
    from: &File,
    from_offset: u64,
    length: u64,
    to: &File,
    to_offset: u64,
) -> io::Result<()> {
    raw::clone_range(from.as_fd(), from_offset, length, to.as_fd(), to_offset)
}
