//! The program that apt and dpkg start around every package change.
//!
//! Outside of a profile it ends at once, without a word. Inside it takes snapshots and keeps the
//! journal; it never stops apt unless the machine's configuration says so ([`policy`]); it needs no
//! daemon and no D-Bus; and it takes no longer than its time limit: the work is in a forked child,
//! which Ctrl-C does not reach and which is left behind when the time is over.

mod archive;
mod bare;
mod begin;
mod dpkg;
mod end;
mod hook;
mod mode;
mod policy;
mod prepare;
mod protocol;
mod say;
mod settings;

use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use profile_db::model::Time;
use profile_store::Session;
use profile_store::session::SESSION_FILE;
use profile_store::transaction::{Asker, notes};
use profile_sys::deadline::{self, Ended};
use profile_sys::file;

use hook::Hook;
use mode::Mode;
use policy::{Policy, Verdict};
use settings::Settings;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_default();
    let Some(mode) = Mode::of(&name, arguments.next().as_deref()) else {
        eprintln!(
            "apt-hook: apt and dpkg start it with one of: pre, plan, post, dpkg-pre, dpkg-post"
        );
        return ExitCode::from(2);
    };
    let session = match Session::current() {
        Ok(Some(session)) => session,
        // An ordinary machine, a chroot, an image build.
        Ok(None) => return ExitCode::SUCCESS,
        // A bare chroot: a profile always has both.
        Err(_) if !Path::new(SESSION_FILE).exists() && !Path::new("/proc/self").exists() => {
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            let what = format!(
                "this change is not protected and cannot be undone: {}",
                say::whole(&error)
            );
            say::warn(&what, "leave the profile and enter it again");
            let settings = read_settings(mode);
            let switched_off = settings::switched_off(&settings, variable);
            let policy = policy_of(&settings, switched_off.as_deref());
            return exit(mode, Verdict::Failed, policy);
        }
    };
    let settings = read_settings(mode);
    let switched_off = settings::switched_off(&settings, variable);
    let policy = policy_of(&settings, switched_off.as_deref());
    let hook = Hook {
        mode,
        session,
        pid: std::process::id(),
        asker: Asker {
            sudo: variable("SUDO_UID"),
            sudo_name: variable("SUDO_USER"),
            pkexec: variable("PKEXEC_UID"),
            packagekit: variable("PACKAGEKIT_CALLER_UID"),
        },
        switched_off,
        policy,
        limit: settings.time_limit,
        now: Time::now(),
    };
    exit(mode, within_limit(&hook, &settings), policy)
}

/// Whoever switched the protection off, for one run or for good, wants no change stopped for want of it.
fn policy_of(settings: &Settings, switched_off: Option<&str>) -> Policy {
    match switched_off {
        Some(_) => Policy::Report,
        None => settings.policy,
    }
}

fn exit(mode: Mode, verdict: Verdict, policy: Policy) -> ExitCode {
    ExitCode::from(policy::exit_status(mode, verdict, policy))
}

/// What the child that works returns.
const FINE: i32 = 0;
const FAILED: i32 = 1;

/// How long a note of a failed hook may take.
const NOTE_LIMIT: Duration = Duration::from_secs(2);

/// Does the hook's work in a child, for as long as the hook may take.
fn within_limit(hook: &Hook, settings: &Settings) -> Verdict {
    let work = || match perform(hook) {
        Verdict::Fine => FINE,
        Verdict::Failed => FAILED,
    };
    let reason = match deadline::run_within(settings.time_limit, work) {
        Ok(Ended::InTime(FINE)) => return Verdict::Fine,
        // The child has told why.
        Ok(Ended::InTime(_)) => return Verdict::Failed,
        Ok(Ended::Cut(status)) => format!("the hook was cut short ({status})"),
        Ok(Ended::TooLate) => format!(
            "the hook took longer than {} s",
            settings.time_limit.as_secs()
        ),
        Err(error) => say::whole(&error),
    };
    told_by_parent(hook, &reason)
}

/// Tells what the child could not tell, and leaves word of it: a snapshot that the child may still
/// make must not pass for the state before the change.
fn told_by_parent(hook: &Hook, reason: &str) -> Verdict {
    let caller = hook.caller().ok().flatten();
    let told_before = caller.as_ref().is_some_and(|caller| {
        !hook.begins() && notes::tells_of(None, &hook.session.profile, &caller.owner)
    });
    if !told_before {
        let help = "`flipper-profile status` tells more";
        say::warn(&format!("{}: {reason}", hook.failure()), help);
    }
    match caller {
        Some(caller) if hook.begins() && !hook.stops() => {
            hook.leave_note_within(NOTE_LIMIT, &caller, reason);
        }
        _ => {}
    }
    Verdict::Failed
}

/// The work itself.
fn perform(hook: &Hook) -> Verdict {
    let caller = match hook.caller() {
        Ok(Some(caller)) => caller,
        // Whoever started this hook is gone: nothing will change.
        Ok(None) => return Verdict::Fine,
        Err(error) => {
            let what = format!("{}: {}", hook.failure(), say::whole(&error));
            say::warn(&what, &say::help(&error));
            return Verdict::Failed;
        }
    };
    match hook.mode {
        Mode::Pre => hook.with_journal(&caller, begin::begin),
        Mode::Post => hook.with_journal(&caller, end::end),
        // What the first hook could not record has no plan to be kept either.
        Mode::Plan if notes::tells_of(None, &hook.session.profile, &caller.owner) => {
            Verdict::Failed
        }
        Mode::Plan => match read_plan() {
            Ok(plan) => prepare::of_plan(hook, &caller, &plan),
            Err(reason) => {
                say::warn(&format!("{}: {reason}", hook::NO_PLAN), "");
                Verdict::Failed
            }
        },
        Mode::DpkgPre => dpkg::before(hook, &caller),
        Mode::DpkgPost => dpkg::after(hook, &caller),
    }
}

/// Reads the plan from the descriptor that apt names, standard input without one.
fn read_plan() -> Result<protocol::Plan, String> {
    let number = variable("APT_HOOK_INFO_FD").unwrap_or_default();
    // Through /proc, since the number is only known from a variable. It is a pipe: apt ends it.
    let path = format!("/proc/self/fd/{}", number.parse().unwrap_or(0_u32));
    let failed = |error: std::io::Error| format!("cannot read {path}: {error}");
    let limit = protocol::LONGEST_BYTES as u64;
    let mut text = Vec::new();
    let file = std::fs::File::open(&path).map_err(failed)?;
    file.take(limit + 1)
        .read_to_end(&mut text)
        .map_err(failed)?;
    if text.len() as u64 > limit {
        return Err(format!("it has more than {limit} bytes"));
    }
    protocol::Plan::parse(&text).map_err(|error| say::whole(&error))
}

/// The machine's settings; what is wrong in them is told once per change, by its first hook.
fn read_settings(mode: Mode) -> Settings {
    let path = Path::new(settings::PATH);
    let text = match file::exists(path) {
        Ok(false) => return Settings::default(),
        Ok(true) => file::read_limited(path, settings::LIMIT_BYTES),
        Err(error) => Err(error),
    };
    let (settings, complaints) = match text {
        Ok(text) => settings::parse(&String::from_utf8_lossy(&text)),
        Err(error) => (Settings::default(), vec![say::whole(&error)]),
    };
    if matches!(mode, Mode::Pre | Mode::DpkgPre) {
        for complaint in complaints {
            say::warn(&format!("{}: {complaint}", settings::PATH), "");
        }
    }
    settings
}

/// A variable of the environment, when it is set and is text.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
