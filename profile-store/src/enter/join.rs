//! Joining a holder's namespaces.

use std::io::{Read, Write};
use std::path::PathBuf;

use profile_sys::lock::FileLock;
use profile_sys::namespace::{self, Child, Kind};
use profile_sys::{pipe, process};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::lease::Lease;
use crate::error::Result;

/// A living holder. It does not end while this value exists.
#[derive(Debug)]
pub struct Holder {
    lease: Lease,
    pid: u32,
    _sessions: FileLock,
}

impl Holder {
    pub(super) fn new(lease: Lease, pid: u32, sessions: FileLock) -> Self {
        Self {
            lease,
            pid,
            _sessions: sessions,
        }
    }

    /// Its number as this process sees it.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Its identity in its own pid namespace, which is that of the profile's processes.
    pub fn identity(&self) -> &process::Identity {
        &self.lease.holder
    }

    /// The profile's merged tree, state and all, as this process can reach it. An absolute symlink in the
    /// middle of a path would lead to the host: use paths without symlinks.
    pub fn root(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root", self.pid))
    }
}

/// Runs `work` in a child process that has joined the holder's mount and pid namespace, and hands back what
/// it returns.
///
/// The child has copies of everything this process has open, but of no use to it are paths of the pool.
///
/// # Errors
///
/// The holder is gone, or the child was killed or panicked.
pub fn in_holder<T>(holder: &Holder, work: impl FnOnce() -> T) -> Result<T>
where
    T: Serialize + DeserializeOwned,
{
    let (mut answer, mut writer) = pipe::pipe()?;
    let forked = fork_into(&holder.lease, holder.pid, move || {
        let answered = enter_mounts(&holder.lease, holder.pid)
            .map_err(|error| error.to_string())
            .map(|()| work());
        match serde_json::to_vec(&answered).map(|text| writer.write_all(&text)) {
            Ok(Ok(())) => 0,
            _ => 1,
        }
    })?;
    let path = format!("/proc/{}", holder.pid);
    let Some(child) = forked else {
        return Err(
            profile_sys::Error::io("join process", path, std::io::ErrorKind::NotFound).into(),
        );
    };
    let mut text = Vec::new();
    let read = answer.read_to_end(&mut text);
    let status = child.wait()?;
    read.map_err(|error| profile_sys::Error::io("read an answer from", &path, error))?;
    let malformed = |detail: String| profile_sys::Error::Malformed {
        what: "answer of a process in the profile",
        path: path.clone().into(),
        detail,
    };
    if !status.success() {
        return Err(malformed(status.to_string()).into());
    }
    match serde_json::from_slice::<std::result::Result<T, String>>(&text) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(detail)) => Err(malformed(detail).into()),
        Err(error) => Err(malformed(error.to_string()).into()),
    }
}

/// Forks a child into the holder's pid namespace, bound to this process's life; `None` when the holder is gone.
/// The child still has this process's mounts: it finds the holder by its number, and joins the mounts
/// with [`enter_mounts`].
pub(super) fn fork_into(
    lease: &Lease,
    holder: u32,
    work: impl FnOnce() -> i32,
) -> Result<Option<Child>> {
    match namespace::enter(holder, &[Kind::Pid]) {
        Ok(()) => {}
        Err(error) if error.is_not_found() => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    // Looked at after its namespace was entered: a number that was given to another process in between
    // does not pass.
    let forked = match lease.find_holder() == Some(holder) {
        true => match namespace::fork_child_bound(work) {
            Ok(child) => Ok(Some(child)),
            // What the kernel says to a fork into a namespace whose first process has ended.
            Err(error) if error.is_no_memory() => Ok(None),
            Err(error) => Err(error),
        },
        false => Ok(None),
    };
    // Later children of this process belong where it is itself.
    namespace::enter(std::process::id(), &[Kind::Pid])?;
    Ok(forked?)
}

/// In the child: makes the holder's root the root.
pub(super) fn enter_mounts(lease: &Lease, holder: u32) -> Result<()> {
    namespace::enter(holder, &[Kind::Mount])?;
    // /proc is the profile's now, in which this process has a number of its own.
    let found = namespace::id_of(std::process::id(), Kind::Mount)?;
    if found != lease.mount_namespace {
        return Err(profile_sys::Error::Malformed {
            what: "mount namespace",
            path: format!("/proc/{holder}/ns/mnt").into(),
            detail: format!("it is {found}, the lease says {}", lease.mount_namespace),
        }
        .into());
    }
    Ok(())
}
