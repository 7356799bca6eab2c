//! Fault points: the places where a test may stop a program, which are all the places where it acts.
//!
//! Every function of this crate that changes something calls [`point`] before it does. Four environment
//! variables, read once per process, say what happens there; without them a point costs one atomic load:
//!
//! - `FLIPPER_FAULT_AT=<n>` acts at the n-th effect of the process (from 1), `=<name>[:k]` at the k-th effect
//!   of that name. A name is the verb of the effect, spaces or dashes between its words.
//! - `FLIPPER_FAULT_ACTION=kill|stop|enospc`: SIGKILL (the default), SIGSTOP (a test then copies the image
//!   as a power cut would leave it), or the effect returns ENOSPC once.
//! - `FLIPPER_FAULT_TRACE=<file>` gets one line per effect: number, name, path.
//!
//! Counting is per process; a forked child goes on counting from where its parent stood.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use nix::sys::signal::{Signal, raise};

use crate::{Error, Result, raw};

/// The exit status that a shell has for a process that was killed.
const KILLED: i32 = 128 + 9;

#[derive(Debug, Clone, PartialEq, Eq)]
enum At {
    Number(u64),
    Name { name: String, occurrence: u64 },
}

impl At {
    /// Parses `12`, `rename`, `delete-subvolume:3`. An occurrence that is no number belongs to the name.
    fn parse(text: &str) -> Self {
        if let Ok(number) = text.parse() {
            return Self::Number(number);
        }
        let (name, occurrence) = match text.rsplit_once(':') {
            Some((name, count)) => match count.parse() {
                Ok(occurrence) => (name, occurrence),
                Err(_) => (text, 1),
            },
            None => (text, 1),
        };
        Self::Name {
            name: dashed(name),
            occurrence,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Kill,
    Stop,
    NoSpace,
}

#[derive(Debug)]
struct State {
    at: Option<At>,
    action: Action,
    /// Never closed, so that a child which closes what it inherited can keep it.
    trace: Option<&'static File>,
    reached: u64,
    of_name: u64,
    done: bool,
}

impl State {
    fn from_environment() -> Option<Mutex<Self>> {
        let at = std::env::var("FLIPPER_FAULT_AT")
            .ok()
            .map(|text| At::parse(&text));
        let trace = std::env::var_os("FLIPPER_FAULT_TRACE").map(|path| {
            let opened: io::Result<File> = OpenOptions::new()
                .create(true)
                .append(true)
                .mode(0o600)
                .open(&path);
            let file = opened.unwrap_or_else(|error| {
                // A trace that cannot be written would make a crash test pass without having
                // tested anything.
                panic!(
                    "BUG: cannot open the fault trace {}: {error}",
                    Path::new(&path).display()
                )
            });
            &*Box::leak(Box::new(file))
        });
        if at.is_none() && trace.is_none() {
            return None;
        }
        let action = match std::env::var("FLIPPER_FAULT_ACTION").as_deref() {
            Ok("stop") => Action::Stop,
            Ok("enospc") => Action::NoSpace,
            _ => Action::Kill,
        };
        Some(Mutex::new(Self {
            at,
            action,
            trace,
            reached: 0,
            of_name: 0,
            done: false,
        }))
    }

    /// Counts one effect and says whether the fault is due at it.
    fn reach(&mut self, verb: &str) -> bool {
        self.reached += 1;
        let due = match &self.at {
            Some(At::Number(number)) => self.reached == *number,
            Some(At::Name { name, occurrence }) if *name == dashed(verb) => {
                self.of_name += 1;
                self.of_name == *occurrence
            }
            _ => false,
        };
        due && !std::mem::replace(&mut self.done, due)
    }
}

fn dashed(verb: &str) -> String {
    verb.replace(' ', "-")
}

/// Passes a fault point: `verb` is about to happen to `path`.
///
/// # Errors
/// ENOSPC, when a test asked for it at this point.
pub fn point(verb: &'static str, path: &Path) -> Result<()> {
    let Some(mut state) = state() else {
        return Ok(());
    };
    let due = state.reach(verb);
    let (number, action) = (state.reached, state.action);
    if let Some(trace) = &mut state.trace {
        let mut line = format!("{number} {} ", dashed(verb)).into_bytes();
        line.extend(path.as_os_str().as_bytes().iter().map(|&byte| match byte {
            b'\n' => b'?',
            other => other,
        }));
        line.push(b'\n');
        trace
            .write_all(&line)
            .map_err(|error| Error::io("write the fault trace for", path, error))?;
    }
    // Released first: a stopped process must not keep other threads of it from being inspected.
    drop(state);
    if !due {
        return Ok(());
    }
    let signal = match action {
        Action::NoSpace => {
            return Err(Error::io(
                verb,
                path,
                io::Error::from_raw_os_error(libc::ENOSPC),
            ));
        }
        Action::Kill => Signal::SIGKILL,
        Action::Stop => Signal::SIGSTOP,
    };
    raise(signal).map_err(|error| Error::io("stop before the effect on", path, error))?;
    if action == Action::Kill {
        // The first process of a pid namespace cannot kill itself: the signal was ignored.
        raw::exit_now(KILLED);
    }
    Ok(())
}

/// The state of this process, when a fault or a trace was asked for.
fn state() -> Option<MutexGuard<'static, State>> {
    static STATE: OnceLock<Option<Mutex<State>>> = OnceLock::new();
    let state = STATE.get_or_init(State::from_environment).as_ref()?;
    Some(state.lock().unwrap_or_else(PoisonError::into_inner))
}

/// The descriptor of the trace, for a child that closes all others.
pub(crate) fn trace_descriptor() -> Option<BorrowedFd<'static>> {
    Some(state()?.trace?.as_fd())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(at: &str) -> State {
        State {
            at: Some(At::parse(at)),
            action: Action::Kill,
            trace: None,
            reached: 0,
            of_name: 0,
            done: false,
        }
    }

    #[test]
    fn acts_at_the_nth_effect_once() {
        let mut state = state("2");
        let due: Vec<bool> = ["a", "b", "c"]
            .iter()
            .map(|verb| state.reach(verb))
            .collect();
        assert_eq!(due, [false, true, false]);
    }

    #[test]
    fn acts_at_the_kth_effect_of_a_name() {
        for text in ["delete subvolume:2", "delete-subvolume:2"] {
            let mut state = state(text);
            let verbs = [
                "delete subvolume",
                "rename",
                "delete subvolume",
                "delete subvolume",
            ];
            let due: Vec<bool> = verbs.iter().map(|verb| state.reach(verb)).collect();
            assert_eq!(due, [false, false, true, false], "{text}");
        }
    }

    #[test]
    fn a_name_without_a_count_is_its_first_occurrence() {
        assert_eq!(
            At::parse("rename"),
            At::Name {
                name: "rename".into(),
                occurrence: 1
            }
        );
        assert_eq!(At::parse("7"), At::Number(7));
    }
}
