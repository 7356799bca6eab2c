//! The only writer of flipper-profile pools.
//!
//! Every change has one shape: lock, read the world, plan (pure data), intent durable, steps
//! recorded, commit, collect. Effects go through `profile-sys`, which makes each of them a fault
//! point; the journal and the model are `profile-db`; decisions about package databases and trees
//! are `conffile-diff`. Nothing here prints, prompts or reads the environment.
//!
//! Invariants:
//! 1. A base is never written after it was promoted.
//! 2. No two files of a merged tree share an inode number unless they are hard links ([`pool`]).
//! 3. An upper changes only through its merged mount, or while it is mounted nowhere; replacing it
//!    is one operation ([`replacement`]).
//! 4. The intent of every change is durable before its first effect; [`recover`] finds old or new.

pub mod actor;
pub mod base;
pub mod blame;
pub mod changes;
pub mod check;
pub mod delta;
pub mod enter;
pub mod error;
pub mod forget;
pub mod gc;
pub mod identity;
pub mod in_use;
pub mod layout;
pub mod merged;
pub mod operation;
pub mod package_database;
pub mod pin;
pub mod pool;
pub mod profile;
pub mod progress;
pub mod recover;
pub mod replacement;
pub mod restore;
pub mod retention;
pub mod session;
pub mod staging;
mod standing;
pub mod state_paths;
pub mod status;
pub mod transaction;
pub mod undo;
pub mod upgrade;
pub mod view;

pub use error::{Error, Exit, Result};
pub use layout::Layout;
pub use pool::{Pool, PoolLock, Selector};
pub use progress::{Progress, Silent};
pub use session::Session;
