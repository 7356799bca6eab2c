//! Who gives the command: what the journal records beside a change.

use std::env;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use nix::unistd::{Uid, User, getuid};
use profile_db::model::Owner;
use profile_db::redact;
use profile_store::actor::Actor;
use profile_store::transaction::front_end::command_line;

use crate::context::Result;

/// What the journal calls this program.
const NAME: &str = "flipper-profile";
/// What the kernel writes as login uid of a process that nobody's login started.
const NO_LOGIN: u32 = u32::MAX;

/// The person and the process behind this command.
///
/// # Errors
///
/// /proc cannot be read.
pub fn current() -> Result<Actor> {
    let identity = profile_sys::process::current()?;
    let uid = person();
    // The user of a host may be unknown inside a profile: then sudo's word, else the number.
    let name = User::from_uid(Uid::from_raw(uid))
        .ok()
        .flatten()
        .map(|user| user.name)
        .or_else(|| named_by_sudo(uid))
        .unwrap_or_else(|| uid.to_string());
    Ok(Actor {
        command: redact::command(&spoken(env::args_os())),
        user: Some(name),
        uid: Some(uid),
        front_end: NAME.into(),
        owner: Owner {
            pid: identity.pid,
            start_time: identity.start_time,
            pid_ns: identity.pid_ns,
            boot_id: identity.boot_id,
            // Only D-Bus tells it; the other four name one process as well (a soft reboot ends all).
            soft_reboots: 0,
        },
    })
}

/// The person: who became root for this, else who logged in, else whom the process runs as.
fn person() -> u32 {
    let named = ["SUDO_UID", "PKEXEC_UID"]
        .iter()
        .find_map(|name| env::var(name).ok()?.trim().parse().ok());
    // Kernels without audit have no such file.
    let login = || {
        std::fs::read_to_string("/proc/self/loginuid")
            .ok()?
            .trim()
            .parse()
            .ok()
            .filter(|uid| *uid != NO_LOGIN)
    };
    named.or_else(login).unwrap_or_else(|| getuid().as_raw())
}

/// The name that sudo gives to this user, when it was sudo that told the number.
fn named_by_sudo(uid: u32) -> Option<String> {
    let told = env::var("SUDO_UID").ok()?.trim().parse() == Ok(uid);
    env::var("SUDO_USER")
        .ok()
        .filter(|name| told && !name.is_empty())
}

/// The command line as it was typed, the program by its name alone.
fn spoken(arguments: impl Iterator<Item = OsString>) -> String {
    let words = arguments.skip(1).map(|word| word.as_bytes().to_vec());
    command_line(
        &std::iter::once(NAME.as_bytes().to_vec())
            .chain(words)
            .collect::<Vec<_>>(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_recorded_as_it_was_typed() {
        let words = ["/usr/bin/flipper-profile", "undo", "12"].map(OsString::from);
        assert_eq!(spoken(words.into_iter()), "flipper-profile undo 12");
    }

    #[test]
    fn this_process_is_the_owner() {
        let actor = current().unwrap();
        assert_eq!(actor.owner.pid, std::process::id());
        assert!(actor.user.is_some_and(|user| !user.is_empty()));
    }
}
