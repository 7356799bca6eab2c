//! Making one entry equal to another.

use std::ffi::OsStr;
use std::fs::File;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat, renameat};
use nix::sys::stat::{Mode, SFlag, mkdirat, mknodat};
use nix::unistd::{UnlinkatFlags, symlinkat, unlinkat};

use super::data;
use super::meta::{Kind, Meta};
use super::place::{Handle, Place, open_parent};
use crate::{Error, Result, fault};

const VERB: &str = "copy";

/// Makes `to` equal to `from`: type, content, owner, mode, modification time, extended attributes with
/// capabilities and access control lists; except for attributes whose name `skip_xattr` accepts, which are
/// neither read from `from` nor touched at `to`.
///
/// Not directories' entries: a directory is made, or changed in place. A directory that must become something
/// else must be empty. Everything else is made under a temporary name (`.flipper-…~`) and renamed, so that `to`
/// is the old entry or the new one at any moment; hard links of the old one are broken. Data is shared with
/// `from` where the filesystem can. Making an entry changes the time of its directory: copy that afterwards.
///
/// Symlinks on the way to both are followed; see [`super::Root`] for trees where others may make them. Durable
/// after a sync of the filesystem.
///
/// # Errors
/// ENOENT when `from` is missing; ENOTEMPTY; ENOSPC and others, with `to` as it was.
pub fn copy_entry(from: &Path, to: &Path, skip_xattr: &dyn Fn(&OsStr) -> bool) -> Result<()> {
    let (from_parent, to_parent) = (open_parent(from)?, open_parent(to)?);
    copy(
        &Place::of(from, &from_parent)?,
        &Place::of(to, &to_parent)?,
        skip_xattr,
    )
}

/// [`copy_entry`] between two names in open directories.
pub(super) fn copy(
    from: &Place<'_>,
    to: &Place<'_>,
    skip_xattr: &dyn Fn(&OsStr) -> bool,
) -> Result<()> {
    fault::point(VERB, &to.shown)?;
    let source = Handle::open(from)?;
    let meta = source.meta()?;
    let existing = to.meta()?.map(|meta| meta.kind);
    if meta.kind == Kind::Directory && existing == Some(Kind::Directory) {
        let target = Handle::open(to)?;
        // Between the two looks it may have become something else.
        if target.meta()?.kind != Kind::Directory {
            return Err(to.failed(VERB)(Errno::ENOTDIR));
        }
        return dress(&source, &meta, &target, skip_xattr);
    }
    let temporary = crate::file::beside(Path::new(&to.name));
    let aside = to.sibling(temporary.as_os_str());
    let made = make(&source, &meta, &aside, skip_xattr).and_then(|()| {
        // A rename replaces anything by anything, except across the line between directories and the rest.
        match existing {
            Some(Kind::Directory) => remove(to, UnlinkatFlags::RemoveDir)?,
            Some(_) if meta.kind == Kind::Directory => remove(to, UnlinkatFlags::NoRemoveDir)?,
            _ => {}
        }
        renameat(
            aside.parent,
            aside.name.as_os_str(),
            to.parent,
            to.name.as_os_str(),
        )
        .map_err(to.failed(VERB))
    });
    made.map_err(|cause| taken_back(cause, &aside, meta.kind))
}

fn remove(place: &Place<'_>, flags: UnlinkatFlags) -> Result<()> {
    match unlinkat(place.parent, place.name.as_os_str(), flags) {
        Ok(()) | Err(Errno::ENOENT) => Ok(()),
        Err(error) => Err(place.failed("remove")(error)),
    }
}

/// Removes what was made aside, because a later step failed with `cause`.
fn taken_back(cause: Error, aside: &Place<'_>, kind: Kind) -> Error {
    let flags = match kind {
        Kind::Directory => UnlinkatFlags::RemoveDir,
        _ => UnlinkatFlags::NoRemoveDir,
    };
    match remove(aside, flags) {
        Ok(()) => cause,
        Err(rollback) => Error::RollbackFailed {
            cause: Box::new(cause),
            rollback: Box::new(rollback),
        },
    }
}

/// Makes a new entry, equal to `source`, at a free place.
pub(super) fn make(
    source: &Handle,
    meta: &Meta,
    place: &Place<'_>,
    skip_xattr: &dyn Fn(&OsStr) -> bool,
) -> Result<()> {
    let target = create(source, meta, place)?;
    dress(source, meta, &target, skip_xattr)
}

/// Makes a new entry of the type and content of `source`, for root alone until it is dressed.
pub(super) fn create(source: &Handle, meta: &Meta, place: &Place<'_>) -> Result<Handle> {
    let (parent, name) = (place.parent, place.name.as_os_str());
    let private = Mode::S_IRUSR | Mode::S_IWUSR;
    let node = |kind: SFlag| mknodat(parent, name, kind, private, meta.rdev);
    let made = match meta.kind {
        Kind::File => {
            let flags = OFlag::O_WRONLY
                | OFlag::O_CREAT
                | OFlag::O_EXCL
                | OFlag::O_NOFOLLOW
                | OFlag::O_CLOEXEC;
            let file = openat(parent, name, flags, private).map(File::from);
            let file = file.map_err(place.failed(VERB))?;
            data::copy(&source.open_file()?, &file)
                .map_err(|error| Error::io_two(VERB, source.shown(), &place.shown, error))?;
            return Ok(Handle::of(file, &place.shown));
        }
        Kind::Directory => mkdirat(parent, name, Mode::S_IRWXU),
        Kind::Symlink => {
            let text = nix::fcntl::readlinkat(source.fd(), "").map_err(place.failed(VERB))?;
            symlinkat(text.as_os_str(), parent, name)
        }
        Kind::CharDevice => node(SFlag::S_IFCHR),
        Kind::BlockDevice => node(SFlag::S_IFBLK),
        Kind::Fifo => node(SFlag::S_IFIFO),
        Kind::Socket => node(SFlag::S_IFSOCK),
    };
    made.map_err(place.failed(VERB))?;
    let target = Handle::open(place)?;
    // Whoever may write to the directory may have put another entry there, such as a hard link to a file
    // that is not theirs; owner and mode of `source` must not go to that.
    let found = target.meta()?;
    let is_ours = found.kind == meta.kind && (found.nlink == 1 || found.kind == Kind::Directory);
    if is_ours {
        Ok(target)
    } else {
        Err(place.failed(VERB)(Errno::EBUSY))
    }
}

/// Gives `target` the owner, mode, attributes and time of `source`, in the only order that works: changing the
/// owner drops setuid bits and capabilities; a mode set after an access control list would change its mask;
/// everything changes the time of nothing, but content does, so that is last.
pub(super) fn dress(
    source: &Handle,
    meta: &Meta,
    target: &Handle,
    skip_xattr: &dyn Fn(&OsStr) -> bool,
) -> Result<()> {
    let wanted = source.xattrs(skip_xattr)?;
    let present = target.xattrs(skip_xattr)?;
    for (name, _) in &present {
        // Such as a list inherited from the directory.
        if !wanted.iter().any(|(kept, _)| kept == name) {
            target.remove_xattr(name)?;
        }
    }
    target.set_owner(meta.uid, meta.gid)?;
    target.set_mode(meta)?;
    for (name, value) in &wanted {
        // Setting an owner removes capabilities even when they were the same.
        let unchanged = present.contains(&(name.clone(), value.clone()));
        if !unchanged || name.as_os_str() == "security.capability" {
            target.set_xattr(name, value)?;
        }
    }
    target.set_modified(meta.mtime_ns)
}
