//! The program that apt and dpkg start around every package change
fn main() {}
