//! The content of files: shared where the filesystem can, else copied, holes kept.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use nix::errno::Errno;
use nix::unistd::{Whence, lseek};

use crate::btrfs;

/// Gives the empty file `to` the content of `from`.
pub(super) fn copy(from: &File, to: &File) -> io::Result<()> {
    match btrfs::clone_file(from, to) {
        Ok(()) => Ok(()),
        // Another filesystem, one without reflinks, or files that may not share (one is not copied on
        // write). Anything else, a full disk above all, would meet the copy too.
        Err(error) if cannot_share(&error) => copy_bytes(from, to),
        Err(error) => Err(error),
    }
}

fn cannot_share(error: &io::Error) -> bool {
    let refusals = [
        libc::EXDEV,
        libc::EOPNOTSUPP,
        libc::EINVAL,
        libc::ENOTTY,
        libc::ENOSYS,
        libc::EBADF,
        libc::EPERM,
    ];
    error
        .raw_os_error()
        .is_some_and(|number| refusals.contains(&number))
}

fn copy_bytes(from: &File, to: &File) -> io::Result<()> {
    let length = from.metadata()?.len();
    let mut at = 0;
    while let Some((start, end)) = next_data(from, at, length)? {
        let (mut source, mut target) = (from, to);
        source.seek(SeekFrom::Start(start))?;
        target.seek(SeekFrom::Start(start))?;
        // The standard library lets the kernel copy where it can.
        let copied = io::copy(&mut source.take(end - start), &mut target)?;
        if copied < end - start {
            // Cut while it was read: what there is has been copied.
            break;
        }
        at = end;
    }
    // For a hole at the end; and the length as it was found, if the file grew meanwhile.
    to.set_len(length)
}

/// The next stretch of data at or behind `at`.
fn next_data(file: &File, at: u64, length: u64) -> io::Result<Option<(u64, u64)>> {
    if at >= length {
        return Ok(None);
    }
    let offset = i64::try_from(at).map_err(io::Error::other)?;
    let start = match lseek(file, offset, Whence::SeekData) {
        Ok(start) => start,
        // Only a hole is left.
        Err(Errno::ENXIO) => return Ok(None),
        // Holes cannot be told: all of it is data.
        Err(Errno::EINVAL) => return Ok(Some((at, length))),
        Err(error) => return Err(error.into()),
    };
    let end = lseek(file, start, Whence::SeekHole)?;
    let (start, end) = (start.unsigned_abs(), end.unsigned_abs().min(length));
    Ok((start < end).then_some((start, end)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_copy_keeps_content_and_holes() {
        let mut from = tempfile::tempfile().expect("temporary file");
        from.write_all(b"begin").expect("write");
        from.seek(SeekFrom::Start(8 << 20)).expect("seek");
        from.write_all(b"middle").expect("write");
        from.set_len(16 << 20).expect("extend");
        let mut to = tempfile::tempfile().expect("temporary file");
        copy_bytes(&from, &to).expect("copy");
        let (mut expected, mut found) = (Vec::new(), Vec::new());
        from.rewind().expect("rewind");
        to.rewind().expect("rewind");
        from.read_to_end(&mut expected).expect("read");
        to.read_to_end(&mut found).expect("read");
        assert!(expected == found, "contents differ");
        let blocks = to.metadata().expect("stat").blocks();
        assert!(
            blocks * 512 < 1 << 20,
            "{blocks} blocks: the holes were filled"
        );
    }
}
