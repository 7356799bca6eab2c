//! Work with a hard time limit, which Ctrl-C does not cut in the middle.
//!
//! A thread that waits in the kernel for a slow disk cannot be ended, and a process that has such a
//! thread does not end either: whoever waits for it waits on. So the work is in a forked child, and
//! its parent goes when the time is over, whatever the child waits for.

use std::io::{Read as _, Write as _};
use std::os::fd::AsFd;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};

use crate::namespace::fork_child;
use crate::{Error, Result, pipe};

/// How the work ended.
#[derive(Debug)]
pub enum Ended {
    /// In time, with what it returned.
    InTime(i32),
    /// It was ended from outside, or panicked.
    Cut(ExitStatus),
    /// Not in time: the child was killed, and ends as soon as the kernel lets it.
    TooLate,
}

/// Runs `work` in a child process and waits at most `limit` for it.
///
/// What `work` returns comes through a pipe. The child's own end, in which the kernel takes its mounts and
/// its memory apart, is not waited for: the child is left behind, for this process's parent or the first
/// process of its namespace to reap.
///
/// Signals of a terminal (Ctrl-C, Ctrl-\, a closed line) and SIGTERM are blocked in this process from
/// here on, and in the child: what it does, it does to its end. Call this while the process has one
/// thread.
///
/// # Errors
/// EAGAIN, EMFILE, ENOMEM: the work was not begun.
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
    let (mut answer, mut writer) = pipe::pipe()?;
    // The parent's copy of the writing end goes with the closure: the pipe then ends with the child.
    let child = fork_child(move || {
        let returned = work();
        // When this fails, the exit status says that it was cut, which it then was.
        let _ = writer.write_all(&returned.to_ne_bytes());
        returned
    })?;
    let failed = |error| Error::io(VERB, format!("/proc/{}", child.id()), error);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            child.signal(Signal::SIGKILL)?;
            return Ok(Ended::TooLate);
        }
        // Rounded up: a wait of no time at all would spin.
        let milliseconds = u16::try_from(left.as_millis() + 1).unwrap_or(u16::MAX);
        let mut watched = [PollFd::new(answer.as_fd(), PollFlags::POLLIN)];
        match poll(&mut watched, PollTimeout::from(milliseconds)) {
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => break,
            Err(error) => return Err(failed(error.into())),
        }
    }
    let mut returned = [0; size_of::<i32>()];
    match answer.read_exact(&mut returned) {
        Ok(()) => Ok(Ended::InTime(i32::from_ne_bytes(returned))),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            Ok(Ended::Cut(child.wait()?))
        }
        Err(error) => Err(failed(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    #[test]
    fn work_in_time_gives_its_status() {
        let ended = run_within(Duration::from_secs(10), || 7).unwrap();
        assert!(matches!(ended, Ended::InTime(7)), "{ended:?}");
    }

    #[test]
    fn work_that_panics_or_is_killed_is_cut() {
        let ended = run_within(Duration::from_secs(10), || panic!("as planned")).unwrap();
        assert!(
            matches!(ended, Ended::Cut(status) if status.code() == Some(255)),
            "{ended:?}"
        );
        let kill = || {
            nix::sys::signal::raise(Signal::SIGKILL).unwrap();
            0
        };
        let ended = run_within(Duration::from_secs(10), kill).unwrap();
        assert!(
            matches!(ended, Ended::Cut(status) if status.signal() == Some(9)),
            "{ended:?}"
        );
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
