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
use serde::{Deserialize, Serialize};

use super::lease::Lease;
use super::root;
use crate::changes;
use crate::error::{Error, Result};
use crate::pool::Pool;
use crate::session::Session;
use crate::transaction::reserve;

/// How long others that only look at the lease may keep the holder from taking it.
const PROBES: Duration = Duration::from_secs(5);
/// Exit status of a holder that failed.
const FAILED: i32 = 1;

/// What the holder answers the entry that started it. Nothing at all means that it was killed.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    /// Everything is mounted.
    Ready,
    /// It could not be mounted.
    Failed {
        /// Why, with every cause.
        detail: String,
        /// Whether the pool was full.
        no_space: bool,
    },
}

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
            report(
                &writer,
                &Answer::failed(&error, reserve::would_help(&error)),
            );
            return FAILED;
        }
    };
    report(&writer, &Answer::Ready);
    // The entry reads to the end.
    drop(writer);
    let ended = wait_for_the_last_session(&held)
        .and_then(|()| Ok(pid_one::end_others()?))
        .and_then(|()| {
            keep_changes(request)?;
            let_go()
        });
    match ended {
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
    lease.describe(b"")?;
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
    lease.describe(&bytes)?;
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

/// Compares the snapshots of the transactions of these sessions and keeps the changed paths in the journal:
/// an undo finds them there, and so takes no longer for a large change than for a small one.
fn keep_changes(request: &Request<'_>) -> Result<()> {
    let (session, id) = (request.session, &request.profile.id);
    let comparing = namespace::fork_child(|| {
        let kept = Pool::open_session(session)
            .and_then(|pool| changes::ensure_newest(&pool, &pool.journal()?, id));
        match kept {
            Ok(()) => 0,
            Err(_) => FAILED,
        }
    })?;
    // What could not be compared now, for want of space or because the journal is in use, is compared by
    // the command that needs it, which can say why not.
    comparing.wait()?;
    Ok(())
}

/// Lets go of the profile's tree, while the lease is still held: who takes it next finds the upper mounted
/// nowhere.
fn let_go() -> Result<()> {
    let empty = Path::new("/run");
    mount::tmpfs(empty, "mode=0700,size=4k")?;
    Ok(mount::pivot_root_into(empty)?)
}

/// Tells the entry how it went.
pub(super) fn report(mut writer: &File, answer: &Answer) {
    // The entry may be gone; then its session is, too, and the holder ends by itself. An answer that cannot be
    // given is none, which the entry takes for a failure.
    if let Ok(text) = serde_json::to_vec(answer) {
        let _ = writer.write_all(&text);
    }
}

impl Answer {
    /// A failure, its causes after it.
    pub(super) fn failed(error: &(dyn std::error::Error + 'static), no_space: bool) -> Self {
        let mut detail = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            detail.push_str(": ");
            detail.push_str(&cause.to_string());
            source = cause.source();
        }
        Self::Failed { detail, no_space }
    }

    /// Reads what the entry was told.
    pub(super) fn parse(text: &[u8]) -> Self {
        let killed = || Self::Failed {
            detail: "the process that mounts it was killed".into(),
            no_space: false,
        };
        serde_json::from_slice(text).unwrap_or_else(|_| killed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_with_its_causes() {
        let cause = std::io::Error::from_raw_os_error(28);
        let error = profile_sys::Error::io("mount", "/x", cause);
        let text = serde_json::to_vec(&Answer::failed(&error, true)).unwrap();
        let Answer::Failed {
            detail,
            no_space: true,
        } = Answer::parse(&text)
        else {
            panic!("no failure");
        };
        assert!(
            detail.starts_with("cannot mount /x: No space left"),
            "{detail}"
        );
    }

    #[test]
    fn no_answer_means_killed() {
        for text in [&b""[..], b"{\"Fai"] {
            let Answer::Failed { detail, .. } = Answer::parse(text) else {
                panic!("ready")
            };
            assert!(detail.contains("killed"));
        }
    }
}
