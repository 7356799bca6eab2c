//! The program that the flipper-profile package runs when its dpkg trigger fires.
//!
//! A dpkg trigger is the one thing that any dpkg runs, whoever started it and with whatever hooks.
//! So this is where a package change is seen that the hooks do not know of. Started by hand, it brings
//! the journal up to what is there. It fails only for a name it does not know, and the postinst only
//! tells that: one that fails would leave the whole system half-configured.

use std::path::Path;
use std::process::ExitCode;

use profile_db::model::Time;
use profile_store::session::SESSION_FILE;
use profile_store::transaction::reason::whole;
use profile_store::transaction::unseen::{self, Sight};
use profile_store::transaction::{self, Asker, World, covered, rows};
use profile_store::{Error, Pool, Session};
use profile_sys::deadline::{self, Ended};

/// What debian/flipper-profile.triggers is interested in.
const NAMES: &[&str] = &[
    "/boot",
    "/etc",
    "/opt",
    "/srv",
    "/usr",
    "/var",
    "flipper-profile",
];
/// How long it may take.
const TIME_LIMIT: std::time::Duration = std::time::Duration::from_secs(30);

fn main() -> ExitCode {
    let names: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    if let Some(name) = unknown(&names) {
        eprintln!(
            "trigger: there is no trigger '{name}'; it is one of {}",
            NAMES.join(", ")
        );
        return ExitCode::FAILURE;
    }
    let session = match Session::current() {
        Ok(Some(session)) => session,
        Ok(None) => return ExitCode::SUCCESS,
        // A bare chroot: a profile always has both.
        Err(_) if !Path::new(SESSION_FILE).exists() && !Path::new("/proc/self").exists() => {
            return ExitCode::SUCCESS;
        }
        Err(error) => return told(&whole(&error)),
    };
    let pid = std::process::id();
    match covered::covers(pid) {
        // The hooks are at work around this dpkg: they see and record everything.
        Ok(true) => return ExitCode::SUCCESS,
        Ok(false) => {}
        Err(error) => return told(&whole(&error)),
    }
    let work = || match refresh(&session, pid) {
        Ok(()) => 0,
        Err(error) => {
            told(&whole(&error));
            0
        }
    };
    match deadline::run_within(TIME_LIMIT, work) {
        Ok(Ended::InTime(_)) => ExitCode::SUCCESS,
        Ok(Ended::Cut(status)) => told(&format!("it was cut short ({status})")),
        Ok(Ended::TooLate) => told(&format!("it took longer than {} s", TIME_LIMIT.as_secs())),
        Err(error) => told(&whole(&error)),
    }
}

/// The first name that is none of ours.
fn unknown(names: &[String]) -> Option<&str> {
    // dpkg gives all names of one run as one word.
    names
        .iter()
        .flat_map(|words| words.split_whitespace())
        .find(|name| !NAMES.contains(name))
}

fn told(reason: &str) -> ExitCode {
    eprintln!("W: flipper-profile: a package change could not be looked at: {reason}");
    ExitCode::SUCCESS
}

fn refresh(session: &Session, pid: u32) -> Result<(), Error> {
    // The hook before this dpkg has told the user that it could not work; nothing is left to say.
    let is_told = |layout| unseen::is_told(layout, &session.profile, pid);
    let pool = match Pool::open_session(session) {
        Err(_) if is_told(None)? => return Ok(()),
        pool => pool?,
    };
    if is_told(Some(pool.layout()))? {
        return Ok(());
    }
    let world = World::of_session(&pool, session);
    let journal = match rows::journal_within(&pool, rows::PATIENCE) {
        // Whoever has it records what it does; what the hooks do not know of is found later anyway.
        Err(Error::Journal(error)) if error.is_locked() => return Ok(()),
        outcome => outcome?,
    };
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let asker = Asker {
        sudo: variable("SUDO_UID"),
        sudo_name: variable("SUDO_USER"),
        pkexec: variable("PKEXEC_UID"),
        packagekit: variable("PACKAGEKIT_CALLER_UID"),
    };
    match unseen::look(&world, &journal, pid, &asker, Time::now())? {
        // In the middle of dpkg's work no snapshot is one of a state: the next hook or command closes
        // what nobody ends any more.
        Sight::Announced | Sight::Noted => Ok(()),
        // Started by hand. Not when another command is at work: it does the same itself.
        Sight::NoDpkg => match pool.lock_within(std::time::Duration::ZERO) {
            Ok(lock) => transaction::catch_up(&world, &journal, &lock, Time::now()).map(|_| ()),
            Err(_) => Ok(()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_must_be_known() {
        let of = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            unknown(&names).map(str::to_owned)
        };
        assert_eq!(of(&["/usr"]), None);
        assert_eq!(of(&["/usr /etc flipper-profile"]), None);
        assert_eq!(of(&[]), None);
        assert_eq!(of(&["/usr /usrlocal"]).as_deref(), Some("/usrlocal"));
    }

    #[test]
    fn the_names_are_those_of_the_package() {
        let file = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../debian/flipper-profile.triggers"
        );
        let Ok(text) = std::fs::read_to_string(file) else {
            // Built from a crate on its own.
            return;
        };
        let mut found: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("interest-noawait "))
            .collect();
        found.sort_unstable();
        assert_eq!(found, NAMES);
    }
}
