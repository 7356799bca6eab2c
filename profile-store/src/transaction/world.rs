//! The profile that a transaction changes, and where its parts stand.

use std::path::PathBuf;

use profile_db::model::{BaseVersion, ProfileId, SnapshotName};

use crate::error::Result;
use crate::pool::Pool;
use crate::profile;
use crate::session::Session;

/// One profile of an open pool.
#[derive(Debug, Clone)]
pub struct World<'a> {
    /// The pool.
    pub pool: &'a Pool,
    /// The profile.
    pub profile: ProfileId,
    /// The base it stands on now.
    pub base: BaseVersion,
}

impl<'a> World<'a> {
    /// The profile that the calling process runs in.
    pub fn of_session(pool: &'a Pool, session: &Session) -> Self {
        Self {
            pool,
            profile: session.profile,
            base: session.base.clone(),
        }
    }

    /// Any profile of the pool, entered or not.
    ///
    /// # Errors
    ///
    /// Its profile file cannot be read.
    pub fn of_profile(pool: &'a Pool, profile: &ProfileId) -> Result<Self> {
        let file = profile::read(pool, profile)?;
        Ok(Self {
            pool,
            profile: file.id,
            base: file.base.version,
        })
    }

    /// The profile's subvolume.
    pub fn subvolume(&self) -> PathBuf {
        self.pool.layout().profile(&self.profile)
    }

    /// A snapshot of the profile by its name.
    pub fn snapshot(&self, name: SnapshotName) -> PathBuf {
        self.pool.layout().snapshot(&self.profile, name)
    }

    /// The tree of a base.
    pub fn base_path(&self, version: &BaseVersion) -> PathBuf {
        self.pool.layout().base(version)
    }
}
