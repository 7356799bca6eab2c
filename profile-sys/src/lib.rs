//! Every effect of flipper-profile, and its only unsafe code.
//!
//! Everything that changes the machine goes through this crate: btrfs ioctls, mounts, namespaces, loop
//! devices, files that must reach the disk, locks and commands. The crates above it decide; this one acts.
//!
//! Invariants:
//! 1. `raw.rs` is the only file with `unsafe`; each block says why it is sound.
//! 2. Every function that changes something calls [`fault::point`] before it acts, so that a test can stop
//!    a program between any two effects.
//! 3. Every error names what was attempted and the path it was attempted on ([`Error`]).
//! 4. Nothing here prints, prompts or reads the environment ([`fault`] reads its own variables).

pub mod btrfs;
pub mod clock;
pub mod command;
pub mod deadline;
mod error;
pub mod fault;
pub mod file;
pub mod foreground;
pub mod lock;
pub mod loop_device;
pub mod mount;
pub mod mountinfo;
pub mod namespace;
pub mod pid_one;
pub mod pipe;
pub mod process;
mod raw;
pub mod tree;
pub mod xattr;

pub use error::{Error, Result};
pub use uuid::Uuid;
