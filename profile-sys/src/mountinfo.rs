//! The list of mounts as the kernel tells it (proc(5), /proc/pid/mountinfo).

mod namespaces;

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

pub use namespaces::{Namespaces, every_namespace};

use crate::{Error, Result, process};

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Its number, unique at one time in the whole system.
    pub id: u64,
    /// The number of the mount it is mounted on.
    pub parent: u64,
    /// The device number's major part, as stat shows it (0 for btrfs).
    pub major: u32,
    /// The device number's minor part.
    pub minor: u32,
    /// The part of the filesystem that is mounted: `/@profiles/x` for a subvolume or a bind.
    pub root: PathBuf,
    /// Where, seen from the root of the process whose list this is.
    pub mount_point: PathBuf,
    /// The options of this mount.
    pub options: String,
    /// `overlay`, `btrfs`, …
    pub fs_type: String,
    /// What was mounted: a device, or any text for an overlay.
    pub source: OsString,
    /// The options of the filesystem.
    pub super_options: String,
}

/// Parses the whole text of a mountinfo file.
///
/// # Errors
/// [`Error::Malformed`] with the line number; one bad line makes the list unusable, for a mount that is not
/// seen is taken for a mount that is not there.
pub fn parse(text: &[u8]) -> Result<Vec<Mount>> {
    parse_from(text, Path::new("mountinfo"))
}

fn parse_from(text: &[u8], origin: &Path) -> Result<Vec<Mount>> {
    text.split(|&byte| byte == b'\n')
        .enumerate()
        .filter(|(_, line)| !line.is_empty())
        .map(|(index, line)| {
            parse_line(line).ok_or_else(|| {
                let line = String::from_utf8_lossy(line);
                Error::malformed("mountinfo", origin, format!("line {}: {line:?}", index + 1))
            })
        })
        .collect()
}

/// `36 35 98:0 /root /mount/point rw,noatime master:1 - ext3 /dev/root rw,errors=continue`; the fields before
/// the lone dash are six and more.
fn parse_line(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|&byte| byte == b' ');
    let id = number(fields.next()?)?;
    let parent = number(fields.next()?)?;
    let device = fields.next()?;
    let colon = device.iter().position(|&byte| byte == b':')?;
    let root = PathBuf::from(unescape(fields.next()?));
    let mount_point = PathBuf::from(unescape(fields.next()?));
    let options = text(fields.next()?);
    fields.by_ref().find(|field| *field == b"-")?;
    let fs_type = text(fields.next().filter(|field| !field.is_empty())?);
    let source = unescape(fields.next()?);
    let super_options = text(fields.next()?);
    Some(Mount {
        id,
        parent,
        major: u32::try_from(number(&device[..colon])?).ok()?,
        minor: u32::try_from(number(&device[colon + 1..])?).ok()?,
        root,
        mount_point,
        options,
        fs_type,
        source,
        super_options,
    })
}

fn number(field: &[u8]) -> Option<u64> {
    // `parse` would accept a sign.
    if field.is_empty() || !field.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(field).ok()?.parse().ok()
}

fn text(field: &[u8]) -> String {
    unescape(field).to_string_lossy().into_owned()
}

/// Undoes the kernel's octal escapes (`\040` for a space); any other backslash stands for itself.
fn unescape(field: &[u8]) -> OsString {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        let octal = match (first, tail) {
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..]) => {
                Some(((a - b'0') << 6) | ((b - b'0') << 3) | (c - b'0'))
            }
            _ => None,
        };
        match octal {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[3..];
            }
            None => bytes.push(first),
        }
    }
    OsString::from_vec(bytes)
}

/// The mounts of the calling thread's namespace.
///
/// # Errors
/// When /proc is not mounted.
pub fn read_own() -> Result<Vec<Mount>> {
    // Not /proc/self: a thread may have a namespace of its own.
    let path = Path::new("/proc/thread-self/mountinfo");
    let text = process::read_whole(path).map_err(|error| Error::io("read", path, error))?;
    parse_from(&text, path)
}

/// The mounts of a process's namespace, as seen from its root.
///
/// # Errors
/// ENOENT when the process is gone or has ended and is still listed, EACCES when it may not be inspected.
pub fn read_of(pid: u32) -> Result<Vec<Mount>> {
    let path = PathBuf::from(format!("/proc/{pid}/mountinfo"));
    let text = process::read_whole(&path).map_err(|error| {
        // One that has ended has no namespace any more: EINVAL (Linux, fs/proc_namespace.c), or ESRCH a moment later.
        let gone = matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ESRCH));
        let error = match gone {
            true => std::io::Error::from_raw_os_error(libc::ENOENT),
            false => error,
        };
        Error::io("read", &path, error)
    })?;
    parse_from(&text, &path)
}

/// The mounts that stand on an entry of the filesystem that is the root: the entry's path from that filesystem's
/// top, without leading slash, and the mount.
///
/// An entry is held by a mount on it wherever its filesystem is mounted: below the root or below a bind of it. What
/// is mounted on another filesystem holds nothing here, whatever its mount point looks like.
#[must_use]
pub fn on_entries_of_root(mounts: &[Mount]) -> Vec<(PathBuf, &Mount)> {
    // The last entry for `/` is the one on top.
    let Some(root) = mounts
        .iter()
        .rev()
        .find(|mount| mount.mount_point == Path::new("/"))
    else {
        return Vec::new();
    };
    let by_id: HashMap<u64, &Mount> = mounts.iter().map(|mount| (mount.id, mount)).collect();
    let entry = |mount: &Mount| {
        let below = by_id.get(&mount.parent)?;
        if mount.id == root.id || (below.major, below.minor) != (root.major, root.minor) {
            return None;
        }
        let inside = mount.mount_point.strip_prefix(&below.mount_point).ok()?;
        let top = below.root.strip_prefix("/").ok()?;
        Some(top.join(inside))
    };
    mounts
        .iter()
        .filter_map(|mount| Some((entry(mount)?, mount)))
        .collect()
}

#[cfg(test)]
mod tests;
