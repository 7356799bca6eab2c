//! When the lines of two subvolumes parted.

use profile_sys::Uuid;
use profile_sys::btrfs::Descent;

/// The last transaction in which the subvolumes whose lines of descent these are, each beginning with itself, were the
/// same one or a snapshot of it. None where they have no origin in common that is known.
///
/// Of an origin in common that is deleted the identity is enough. A subvolume never parts from itself: then it is one
/// of its origins that counts, which is as true.
pub fn parted(older: &[Descent], newer: &[Descent]) -> Option<u64> {
    line(older).find_map(|(origin, older_left)| {
        let (_, newer_left) = line(newer).find(|(other, _)| *other == origin)?;
        match (older_left, newer_left) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    })
}

/// The subvolume itself and what it comes from, each with the transaction in which its line left that one.
fn line(descents: &[Descent]) -> impl Iterator<Item = (Uuid, Option<u64>)> + '_ {
    let itself = descents.first().map(|descent| (descent.uuid, None));
    let origins = descents
        .iter()
        .filter_map(|descent| Some((descent.parent?, Some(descent.created))));
    // The top of an old filesystem has no identity.
    itself
        .into_iter()
        .chain(origins)
        .filter(|(identity, _)| !identity.is_nil())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descent(uuid: u8, parent: u8, created: u64) -> Descent {
        let identity = |number| Uuid::from_bytes([number; 16]);
        Descent {
            uuid: identity(uuid),
            parent: (parent != 0).then(|| identity(parent)),
            created,
        }
    }

    #[test]
    fn snapshots_of_one_profile_parted_with_the_older_one() {
        let (pre, post) = ([descent(1, 9, 50)], [descent(2, 9, 60)]);
        assert_eq!(parted(&pre, &post), Some(50));
        assert_eq!(parted(&post, &pre), Some(50));
        // The profile is still there, and has an origin itself.
        let with_profile = [descent(2, 9, 60), descent(9, 8, 10)];
        assert_eq!(parted(&pre, &with_profile), Some(50));
    }

    #[test]
    fn a_snapshot_of_a_snapshot_parted_when_it_was_made() {
        let (one, other) = ([descent(1, 9, 50)], [descent(2, 1, 70), descent(1, 9, 50)]);
        assert_eq!(parted(&one, &other), Some(70));
        assert_eq!(parted(&other, &one), Some(70));
    }

    #[test]
    fn a_profile_that_was_set_back_parted_at_the_state_it_was_set_back_to() {
        // Profile 9 is deleted; 3 was made from its snapshot 1, made at 50, and 4 is a snapshot of 3.
        let newest = [descent(4, 3, 90), descent(3, 1, 80), descent(1, 9, 50)];
        assert_eq!(parted(&[descent(1, 9, 50)], &newest), Some(80));
        assert_eq!(parted(&[descent(2, 9, 60)], &newest), Some(50));
        assert_eq!(parted(&[descent(5, 9, 40)], &newest), Some(40));
    }

    #[test]
    fn strangers_have_parted_never() {
        assert_eq!(parted(&[descent(1, 9, 50)], &[descent(2, 8, 60)]), None);
        assert_eq!(parted(&[descent(1, 0, 50)], &[descent(2, 0, 60)]), None);
        assert_eq!(parted(&[], &[descent(1, 9, 50)]), None);
        let nobody = [descent(0, 0, 5)];
        assert_eq!(parted(&nobody, &nobody), None, "it has no identity");
    }

    #[test]
    fn one_and_the_same_parted_when_it_was_made() {
        let same = [descent(1, 9, 50)];
        assert_eq!(parted(&same, &same), Some(50));
        let first = [descent(1, 0, 50)];
        assert_eq!(parted(&first, &first), None);
    }
}
