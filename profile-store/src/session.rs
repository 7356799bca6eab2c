//! The session file: how a program inside a profile learns which profile it runs in.
//!
//! Whoever mounts a profile (the holder of `run`, or early boot) writes
//! `/run/flipper-profile/session.json` into the merged tree's `/run`. The file alone proves
//! nothing: `/run` can be bound into a chroot. [`Session::current`] therefore believes it only when
//! the root of the calling process is the overlay that the file describes, by the source string
//! that carries the UUIDs of upper and base.

use std::path::{Path, PathBuf};

use profile_db::model::{BaseVersion, ProfileId};
use profile_sys::{file, mountinfo};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::{Error, Result};

/// Where the session file stands inside a profile.
pub const SESSION_FILE: &str = "/run/flipper-profile/session.json";
/// Largest session file that is read, in bytes.
const LIMIT_BYTES: u64 = 64 * 1024;
/// First word of the source string of every overlay that this product mounts.
const SOURCE_WORD: &str = "flipper-profile";

/// How the profile came to be mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// By `flipper-profile run`, in a namespace of its own.
    Entered,
    /// By early boot: it is the machine's root.
    Booted,
}

/// What the session file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Version of this form, 1.
    pub schema: u32,
    /// How the profile came to be mounted.
    pub mode: Mode,
    /// Identity of the pool, as in pool.json.
    pub pool: Uuid,
    /// Block device that holds the pool.
    pub device: PathBuf,
    /// The profile.
    pub profile: ProfileId,
    /// The base it is mounted over.
    pub base: BaseVersion,
    /// UUID of the profile's subvolume when it was mounted.
    pub upper_uuid: Uuid,
    /// UUID of the base's subvolume.
    pub base_uuid: Uuid,
}

/// The source string of the overlay of one upper over one base.
pub fn overlay_source(upper: Uuid, base: Uuid) -> String {
    format!("{SOURCE_WORD}:{upper}:{base}")
}

/// Takes an overlay's source string apart into the UUIDs of upper and base.
///
/// `None` when it is not one of ours.
pub fn parse_overlay_source(source: &str) -> Option<(Uuid, Uuid)> {
    let mut words = source.split(':');
    if words.next() != Some(SOURCE_WORD) {
        return None;
    }
    let upper = words.next()?.parse().ok()?;
    let base = words.next()?.parse().ok()?;
    words.next().is_none().then_some((upper, base))
}

impl Session {
    /// The session of the calling process, or `None` when its root is not a profile.
    ///
    /// # Errors
    ///
    /// The mount table cannot be read, or the session file is there, the root is one of our
    /// overlays, and the two do not agree.
    pub fn current() -> Result<Option<Self>> {
        let Some((upper, base)) = root_overlay()? else {
            return Ok(None);
        };
        let path = Path::new(SESSION_FILE);
        let bytes = file::read_limited(path, LIMIT_BYTES)?;
        let session: Session =
            serde_json::from_slice(&bytes).map_err(|source| Error::SessionFile {
                path: path.to_path_buf(),
                detail: source.to_string(),
            })?;
        if session.upper_uuid != upper || session.base_uuid != base {
            return Err(Error::SessionFile {
                path: path.to_path_buf(),
                detail: format!(
                    "it describes upper {} over base {}, but the root is upper {upper} over base {base}",
                    session.upper_uuid, session.base_uuid
                ),
            });
        }
        Ok(Some(session))
    }
}

/// UUIDs of upper and base when `/` of the calling process is one of our overlays.
fn root_overlay() -> Result<Option<(Uuid, Uuid)>> {
    // The last entry for `/` is the one on top.
    let mounts = mountinfo::read_own()?;
    Ok(mounts
        .iter()
        .rev()
        .find(|mount| mount.mount_point == Path::new("/"))
        .filter(|mount| mount.fs_type == "overlay")
        .and_then(|mount| mount.source.to_str().and_then(parse_overlay_source)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_string_carries_both_uuids() {
        let (upper, base) = (Uuid::from_u128(7), Uuid::from_u128(8));
        assert_eq!(
            parse_overlay_source(&overlay_source(upper, base)),
            Some((upper, base))
        );
    }

    #[test]
    fn a_foreign_source_is_not_ours() {
        for source in [
            "overlay",
            "flipper-profile",
            "flipper-profile:x:y",
            "flipper-profile:a:b:c",
        ] {
            assert_eq!(parse_overlay_source(source), None, "{source}");
        }
    }
}
