//! Entering profiles on a real pool: namespaces, joins, races, kills.
//!
//! Every test is named `loop_*` and needs root, btrfs and loop devices; a runner without root leaves them out with
//! `--skip loop_` and says so.

mod kills;
mod sessions;
mod support;
mod tree;
