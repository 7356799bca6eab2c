//! Package transactions: one row and two snapshots around every human action.
//!
//! The hooks of apt and dpkg call [`begin`], [`plan`] and [`finish`]; every command and `recover`
//! call [`catch_up`]. There is no daemon. What the hooks cannot be told is found out:
//!
//! 1. A transaction belongs to a process ([`front_end`], [`caller`]). While that process lives the
//!    row is open; commits of one run share it, and each post replaces the run's post snapshot.
//! 2. A post may never come. [`reconcile`] closes rows whose process is gone: as recorded when every
//!    commit had its post, else as interrupted.
//! 3. apt tells a post nothing. The states that dpkg left decide ([`outcome`]); apt's history log is
//!    a second source only.
//! 4. What dpkg did past our hooks is seen at the next look ([`settled`]): the package databases are
//!    compared with what the last transaction left.
//! 5. Nothing here stops apt. What cannot be protected is recorded as such, in the journal or, when
//!    that fails too, beside it ([`notes`]).
//!
//! Order of a beginning: row (durable), snapshot (durable, with the row's number in its name), and its
//! name in the row with the plan or the end. So a snapshot without a row was never promised to anyone,
//! and a row without a snapshot is not undoable.

pub mod begin;
pub mod bookkeeping;
pub mod caller;
pub mod catch_up;
pub mod covered;
pub mod early;
mod escape;
pub mod finish;
pub mod front_end;
pub mod history;
pub mod liveness;
pub mod materialise;
pub mod measure;
pub mod notes;
pub mod outcome;
pub mod package_state;
pub mod plan;
pub mod reason;
pub mod reconcile;
pub mod reserve;
pub mod rows;
pub mod settled;
pub mod snapshots;
pub mod unseen;
mod world;

pub use begin::{Request, Started, begin};
pub use caller::{Asker, Caller};
pub use catch_up::{Caught, catch_up};
pub use finish::{Finished, finish};
pub use plan::{Planned, plan};
pub use reconcile::{Closed, reconcile};
pub use world::World;
