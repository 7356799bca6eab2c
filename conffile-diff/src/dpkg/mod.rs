//! What dpkg and apt keep about packages: parsers, and what changed between two states.

pub mod changes;
pub mod dependencies;
pub mod edit;
pub mod extended_states;
pub mod history_log;
pub mod hold;
pub mod info;
pub mod notices;
pub(crate) mod stanza;
pub mod status;

pub use changes::{Action, Hints, PackageChange, changes};
pub use extended_states::AutoMarks;
pub use history_log::HistoryEntry;
pub use notices::{Notice, notices};
pub use stanza::Malformed;
pub use status::{Conffile, Package, State, Status};
