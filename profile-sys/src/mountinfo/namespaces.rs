//! The mounts of every mount namespace there is: what decides whether a subvolume is in use.
//!
//! A process's own list shows only what lies below its root, so a chroot hides mounts that are there. Each
//! namespace is therefore joined, which puts the joining thread at the namespace's own root, and read from there.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, openat};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::stat::Mode;

use super::{Mount, parse_from};
use crate::namespace::in_initial_pid_namespace;
use crate::{Error, Result};

/// The mounts of all namespaces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Namespaces {
    /// Each mount with the inode number of its namespace, 0 for one that may not be identified.
    pub mounts: Vec<(u64, Mount)>,
    /// Whether this is known to be all of them. False outside of the initial pid namespace, from where other
    /// processes cannot be seen, and when a namespace could not be read: then take everything for in use.
    pub complete: bool,
}

/// Reads the mounts of every namespace that a process, a thread or a bind mount keeps alive.
///
/// A namespace kept only by an open descriptor is not found; what has such a use also holds a lease.
///
/// # Errors
/// When /proc cannot be listed, or a list not be parsed.
pub fn every_namespace() -> Result<Namespaces> {
    let mut found = Found {
        complete: in_initial_pid_namespace()?,
        ..Found::default()
    };
    for pid in numbered_entries(Path::new("/proc"))? {
        found.add_process(pid);
    }
    let Found {
        namespaces,
        seen,
        refused,
        complete,
    } = found;
    let joined = join_all(namespaces, seen)?;
    let mut all = Namespaces {
        mounts: Vec::new(),
        complete: complete && joined.complete,
    };
    for (namespace, text) in &joined.texts {
        let mounts = parse_from(text, Path::new("a mount namespace"))?;
        all.mounts
            .extend(mounts.into_iter().map(|mount| (*namespace, mount)));
    }
    for task in refused {
        add_refused(&mut all, &task)?;
    }
    Ok(all)
}

/// Stands for a namespace that may not be identified; no namespace has this inode number.
const UNIDENTIFIED: u64 = 0;

/// The namespaces that processes live in.
#[derive(Debug, Default)]
struct Found {
    /// Each with its file, which keeps it alive until it is read.
    namespaces: Vec<(u64, File)>,
    seen: BTreeSet<u64>,
    /// Threads that may not be inspected.
    refused: Vec<PathBuf>,
    complete: bool,
}

impl Found {
    fn add_process(&mut self, pid: u32) {
        let tasks = PathBuf::from(format!("/proc/{pid}/task"));
        let threads = match numbered_entries(&tasks) {
            Ok(threads) => threads,
            Err(error) => {
                self.complete &= is_gone(error.errno());
                return;
            }
        };
        let mut may_be_inspected = true;
        for thread in threads {
            let task = tasks.join(thread.to_string());
            match self.add_task(&task) {
                Ok(()) => {}
                // A process that is ending has left its namespaces already.
                Err(error) if is_gone(error.raw_os_error()) => {}
                // It has rights that this process lacks. Once for all its threads will do: it is
                // not one of ours, which alone give threads different namespaces.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    if std::mem::replace(&mut may_be_inspected, false) {
                        self.refused.push(task);
                    }
                }
                Err(_) => self.complete = false,
            }
        }
    }

    fn add_task(&mut self, task: &Path) -> io::Result<()> {
        let path = task.join("ns/mnt");
        if self.seen.contains(&std::fs::metadata(&path)?.ino()) {
            return Ok(());
        }
        let file = File::open(&path)?;
        // Since the first look the thread may have moved on to another namespace.
        let namespace = file.metadata()?.ino();
        if self.seen.insert(namespace) {
            self.namespaces.push((namespace, file));
        }
        Ok(())
    }
}

