//! The holder: the first process of the profile's pid namespace.
//!
//! It mounts the profile, tells the entry that started it, and sleeps until the last session has gone. It runs
//! forked, without an exec: it has no terminal, no descriptor and no lock of the entry but what it opens
//! itself.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use profile_db::ProfileFile;
use profile_sys::lock::{FileLock, LockFile, Mode};
use profile_sys::namespace::{self, Kind};
use profile_sys::{file, mount, pid_one, process};

use super::lease::Lease;
use super::root;
use crate::error::{Error, Result};
use crate::pool::Pool;
use crate::session::Session;

/// How long others that only look at the lease may keep the holder from taking it.
const PROBES: Duration = Duration::from_secs(5);
/// What the holder answers when everything is mounted; anything else says why not.
const READY: &[u8] = b"ready";
/// Exit status of a holder that failed.
const FAILED: i32 = 1;

/// What a holder needs to know.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub pool: &'a Pool,
    pub profile: &'a ProfileFile,
    /// The pinned base.
    pub base: &'a Path,
    /// The session file it writes.
    pub session: &'a Session,
    /// An empty directory for the tree.
    pub root: &'a Path,
}

/// The holder's life. Returns its exit status.
pub(super) fn hold(request: &Request<'_>, writer: File) -> i32 {
    let held = match mount_profile(request) {
        Ok(held) => held,
        Err(error) => {
            report_failure(&writer, &error);
            return FAILED;
        }
    };
    report(&writer, READY);
    // The entry reads to the end.
    drop(writer);
    match wait_for_the_last_session(&held).and_then(|()| end()) {
        // The locks go now, with the process, and not before.
        Ok(()) => 0,
        // There is nobody to tell. The end of this process ends the others in any case.
        Err(_) => FAILED,
    }
}

/// The locks of a holder. Both files are on the pool, whose top level it cannot reach by a path any more.
#[derive(Debug)]
struct Held {
    _lease: FileLock,
    sessions: LockFile,
}

fn mount_profile(request: &Request<'_>) -> Result<Held> {
    let (layout, id) = (request.pool.layout(), &request.profile.id);
    let lease = FileLock::acquire(&layout.lease(id), Mode::Exclusive, PROBES)?;
    // What an earlier holder left says nothing about this one.
    lease.write_content(b"")?;
    let sessions = LockFile::open(&layout.sessions_lock(id))?;
    // While /proc is still the one of the caller, it tells this process's number there.
    let outer_pid = outer_pid()?;
    let identity = process::of(outer_pid)?;
    mount::private_namespace()?;
    root::build(
        request.pool,
        request.profile,
        request.base,
        request.session,
        request.root,
    )?;
    mount::pivot_root_into(request.root)?;
    let content = Lease::new(
        identity,
        outer_pid,
        namespace::id_of(std::process::id(), Kind::Mount)?,
        *id,
        (request.session.upper_uuid, request.session.base_uuid),
    );
    let bytes = content.to_bytes().map_err(|error| Error::SessionFile {
        path: layout.lease(id),
        detail: error.to_string(),
    })?;
    // Last: whoever reads it may join.
    lease.write_content(&bytes)?;
    Ok(Held {
        _lease: lease,
        sessions,
    })
}

/// This process's number in the pid namespace that /proc belongs to.
fn outer_pid() -> Result<u32> {
    let path = Path::new("/proc/self");
    let text = file::read_link(path)?;
    text.to_str()
        .and_then(|number| number.parse().ok())
        .ok_or_else(|| {
            let detail = format!("it points to {}", text.display());
            Error::Sys(profile_sys::Error::Malformed {
                what: "link to this process",
                path: path.into(),
                detail,
            })
        })
}

/// Sleeps until the sessions lock is held by this process alone, and reaps what the sessions leave behind.
fn wait_for_the_last_session(held: &Held) -> Result<()> {
    loop {
        // A child does the waiting, since this process must wait for its children. It shares the open file, so
        // the lock it gets is this process's too.
        let waiter = namespace::fork_child(|| match held.sessions.wait(Mode::Exclusive) {
            Ok(()) => 0,
            Err(_) => FAILED,
        })?;
        // Anybody in the profile is root and may kill the waiter, which must not end everybody's session.
        if namespace::reap_until(&waiter)?.success() {
            return Ok(());
        }
    }
}

/// Ends everything that the sessions left running, and lets go of the profile's tree, while the lease is still
/// held: who takes it next finds the upper mounted nowhere.
fn end() -> Result<()> {
    pid_one::end_others()?;
    let empty = Path::new("/run");
    mount::tmpfs(empty, "mode=0700,size=4k")?;
    Ok(mount::pivot_root_into(empty)?)
}

fn report(mut writer: &File, answer: &[u8]) {
    // The entry that asked may be gone; then its session is, too, and the holder ends by itself.
    let _ = writer.write_all(answer);
}

/// Tells the entry why there is no holder.
pub(super) fn report_failure(writer: &File, error: &(dyn std::error::Error + 'static)) {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    report(writer, text.as_bytes());
}

/// `None` when the holder is ready, else why not.
pub(super) fn parse_answer(answer: &[u8]) -> Option<String> {
    match answer {
        READY => None,
        b"" => Some("the process that mounts it was killed".into()),
        text => Some(String::from_utf8_lossy(text).into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_ready_or_a_reason() {
        assert_eq!(parse_answer(READY), None);
        assert_eq!(parse_answer(b"cannot mount"), Some("cannot mount".into()));
        assert!(parse_answer(b"").is_some_and(|reason| reason.contains("killed")));
    }
}
