//! What only the first process of a pid namespace does.

use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::{Error, Result, fault, raw};

/// Shortest and longest pause between two looks at what still runs.
const PAUSE: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(100));

/// Kills every other process of the namespace and waits until none is left.
///
/// The kernel does the same when the first process ends, but only after the locks that this process holds
/// were released: whoever then takes them would meet processes, and mounts, that are not gone yet.
///
/// One that has ended and that nobody has waited for holds nothing any more, and is not waited for here: its
/// parent may be outside of the namespace and never do it.
///
/// # Errors
/// [`Errno::EPERM`] outside of a pid namespace of one's own, where nothing is killed.
pub fn end_others() -> Result<()> {
    const VERB: &str = "end the processes of";
    let namespace = Path::new("/proc/self/ns/pid");
    let failed = |error| Error::io(VERB, namespace, error);
    if std::process::id() != 1 || crate::namespace::in_initial_pid_namespace()? {
        return Err(failed(Errno::EPERM));
    }
    fault::point(VERB, namespace)?;
    let mut pause = PAUSE.0;
    loop {
        match kill(Pid::from_raw(-1), Signal::SIGKILL) {
            Err(Errno::ESRCH) => return Ok(()),
            Ok(()) => {}
            Err(error) => return Err(failed(error)),
        }
        // Children that have ended count until they are waited for.
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => break,
                Ok(_) | Err(Errno::EINTR) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        // The others have parents outside of the namespace.
        if all_have_ended() {
            return Ok(());
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(PAUSE.1);
    }
}

/// Whether every other process of the namespace has ended, threads and all. What cannot be looked at counts as
/// living.
fn all_have_ended() -> bool {
    let proc = Path::new("/proc");
    // Anybody in the namespace may have put something else in its place.
    if std::fs::read_link(proc.join("self")).is_ok_and(|own| own == Path::new("1")) {
        let Ok(names) = crate::file::list(proc) else {
            return false;
        };
        return names
            .iter()
            .filter_map(|name| name.to_str()?.parse().ok())
            .all(|pid: i32| pid == 1 || has_ended(pid));
    }
    false
}

fn has_ended(pid: i32) -> bool {
    match raw::pidfd_open(pid) {
        Ok(process) => {
            let mut watched = [PollFd::new(process.as_fd(), PollFlags::POLLIN)];
            poll(&mut watched, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
        }
        Err(error) => error.raw_os_error() == Some(libc::ESRCH),
    }
}
