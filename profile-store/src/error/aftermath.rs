//! Errors made of an error: what became of the change that failed.

use super::{Error, Result};

impl Error {
    /// This failure alone when what was done is taken back, or both when that failed too.
    #[must_use]
    pub(crate) fn taken_back(self, rollback: Result<()>) -> Self {
        match rollback {
            Ok(()) => self,
            Err(rollback) => Self::RollbackFailed {
                failed: Box::new(self),
                rollback: Box::new(rollback),
            },
        }
    }

    /// This failure of a change that has its intent on disk: `recover` finishes it or takes it back.
    #[must_use]
    pub(crate) fn interrupting(self, what: String) -> Self {
        Self::Interrupted {
            what,
            source: Box::new(self),
        }
    }
}
