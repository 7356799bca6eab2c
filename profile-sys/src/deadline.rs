//! Work with a hard time limit, which Ctrl-C does not cut in the middle.
//!
//! A thread that waits in the kernel for a slow disk cannot be ended, and a process that has such a
//! thread does not end either: whoever waits for it waits on. So the work is in a forked child, and
//! its parent goes when the time is over, whatever the child waits for.

use std::os::fd::AsFd;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};

use crate::namespace::{Child, fork_child};
use crate::{Error, Result, raw};

/// How the work ended.
#[derive(Debug)]
pub enum Ended {
    /// In time, with this status.
    InTime(ExitStatus),
    /// Not in time: the child was killed, and ends as soon as the kernel lets it.
    TooLate,
}

/// Runs `work` in a child process and waits at most `limit` for its end.
///
/// Signals of a terminal (Ctrl-C, Ctrl-\, a closed line) and SIGTERM are blocked in this process from
/// here on, and in the child: what it does, it does to its end. Call this while the process has one
/// thread.
///
/// # Errors
/// EAGAIN, ENOMEM: the work was not begun.
pub fn run_within(limit: Duration, work: impl FnOnce() -> i32) -> Result<Ended> {
    const VERB: &str = "wait for process";
    let mut blocked = SigSet::empty();
    for signal in [
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGHUP,
        Signal::SIGTERM,
    ] {
        blocked.add(signal);
    }
    let own = "/proc/self";
    blocked
        .thread_block()
        .map_err(|error| Error::io("block signals of", own, error))?;
    let deadline = Instant::now() + limit;
    let child = fork_child(work)?;
    let path = format!("/proc/{}", child.id());
    let number = i32::try_from(child.id()).unwrap_or(-1);
    let process = raw::pidfd_open(number).map_err(|error| Error::io(VERB, &path, error))?;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return give_up(&child);
        }
        // Rounded up: a wait of no time at all would spin.
        let milliseconds = u16::try_from(left.as_millis() + 1).unwrap_or(u16::MAX);
        let mut watched = [PollFd::new(process.as_fd(), PollFlags::POLLIN)];
        match poll(&mut watched, PollTimeout::from(milliseconds)) {
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => return Ok(Ended::InTime(child.wait()?)),
            Err(error) => return Err(Error::io(VERB, &path, error)),
        }
    }
}

fn give_up(child: &Child) -> Result<Ended> {
    // It may have ended in this very moment.
    if let Some(status) = child.try_wait()? {
        return Ok(Ended::InTime(status));
    }
    child.signal(Signal::SIGKILL)?;
    Ok(Ended::TooLate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_in_time_gives_its_status() {
        let Ended::InTime(status) = run_within(Duration::from_secs(10), || 7).unwrap() else {
            panic!("too late");
        };
        assert_eq!(status.code(), Some(7));
    }

    #[test]
    fn work_that_hangs_is_left_behind() {
        let began = Instant::now();
        let hang = || {
            std::thread::sleep(Duration::from_secs(60));
            0
        };
        let ended = run_within(Duration::from_millis(50), hang).unwrap();
        assert!(matches!(ended, Ended::TooLate));
        assert!(began.elapsed() < Duration::from_secs(10));
    }
}
