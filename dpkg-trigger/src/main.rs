//! The program that the flipper-profile package runs when its dpkg trigger fires
fn main() {}
