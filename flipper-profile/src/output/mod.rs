//! How the command speaks: text for people, one JSON object for programs.
//!
//! Nothing here knows what a pool is. Everything that comes from a pool, a card or a package is
//! treated as hostile text: it goes through [`escape`] before it reaches a terminal.

pub mod encode;
pub mod escape;
pub mod progress;
pub mod screen;
pub mod table;
pub mod units;

pub use screen::{Screen, Style};
