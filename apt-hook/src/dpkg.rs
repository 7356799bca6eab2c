//! dpkg's own hooks: a tripwire for a dpkg that no front end started.

use std::path::{Path, PathBuf};

use profile_store::Error;
use profile_store::transaction::{self, Caller, front_end};
use profile_sys::{lock, process};

use crate::bare::{self, Line};
use crate::begin;
use crate::end;
use crate::hook::{Hook, NO_PLAN};
use crate::policy::Verdict;
use crate::prepare;
use crate::say;

/// Where dpkg keeps its database and locks.
const ADMIN_DIRECTORY: &str = "/var/lib/dpkg";

/// A bare dpkg that works on this root.
struct Bare {
    line: Line,
    /// Where it was started.
    directory: PathBuf,
}

/// Before a dpkg process.
pub fn before(hook: &Hook, caller: &Caller) -> Verdict {
    let bare = match bare(hook) {
        Ok(Some(bare)) => bare,
        Ok(None) => return Verdict::Fine,
        Err(error) => return hook.failed(None, caller, &error),
    };
    // Another one is at work: this dpkg is going to say so and end.
    match lock::DpkgLock::try_acquire(Path::new(ADMIN_DIRECTORY)) {
        Ok(Some(lock)) => drop(lock),
        Ok(None) => return Verdict::Fine,
        Err(error) => return hook.failed(None, caller, &error.into()),
    }
    hook.with_journal(caller, |work| {
        let verdict = begin::begin(work)?;
        let archives = bare::archives(&bare.line, &bare.directory);
        if archives.is_empty() {
            return Ok(verdict);
        }
        // Reading the archives may take longer than this hook may; what is protected already is
        // recorded as that before.
        transaction::plan(work.world, &work.journal, caller, &[])?;
        // How the beginning went counts: it is what protects.
        if let Err(error) = prepare::of_archives(work, &archives) {
            let what = format!("{NO_PLAN}: {}", say::whole(&error));
            say::warn(&what, &say::help(&error));
        }
        Ok(verdict)
    })
}

/// After a dpkg process.
pub fn after(hook: &Hook, caller: &Caller) -> Verdict {
    match bare(hook) {
        Ok(Some(_)) => hook.with_journal(caller, end::end),
        Ok(None) => Verdict::Fine,
        Err(error) => hook.failed(None, caller, &error),
    }
}

/// The dpkg that started this hook, when no front end stands behind it and it works on this root.
fn bare(hook: &Hook) -> Result<Option<Bare>, Error> {
    let variable = |name: &str| crate::variable(name);
    if variable("DPKG_FRONTEND_LOCKED").is_some() {
        return Ok(None);
    }
    let root = variable("DPKG_ROOT");
    if bare::elsewhere_by_environment(root.as_deref(), variable("DPKG_ADMINDIR").as_deref()) {
        return Ok(None);
    }
    let chain = process::ancestors(hook.pid)?;
    let Some(dpkg) = front_end::dpkg(&chain) else {
        return Ok(None);
    };
    let line = Line::parse(&dpkg.cmdline);
    if line.has_reader || line.elsewhere {
        return Ok(None);
    }
    let directory = process::working_directory(dpkg.pid)?;
    Ok(directory.map(|directory| Bare { line, directory }))
}
