//! What hooks left in the middle: directories that were being prepared before dpkg unpacked.
//!
//! An upper changes only through its merged mount. So the rest is done where the profile stands: inside
//! when it is entered, in the holder's namespace from outside, through a private mount else.

use std::path::Path;

use profile_db::ProfileFile;
use profile_db::journal::{Journal, Pending};
use profile_sys::lock::DpkgLock;
use profile_sys::mount;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::package_database::DPKG;
use crate::pool::Pool;
use crate::session::Session;
use crate::transaction::{World, liveness, materialise, rows};
use crate::undo::Standing;
use crate::view::View;
use crate::{enter, profile, undo};

/// Finishes or takes back what a hook of `profile` left; false when its package manager is still at work.
///
/// # Errors
///
/// The profile cannot be reached, dpkg is at work in it, or an effect failed; the record stays.
pub(super) fn finish(
    pool: &Pool,
    journal: &Journal,
    pending: &Pending,
    profile: &ProfileFile,
) -> Result<bool> {
    let world = World::of_profile(pool, &profile.id)?;
    for row in rows::recent(&world, journal)? {
        let of_this = pending.operation.transaction == Some(row.number) && row.ended.is_none();
        if of_this && !liveness::is_gone(&world, &row.owner)? {
            // Its next hook finishes it: dpkg may be in the middle of these very directories.
            return Ok(false);
        }
    }
    match undo::standing(pool, profile)? {
        Standing::Here => through_root(pool, profile, pending)?,
        Standing::Entered(holder) => {
            let answer: std::result::Result<(), Failure> =
                enter::in_holder(&holder, || in_child(profile, pending))?;
            answer.map_err(|failure| failure.into_error(profile))?;
        }
        Standing::Free => {
            let (base, _) = profile::base_for(pool, profile)?;
            let merged = View::writable(pool, &pool.layout().profile(&profile.id), &base)?;
            materialise::settle(pending, merged.path())?;
            merged.close()?;
            pool.commit()?;
        }
    }
    journal.complete(pending.id)?;
    Ok(true)
}

/// A failure that crosses from the profile's namespace.
#[derive(Debug, Serialize, Deserialize)]
enum Failure {
    Busy,
    Other(String),
}

impl Failure {
    fn into_error(self, profile: &ProfileFile) -> Error {
        match self {
            Self::Busy => busy(profile),
            Self::Other(what) => Error::NeedsRecover { what },
        }
    }
}

fn busy(profile: &ProfileFile) -> Error {
    Error::PackageManagerBusy {
        name: profile.name.to_string(),
    }
}

/// In the holder's namespace, where the pool is not mounted.
fn in_child(profile: &ProfileFile, pending: &Pending) -> std::result::Result<(), Failure> {
    let done = (|| {
        let session = Session::current()?.ok_or(Error::NoPool)?;
        let pool = Pool::open_session(&session)?;
        through_root(&pool, profile, pending)
    })();
    done.map_err(|error| match error {
        Error::PackageManagerBusy { .. } => Failure::Busy,
        error => Failure::Other(error.to_string()),
    })
}

/// In a process whose root is the profile's merged tree.
fn through_root(pool: &Pool, profile: &ProfileFile, pending: &Pending) -> Result<()> {
    // Not recursive: the binds of state, /proc and the rest stay out of the way.
    let merged = pool.private_directory("merged")?;
    mount::bind(Path::new("/"), &merged)?;
    let settled = match DpkgLock::try_acquire(&merged.join(DPKG)) {
        Ok(Some(_dpkg)) => materialise::settle(pending, &merged),
        Ok(None) => Err(busy(profile)),
        Err(error) => Err(error.into()),
    };
    mount::unmount(&merged)?;
    settled?;
    pool.commit()
}
