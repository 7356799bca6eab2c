//! Copying whole trees, hard links kept, data shared where the filesystem can.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat2};
use nix::unistd::linkat;

use super::copy::{create, dress, make};
use super::meta::{Kind, Meta};
use super::place::{Handle, Place, open_parent};
use crate::{Error, Result, fault, file};

const VERB: &str = "copy tree";

/// What [`copy_tree`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CopiedTree {
    /// Entries made, hard links and the top included.
    pub entries: u64,
    /// The sizes of files, each counted once.
    pub bytes: u64,
}

/// Makes the directory `to` equal to the directory `from`, with everything in it.
///
/// `to` may exist, as an empty directory or with other entries, but none of those that are copied. `wanted` is
/// asked for every entry, with its path below `from`; what it refuses is left out, a directory with its
/// content. Hard links within the tree are kept, attributes named by `skip_xattr` are not copied. Below another
/// mount nothing is copied: its mount point becomes an empty directory. Not one step: copy into a place that
/// has no visible name yet.
///
/// # Errors
/// EEXIST, ENOSPC and others, with what was copied so far left in place.
pub fn copy_tree(
    from: &Path,
    to: &Path,
    skip_xattr: &dyn Fn(&OsStr) -> bool,
    wanted: &dyn Fn(&Path, &Meta) -> bool,
) -> Result<CopiedTree> {
    fault::point(VERB, to)?;
    let (from_parent, to_parent) = (open_parent(from)?, open_parent(to)?);
    let (from_place, to_place) = (Place::of(from, &from_parent)?, Place::of(to, &to_parent)?);
    let source = Handle::open(&from_place)?;
    let meta = source.meta()?;
    let target = match create(&source, &meta, &to_place) {
        Err(error) if error.is_already_there() => Handle::open(&to_place)?,
        outcome => outcome?,
    };
    if meta.kind != Kind::Directory || target.meta()?.kind != Kind::Directory {
        return Err(Error::io_two(VERB, from, to, Errno::ENOTDIR));
    }
    let mut copier = Copier {
        skip_xattr,
        wanted,
        links: HashMap::new(),
        target_top: target.fd(),
        done: CopiedTree {
            entries: 1,
            bytes: 0,
        },
    };
    copier.fill(source.fd(), target.fd(), Path::new(""), from, to)?;
    let done = copier.done;
    // Last, for the entries changed its time.
    dress(&source, &meta, &target, skip_xattr)?;
    Ok(done)
}

struct Copier<'a> {
    skip_xattr: &'a dyn Fn(&OsStr) -> bool,
    wanted: &'a dyn Fn(&Path, &Meta) -> bool,
    /// Where an inode with several names was copied to, relative to the top.
    links: HashMap<(u64, u64), PathBuf>,
    target_top: BorrowedFd<'a>,
    done: CopiedTree,
}

impl Copier<'_> {
    /// Copies the entries of the directory `from` into `to`, which exists; `below` is their path from the top.
    fn fill(
        &mut self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        below: &Path,
        from_top: &Path,
        to_top: &Path,
    ) -> Result<()> {
        for name in names_in(from, &from_top.join(below))? {
            let relative = below.join(&name);
            let place = |parent, top: &Path| Place {
                parent,
                name: name.clone(),
                shown: top.join(&relative),
            };
            let (source_place, target_place) = (place(from, from_top), place(to, to_top));
            let source = Handle::open(&source_place)?;
            let meta = source.meta()?;
            if !(self.wanted)(&relative, &meta) {
                continue;
            }
            if self.done.entries == 1 {
                // A second point, so that tests also see a tree that is half there.
                fault::point("copy the rest of tree", to_top)?;
            }
            self.done.entries += 1;
            if meta.kind == Kind::Directory {
                let target = create(&source, &meta, &target_place)?;
                if let Some(opened) = enter(&source_place)? {
                    self.fill(opened.as_fd(), target.fd(), &relative, from_top, to_top)?;
                }
                dress(&source, &meta, &target, self.skip_xattr)?;
                continue;
            }
            if meta.nlink > 1 {
                if let Some(first) = self.links.get(&(meta.dev, meta.ino)) {
                    linkat(
                        self.target_top,
                        first,
                        to,
                        name.as_os_str(),
                        AtFlags::empty(),
                    )
                    .map_err(target_place.failed("hard link"))?;
                    continue;
                }
                self.links.insert((meta.dev, meta.ino), relative.clone());
            }
            make(&source, &meta, &target_place, self.skip_xattr)?;
            if meta.kind == Kind::File {
                self.done.bytes += meta.size;
            }
        }
        Ok(())
    }
}

/// Opens a directory for listing; `None` when another filesystem is mounted on it.
fn enter(place: &Place<'_>) -> Result<Option<File>> {
    let how = OpenHow::new()
        .flags(OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_NO_XDEV | ResolveFlag::RESOLVE_NO_SYMLINKS);
    match openat2(place.parent, place.name.as_os_str(), how) {
        Ok(opened) => Ok(Some(File::from(opened))),
        Err(Errno::EXDEV) => Ok(None),
        Err(error) => Err(place.failed(VERB)(error)),
    }
}

fn names_in(directory: BorrowedFd<'_>, shown: &Path) -> Result<Vec<OsString>> {
    use std::os::fd::AsRawFd;
    let path = PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd()));
    file::list(&path).map_err(|error| match error.errno() {
        Some(number) => Error::io("list", shown, std::io::Error::from_raw_os_error(number)),
        None => error,
    })
}
