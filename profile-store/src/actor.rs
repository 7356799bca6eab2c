//! Who asks for a change: what a transaction row records besides the change itself.

use profile_db::model::Owner;

/// The person and the process behind a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The command line, secrets taken out.
    pub command: String,
    /// The user who asked for it, before sudo.
    pub user: Option<String>,
    /// That user's number.
    pub uid: Option<u32>,
    /// The program: `flipper-profile`, `apt`, …
    pub front_end: String,
    /// The process that owns the transaction.
    pub owner: Owner,
}
