//! Children made by fork, in which our own code goes on.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::{Error, Result, fault, raw};

/// The exit status of a child that panicked.
const PANICKED: i32 = 255;

/// A forked child. Dropping it neither ends nor waits for it.
#[derive(Debug)]
pub struct Child {
    pid: Pid,
}

/// Runs `work` in a child process, whose exit status is what it returns.
///
/// The child has a copy of everything, open files and locks included; it ends without running destructors of
/// the parent's values. Call this while the process has one thread: another thread's locks, such as those of
/// standard output, would stay taken in the child for ever.
///
/// # Errors
/// EAGAIN, ENOMEM.
pub fn fork_child(work: impl FnOnce() -> i32) -> Result<Child> {
    const VERB: &str = "fork";
    fault::point(VERB, Path::new("/proc/self"))?;
    match raw::fork().map_err(|error| Error::io(VERB, "/proc/self", error))? {
        raw::Fork::Parent(pid) => Ok(Child {
            pid: Pid::from_raw(pid),
        }),
        raw::Fork::Child => {
            // Unwinding would run the parent's frames a second time.
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            raw::exit_now(outcome.unwrap_or(PANICKED))
        }
    }
}

/// [`fork_child`], but the child is killed when the parent ends, however that happens.
///
/// # Errors
/// As [`fork_child`].
pub fn fork_child_bound(work: impl FnOnce() -> i32) -> Result<Child> {
    let own = std::process::id();
    let parent = raw::pidfd_open(own as i32)
        .map_err(|error| Error::io("open process", format!("/proc/{own}"), error))?;
    fork_child(move || {
        // In this order: a parent that ends before the first line is seen by the second, one that ends
        // after it sends the signal.
        if set_pdeathsig(Signal::SIGKILL).is_err() || has_ended(&parent) {
            return PANICKED;
        }
        drop(parent);
        work()
    })
}

fn has_ended(process: &OwnedFd) -> bool {
    let mut watched = [PollFd::new(process.as_fd(), PollFlags::POLLIN)];
    // A failure to ask is taken for the end: the safe answer for a child that must not outlive its parent.
    !matches!(poll(&mut watched, PollTimeout::ZERO), Ok(0))
}

impl Child {
    /// Its number, as the parent sees it.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.pid.as_raw() as u32
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// ECHILD when it was waited for already.
    pub fn wait(&self) -> Result<ExitStatus> {
        loop {
            if let Some(status) = self.wait_with(WaitPidFlag::empty())? {
                return Ok(status);
            }
        }
    }

    /// How it ended, `None` while it runs.
    ///
    /// # Errors
    /// ECHILD when it was waited for already.
    pub fn try_wait(&self) -> Result<Option<ExitStatus>> {
        self.wait_with(WaitPidFlag::WNOHANG)
    }

    fn wait_with(&self, flags: WaitPidFlag) -> Result<Option<ExitStatus>> {
        loop {
            match waitpid(self.pid, Some(flags)) {
                Ok(status) => return Ok(exit_status(status)),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(Error::io("wait for process", self.proc_path(), error)),
            }
        }
    }

    /// Sends it a signal; one that has ended already is done.
    ///
    /// # Errors
    /// EPERM.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        match kill(self.pid, signal) {
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(error) => Err(Error::io("signal process", self.proc_path(), error)),
        }
    }

    fn proc_path(&self) -> String {
        format!("/proc/{}", self.pid)
    }
}

/// The status of an end, `None` for anything else that wait reports.
fn exit_status(status: WaitStatus) -> Option<ExitStatus> {
    match status {
        WaitStatus::Exited(_, code) => Some(ExitStatus::from_raw(code << 8)),
        WaitStatus::Signaled(_, signal, _) => Some(ExitStatus::from_raw(signal as i32)),
        _ => None,
    }
}

/// As the first process of a pid namespace: waits for every child, adopted ones included, until `main` ends.
/// When the caller then ends too, the kernel kills whatever is left in the namespace.
///
/// # Errors
/// ECHILD when `main` is no child.
pub fn reap_until(main: &Child) -> Result<ExitStatus> {
    loop {
        match waitpid(None, None) {
            Ok(status) if status.pid() == Some(main.pid) => {
                if let Some(status) = exit_status(status) {
                    return Ok(status);
                }
            }
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(Error::io("wait for process", main.proc_path(), error)),
        }
    }
}
