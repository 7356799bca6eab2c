//! Restore: one path, a file or a whole directory, as it was in a snapshot.
//!
//! [`prepare`] reads the world under the pool's lock and makes the plan, [`apply`] carries it out. A restore is
//! itself a transaction: its snapshot from before keeps what was there, and undo takes it back. Where the profile
//! is mounted nowhere, a copy is changed beside it and exchanged in; where it is mounted, the paths are replayed
//! through the merged mount, and a crash in the middle is finished by `recover`, as with an undo.
//!
//! The snapshot is read over the base that it stood on, so it may be older than a rebase.

mod apply;
mod links;
mod notes;
mod plan;
mod refused;

pub use apply::{Applied, apply};
pub use plan::{From, Plan, Prepared, Side, prepare};
pub use refused::Refused;
