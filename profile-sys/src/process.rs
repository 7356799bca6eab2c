//! Processes, as /proc tells of them: who asked for what, and whether the owner of something still lives.

mod liveness;
mod mapped;

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use liveness::{Liveness, liveness};
pub use mapped::mapped_files;

use crate::{Error, Result};

/// Most files of /proc/pid fit into one page.
const PAGE_BYTES: usize = 4096;

/// What tells one process from every other one, in any pid namespace, over any reboot.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// Its number in its own pid namespace.
    pub pid: u32,
    /// When it started, in clock ticks since boot: tells it from a later process with its number.
    pub start_time: u64,
    /// The inode number of its pid namespace.
    pub pid_ns: u64,
    /// The boot it runs in.
    pub boot_id: String,
}

/// What /proc says about a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// Its number, as the reader sees it.
    pub pid: u32,
    /// Its parent's; 0 when the parent is outside of what the reader sees.
    pub ppid: u32,
    /// The name of its program, cut to 15 bytes.
    pub comm: String,
    /// Its arguments; none for a kernel thread or a zombie.
    pub cmdline: Vec<Vec<u8>>,
    /// When it started, in clock ticks since boot.
    pub start_time: u64,
}

/// The fields of /proc/pid/stat that are used here.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stat {
    comm: String,
    state: u8,
    ppid: u32,
    start_time: u64,
}

impl Stat {
    /// `1234 (any (odd) name) S 1 …`: the name ends with the last parenthesis.
    fn parse(text: &[u8]) -> Option<Self> {
        let open = text.iter().position(|&byte| byte == b'(')?;
        let close = text.iter().rposition(|&byte| byte == b')')?;
        let comm = String::from_utf8_lossy(text.get(open + 1..close)?).into_owned();
        let rest = std::str::from_utf8(text.get(close + 1..)?).ok()?;
        let mut fields = rest.split_ascii_whitespace();
        let state = *fields.next()?.as_bytes().first()?;
        let ppid = fields.next()?.parse().ok()?;
        // Field 22 of the line is the 18th behind the parent's.
        let start_time = fields.nth(17)?.parse().ok()?;
        Some(Self {
            comm,
            state,
            ppid,
            start_time,
        })
    }

    /// Whether it still runs: not a zombie, not being removed.
    fn is_running(&self) -> bool {
        !matches!(self.state, b'Z' | b'X' | b'x')
    }
}

fn proc_path(pid: u32, file: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/{file}"))
}

/// Reads a file of a process; `None` when the process is gone.
fn read_of(pid: u32, file: &str) -> Result<Option<Vec<u8>>> {
    let path = proc_path(pid, file);
    match read_whole(&path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if is_gone(&error) => Ok(None),
        Err(error) => Err(Error::io("read", path, error)),
    }
}

/// As `std::fs::read`, for a file whose length the kernel does not tell: that would ask for a few bytes at
/// first and twice as many each time, and the kernel writes the text anew for each of them.
pub(crate) fn read_whole(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(PAGE_BYTES);
    File::open(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH))
}

fn stat(pid: u32) -> Result<Option<Stat>> {
    let Some(text) = read_of(pid, "stat")? else {
        return Ok(None);
    };
    match Stat::parse(&text) {
        Some(stat) => Ok(Some(stat)),
        None => Err(Error::malformed(
            "process status",
            proc_path(pid, "stat"),
            "too few fields",
        )),
    }
}

/// The inode number of a process's pid namespace; `None` when the process is gone.
fn pid_namespace(pid: u32) -> Result<Option<u64>> {
    let path = proc_path(pid, "ns/pid");
    match std::fs::metadata(&path) {
        Ok(meta) => Ok(Some(meta.ino())),
        Err(error) if is_gone(&error) => Ok(None),
        Err(error) => Err(Error::io("examine", path, error)),
    }
}

/// The identity of the running boot; a soft reboot keeps it.
///
/// # Errors
/// When /proc is not mounted.
pub fn boot_id() -> Result<String> {
    let path = Path::new("/proc/sys/kernel/random/boot_id");
    let bytes = read_whole(path).map_err(|error| Error::io("read", path, error))?;
    Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
}

/// The identity of this process.
///
/// # Errors
/// When /proc is not mounted, or shows another pid namespace than the one this process is in.
pub fn current() -> Result<Identity> {
    of(std::process::id())
}

/// The identity of a process, by its number as this process sees it; its own number may be another.
///
/// # Errors
/// ESRCH when it is gone.
pub fn of(pid: u32) -> Result<Identity> {
    let gone = || {
        Error::io(
            "identify process",
            pid.to_string(),
            io::Error::from_raw_os_error(libc::ESRCH),
        )
    };
    let stat = stat(pid)?.ok_or_else(gone)?;
    identify(pid, stat.start_time)?.ok_or_else(gone)
}

/// The identity of a process that was looked at before; `None` when it is gone.
///
/// # Errors
/// When /proc is not mounted, or it may not be read.
pub fn identity_of(process: &Info) -> Result<Option<Identity>> {
    identify(process.pid, process.start_time)
}

/// The identity of the process that has had a number since `start_time`.
fn identify(pid: u32, start_time: u64) -> Result<Option<Identity>> {
    let (Some(pid_ns), Some(own_number)) = (pid_namespace(pid)?, own_pid(pid)?) else {
        return Ok(None);
    };
    // Last: the number may have been given away since.
    if stat(pid)?.is_none_or(|stat| stat.start_time != start_time) {
        return Ok(None);
    }
    Ok(Some(Identity {
        pid: own_number,
        start_time,
        pid_ns,
        boot_id: boot_id()?,
    }))
}

