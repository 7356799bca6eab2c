//! Retention: snapshots that the rules of their profile no longer keep are deleted, their history stays.
//!
//! What goes is decided by [`plan`] from the rows of the journal and the [`rules`] alone; what is carried
//! out stands in [`prune`]. The order of one deletion, and what a cut leaves of it:
//!
//! 1. the list of changed paths is stored, durably: `show`, `history --path` and `blame` outlive the files;
//! 2. the row forgets its snapshots and says since when the files are gone, durably;
//! 3. every snapshot of such a row that no other row names is deleted.
//!
//! Before 2 nothing has happened. After 2 the row promises nothing any more, and a snapshot that is still there is
//! found by the next sweep: its row says that its files are gone. So a cut at any point leaves a row with its
//! files or one without, and `recover` has only to sweep.
//!
//! Never deleted: `origin`; what is pinned, goes on, is among the newest or has a name that is none
//! ([`plan::decide`]); anything of a profile that an operation of the journal or the boot record names; anything
//! of a profile whose file, policies or row cannot be understood.

pub mod before;
pub mod plan;
mod prune;
pub mod rules;
pub mod sizes;
pub mod space;

pub use before::{Room, before_change};
pub use plan::{Clock, Why};
pub use prune::{Outlook, Pruned, Victim, outlook, run};
pub use rules::Rules;
pub use sizes::{Measure, Sizes};
pub use space::Space;
