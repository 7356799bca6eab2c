//! One session: a command in the namespaces of a holder, and the entry that waits for it.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use profile_db::ProfileFile;
use profile_sys::foreground::{self, Foreground, NotStarted, Program};
use profile_sys::{mount, pipe};
use serde::{Deserialize, Serialize};

use super::join::{self, enter_mounts};
use super::lease::Lease;
use super::{Command, OWN_FAILURE, environment};
use crate::error::{Error, Result};
use crate::pool::Pool;

/// Shells for a session without a command, when the caller's own is not in the profile.
const SHELLS: &[&str] = &["/bin/bash", "/bin/sh"];

/// What the child answers when the command did not start; a command that starts closes the pipe instead.
#[derive(Debug, Serialize, Deserialize)]
enum Refusal {
    /// The system refused to start the program.
    Program { errno: i32 },
    /// Something before that failed.
    Other { detail: String },
}

/// Runs the command in the holder's namespaces; its exit status, or `None` when the holder is gone.
///
/// # Errors
///
/// The command cannot be started. When the command was started and this process cannot leave its own mounts,
/// the command dies with this process.
pub(super) fn run(
    pool: &Pool,
    profile: &ProfileFile,
    command: &Command,
    lease: &Lease,
    holder: u32,
) -> Result<Option<u8>> {
    let foreground = Foreground::begin()?;
    let (mut answer, writer) = pipe::pipe()?;
    let waiting = &foreground;
    let forked = join::fork_into(lease, holder, move || {
        let refusal = match start(profile, command, lease, holder, waiting) {
            Ok(refused) => Refusal::Program {
                errno: refused.errno,
            },
            Err(error) => Refusal::Other {
                detail: error.to_string(),
            },
        };
        refuse(writer, &refusal);
        i32::from(OWN_FAILURE)
    })?;
    let Some(child) = forked else {
        return Ok(None);
    };
    let mut text = Vec::new();
    answer.read_to_end(&mut text).map_err(|error| {
        profile_sys::Error::io("read the command's answer from", "/proc/self/fd", error)
    })?;
    if !text.is_empty() {
        child.wait()?;
        return Err(refused(profile, command, &text));
    }
    leave_the_host(pool)?;
    Ok(Some(foreground.wait(&child)?))
}

/// In the child: goes into the profile and becomes the command. Returns only when the system refused that.
fn start(
    profile: &ProfileFile,
    command: &Command,
    lease: &Lease,
    holder: u32,
    foreground: &Foreground,
) -> Result<NotStarted> {
    enter_mounts(lease, holder)?;
    stand_in_home()?;
    foreground.release()?;
    let shell = shell(&command.environment);
    let environment = environment::clean(&command.environment, profile.name.as_str(), &shell);
    let program = match &command.program {
        Some(program) => Program {
            name: program.clone(),
            first_argument: None,
            arguments: command.arguments.clone(),
            environment,
        },
        None => Program {
            first_argument: Some(login_name(&shell)),
            name: shell,
            arguments: Vec::new(),
            environment,
        },
    };
    Ok(foreground::become_program(&program)?)
}

/// root's home directory, or `/` when it is missing.
fn stand_in_home() -> Result<()> {
    let home = Path::new(environment::HOME);
    if std::env::set_current_dir(home).is_ok() {
        return Ok(());
    }
    let root = Path::new("/");
    Ok(std::env::set_current_dir(root)
        .map_err(|error| profile_sys::Error::io("stand in", root, error))?)
}

/// The shell of a session: the caller's, when the profile has it, else one that Debian has.
fn shell(caller: &[(OsString, OsString)]) -> OsString {
    environment::value(caller, "SHELL")
        .into_iter()
        .chain(SHELLS.iter().map(OsStr::new))
        .find(|shell| {
            let path = Path::new(shell);
            path.is_absolute() && foreground::is_executable_file(path).unwrap_or(false)
        })
        .map_or_else(|| OsString::from("/bin/sh"), OsStr::to_os_string)
}

/// What makes a shell a login shell: its name with a dash before it.
fn login_name(shell: &OsStr) -> OsString {
    let mut name = OsString::from("-");
    name.push(Path::new(shell).file_name().unwrap_or(shell));
    name
}

fn refuse(mut writer: File, refusal: &Refusal) {
    // Should both fail, the pipe is closed empty and the exit status tells that it was our own failure.
    if let Ok(text) = serde_json::to_vec(refusal) {
        let _ = writer.write_all(&text);
    }
}

/// The error for a command that did not start.
fn refused(profile: &ProfileFile, command: &Command, text: &[u8]) -> Error {
    let (detail, status) = match serde_json::from_slice(text) {
        Ok(Refusal::Program { errno }) => {
            let refused = NotStarted { errno };
            (refused.reason(), refused.status())
        }
        Ok(Refusal::Other { detail }) => (detail, OWN_FAILURE),
        Err(error) => (error.to_string(), OWN_FAILURE),
    };
    Error::CannotStart {
        command: name_of(command),
        name: profile.name.to_string(),
        detail,
        status,
    }
}

/// What is to be run, for messages.
pub(super) fn name_of(command: &Command) -> String {
    command.program.as_ref().map_or_else(
        || "a shell".into(),
        |program| program.to_string_lossy().into_owned(),
    )
}

/// Gives this process an empty root: while it waits, it keeps no mount of the host busy, nor the pool's.
fn leave_the_host(pool: &Pool) -> Result<()> {
    let empty = pool.private_directory("empty")?;
    mount::tmpfs(&empty, "mode=0700,size=4k")?;
    Ok(mount::pivot_root_into(&empty)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_callers_shell_is_used_when_it_is_there() {
        let caller = |shell: &str| vec![(OsString::from("SHELL"), OsString::from(shell))];
        assert_eq!(shell(&caller("/bin/sh")), "/bin/sh");
        assert_ne!(shell(&caller("/no/such/shell")), "/no/such/shell");
        // A relative one would depend on the directory.
        assert_ne!(shell(&caller("sh")), "sh");
    }

    #[test]
    fn a_login_shell_has_a_dash() {
        assert_eq!(login_name(OsStr::new("/usr/bin/zsh")), "-zsh");
    }
}
