//! What is done to a tree: the system calls, as programs and package managers make them.
//!
//! Names are few, so that one entry takes the place of another of any type, of the base's too.

use std::ffi::OsStr;
use std::fs::{self, File, FileTimes, OpenOptions, Permissions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, lchown, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use nix::sys::stat::{Mode, SFlag, UtimensatFlags, makedev, mknod, utimensat};
use nix::sys::time::TimeSpec;

/// A file capability (cap_net_raw, effective), as `setcap` writes it.
const CAPABILITY: &[u8] = &[
    1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
];

/// The names of all that is made.
pub const NAMES: &[&[u8]] = &[
    b"a",
    b"b",
    b"c",
    b"d",
    b"new\nline",
    b"n\xffn",
    b"with space",
    b"-dash",
    b"\xc3\xa4",
    b"a.b",
];

/// A path below `place`, of any bytes.
pub fn below(place: &Path, name: &[u8]) -> PathBuf {
    place.join(OsStr::from_bytes(name))
}

/// A base with entries of every type under the names that are used later.
pub fn fill_base(base: &Path) {
    for directory in [
        "etc/a/b",
        "etc/c",
        "usr/lib/a/b/c",
        "usr/lib/d",
        "var/lib/b/a",
        "var/log/a",
        "home/b",
        "opt",
        "usr/share/-dash/with space",
    ] {
        fs::create_dir_all(base.join(directory)).expect("a directory");
    }
    for directory in [
        "etc/a",
        "etc/a/b",
        "usr/lib/a/b/c",
        "usr/lib/d",
        "var/lib/b/a",
        "var/log",
    ] {
        let directory = base.join(directory);
        for name in NAMES {
            let path = below(&directory, name);
            if !path.exists() {
                fs::write(path, name.repeat(40)).expect("a file");
            }
        }
    }
    let lib = base.join("usr/lib");
    symlink("a/b", lib.join("b")).expect("a symlink");
    symlink("lib", base.join("usr/c")).expect("a symlink");
    symlink("/nonexistent/a", lib.join("-dash")).expect("a symlink");
    fs::write(lib.join("c"), vec![7; 300_000]).expect("a file");
    fs::hard_link(lib.join("c"), lib.join("a.b")).expect("a link");
    fs::hard_link(base.join("etc/a/c"), base.join("usr/lib/with space")).expect("a link");
    xattr::set(lib.join("c"), "security.capability", CAPABILITY).expect("an attribute");
    xattr::set(lib.join("d"), "user.note", b"base").expect("an attribute");
    node(&base.join("etc/c/a"), SFlag::S_IFCHR, makedev(1, 3)).expect("a device");
    node(&base.join("etc/c/b"), SFlag::S_IFIFO, 0).expect("a fifo");
    fs::set_permissions(lib.join("c"), Permissions::from_mode(0o4755)).expect("mode");
    lchown(base.join("etc/a/d"), Some(7), Some(8)).expect("owner");
}

/// Refuses what is there and is no file: a fifo would wait for a reader, a device is one of this machine.
fn only_file(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(meta) if !meta.is_file() => Err(io::ErrorKind::InvalidInput.into()),
        _ => Ok(()),
    }
}

/// Makes or empties a file and writes `size` bytes that depend on `seed`.
pub fn write(path: &Path, size: usize, seed: usize) -> io::Result<()> {
    only_file(path)?;
    let bytes: Vec<u8> = (0..size).map(|at| (at / 7 + seed) as u8).collect();
    fs::write(path, bytes)
}

/// As dpkg does it: the new file beside the old one, renamed over it.
pub fn replace(path: &Path, size: usize, seed: usize) -> io::Result<()> {
    let fresh = PathBuf::from([path.as_os_str().as_bytes(), b".dpkg-new"].concat().as_os());
    write(&fresh, size, seed)?;
    let outcome = fs::rename(&fresh, path);
    if outcome.is_err() {
        fs::remove_file(&fresh)?;
    }
    outcome
}

trait AsOs {
    fn as_os(&self) -> &OsStr;
}

impl AsOs for Vec<u8> {
    fn as_os(&self) -> &OsStr {
        OsStr::from_bytes(self)
    }
}

/// Writes some bytes in the middle, where the file stands; with `quiet` its time stays.
pub fn overwrite(path: &Path, seed: usize, quiet: bool) -> io::Result<()> {
    only_file(path)?;
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let meta = file.metadata()?;
    let at = meta.len() / 2;
    file.write_all_at(&[seed as u8, !(seed as u8)], at)?;
    match quiet {
        true => file.set_times(FileTimes::new().set_modified(meta.modified()?)),
        false => Ok(()),
    }
}

pub fn append(path: &Path, seed: usize) -> io::Result<()> {
    only_file(path)?;
    let mut file = OpenOptions::new().append(true).open(path)?;
    file.write_all(seed.to_string().as_bytes())
}

