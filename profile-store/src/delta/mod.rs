//! What changed between two snapshots, from btrfs's own send stream.
//!
//! [`stream`] turns the bytes of `BTRFS_IOC_SEND` without file data into commands; [`touched`]
//! folds the commands into the set of paths that differ. Both are pure.

mod crc32c;
mod nodes;
pub mod stream;
pub mod touched;