/// The number of a process in its own pid namespace: the last of NSpid in its status; `None` when it is gone.
///
/// # Errors
/// When it may not be read.
pub fn own_pid(pid: u32) -> Result<Option<u32>> {
    let Some(status) = read_of(pid, "status")? else {
        return Ok(None);
    };
    let status = String::from_utf8_lossy(&status);
    match field(&status, "NSpid:").and_then(|numbers| numbers.last()?.parse().ok()) {
        Some(number) => Ok(Some(number)),
        // Before Linux 4.1, or without namespaces in the kernel.
        None => Ok(Some(pid)),
    }
}

/// The words of one line of /proc/pid/status.
fn field<'a>(status: &'a str, name: &str) -> Option<std::str::SplitAsciiWhitespace<'a>> {
    status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .map(str::split_ascii_whitespace)
}

/// What /proc says about a process; `None` when it is gone.
///
/// # Errors
/// When it may not be read.
pub fn info(pid: u32) -> Result<Option<Info>> {
    let (Some(stat), Some(cmdline)) = (stat(pid)?, read_of(pid, "cmdline")?) else {
        return Ok(None);
    };
    Ok(Some(Info {
        pid,
        ppid: stat.ppid,
        comm: stat.comm,
        cmdline: split_at_nul(&cmdline),
        start_time: stat.start_time,
    }))
}

/// The effective user of a process; `None` when it is gone.
///
/// # Errors
/// When it may not be read.
pub fn effective_user(pid: u32) -> Result<Option<u32>> {
    let Some(status) = read_of(pid, "status")? else {
        return Ok(None);
    };
    // Real, effective, saved, filesystem.
    let uid = field(&String::from_utf8_lossy(&status), "Uid:")
        .and_then(|mut ids| ids.nth(1)?.parse().ok());
    match uid {
        Some(uid) => Ok(Some(uid)),
        None => Err(Error::malformed(
            "process status",
            proc_path(pid, "status"),
            "no Uid",
        )),
    }
}

/// The processes above `pid`, its parent first, as far as they can be seen; one that ends meanwhile ends
/// the list.
///
/// # Errors
/// When one of them may not be read.
pub fn ancestors(pid: u32) -> Result<Vec<Info>> {
    let mut found = Vec::new();
    let Some(mut below) = stat(pid)? else {
        return Ok(found);
    };
    while below.ppid != 0 {
        let Some(parent) = info(below.ppid)? else {
            break;
        };
        // A parent is never younger than its child: the number was given away meanwhile.
        if parent.start_time > below.start_time {
            break;
        }
        below = Stat {
            comm: String::new(),
            state: b'R',
            ppid: parent.ppid,
            start_time: parent.start_time,
        };
        found.push(parent);
    }
    Ok(found)
}

/// Environment variables as (name, value).
pub type Environment = Vec<(Vec<u8>, Vec<u8>)>;

/// The environment a process was started with; `None` when it is gone.
///
/// # Errors
/// EACCES when it may not be read.
pub fn environ(pid: u32) -> Result<Option<Environment>> {
    let Some(text) = read_of(pid, "environ")? else {
        return Ok(None);
    };
    let split = |entry: Vec<u8>| {
        let middle = entry.iter().position(|&byte| byte == b'=')?;
        Some((entry[..middle].to_vec(), entry[middle + 1..].to_vec()))
    };
    Ok(Some(
        split_at_nul(&text).into_iter().filter_map(split).collect(),
    ))
}

/// The working directory of a process, as seen from its root; `None` when it is gone.
///
/// # Errors
/// EACCES when it may not be read.
pub fn working_directory(pid: u32) -> Result<Option<PathBuf>> {
    link(pid, "cwd")
}

/// The program file a process runs; `None` when it is gone or a kernel thread.
///
/// # Errors
/// EACCES when it may not be read.
pub fn executable(pid: u32) -> Result<Option<PathBuf>> {
    link(pid, "exe")
}

fn link(pid: u32, name: &str) -> Result<Option<PathBuf>> {
    let path = proc_path(pid, name);
    match std::fs::read_link(&path) {
        Ok(target) => Ok(Some(target)),
        Err(error) if is_gone(&error) => Ok(None),
        Err(error) => Err(Error::io("read the link", path, error)),
    }
}

/// The numbers of all processes that this one sees.
///
/// # Errors
/// When /proc is not mounted.
pub fn all_pids() -> Result<Vec<u32>> {
    let failed = |error| Error::io("list", "/proc", error);
    let mut pids = Vec::new();
    for entry in std::fs::read_dir("/proc").map_err(failed)? {
        if let Some(pid) = entry
            .map_err(failed)?
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        {
            pids.push(pid);
        }
    }
    Ok(pids)
}

/// The parts of a NUL-terminated list; an empty part in the middle is kept.
fn split_at_nul(bytes: &[u8]) -> Vec<Vec<u8>> {
    if bytes.is_empty() {
        return Vec::new();
    }
    let ended = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    ended.split(|&byte| byte == 0).map(<[u8]>::to_vec).collect()
}

#[cfg(test)]
mod tests;