/// Adds the mounts of a thread that may not be inspected. Its list can be read for all that; most often it is one
/// of a namespace that was read already, which is told by the numbers of mounts: they are unique.
fn add_refused(all: &mut Namespaces, task: &Path) -> Result<()> {
    let path = task.join("mountinfo");
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) => {
            all.complete &= is_gone(error.raw_os_error());
            return Ok(());
        }
    };
    let known: BTreeSet<u64> = all.mounts.iter().map(|(_, mount)| mount.id).collect();
    let new = parse_from(&text, &path)?
        .into_iter()
        .filter(|mount| !known.contains(&mount.id));
    all.mounts.extend(new.map(|mount| (UNIDENTIFIED, mount)));
    Ok(())
}

/// What joining found: the text of each namespace's mountinfo.
#[derive(Debug, Default)]
struct Joined {
    texts: Vec<(u64, Vec<u8>)>,
    complete: bool,
}

/// Joins the namespaces one after another, and those whose files are bound somewhere in them (snapd, ip-netns
/// style), in a thread made for this.
fn join_all(mut left: Vec<(u64, File)>, mut seen: BTreeSet<u64>) -> Result<Joined> {
    let failed = |error| Error::io("join the mount namespaces of", "/proc", error);
    // Opened before joining: another namespace may have no /proc.
    let proc = File::open("/proc").map_err(failed)?;
    let work = move || -> io::Result<Joined> {
        // setns wants a thread that shares its root and working directory with no other.
        unshare(CloneFlags::CLONE_FS)?;
        let mut joined = Joined {
            texts: Vec::new(),
            complete: true,
        };
        while let Some((namespace, file)) = left.pop() {
            let Ok(text) = join(&file, &proc) else {
                joined.complete = false;
                continue;
            };
            // A list that cannot be parsed is an error of the whole survey, later.
            for mount in parse_from(&text, Path::new("mountinfo")).unwrap_or_default() {
                let Some(pinned) = pinned_namespace(&mount) else {
                    continue;
                };
                if seen.contains(&pinned) {
                    continue;
                }
                match File::open(&mount.mount_point) {
                    Ok(file) if file.metadata().is_ok_and(|meta| meta.ino() == pinned) => {
                        seen.insert(pinned);
                        left.push((pinned, file));
                    }
                    // Hidden under another mount, or gone meanwhile.
                    _ => joined.complete = false,
                }
            }
            joined.texts.push((namespace, text));
        }
        Ok(joined)
    };
    let thread = std::thread::Builder::new()
        .name("mountinfo".into())
        .spawn(work)
        .map_err(failed)?;
    match thread.join() {
        Ok(outcome) => outcome.map_err(failed),
        Err(_) => Err(failed(io::Error::other(
            "the thread that joins them panicked",
        ))),
    }
}

/// Joins a namespace, which puts the calling thread at its root, and reads its list of mounts.
fn join(namespace: &File, proc: &File) -> io::Result<Vec<u8>> {
    setns(namespace, CloneFlags::CLONE_NEWNS)?;
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    let opened = openat(proc, "thread-self/mountinfo", flags, Mode::empty())?;
    let mut text = Vec::new();
    File::from(opened).read_to_end(&mut text)?;
    Ok(text)
}

/// The inode of the mount namespace whose file is bound here: `nsfs` with the root `mnt:[4026531841]`.
fn pinned_namespace(mount: &Mount) -> Option<u64> {
    if mount.fs_type != "nsfs" {
        return None;
    }
    mount
        .root
        .to_str()?
        .strip_prefix("mnt:[")?
        .strip_suffix(']')?
        .parse()
        .ok()
}

fn is_gone(errno: Option<i32>) -> bool {
    matches!(errno, Some(libc::ENOENT | libc::ESRCH | libc::EINVAL))
}

fn numbered_entries(directory: &Path) -> Result<Vec<u32>> {
    let failed = |error| Error::io("list", directory, error);
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if let Some(number) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        {
            numbers.push(number);
        }
    }
    Ok(numbers)
}
