//! The model and boot record of flipper-profile, and the SQLite journal.
//!
//! This crate owns the words in which the rest of the workspace talks about a
//! pool (ids, names, versions, transaction numbers), every file below
//! `@flipper` and inside a profile that is data rather than a tree, and the
//! journal of transactions. It knows nothing of btrfs, overlayfs, apt or
//! terminals.
//!
//! It never prints, never prompts, reads no environment, and writes nothing but
//! the journal's own files. The JSON files are parsed from bytes and turned
//! into bytes: reading and writing them durably is the work of `profile-sys`.
//!
//! Invariants:
//! 1. What was parsed is valid: a [`model::ProfileName`] or a
//!    [`model::PoolPath`] can be joined to a path without another check.
//! 2. What an older tool does not understand it keeps: unknown fields of a
//!    file and unknown columns of the journal survive a rewrite.
//! 3. A file from the future is refused by its features, never by guessing,
//!    and the message names both sides.
//!
//! Early boot builds this crate with `default-features = false`: then there is
//! no SQLite, and no code here that could read a journal.

pub mod base_file;
pub mod boot_log;
pub mod boot_record;
pub mod file_error;
pub mod format;
#[cfg(feature = "journal")]
pub mod journal;
pub mod model;
pub mod pool_file;
pub mod profile_file;
pub mod redact;
pub mod state;
pub mod waiting_undo;

pub use base_file::BaseFile;
pub use boot_record::BootRecord;
pub use file_error::FileError;
pub use format::Format;
#[cfg(feature = "journal")]
pub use journal::Journal;
pub use pool_file::PoolFile;
pub use profile_file::ProfileFile;
pub use waiting_undo::WaitingUndo;
