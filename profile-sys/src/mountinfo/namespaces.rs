//! The mounts of every mount namespace there is: what decides whether a subvolume is in use.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::sched::{CloneFlags, setns, unshare};

use super::{Mount, parse_from};
use crate::namespace::in_initial_pid_namespace;
use crate::{Error, Result};

/// The mounts of all namespaces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Namespaces {
    /// Each mount with the inode number of its namespace, 0 for one that may not be identified. A mount may be
    /// listed several times, as seen from several roots.
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
/// When /proc cannot be listed. A single process that vanishes or refuses only clears
/// [`Namespaces::complete`] if its namespace was not read through another.
pub fn every_namespace() -> Result<Namespaces> {
    let mut survey = Survey {
        complete: in_initial_pid_namespace()?,
        ..Survey::default()
    };
    for pid in numbered_entries(Path::new("/proc"))? {
        survey.visit_process(pid)?;
    }
    // Namespaces without a process, kept by a bind mount of their file (snapd, ip-netns style). Reading one
    // may show the pin of another.
    while let Some((inode, file)) = survey.next_pinned() {
        match read_by_joining(file) {
            Ok(text) => survey.add(inode, &text, Path::new("a pinned namespace"))?,
            Err(_) => survey.complete = false,
        }
    }
    Ok(Namespaces {
        mounts: survey.mounts,
        complete: survey.complete,
    })
}

/// Stands for a namespace that may not be identified; no namespace has this inode number.
const UNKNOWN_NAMESPACE: u64 = 0;

#[derive(Debug, Default)]
struct Survey {
    /// What was read already, see [`view_of`].
    views: BTreeSet<(u64, PathBuf)>,
    seen: BTreeSet<u64>,
    mounts: Vec<(u64, Mount)>,
    /// Pinned namespaces that were found and not yet looked at: where the pin is seen.
    pins: Vec<(u64, PathBuf)>,
    complete: bool,
}

impl Survey {
    fn visit_process(&mut self, pid: u32) -> Result<()> {
        let tasks = PathBuf::from(format!("/proc/{pid}/task"));
        let threads = match numbered_entries(&tasks) {
            Ok(threads) => threads,
            Err(error) if is_gone(error.errno()) => return Ok(()),
            Err(_) => {
                self.complete = false;
                return Ok(());
            }
        };
        for thread in threads {
            let task = tasks.join(thread.to_string());
            match self.visit_task(&task) {
                Ok(()) => {}
                Err(error) if is_gone(error.raw_os_error()) => {}
                Err(_) => self.complete = false,
            }
        }
        Ok(())
    }

    fn visit_task(&mut self, task: &Path) -> io::Result<()> {
        let view = view_of(task)?;
        if view.as_ref().is_some_and(|view| self.views.contains(view)) {
            return Ok(());
        }
        let path = task.join("mountinfo");
        let text = std::fs::read(&path)?;
        // Between the two reads the thread may have moved on to another namespace.
        if view_of(task)? != view {
            return self.visit_task(task);
        }
        let inode = view.as_ref().map_or(UNKNOWN_NAMESPACE, |(inode, _)| *inode);
        self.views.extend(view);
        let first = self.mounts.len();
        self.add(inode, &text, &path).map_err(io::Error::other)?;
        for (_, mount) in &self.mounts[first..] {
            if let Some(pinned) = pinned_namespace(mount) {
                let below = mount
                    .mount_point
                    .strip_prefix("/")
                    .unwrap_or(&mount.mount_point);
                self.pins.push((pinned, task.join("root").join(below)));
            }
        }
        Ok(())
    }

    fn add(&mut self, inode: u64, text: &[u8], origin: &Path) -> Result<()> {
        let mounts = parse_from(text, origin)?;
        self.seen.insert(inode);
        self.mounts
            .extend(mounts.into_iter().map(|mount| (inode, mount)));
        Ok(())
    }

    /// The next pinned namespace that no process showed, opened.
    fn next_pinned(&mut self) -> Option<(u64, File)> {
        while let Some((inode, path)) = self.pins.pop() {
            if self.seen.contains(&inode) {
                continue;
            }
            match File::open(&path) {
                Ok(file) if file.metadata().is_ok_and(|meta| meta.ino() == inode) => {
                    return Some((inode, file));
                }
                // Hidden under another mount, or gone meanwhile.
                _ => self.complete = false,
            }
        }
        None
    }
}

/// What a thread sees of which namespace: mountinfo shows only what lies below the thread's root, so a chrooted
/// one shows less of a namespace than others do. `None` when it may not be asked.
fn view_of(task: &Path) -> io::Result<Option<(u64, PathBuf)>> {
    // A process that is ending has left its namespaces already: no link, or EINVAL on reading.
    let asked = std::fs::metadata(task.join("ns/mnt"))
        .and_then(|meta| Ok((meta.ino(), std::fs::read_link(task.join("root"))?)));
    match asked {
        Ok(view) => Ok(Some(view)),
        // It has a capability that this process lacks. Its mounts can be read for all that.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(None),
        Err(error) => Err(error),
    }
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

/// Reads the mounts of a namespace by joining it, in a thread made for this.
fn read_by_joining(namespace: File) -> io::Result<Vec<u8>> {
    // Opened before joining: the other namespace may have no /proc.
    let proc = File::open("/proc")?;
    let read = move || -> io::Result<Vec<u8>> {
        // setns wants a thread that shares its working directory with no other.
        unshare(CloneFlags::CLONE_FS)?;
        setns(namespace, CloneFlags::CLONE_NEWNS)?;
        let flags = nix::fcntl::OFlag::O_RDONLY | nix::fcntl::OFlag::O_CLOEXEC;
        let opened = nix::fcntl::openat(
            &proc,
            "thread-self/mountinfo",
            flags,
            nix::sys::stat::Mode::empty(),
        )?;
        let mut text = Vec::new();
        File::from(opened).read_to_end(&mut text)?;
        Ok(text)
    };
    match std::thread::Builder::new()
        .name("mountinfo".into())
        .spawn(read)?
        .join()
    {
        Ok(outcome) => outcome,
        Err(_) => Err(io::Error::other(
            "the thread that joined a namespace panicked",
        )),
    }
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
