//! Man pages and completions, made from the command line's own definition when the package is built.
//!
//! Needs no pool, no root and no network; the same source gives the same bytes.

pub mod completions;
pub mod man;
pub mod pages;
