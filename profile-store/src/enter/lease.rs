//! The lease: who holds a profile mounted, as others can tell.
//!
//! The lock of the lease file is what counts; an attribute of the file describes the holder, for whoever finds it
//! locked and wants to join. It is written when everything is mounted, and believed only when the process it
//! names still is the one it describes.

use profile_db::model::ProfileId;
use profile_sys::lock::FileLock;
use profile_sys::{namespace, process};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::Result;
use crate::layout::Layout;

/// Version of the form written here.
const SCHEMA: u32 = 1;

/// The description of the holder of an entered profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lease {
    /// Version of this form.
    schema: u32,
    /// The holder: number 1 of the pid namespace in which the profile's processes run.
    #[serde(flatten)]
    pub holder: process::Identity,
    /// The holder's number where `run` was called.
    outer_pid: u32,
    /// Inode number of the mount namespace that has the profile as its root.
    pub mount_namespace: u64,
    /// The profile.
    profile: ProfileId,
    /// UUID of the profile's subvolume.
    upper_uuid: Uuid,
    /// UUID of the base's subvolume.
    base_uuid: Uuid,
}

/// What a look at the lease finds.
#[derive(Debug)]
pub(super) enum Look {
    /// Nobody has the profile.
    Free,
    /// A holder is starting or dying.
    Unsettled,
    /// A holder is there, or was, but this process cannot see it: it runs in another profile or a container.
    Hidden,
    /// A holder lives; its number as seen from here.
    Held(Box<Lease>, u32),
}

impl Lease {
    /// The lease of the holder `holder`, whose number outside is `outer_pid`.
    pub(super) fn new(
        holder: process::Identity,
        outer_pid: u32,
        mount_namespace: u64,
        profile: ProfileId,
        (upper_uuid, base_uuid): (Uuid, Uuid),
    ) -> Self {
        Self {
            schema: SCHEMA,
            holder,
            outer_pid,
            mount_namespace,
            profile,
            upper_uuid,
            base_uuid,
        }
    }

    /// The bytes to be kept.
    pub(super) fn to_bytes(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(self)
    }

    /// The holder's number as seen from here, when it is the process that this lease describes.
    pub(super) fn find_holder(&self) -> Option<u32> {
        // From inside of the profile it has its own number. Either is believed only when the identity fits, so
        // a number that means another process here is never taken for it.
        [self.outer_pid, self.holder.pid]
            .into_iter()
            .find(|pid| process::of(*pid).is_ok_and(|found| found == self.holder))
    }
}

/// Looks who has the profile.
///
/// # Errors
///
/// The lease cannot be read.
pub(super) fn look(layout: &Layout, id: &ProfileId) -> Result<Look> {
    let path = layout.lease(id);
    if !FileLock::is_held(&path)? {
        return Ok(Look::Free);
    }
    judge(&FileLock::description(&path)?.unwrap_or_default())
}

/// What the description of a lease that is held means.
fn judge(description: &[u8]) -> Result<Look> {
    // Empty, or left by an earlier holder: the holder that is starting has not come to it.
    let Ok(lease) = serde_json::from_slice::<Lease>(description) else {
        return Ok(Look::Unsettled);
    };
    Ok(match lease.find_holder() {
        Some(pid) => Look::Held(Box::new(lease), pid),
        None if namespace::in_initial_pid_namespace()? => Look::Unsettled,
        None => Look::Hidden,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use profile_sys::lock::Mode;

    use super::*;

    fn lease(holder: process::Identity) -> Vec<u8> {
        let id = "abcdefgh".parse().unwrap();
        let uuids = (Uuid::from_u128(1), Uuid::from_u128(2));
        Lease::new(holder, std::process::id(), 7, id, uuids)
            .to_bytes()
            .unwrap()
    }

    #[test]
    fn a_lease_whose_lock_is_free_means_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let (layout, id) = (Layout::new(directory.path()), "abcdefgh".parse().unwrap());
        assert!(matches!(look(&layout, &id).unwrap(), Look::Free));
        std::fs::create_dir_all(layout.leases()).unwrap();
        drop(FileLock::acquire(&layout.lease(&id), Mode::Exclusive, Duration::ZERO).unwrap());
        assert!(matches!(look(&layout, &id).unwrap(), Look::Free));
    }

    #[test]
    fn a_living_holder_is_found() {
        let Look::Held(found, pid) = judge(&lease(process::current().unwrap())).unwrap() else {
            panic!("not held");
        };
        assert_eq!((found.mount_namespace, pid), (7, std::process::id()));
    }

    #[test]
    fn a_reused_number_or_a_torn_description_is_not_a_holder() {
        let mut other = process::current().unwrap();
        other.start_time += 1;
        let whole = lease(other);
        for bytes in [&whole[..], &whole[..10], b""] {
            assert!(!matches!(
                judge(bytes).unwrap(),
                Look::Free | Look::Held(..)
            ));
        }
    }
}
