//! Locks between processes: our own (flock) and dpkg's (fcntl record locks).

mod dpkg;
mod flock;
mod waiting;

pub use dpkg::DpkgLock;
pub use flock::{FileLock, Mode};
pub use waiting::LockFile;
