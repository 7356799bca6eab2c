//! Whether the packages that an undo leaves would still fit together.

use std::path::Path;

use conffile_diff::dpkg::Status;
use conffile_diff::dpkg::dependencies::{self, Broken};
use profile_db::journal::{Journal, Transaction};

use super::join::Joined;
use super::plan::{Conflict, Obstacle};
use super::world::World;
use crate::error::Result;
use crate::package_database::unreadable;

/// dpkg's status, in a merged tree.
pub(super) const STATUS: &str = "var/lib/dpkg/status";
/// Longest status that is read.
const LONGEST_BYTES: u64 = 64 << 20;

/// Relations of packages that hold now and would not after the undo, each with the later transaction that brought
/// the package.
///
/// Only where a later transaction changed packages as well: else the state before is one that has been.
///
/// # Errors
///
/// dpkg's status cannot be read or parsed.
pub(super) fn unmet(
    world: &World<'_>,
    journal: &Journal,
    later: &[Transaction],
    joined: &[(std::path::PathBuf, Joined)],
) -> Result<Vec<Conflict>> {
    let path = Path::new(STATUS);
    let merged = joined.iter().find_map(|(name, joined)| match joined {
        Joined::Content(content, _) if name == path => Some(content),
        _ => None,
    });
    let Some(merged) = merged else {
        return Ok(Vec::new());
    };
    let present = world.present()?.read_limited(path, LONGEST_BYTES)?;
    let present = present.unwrap_or_default();
    let parse = |bytes: &[u8]| {
        Status::parse(bytes).map_err(|error| unreadable(&Path::new("/").join(path), &error))
    };
    let (now, then) = (parse(&present)?, parse(merged)?);
    let before = dependencies::broken(&now, &present);
    let after = dependencies::broken(&then, merged);
    let mut conflicts = Vec::new();
    for broken in after.difference(&before) {
        conflicts.push(Conflict {
            path: path.to_path_buf(),
            by: brought_by(journal, later, broken)?,
            obstacle: Obstacle::Packages {
                broken: broken.clone(),
                behind: dependencies::behind(broken, [(&now, &present), (&then, merged)]),
            },
        });
    }
    Ok(conflicts)
}

/// The newest later transaction that changed the package.
fn brought_by(
    journal: &Journal,
    later: &[Transaction],
    broken: &Broken,
) -> Result<Vec<profile_db::model::TransactionNumber>> {
    for transaction in later {
        let packages = journal.packages(transaction.number)?;
        let is_it =
            |name: &str, architecture: &str| broken.package == format!("{name}:{architecture}");
        if packages
            .iter()
            .any(|package| is_it(&package.name, &package.architecture))
        {
            return Ok(vec![transaction.number]);
        }
    }
    Ok(Vec::new())
}
