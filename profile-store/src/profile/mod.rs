//! Profiles: reading and finding them. What changes them stands in the submodules.
//!
//! `profile.json` inside the subvolume is the truth about a profile; names are looked up by reading
//! every profile's file, since there are few of them and no index can disagree then.

mod change;
mod information;
mod make;
mod reset;

use std::path::{Path, PathBuf};

use profile_db::ProfileFile;
use profile_db::model::{ProfileId, ProfileName};
use profile_sys::{btrfs, file};
use uuid::Uuid;

pub use change::{delete, rename, restore_deleted, set};
pub(crate) use change::{
    end, finish_deletion, finish_restoration, is_written, new_row, restoration_ending,
};
pub use information::{ProfileInfo, info};
pub use make::{CreateProfile, Made, clone, create, finish_making};
pub(crate) use reset::identity_of_present;
pub use reset::reset;

use crate::base;
use crate::error::{Error, Result};
use crate::layout::{GUARD, PROFILE_FILE};
use crate::pool::Pool;

/// Largest profile.json that is read, in bytes.
const FILE_LIMIT_BYTES: u64 = profile_db::profile_file::SIZE_MAX as u64 + 1;

/// Reads the profile file of a profile's subvolume, or of a snapshot of one.
///
/// # Errors
///
/// It is missing or cannot be used.
pub fn read_file(subvolume: &Path) -> Result<ProfileFile> {
    let path = subvolume.join(PROFILE_FILE);
    let bytes = file::read_limited(&path, FILE_LIMIT_BYTES)?;
    ProfileFile::parse(&bytes).map_err(|error| Error::ProfileFile {
        path,
        detail: error.to_string(),
    })
}

/// Writes the profile file of a subvolume that nobody else changes; durable when it returns.
///
/// # Errors
///
/// It cannot be written, or is of a form that this version must not write.
pub(crate) fn write_file(subvolume: &Path, profile: &ProfileFile) -> Result<()> {
    profile.writable()?;
    Ok(file::write_atomic(
        &subvolume.join(PROFILE_FILE),
        &profile.to_bytes(),
        0o600,
    )?)
}

/// Reads one profile by its id.
///
/// # Errors
///
/// There is none, or its file cannot be used.
pub fn read(pool: &Pool, id: &ProfileId) -> Result<ProfileFile> {
    let path = pool.layout().profile(id);
    if !file::exists(&path)? {
        return Err(Error::NoSuchProfile {
            name: id.to_string(),
        });
    }
    read_file(&path)
}

/// Ids of all profiles with what their files say, in the order of their names; broken ones last.
///
/// # Errors
///
/// The directory cannot be read.
pub fn all(pool: &Pool) -> Result<Vec<(ProfileId, Result<ProfileFile>)>> {
    let mut profiles: Vec<(ProfileId, Result<ProfileFile>)> =
        file::list(&pool.layout().profiles())?
            .iter()
            .filter_map(|name| name.to_str()?.parse::<ProfileId>().ok())
            .map(|id| {
                let profile = read(pool, &id);
                (id, profile)
            })
            .collect();
    profiles.sort_by_key(|(id, profile)| {
        let name = profile
            .as_ref()
            .ok()
            .map(|profile| profile.name.to_string());
        (name.is_none(), name, id.to_string())
    });
    Ok(profiles)
}

/// Finds a profile by name, else by id.
///
/// # Errors
///
/// There is none, or the profile with this id has a file that cannot be used.
pub fn find(pool: &Pool, name_or_id: &str) -> Result<ProfileFile> {
    let profiles = all(pool)?;
    let by_name = profiles
        .iter()
        .filter_map(|(_, profile)| profile.as_ref().ok())
        .find(|profile| profile.name.as_str() == name_or_id);
    if let Some(profile) = by_name {
        return Ok(profile.clone());
    }
    if let Ok(id) = name_or_id.parse::<ProfileId>() {
        return read(pool, &id);
    }
    // A profile file that cannot be used may be the one that was meant: its name stands in it all
    // the same, and the reason is what helps.
    for (id, profile) in profiles {
        if let Err(error) = profile {
            if claims_name(pool, &id, name_or_id) {
                return Err(error);
            }
        }
    }
    Err(Error::NoSuchProfile {
        name: name_or_id.to_owned(),
    })
}

/// Whether a profile file that this version cannot use says that it has this name.
fn claims_name(pool: &Pool, id: &ProfileId, name: &str) -> bool {
    let path = pool.layout().profile(id).join(PROFILE_FILE);
    let Ok(bytes) = file::read_limited(&path, FILE_LIMIT_BYTES) else {
        return false;
    };
    serde_json::from_slice::<serde_json::Value>(&bytes)
        .is_ok_and(|value| value.get("name").and_then(serde_json::Value::as_str) == Some(name))
}

/// Refuses a name that another profile has, or that is another profile's id: what a user types must
/// mean one profile.
fn require_name_free(pool: &Pool, name: &ProfileName) -> Result<()> {
    let taken = all(pool)?.iter().any(|(id, profile)| {
        id.as_str() == name.as_str() || profile.as_ref().is_ok_and(|profile| profile.name == *name)
    });
    if taken {
        return Err(Error::ProfileExists {
            name: name.to_string(),
        });
    }
    Ok(())
}

/// Where the pinned base of a profile stands and its UUID (promise 1: a profile is mounted only
/// over the base that its profile.json pins).
///
/// # Errors
///
/// [`Error::BaseUnusable`] when the base is gone or is another tree.
pub fn base_for(pool: &Pool, profile: &ProfileFile) -> Result<(PathBuf, Uuid)> {
    let unusable = |detail: String| Error::BaseUnusable {
        name: profile.name.to_string(),
        version: profile.base.version.clone(),
        detail,
    };
    let base =
        base::read(pool, &profile.base.version).map_err(|error| unusable(error.to_string()))?;
    if base.tree_hash != profile.base.tree_hash {
        return Err(unusable(format!(
            "its tree is {}, the profile pins {}",
            base.tree_hash, profile.base.tree_hash
        )));
    }
    base::locate(pool, &profile.base.version).map_err(|error| unusable(error.to_string()))
}

/// Gives a writable profile subvolume its guard: a nested subvolume, so that a plain `btrfs
/// subvolume delete` of the profile fails with ENOTEMPTY. Snapshots do not contain it, only an empty
/// directory of its name.
///
/// That directory goes here and not before: making a subvolume commits the transaction. Were a file of
/// the profile made durable between the two, and the power cut then, the kernel (6.18) would look for
/// the guard while it replays the log, not find it, and refuse to mount the pool.
pub(crate) fn set_guard(subvolume: &Path) -> Result<()> {
    let guard = subvolume.join(GUARD);
    if file::exists(&guard)? {
        if btrfs::is_subvolume(&guard)? {
            return Ok(());
        }
        file::remove_directory(&guard)?;
    }
    Ok(btrfs::create_subvolume(&guard)?)
}
