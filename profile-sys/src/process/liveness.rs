//! Whether the process behind an identity still runs.

use super::{Identity, all_pids, boot_id, own_pid, pid_namespace, stat};
use crate::Result;
use crate::namespace::in_initial_pid_namespace;

/// The answer of [`liveness`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    /// It runs.
    Alive,
    /// It has ended.
    Dead,
    /// It lives, or lived, where this process cannot see: take it for alive.
    Unknown,
}

/// Whether the process `identity` still runs.
///
/// Seen from its own pid namespace or from any above it, also under another number; from elsewhere the answer
/// is [`Liveness::Unknown`]. A zombie is dead: it does nothing any more.
///
/// # Errors
/// When /proc is not mounted.
pub fn liveness(identity: &Identity) -> Result<Liveness> {
    if identity.boot_id != boot_id()? {
        return Ok(Liveness::Dead);
    }
    let own = std::process::id();
    // False when /proc belongs to another pid namespace: then no number in it means what it says here.
    let proc_is_ours = std::fs::read_link("/proc/self")
        .is_ok_and(|link| link.as_os_str() == own.to_string().as_str());
    if !proc_is_ours {
        return Ok(Liveness::Unknown);
    }
    if pid_namespace(own)? == Some(identity.pid_ns) {
        return Ok(match stat(identity.pid)? {
            Some(stat) if stat.start_time == identity.start_time && stat.is_running() => {
                Liveness::Alive
            }
            _ => Liveness::Dead,
        });
    }
    let mut namespace_seen = false;
    for pid in all_pids()? {
        match pid_namespace(pid) {
            Ok(Some(namespace)) if namespace == identity.pid_ns => namespace_seen = true,
            Ok(_) => continue,
            // Root too may be kept from looking at a process. Its numbers can be read all the same, and with
            // both of them it is the one.
            Err(error) if error.is_not_permitted() => {}
            Err(error) => return Err(error),
        }
        let Some(found) = stat(pid)? else { continue };
        if found.start_time == identity.start_time
            && own_pid(pid)? == Some(identity.pid)
            && found.is_running()
        {
            return Ok(Liveness::Alive);
        }
    }
    // From a namespace of which all processes can be seen it has gone; so has one whose whole namespace has,
    // seen from the top.
    if namespace_seen || in_initial_pid_namespace()? {
        return Ok(Liveness::Dead);
    }
    Ok(Liveness::Unknown)
}
