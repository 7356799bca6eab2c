//! Entering a profile that is not booted.
//!
//! ```text
//!  run (client) ──────── waits, passes signals on ─────────┐
//!    │ shares the sessions lock                            │ child: the command, in the
//!    │ first one: starts                                   ▼ holder's namespaces
//!  holder = number 1 of its pid namespace, owner of a mount namespace with the overlay as root
//!      holds the lease; waits for the sessions lock alone; then ends, and everything with it
//! ```
//!
//! - The holder is nobody's child and in nobody's terminal session, so the end of the first entry does not end
//!   the others, which join its namespaces.
//! - An entry holds `<id>.sessions` shared from before it looks for a holder until its command has ended; the
//!   holder ends when it gets that lock alone. So an entry either finds a holder that stays, or waits for one
//!   that ends.
//! - A holder is started under the pool's lock, after it was made sure that the upper is mounted nowhere: one
//!   upper is never mounted twice.
//! - The entry that was the last returns when the holder has let go: what follows it finds the profile free.
//! - Whatever is killed, nothing stays: the death of the holder ends every process of its pid namespace, and
//!   its mounts exist in no other namespace.
//!
//! Mount options are forced, not inherited (`profile_sys::mount::mount_overlay`). This is no sandbox: a program
//! in a profile is root on the machine's kernel, devices and network.

pub(crate) mod confined;
mod environment;
mod holder;
mod join;
mod lease;
mod leaving;
mod resolver;
mod root;
mod session;
mod start;

use std::ffi::OsString;
use std::time::Duration;

use profile_db::ProfileFile;
use profile_db::model::ProfileId;
use profile_sys::lock::{FileLock, Mode};

pub use join::{Holder, in_holder};

use crate::error::{Error, Result};
use crate::pool::Pool;
use crate::transaction::reserve;
use lease::Look;
pub(crate) use leaving::Leaving;

/// Exit status of `run` for a failure of its own, as env(1) has it.
pub const OWN_FAILURE: u8 = 125;
/// How long a holder may take to start or to end before an entry gives up. Its end writes to the disk
/// what is not written yet, which takes its time on a card.
const SETTLE: Duration = Duration::from_secs(120);
/// Pause between two looks at a holder that is starting or dying.
const PAUSE: Duration = Duration::from_millis(10);
/// How often a holder may vanish under an entry before it gives up.
const ATTEMPTS: u32 = 5;

/// What is to be run in a profile.
#[derive(Debug, Clone, Default)]
pub struct Command {
    /// The program, looked for on the profile's PATH; root's login shell when absent.
    pub program: Option<OsString>,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// The caller's whole environment; what of it concerns the profile is chosen here.
    pub environment: Vec<(OsString, OsString)>,
}

/// Runs a command in a profile and returns its exit status: its own, or 128 + n when signal n killed it.
///
/// Joins the holder of the profile, or starts one. While the command runs, this process stands in an empty
/// root and stays there, so that a long session pins no mount of the host: print, and end.
///
/// # Errors
///
/// The profile is mounted elsewhere, its base cannot be used, a mount failed; [`Error::CannotStart`] with
/// status 126 or 127 when the command is not there or cannot be run.
pub fn run(pool: Pool, profile: &ProfileFile, command: &Command) -> Result<u8> {
    let sessions = share_sessions(&pool, &profile.id)?;
    for attempt in 0..ATTEMPTS {
        match settled(&pool, &profile.id)? {
            Look::Held(lease, pid) => {
                let left = Leaving::open(pool.layout(), &profile.id)?;
                if let Some(status) = session::run(&pool, profile, command, &lease, pid)? {
                    drop(sessions);
                    left.wait()?;
                    return Ok(status);
                }
                // It died between the look and the join; what is left of it takes a moment to go.
                std::thread::sleep(PAUSE * 2u32.pow(attempt));
            }
            Look::Hidden => return Err(hidden(profile.name.as_str())),
            _ => start::start(&pool, profile)?,
        }
    }
    Err(Error::CannotStart {
        command: session::name_of(command),
        name: profile.name.to_string(),
        detail: "whatever holds the profile mounted is killed again and again".into(),
        status: OWN_FAILURE,
    })
}

/// Who has the profile entered, or `None` when nobody has.
///
/// # Errors
///
/// The lease cannot be read, or a holder is starting or ending and does not come to an end of it.
pub fn holder(pool: &Pool, id: &ProfileId) -> Result<Option<Holder>> {
    if !FileLock::is_held(&pool.layout().lease(id))? {
        return Ok(None);
    }
    let sessions = share_sessions(pool, id)?;
    match settled(pool, id)? {
        Look::Held(lease, pid) => Ok(Some(Holder::new(*lease, pid, sessions))),
        Look::Hidden => Err(hidden(id.as_str())),
        _ => Ok(None),
    }
}

/// The error for a profile whose holder cannot be joined from here.
fn hidden(name: &str) -> Error {
    Error::ProfileInUse {
        name: name.into(),
        by: "it is entered from where its processes cannot be seen from here".into(),
    }
}

/// Keeps a holder from ending, or waits until the one that is ending has ended.
fn share_sessions(pool: &Pool, id: &ProfileId) -> Result<FileLock> {
    let path = pool.layout().sessions_lock(id);
    reserve::with_reserve(pool, || Ok(FileLock::acquire(&path, Mode::Shared, SETTLE)?))
}

/// Looks at the lease until nobody is starting or dying.
fn settled(pool: &Pool, id: &ProfileId) -> Result<Look> {
    let deadline = std::time::Instant::now() + SETTLE;
    loop {
        match lease::look(pool.layout(), id)? {
            Look::Unsettled if std::time::Instant::now() < deadline => std::thread::sleep(PAUSE),
            Look::Unsettled => {
                return Err(Error::Locked {
                    path: pool.layout().lease(id),
                });
            }
            look => return Ok(look),
        }
    }
}
