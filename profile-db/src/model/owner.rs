//! Who holds a transaction open.

use serde::{Deserialize, Serialize};

/// The process that a transaction or a group of commits belongs to.
///
/// A process id alone says nothing: it is reused, it differs between pid
/// namespaces, and it outlives neither a reboot nor a soft reboot. All five
/// together name one process for ever.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Owner {
    /// Process id, as seen in `pid_ns`.
    pub pid: u32,
    /// Start of the process in clock ticks since boot (field 22 of `/proc/<pid>/stat`).
    pub start_time: u64,
    /// Inode of the pid namespace in which `pid` counts.
    pub pid_ns: u64,
    /// `/proc/sys/kernel/random/boot_id` of the boot.
    pub boot_id: String,
    /// systemd's count of soft reboots since that boot.
    pub soft_reboots: u32,
}
