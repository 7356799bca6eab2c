//! Namespaces and the processes that live in them: leaving, entering, forking, waiting.

mod child;
mod detach;

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::sched::{CloneFlags, setns};
use nix::unistd::{chroot, fchdir};

pub use child::{Child, fork_child, fork_child_bound, reap_until};
pub use detach::detach_from_terminal;

use crate::{Error, Result, fault};

/// The inode number of the initial pid namespace (the kernel's PROC_PID_INIT_INO).
const INITIAL_PID_NAMESPACE: u64 = 0xEFFF_FFFC;

/// The kinds of namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Mounts.
    Mount,
    /// Process numbers; a change holds for children only.
    Pid,
    /// Host name.
    Uts,
    /// System V IPC and message queues.
    Ipc,
    /// Network.
    Network,
    /// The root of control groups.
    Cgroup,
}

impl Kind {
    fn flag(self) -> CloneFlags {
        match self {
            Self::Mount => CloneFlags::CLONE_NEWNS,
            Self::Pid => CloneFlags::CLONE_NEWPID,
            Self::Uts => CloneFlags::CLONE_NEWUTS,
            Self::Ipc => CloneFlags::CLONE_NEWIPC,
            Self::Network => CloneFlags::CLONE_NEWNET,
            Self::Cgroup => CloneFlags::CLONE_NEWCGROUP,
        }
    }

    fn file(self) -> &'static str {
        match self {
            Self::Mount => "mnt",
            Self::Pid => "pid",
            Self::Uts => "uts",
            Self::Ipc => "ipc",
            Self::Network => "net",
            Self::Cgroup => "cgroup",
        }
    }
}

/// Whether this process is in the pid namespace the system booted with, from which every process is seen.
///
/// # Errors
/// When /proc is not mounted.
pub fn in_initial_pid_namespace() -> Result<bool> {
    Ok(inode(Path::new("/proc/self/ns/pid"))? == INITIAL_PID_NAMESPACE)
}

/// The inode number of a namespace of a process, which tells it from every other one that exists.
///
/// # Errors
/// ENOENT when the process is gone.
pub fn id_of(pid: u32, kind: Kind) -> Result<u64> {
    inode(&namespace_file(pid, kind))
}

fn namespace_file(pid: u32, kind: Kind) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/ns/{}", kind.file()))
}

fn inode(path: &Path) -> Result<u64> {
    std::fs::metadata(path)
        .map(|meta| meta.ino())
        .map_err(|error| Error::io("examine", path, error))
}

/// Puts the calling thread into namespaces of process `pid`; a pid namespace takes effect for its children.
///
/// All files are opened before the first one is entered, for in the middle /proc may be another one. After a
/// mount namespace was entered, root and working directory are those of the process: the namespace's own root is
/// another one where the process began in a chroot.
///
/// # Errors
/// ENOENT when the process is gone; EINVAL in a process with several threads that share their working
/// directory. On failure the thread may be in some of them: end the process.
pub fn enter(pid: u32, kinds: &[Kind]) -> Result<()> {
    const VERB: &str = "enter the namespace";
    let mut files = Vec::new();
    for &kind in kinds {
        let path = namespace_file(pid, kind);
        let file = File::open(&path).map_err(|error| Error::io(VERB, &path, error))?;
        let root = match kind {
            Kind::Mount => Some(root_of(pid)?),
            _ => None,
        };
        files.push((kind, path, file, root));
    }
    for (kind, path, file, root) in files {
        fault::point(VERB, &path)?;
        setns(file, kind.flag()).map_err(|error| Error::io(VERB, &path, error))?;
        if let Some(root) = root {
            fchdir(root)
                .and_then(|()| chroot("."))
                .map_err(|error| Error::io(VERB, &path, error))?;
        }
    }
    Ok(())
}

fn root_of(pid: u32) -> Result<File> {
    let path = PathBuf::from(format!("/proc/{pid}/root"));
    File::open(&path).map_err(|error| Error::io("open", &path, error))
}

/// Gives the calling thread new namespaces; a pid namespace for its children. Mounts stay shared as they
/// were: see [`crate::mount::private_namespace`].
///
/// # Errors
/// EPERM unless root.
pub fn unshare(kinds: &[Kind]) -> Result<()> {
    const VERB: &str = "leave the namespaces of";
    let path = Path::new("/proc/self/ns");
    fault::point(VERB, path)?;
    let flags = kinds
        .iter()
        .fold(CloneFlags::empty(), |flags, kind| flags | kind.flag());
    nix::sched::unshare(flags).map_err(|error| Error::io(VERB, path, error))
}
