//! A program that takes the place of the calling one at the terminal, and the caller that waits for it.
//!
//! The program stays in the caller's process group unless it makes groups of its own, as a shell does, so
//! that job control and Ctrl-C reach it as if it had been started directly. The caller holds back the signals
//! that are meant for the program, passes on those that are sent to the caller alone, and gives the
//! terminal back to its own group in the end: a shell in another pid namespace cannot do that itself, for it
//! knows the group of its caller only as 0.

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use nix::errno::Errno;
use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::{Pid, getpgrp, tcgetpgrp, tcsetpgrp};

use crate::namespace::Child;
use crate::{Error, Result, fault};

/// Added to a signal's number, the exit status of a shell for a program that died by it.
const SIGNAL_BASE: u8 = 128;

/// Signals that a person or a service manager sends to the caller and means for the program.
const PASSED_ON: [Signal; 6] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
];

/// The caller's side: from before the fork until the program has ended.
#[derive(Debug)]
pub struct Foreground {
    /// The mask that was in force before, for the program and for afterwards.
    before: SigSet,
    /// What of the held signals is dealt with while waiting.
    signals: SignalFd,
    /// The controlling terminal, when this process's group is in its foreground.
    terminal: Option<(File, Pid)>,
}

impl Foreground {
    /// Holds back the signals that [`Foreground::wait`] deals with. Call it before the fork, so that none is
    /// lost or kills the caller in between.
    ///
    /// # Errors
    /// When the signal mask cannot be set.
    pub fn begin() -> Result<Self> {
        let failed = |error| Error::io("hold back the signals of", "/proc/self", error);
        let mut awaited: SigSet = PASSED_ON.into_iter().collect();
        awaited.add(Signal::SIGCHLD);
        let signals = SignalFd::with_flags(&awaited, SfdFlags::SFD_CLOEXEC).map_err(failed)?;
        let mut held = awaited;
        // Giving the terminal back is done from the background.
        held.add(Signal::SIGTTOU);
        let before = held
            .thread_swap_mask(SigmaskHow::SIG_BLOCK)
            .map_err(failed)?;
        Ok(Self {
            before,
            signals,
            terminal: own_terminal(),
        })
    }

    /// In the child, before it becomes the program: lets the signals through again.
    ///
    /// # Errors
    /// When the signal mask cannot be set.
    pub fn release(&self) -> Result<()> {
        self.before
            .thread_set_mask()
            .map_err(|error| Error::io("let through the signals of", "/proc/self", error))
    }

    /// Waits until the child has ended; its status as a shell tells it, 128 + n for death by signal n.
    ///
    /// What a process sends to the caller is passed on. What the terminal sends is dropped: it goes to the whole
    /// group, so the program has it already and decides what it means.
    ///
    /// # Errors
    /// When the child was waited for already.
    pub fn wait(self, child: &Child) -> Result<u8> {
        const VERB: &str = "wait for process";
        let failed = |error: Errno| Error::io(VERB, format!("/proc/{}", child.id()), error);
        loop {
            if let Some(status) = child.try_wait()? {
                // Meant for the program, which has ended: let through, they would end the caller in place
                // of the program's status.
                drop_pending()?;
                return Ok(shell_status(status));
            }
            let received = match self.signals.read_signal() {
                Ok(Some(received)) => received,
                Ok(None) | Err(Errno::EINTR) => continue,
                Err(error) => return Err(failed(error)),
            };
            let sent_by_process = received.ssi_code <= 0;
            match i32::try_from(received.ssi_signo).map(Signal::try_from) {
                Ok(Ok(signal)) if sent_by_process && PASSED_ON.contains(&signal) => {
                    child.signal(signal)?
                }
                _ => {}
            }
        }
    }
}

/// Takes the held signals off the queue of this process.
fn drop_pending() -> Result<()> {
    let failed = |error| Error::io("drop the signals of", "/proc/self", error);
    let passed_on: SigSet = PASSED_ON.into_iter().collect();
    let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
    let signals = SignalFd::with_flags(&passed_on, flags).map_err(failed)?;
    while signals.read_signal().map_err(failed)?.is_some() {}
    Ok(())
}

/// The exit status a shell has for it.
fn shell_status(status: ExitStatus) -> u8 {
    match (status.code(), status.signal()) {
        (Some(code), _) => (code & 0xff) as u8,
        (None, Some(signal)) => SIGNAL_BASE.saturating_add(signal as u8),
        (None, None) => u8::MAX,
    }
}

impl Drop for Foreground {
    fn drop(&mut self) {
        if let Some((terminal, group)) = &self.terminal {
            // Fails when the terminal is gone, and then there is nothing to give back.
            let _ = tcsetpgrp(terminal, *group);
        }
        // Cannot fail: the mask was accepted before.
        let _ = self.before.thread_set_mask();
    }
}

/// The controlling terminal, when the calling process is in its foreground.
fn own_terminal() -> Option<(File, Pid)> {
    let terminal = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NOCTTY)
        .open("/dev/tty")
        .ok()?;
    let group = getpgrp();
    (tcgetpgrp(&terminal) == Ok(group)).then_some((terminal, group))
}

