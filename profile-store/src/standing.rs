//! Where a profile stands, and work on its merged tree there.
//!
//! An upper changes only through its merged mount, or while it is mounted nowhere. So whatever changes
//! single paths of a profile does it inside when this process runs there, in the holder's namespace when
//! the profile is entered, and through a private mount else.

use std::path::Path;

use profile_db::ProfileFile;
use profile_sys::lock::DpkgLock;
use profile_sys::mount;
use profile_sys::mountinfo::{self, Mount};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::package_database::DPKG;
use crate::pool::Pool;
use crate::session::Session;
use crate::view::View;
use crate::{enter, in_use, profile};

/// Where the profile stands, and so how it can be changed.
#[derive(Debug)]
pub(crate) enum Standing {
    /// Mounted nowhere.
    Free,
    /// This process runs in it.
    Here,
    /// Entered; this process is outside.
    Entered(enter::Holder),
}

/// Where the profile is mounted, if anywhere.
///
/// # Errors
///
/// It is mounted where it cannot be reached.
pub(crate) fn standing(pool: &Pool, profile: &ProfileFile) -> Result<Standing> {
    if Session::current()?.is_some_and(|session| session.profile == profile.id) {
        return Ok(Standing::Here);
    }
    if let Some(holder) = enter::holder(pool, &profile.id)? {
        return Ok(Standing::Entered(holder));
    }
    match in_use::of_profile(pool, profile)? {
        Some(by) => Err(Error::ProfileInUse {
            name: profile.name.to_string(),
            by,
        }),
        None => Ok(Standing::Free),
    }
}

impl Standing {
    /// The mounts among which the profile's merged tree is the root; none when it is mounted nowhere.
    ///
    /// # Errors
    ///
    /// They cannot be read.
    pub(crate) fn mounts(&self) -> Result<Vec<Mount>> {
        Ok(match self {
            Self::Free => Vec::new(),
            Self::Here => mountinfo::read_own()?,
            Self::Entered(holder) => mountinfo::read_of(holder.pid())?,
        })
    }

    /// Gives `work` the pool and the root of the profile's merged tree, and has everything on disk when
    /// this returns. Where the profile is mounted no package manager is at work in it meanwhile.
    ///
    /// `failed` goes before what a failure in an entered profile says.
    ///
    /// # Errors
    ///
    /// [`Error::PackageManagerBusy`]; nothing was done then. The merged tree cannot be reached, or `work`
    /// failed.
    pub(crate) fn with_merged<T>(
        &self,
        pool: &Pool,
        profile: &ProfileFile,
        failed: &str,
        work: impl FnOnce(&Pool, &Path) -> Result<T>,
    ) -> Result<T>
    where
        T: Serialize + DeserializeOwned,
    {
        match self {
            Self::Here => through_root(pool, profile, work),
            Self::Entered(holder) => {
                let answer: std::result::Result<T, Failure> =
                    enter::in_holder(holder, || in_child(profile, work))?;
                answer.map_err(|failure| match failure {
                    Failure::Busy => busy(profile),
                    Failure::Other(detail) => Error::NeedsRecover {
                        what: format!("{failed}{detail}"),
                    },
                })
            }
            Self::Free => {
                let (base, _) = profile::base_for(pool, profile)?;
                let merged = View::writable(pool, &pool.layout().profile(&profile.id), &base)?;
                let done = work(pool, merged.path())?;
                merged.close()?;
                pool.commit()?;
                Ok(done)
            }
        }
    }
}

/// A failure that crosses from the profile's namespace.
#[derive(Debug, Serialize, Deserialize)]
enum Failure {
    Busy,
    Other(String),
}

/// The error where a package manager is in the way.
pub(crate) fn busy(profile: &ProfileFile) -> Error {
    Error::PackageManagerBusy {
        name: profile.name.to_string(),
    }
}

/// In the holder's namespace, where the pool is not mounted.
fn in_child<T>(
    profile: &ProfileFile,
    work: impl FnOnce(&Pool, &Path) -> Result<T>,
) -> std::result::Result<T, Failure> {
    let done = (|| {
        let session = Session::current()?.ok_or(Error::NoPool)?;
        let pool = Pool::open_session(&session)?;
        through_root(&pool, profile, work)
    })();
    done.map_err(|error| match error {
        Error::PackageManagerBusy { .. } => Failure::Busy,
        error => Failure::Other(error.to_string()),
    })
}

/// In a process whose root is the profile's merged tree and that has the pool open.
fn through_root<T>(
    pool: &Pool,
    profile: &ProfileFile,
    work: impl FnOnce(&Pool, &Path) -> Result<T>,
) -> Result<T> {
    // Not recursive: the binds of state, /proc and the rest stay out of the way.
    let merged = pool.private_directory("merged")?;
    mount::bind(Path::new("/"), &merged)?;
    let done = match DpkgLock::try_acquire(&merged.join(DPKG)) {
        Ok(Some(_dpkg)) => work(pool, &merged),
        Ok(None) => Err(busy(profile)),
        Err(error) => Err(error.into()),
    };
    mount::unmount(&merged)?;
    let done = done?;
    // Every path is on disk before the change is called done.
    pool.commit()?;
    Ok(done)
}
