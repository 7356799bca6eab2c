//! Whether the process that a transaction belongs to is gone.
//!
//! A process's own pid namespace, or one above it, can tell. From elsewhere the profile's lease can:
//! all processes of a profile run in the namespace of its holder or below it, and a profile has one
//! holder at a time. What cannot be known counts as alive: an open row does no harm, a row that is
//! closed under a running dpkg does.

use profile_db::model::Owner;
use profile_sys::process::{self, Liveness};
use profile_sys::{file, lock, namespace};
use serde::Deserialize;

use super::World;
use super::caller;
use crate::error::Result;

/// The part of a lease that is needed here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct LeaseNamespace {
    pid_ns: u64,
    boot_id: String,
}

/// What the lease says.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Lease {
    /// Nobody has the profile.
    Free,
    /// Held, and its content cannot be used: a holder is starting or ending.
    Unsettled,
    /// Held by a holder in this namespace.
    Held(LeaseNamespace),
}

/// Whether the owner is certainly gone.
///
/// # Errors
///
/// /proc or the lease cannot be read.
pub fn is_gone(world: &World<'_>, owner: &Owner) -> Result<bool> {
    let identity = caller::identity(owner);
    let seen = process::liveness(&identity)?;
    if seen != Liveness::Unknown {
        return Ok(seen == Liveness::Dead);
    }
    let own = namespace::id_of(std::process::id(), namespace::Kind::Pid)?;
    Ok(gone_by_lease(&lease(world)?, owner, own))
}

fn lease(world: &World<'_>) -> Result<Lease> {
    let path = world.pool.layout().lease(&world.profile);
    if !file::exists(&path)? || !lock::FileLock::is_held(&path)? {
        return Ok(Lease::Free);
    }
    let bytes = lock::FileLock::description(&path)?.unwrap_or_default();
    Ok(serde_json::from_slice(&bytes).map_or(Lease::Unsettled, Lease::Held))
}

/// The decision where the process table cannot tell; `own` is the reader's pid namespace.
fn gone_by_lease(lease: &Lease, owner: &Owner, own: u64) -> bool {
    match lease {
        // Nobody has it mounted, so nobody is running dpkg in it.
        Lease::Free => true,
        Lease::Unsettled => false,
        Lease::Held(holder) if holder.boot_id != owner.boot_id => true,
        // The owner's namespace is the present holder's: from here it cannot be looked into.
        Lease::Held(holder) if holder.pid_ns == owner.pid_ns => false,
        // From the holder's own namespace every process of the profile is seen, and the owner was
        // not. From elsewhere it may be in a namespace below the holder's.
        Lease::Held(holder) => holder.pid_ns == own,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(pid_ns: u64, boot: &str) -> Owner {
        Owner {
            pid: 10,
            start_time: 5,
            pid_ns,
            boot_id: boot.to_owned(),
            soft_reboots: 0,
        }
    }

    fn held(pid_ns: u64) -> Lease {
        Lease::Held(LeaseNamespace {
            pid_ns,
            boot_id: "now".to_owned(),
        })
    }

    #[test]
    fn an_owner_is_gone_only_when_that_is_certain() {
        assert!(gone_by_lease(&Lease::Free, &owner(1, "now"), 9));
        assert!(!gone_by_lease(&Lease::Unsettled, &owner(1, "now"), 9));
        assert!(gone_by_lease(&held(1), &owner(1, "before"), 9));
        assert!(
            !gone_by_lease(&held(1), &owner(1, "now"), 9),
            "the present session's, looked at from outside"
        );
        assert!(
            gone_by_lease(&held(2), &owner(1, "now"), 2),
            "an earlier session's, looked at from inside"
        );
        assert!(
            !gone_by_lease(&held(2), &owner(1, "now"), 9),
            "possibly in a container inside the profile"
        );
    }

    #[test]
    fn only_the_namespace_of_a_lease_is_read() {
        let lease = br#"{"schema":1,"pid":1,"start_time":3,"pid_ns":77,"boot_id":"b","outer_pid":9,"later":true}"#;
        let read: LeaseNamespace = serde_json::from_slice(lease).unwrap();
        assert_eq!(
            read,
            LeaseNamespace {
                pid_ns: 77,
                boot_id: "b".to_owned()
            }
        );
    }
}
