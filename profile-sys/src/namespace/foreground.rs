//! A child that has the user's terminal, and a child that must have none.

use std::fs::OpenOptions;
use std::path::Path;
use std::process::ExitStatus;

use nix::errno::Errno;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, raise, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};

use super::child::{Child, exit_status};
use crate::{Error, Result, fault, raw};

/// Signals that a person or a service manager sends to us and means for the child.
const FORWARDED: [Signal; 8] = [
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGWINCH,
    Signal::SIGALRM,
];

/// `SI_USER`, `SI_QUEUE`, `SI_TKILL` are zero or negative: a process sent it. The kernel's own, from the
/// terminal, reach the child by themselves, for it is in the terminal's foreground process group too.
const SENT_BY_KERNEL: i32 = 0x80;

/// Waits for the end of a child that has the terminal. Signals sent to this process go on to the child; when
/// the child is stopped (Ctrl-Z), so is this process, and both continue together.
///
/// # Errors
/// ECHILD when it was waited for already.
pub fn wait_in_foreground(child: &Child) -> Result<ExitStatus> {
    const VERB: &str = "wait for process";
    let failed = |error: Errno| Error::io(VERB, format!("/proc/{}", child.id()), error);
    let mut watched: SigSet = FORWARDED.into_iter().collect();
    watched.add(Signal::SIGCHLD);
    let mut before = SigSet::empty();
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&watched), Some(&mut before)).map_err(failed)?;
    let outcome = wait_and_forward(child, &watched).map_err(failed);
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&before), None).map_err(failed)?;
    outcome
}

fn wait_and_forward(child: &Child, watched: &SigSet) -> nix::Result<ExitStatus> {
    let signals = SignalFd::with_flags(watched, SfdFlags::SFD_CLOEXEC)?;
    loop {
        // Before the first signal too: the child may have ended before its SIGCHLD was blocked.
        let flags = WaitPidFlag::WNOHANG | WaitPidFlag::WUNTRACED;
        match waitpid(child.pid(), Some(flags)) {
            Ok(WaitStatus::Stopped(..)) => {
                raise(Signal::SIGSTOP)?;
                // Continued by the shell.
                kill(child.pid(), Signal::SIGCONT)?;
                continue;
            }
            Ok(status) => {
                if let Some(status) = exit_status(status) {
                    return Ok(status);
                }
            }
            Err(Errno::EINTR) => continue,
            Err(error) => return Err(error),
        }
        let received = match signals.read_signal() {
            Ok(Some(received)) => received,
            Ok(None) | Err(Errno::EINTR) => continue,
            Err(error) => return Err(error),
        };
        let forward =
            received.ssi_code != SENT_BY_KERNEL && received.ssi_signo != libc::SIGCHLD as u32;
        if forward {
            if let Ok(signal) = Signal::try_from(received.ssi_signo as i32) {
                match kill(child.pid(), signal) {
                    Ok(()) | Err(Errno::ESRCH) => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }
}

/// Makes the calling process, a forked child, independent of its parent's terminal: a session of its own,
/// standard input, output and error at /dev/null, and no other descriptor open but those in `kept`.
///
/// # Errors
/// EPERM when it leads a process group, as a process that was not just forked may.
pub fn detach_from_terminal(kept: &[std::os::fd::BorrowedFd<'_>]) -> Result<()> {
    let failed = |error: Errno| Error::io("detach", "/proc/self", error);
    nix::unistd::setsid().map_err(failed)?;
    let null_path = Path::new("/dev/null");
    let null = OpenOptions::new()
        .read(true)
        .write(true)
        .open(null_path)
        .map_err(|error| Error::io("open", null_path, error))?;
    nix::unistd::dup2_stdin(&null).map_err(failed)?;
    nix::unistd::dup2_stdout(&null).map_err(failed)?;
    nix::unistd::dup2_stderr(&null).map_err(failed)?;
    drop(null);
    let mut kept = kept.to_vec();
    kept.extend(fault::trace_descriptor());
    raw::close_all_but(&kept)
        .map_err(|error| Error::io("close descriptors of", "/proc/self", error))
}
