//! How much of the pool is free.

use profile_sys::btrfs;

use crate::error::Result;
use crate::pool::Pool;

/// Metadata below which a pool counts as full whatever is free for data, in bytes.
const METADATA_BYTES: u64 = 16 << 20;

/// How much of a pool is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Bytes of the pool.
    pub total: u64,
    /// Bytes that can still be written at least.
    pub available: u64,
    /// There is no room for metadata: nothing can be written, whatever is free for data.
    pub tight: bool,
}

impl Space {
    /// Looks; one call of statfs and a few ioctls.
    ///
    /// # Errors
    ///
    /// The filesystem cannot be measured.
    pub fn of(pool: &Pool) -> Result<Self> {
        let usage = btrfs::usage(pool.layout().top())?;
        Ok(Self {
            total: usage.total,
            available: usage.available,
            tight: usage.unallocated < METADATA_BYTES && usage.metadata_free < METADATA_BYTES,
        })
    }

    /// Whether less is free than is wanted.
    pub fn is_short(self, wanted: u64) -> bool {
        wanted > 0 && (self.tight || self.available < wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn space_is_short_below_what_is_wanted_and_without_metadata() {
        let space = Space {
            total: 100,
            available: 10,
            tight: false,
        };
        assert!(space.is_short(11) && !space.is_short(10));
        let tight = Space {
            tight: true,
            ..space
        };
        assert!(tight.is_short(1));
        assert!(!tight.is_short(0), "nobody wants any space");
    }
}