/// Cuts a file, or makes it longer with a hole.
pub fn resize(path: &Path, to: u64) -> io::Result<()> {
    only_file(path)?;
    OpenOptions::new().write(true).open(path)?.set_len(to)
}

/// Writes what is there already, and sets the time that was: nothing has changed.
pub fn rewrite(path: &Path) -> io::Result<()> {
    only_file(path)?;
    let modified = fs::metadata(path)?.modified()?;
    let bytes = fs::read(path)?;
    let mut file = OpenOptions::new().write(true).open(path)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&bytes)?;
    file.set_times(FileTimes::new().set_modified(modified))
}

/// Copies a file; on btrfs both share the bytes.
pub fn copy(from: &Path, to: &Path) -> io::Result<()> {
    only_file(from).and_then(|()| only_file(to))?;
    fs::copy(from, to).map(drop)
}

pub fn node(path: &Path, kind: SFlag, device: u64) -> io::Result<()> {
    Ok(mknod(path, kind, Mode::from_bits_truncate(0o640), device)?)
}

pub fn socket(path: &Path) -> io::Result<()> {
    UnixListener::bind(path).map(drop)
}

/// Removes whatever is there.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path)?.is_dir() {
        true => fs::remove_dir_all(path),
        false => fs::remove_file(path),
    }
}

/// As mv(1): by a rename, and where overlayfs refuses that (EXDEV, for a directory of the base) by a copy.
pub fn mv(from: &Path, to: &Path) -> io::Result<()> {
    if to.starts_with(from) || from.starts_with(to) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            if fs::symlink_metadata(to).is_ok() {
                remove(to)?;
            }
            copy_tree(from, to)?;
            remove(from)
        }
        outcome => outcome,
    }
}

/// Swaps two entries in one step.
pub fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    let flags = RenameFlags::RENAME_EXCHANGE;
    Ok(renameat2(AT_FDCWD, one, AT_FDCWD, other, flags)?)
}

fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    let meta = fs::symlink_metadata(from)?;
    let kind = meta.file_type();
    if kind.is_symlink() {
        symlink(fs::read_link(from)?, to)?;
    } else if kind.is_file() {
        fs::copy(from, to)?;
    } else if kind.is_dir() {
        fs::create_dir(to)?;
        for entry in fs::read_dir(from)? {
            let name = entry?.file_name();
            copy_tree(&from.join(&name), &to.join(&name))?;
        }
        fs::set_permissions(to, meta.permissions())?;
    } else {
        let kind = SFlag::from_bits_truncate(meta.mode() & SFlag::S_IFMT.bits());
        node(to, kind, meta.rdev())?;
    }
    lchown(to, Some(meta.uid()), Some(meta.gid()))?;
    set_time(to, meta.modified()?)
}

/// Sets the time of anything, of a symlink too.
pub fn set_time(path: &Path, to: SystemTime) -> io::Result<()> {
    let since = to.duration_since(SystemTime::UNIX_EPOCH);
    let since = since.unwrap_or(Duration::ZERO);
    let time = TimeSpec::from_duration(since);
    let flags = UtimensatFlags::NoFollowSymlink;
    Ok(utimensat(AT_FDCWD, path, &time, &time, flags)?)
}

/// Another mode; `chmod` follows symlinks, which have none.
pub fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    if fs::symlink_metadata(path)?.is_symlink() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    fs::set_permissions(path, Permissions::from_mode(mode))
}

pub fn set_owner(path: &Path, owner: u32) -> io::Result<()> {
    lchown(path, Some(owner), Some(owner + 1))
}

/// Sets an extended attribute of one of three namespaces.
pub fn set_attribute(path: &Path, which: usize) -> io::Result<()> {
    match which % 3 {
        0 => xattr::set(path, "security.capability", CAPABILITY),
        1 => xattr::set(path, "trusted.note", which.to_string().as_bytes()),
        _ => xattr::set(path, "user.note", which.to_string().as_bytes()),
    }
}

/// Removes every extended attribute.
pub fn remove_attributes(path: &Path) -> io::Result<()> {
    for name in xattr::list(path)? {
        xattr::remove(path, name)?;
    }
    Ok(())
}

/// A package's tree: a directory with files, a directory and a symlink in it.
pub fn unpack(place: &Path, seed: usize) -> io::Result<()> {
    fs::create_dir(place)?;
    let inner = below(place, NAMES[seed % NAMES.len()]);
    fs::create_dir(&inner)?;
    for (number, name) in NAMES.iter().enumerate() {
        let path = below(&inner, name);
        match (number + seed) % 4 {
            0 => symlink("a", path)?,
            1 => fs::create_dir(path)?,
            _ => replace(&path, 10 + number * 500, seed)?,
        }
    }
    Ok(())
}

/// Writes through one of an inode's names while the file is open and has lost that name.
pub fn write_unlinked(path: &Path) -> io::Result<()> {
    only_file(path)?;
    let mut file = File::options().append(true).open(path)?;
    fs::remove_file(path)?;
    file.write_all(b"after the name was gone")
}
