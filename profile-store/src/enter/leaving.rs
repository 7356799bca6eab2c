//! Waiting for a holder that is ending.

use std::time::{Duration, Instant};

use profile_db::model::ProfileId;
use profile_sys::file;
use profile_sys::lock::{LockFile, Mode};

use super::SETTLE;
use crate::error::Result;
use crate::layout::Layout;

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(2);

/// The two locks that tell whether a profile is being left. Once opened they can be asked where the pool's
/// paths lead nowhere.
#[derive(Debug)]
pub(crate) struct Leaving {
    lease: LockFile,
    sessions: LockFile,
}

impl Leaving {
    /// Opens the locks of a profile that has been entered at least once.
    ///
    /// # Errors
    ///
    /// One is missing or cannot be opened.
    pub(super) fn open(layout: &Layout, id: &ProfileId) -> Result<Self> {
        Ok(Self {
            lease: LockFile::open(&layout.lease(id))?,
            sessions: LockFile::open(&layout.sessions_lock(id))?,
        })
    }

    /// As [`Leaving::open`]; `None` when nobody ever entered the profile.
    ///
    /// # Errors
    ///
    /// One of the locks cannot be opened.
    pub(crate) fn if_entered(layout: &Layout, id: &ProfileId) -> Result<Option<Self>> {
        let both = file::exists(&layout.lease(id))? && file::exists(&layout.sessions_lock(id))?;
        match both {
            true => Self::open(layout, id).map(Some),
            false => Ok(None),
        }
    }

    /// Waits for the holder's end when it is ending, or will because nobody is in the profile any more; not
    /// when a session is left. Gives up in silence when that takes too long: who needs the profile says so.
    ///
    /// # Errors
    ///
    /// A lock cannot be asked.
    pub(crate) fn wait(&self) -> Result<()> {
        let deadline = Instant::now() + SETTLE;
        while !self.lease.is_free(Mode::Shared)? && Instant::now() < deadline {
            let alone = self.sessions.is_free(Mode::Exclusive)?;
            // Only sessions share the lock; a holder that is ending has it alone.
            if !alone && self.sessions.is_free(Mode::Shared)? {
                return Ok(());
            }
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }
}
