//! Profiles for Debian: plain apt, automatic snapshots, undo
fn main() {}
