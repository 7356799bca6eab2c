//! Validated words: ids, names, numbers, times and places.
//!
//! Every type here is a newtype or a plain enumeration that can only be made
//! from valid input, displays as what it was parsed from, and is a plain
//! string or number in JSON.

mod id;
mod kind;
mod name;
mod number;
mod owner;
mod pool_path;
mod snapshot_name;
mod time;
mod tree_hash;
pub(crate) mod words;

pub use id::{IdError, ProfileId};
pub use kind::Kind;
pub use name::{BaseVersion, NAME_LENGTH_MAX, NameError, ProfileName, RESERVED};
pub use number::{NumberError, TransactionNumber};
pub use owner::Owner;
pub use pool_path::{PoolPath, PoolPathError};
pub use snapshot_name::{SnapshotName, SnapshotNameError};
pub use time::{Time, TimeError};
pub use tree_hash::{TreeHash, TreeHashError};
pub use words::UnknownWord;