/// What the calling process becomes.
#[derive(Debug, Clone)]
pub struct Program {
    /// Its name, looked for in the PATH of `environment` unless it holds a slash.
    pub name: OsString,
    /// Its own name in its arguments; `name` when absent. A leading dash makes a shell a login shell.
    pub first_argument: Option<OsString>,
    /// The arguments after that.
    pub arguments: Vec<OsString>,
    /// Its whole environment.
    pub environment: Vec<(OsString, OsString)>,
}

/// Why a program could not be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotStarted {
    /// The answer of the system.
    pub errno: i32,
}

impl NotStarted {
    /// The exit status env(1) has for it: 127 when there is no such program, 126 when it cannot be run.
    #[must_use]
    pub fn status(self) -> u8 {
        if self.errno == libc::ENOENT { 127 } else { 126 }
    }

    /// In the system's words.
    #[must_use]
    pub fn reason(self) -> String {
        if self.errno == libc::ENOENT {
            return "no such program".into();
        }
        Errno::from_raw(self.errno).desc().to_owned()
    }
}

/// Makes the calling process the program. Returns only when that failed.
///
/// # Errors
/// [`Error::Io`] at a fault point; the refusal of the system is the `Ok` value.
pub fn become_program(program: &Program) -> Result<NotStarted> {
    let path = match find(program) {
        Ok(path) => path,
        Err(not_started) => return Ok(not_started),
    };
    fault::point("start", &path)?;
    let first = program.first_argument.as_ref().unwrap_or(&program.name);
    // `exec` of the standard library also undoes Rust's ignoring of SIGPIPE, and starts a script without
    // an interpreter line by sh, as env(1) does.
    let error = std::process::Command::new(&path)
        .arg0(first)
        .args(&program.arguments)
        .env_clear()
        .envs(
            program
                .environment
                .iter()
                .map(|(name, value)| (name, value)),
        )
        .exec();
    Ok(NotStarted {
        errno: error.raw_os_error().unwrap_or(libc::EINVAL),
    })
}

/// The file to be started, as execvp(3) finds it.
fn find(program: &Program) -> std::result::Result<PathBuf, NotStarted> {
    use std::os::unix::ffi::OsStrExt;

    if program.name.is_empty() {
        return Err(NotStarted {
            errno: libc::ENOENT,
        });
    }
    let name = Path::new(&program.name);
    if program.name.as_bytes().contains(&b'/') {
        return Ok(name.to_path_buf());
    }
    let search = program
        .environment
        .iter()
        .rev()
        .find(|(variable, _)| variable == "PATH")
        .map_or(OsStr::new(""), |(_, value)| value);
    let mut refusal = NotStarted {
        errno: libc::ENOENT,
    };
    for directory in std::env::split_paths(search) {
        let path = directory.join(name);
        match is_executable_file(&path) {
            Ok(true) => return Ok(path),
            Ok(false) => {
                refusal = NotStarted {
                    errno: libc::EACCES,
                }
            }
            // Not there, or the directory itself cannot be searched: the next one may have it.
            Err(_) => {}
        }
    }
    Err(refusal)
}

/// Whether `path` is a file that somebody may execute.
///
/// # Errors
/// When there is nothing.
pub fn is_executable_file(path: &Path) -> io::Result<bool> {
    let metadata = std::fs::metadata(path)?;
    Ok(metadata.is_file() && metadata.mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_signal_that_comes_with_the_programs_end_does_not_replace_its_status() {
        let foreground = Foreground::begin().unwrap();
        let child = crate::namespace::fork_child(|| 7).unwrap();
        // Before the wait begins: the program has ended, and Ctrl-C went to the whole group.
        nix::sys::signal::raise(Signal::SIGINT).unwrap();
        nix::sys::signal::raise(Signal::SIGTERM).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(100));
        // This process lives on, which shows that both were dropped.
        assert_eq!(foreground.wait(&child).unwrap(), 7);
    }

    fn program(name: &str, path: &Path) -> Program {
        Program {
            name: name.into(),
            first_argument: None,
            arguments: Vec::new(),
            environment: vec![("PATH".into(), path.into())],
        }
    }

    #[test]
    fn a_program_is_found_along_the_path() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("tool");
        std::fs::write(&file, "#!/bin/sh\n").unwrap();
        let refused = find(&program("tool", directory.path())).unwrap_err();
        assert_eq!(refused.status(), 126);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(find(&program("tool", directory.path())), Ok(file));
        let missing = find(&program("other", directory.path())).unwrap_err();
        assert_eq!(
            (missing.status(), missing.reason()),
            (127, "no such program".to_owned())
        );
    }

    #[test]
    fn a_name_with_a_slash_is_taken_as_it_is() {
        assert_eq!(
            find(&program("./x/y", Path::new("/bin"))),
            Ok(PathBuf::from("./x/y"))
        );
    }

    #[test]
    fn an_empty_name_is_no_program() {
        assert_eq!(
            find(&program("", Path::new("/bin"))).unwrap_err().status(),
            127
        );
    }
}
