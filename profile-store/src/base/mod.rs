//! Bases: adding, listing, verifying and removing read-only Debian roots.
//!
//! A base is filled in staging, checked, sealed read-only, and only then gets its name; from that
//! moment on nothing writes to it.

mod fill;
mod needed;
mod prepare;
mod tree_hash;

use std::collections::BTreeMap;
use std::path::PathBuf;

use profile_db::base_file::{BaseFile, BaseSource};
use profile_db::format::Format;
use profile_db::model::{BaseVersion, Time};
use profile_sys::{btrfs, file};
use uuid::Uuid;

pub use fill::Source;
pub use needed::needed_by;
pub use prepare::POLICY_RC_D;
pub use tree_hash::{TreeSummary, summarize};

use crate::error::{Error, Result};
use crate::pool::Pool;
use crate::progress::Progress;
use crate::staging::Staging;

/// Largest base file that is read, in bytes.
const FILE_LIMIT_BYTES: u64 = profile_db::base_file::SIZE_MAX as u64 + 1;
/// Name of the base's subvolume in its staging directory.
const STAGED: &str = "base";

/// What `base add` is asked for.
#[derive(Debug, Clone)]
pub struct AddBase {
    /// The version it gets.
    pub version: BaseVersion,
    /// Where its tree comes from.
    pub source: Source,
    /// Make it the default for new profiles, even when there is one already.
    pub make_current: bool,
    /// Variables for the programs that fetch (proxies).
    pub environment: Vec<(String, String)>,
    /// Now.
    pub now: Time,
}

/// A base and what depends on it.
#[derive(Debug, Clone)]
pub struct BaseInfo {
    /// The base file.
    pub file: BaseFile,
    /// It is the default for new profiles.
    pub current: bool,
    /// What names it: profiles, snapshots, staging, trash, boot entries, mounts.
    pub needed_by: Vec<String>,
}

/// Adds a base.
///
/// # Errors
///
/// The version is taken, the source is no Debian root or cannot be copied, its inode numbers reach
/// the floor, or the disk is full. The pool is as it was then.
pub fn add(pool: &Pool, request: &AddBase, progress: &mut dyn Progress) -> Result<BaseFile> {
    refuse_taken(pool, &request.version)?;
    let staging = Staging::begin(pool)?;
    let built = build(pool, request, &staging, progress);
    match built {
        Ok(base) => {
            staging.discard_or_leave();
            Ok(base)
        }
        Err(error) => Err(error.taken_back(staging.discard())),
    }
}

fn refuse_taken(pool: &Pool, version: &BaseVersion) -> Result<()> {
    if file::exists(&pool.layout().base(version))? {
        return Err(Error::BaseExists {
            version: version.clone(),
        });
    }
    Ok(())
}

fn build(
    pool: &Pool,
    request: &AddBase,
    staging: &Staging,
    progress: &mut dyn Progress,
) -> Result<BaseFile> {
    let staged = staging.part(STAGED);
    btrfs::create_subvolume(&staged)?;
    fill::fill(&request.source, &staged, &request.environment, progress)?;
    prepare::check(&staged, request.source.path_for_messages())?;
    prepare::write(&staged)?;
    btrfs::commit(pool.layout().top())?;
    let highest = btrfs::highest_inode(&staged)?;
    if highest >= pool.inode_floor() {
        return Err(Error::BaseAboveFloor {
            highest,
            floor: pool.inode_floor(),
        });
    }
    progress.begin("hashing the base");
    let summary = tree_hash::summarize(&staged, progress)?;
    let info = btrfs::subvolume_info(&staged)?;
    let facts = prepare::facts(&staged)?;
    let base = BaseFile {
        format: Format::new(BaseFile::KNOWN.version),
        version: request.version.clone(),
        uuid: info.uuid,
        tree_hash: summary.hash,
        highest_inode: highest,
        architecture: facts.architecture,
        release: facts.release,
        added: request.now,
        source: BaseSource {
            how: request.source.word().into(),
            particulars: particulars(&request.source),
        },
        entries: summary.entries,
        size: summary.bytes,
        unknown: serde_json::Map::new(),
    };
    promote(pool, request, &staged, &base)?;
    Ok(base)
}

/// Gives the sealed base its name: the base file first, since a base without its file could not be
/// checked against a profile's pin, while a file without its base is only collected.
fn promote(
    pool: &Pool,
    request: &AddBase,
    staged: &std::path::Path,
    base: &BaseFile,
) -> Result<()> {
    let _lock = pool.lock()?;
    refuse_taken(pool, &request.version)?;
    let layout = pool.layout();
    file::write_atomic(&layout.base_file(&base.version), &base.to_bytes(), 0o600)?;
    btrfs::commit(layout.top())?;
    let place = layout.base(&base.version);
    file::rename_no_replace(staged, &place)?;
    let finished: Result<()> = (|| {
        // Not before: the kernel does not move a read-only subvolume to another directory.
        btrfs::set_read_only(&place, true)?;
        if request.make_current || current(pool)?.is_none() {
            set_current(pool, &base.version)?;
        }
        Ok(())
    })();
    if let Err(error) = finished {
        return Err(error.taken_back(take_back(pool, staged, &base.version)));
    }
    pool.commit()
        .map_err(|error| interrupted("adding", &base.version, error))
}

/// Takes a base's name away that it has just got; the default base is still the former one.
fn take_back(pool: &Pool, staged: &std::path::Path, version: &BaseVersion) -> Result<()> {
    let place = pool.layout().base(version);
    btrfs::set_read_only(&place, false)?;
    file::rename_no_replace(&place, staged)?;
    Ok(file::remove_file(&pool.layout().base_file(version))?)
}

/// A failure after the step that decides: what is left to do is `recover`'s.
fn interrupted(what: &str, version: &BaseVersion, error: Error) -> Error {
    error.interrupting(format!("{what} the base '{version}'"))
}

fn set_current(pool: &Pool, version: &BaseVersion) -> Result<()> {
    Ok(file::replace_symlink(
        version.as_str().as_ref(),
        &pool.layout().current_base(),
    )?)
}

fn particulars(source: &Source) -> BTreeMap<String, serde_json::Value> {
    source
        .particulars()
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.into()))
        .collect()
}

/// The default base of new profiles. One that is gone is none: its removal was cut short.
///
/// # Errors
///
/// The symlink cannot be read.
pub fn current(pool: &Pool) -> Result<Option<BaseVersion>> {
    let link = pool.layout().current_base();
    if !file::exists(&link)? {
        return Ok(None);
    }
    let target = file::read_link(&link)?;
    match target.to_str().and_then(|text| text.parse().ok()) {
        Some(version) if file::exists(&pool.layout().base(&version))? => Ok(Some(version)),
        _ => Ok(None),
    }
}

/// Reads one base's file.
///
/// # Errors
///
/// There is no such base, or its file cannot be used.
pub fn read(pool: &Pool, version: &BaseVersion) -> Result<BaseFile> {
    let layout = pool.layout();
    let path = layout.base_file(version);
    if !file::exists(&layout.base(version))? || !file::exists(&path)? {
        return Err(Error::NoSuchBase {
            version: version.to_string(),
        });
    }
    BaseFile::parse(&file::read_limited(&path, FILE_LIMIT_BYTES)?)
        .map_err(|source| Error::PoolPart { path, source })
}

/// Versions of all bases, sorted by name.
///
/// # Errors
///
/// The directory cannot be read.
pub fn versions(pool: &Pool) -> Result<Vec<BaseVersion>> {
    let mut versions: Vec<BaseVersion> = file::list(&pool.layout().bases())?
        .iter()
        .filter_map(|name| name.to_str()?.parse().ok())
        .collect();
    versions.sort();
    Ok(versions)
}

/// All bases with what needs them.
///
/// # Errors
///
/// A base's file cannot be used.
pub fn list(pool: &Pool) -> Result<Vec<BaseInfo>> {
    let current = current(pool)?;
    versions(pool)?
        .into_iter()
        .map(|version| {
            Ok(BaseInfo {
                file: read(pool, &version)?,
                current: current.as_ref() == Some(&version),
                needed_by: needed_by(pool, &version)?,
            })
        })
        .collect()
}

/// One base with what needs it.
///
/// # Errors
///
/// There is no such base, or its file cannot be used.
pub fn info(pool: &Pool, version: &BaseVersion) -> Result<BaseInfo> {
    Ok(BaseInfo {
        file: read(pool, version)?,
        current: current(pool)?.as_ref() == Some(version),
        needed_by: needed_by(pool, version)?,
    })
}

/// Where a base stands and its subvolume's UUID, after the cheap checks: it is there, sealed, and
/// the very subvolume that was promoted.
///
/// # Errors
///
/// There is no such base, or it was unsealed or exchanged.
pub fn locate(pool: &Pool, version: &BaseVersion) -> Result<(PathBuf, Uuid)> {
    let base = read(pool, version)?;
    let path = pool.layout().base(version);
    let info = btrfs::subvolume_info(&path)?;
    if !info.read_only {
        return Err(Error::BaseDamaged {
            version: version.clone(),
            detail: "it is writable".into(),
        });
    }
    if info.uuid != base.uuid {
        return Err(Error::BaseDamaged {
            version: version.clone(),
            detail: "it is another subvolume".into(),
        });
    }
    Ok((path, info.uuid))
}

/// Compares a base with what it was when it was promoted; returns what differs.
///
/// # Errors
///
/// There is no such base, or its tree cannot be read.
pub fn verify(
    pool: &Pool,
    version: &BaseVersion,
    progress: &mut dyn Progress,
) -> Result<Vec<String>> {
    let base = read(pool, version)?;
    let path = pool.layout().base(version);
    let mut problems = Vec::new();
    let info = btrfs::subvolume_info(&path)?;
    if !info.read_only {
        problems.push("it is writable".to_owned());
    }
    if info.uuid != base.uuid {
        problems.push(format!(
            "its UUID is {}, it was promoted as {}",
            info.uuid, base.uuid
        ));
    }
    let highest = btrfs::highest_inode(&path)?;
    if highest >= pool.inode_floor() {
        problems.push(format!(
            "its highest inode number {highest} is not below the floor {}",
            pool.inode_floor()
        ));
    }
    progress.begin("hashing the base");
    let summary = tree_hash::summarize(&path, progress)?;
    if summary.hash != base.tree_hash {
        problems.push(format!(
            "its tree has the hash {}, it was promoted with {}",
            summary.hash, base.tree_hash
        ));
    }
    Ok(problems)
}

/// Removes a base that nothing names.
///
/// # Errors
///
/// There is no such base, or something still needs it; [`Error::Interrupted`] when it has lost its name and the
/// rest could not be deleted.
pub fn remove(pool: &Pool, version: &BaseVersion) -> Result<()> {
    let _lock = pool.lock()?;
    let layout = pool.layout();
    if !file::exists(&layout.base(version))? {
        return Err(Error::NoSuchBase {
            version: version.to_string(),
        });
    }
    let by = needed_by(pool, version)?;
    if !by.is_empty() {
        return Err(Error::BaseNeeded {
            version: version.clone(),
            by,
        });
    }
    let was_current = current(pool)?.as_ref() == Some(version);
    // The name goes first and in one step: a base is either whole under its name or not there.
    let staging = Staging::begin(pool)?;
    let (place, staged) = (layout.base(version), staging.part(STAGED));
    // The kernel does not move a read-only subvolume to another directory; cut here, `recover` seals it.
    btrfs::set_read_only(&place, false)?;
    if let Err(error) = file::rename_no_replace(&place, &staged) {
        let sealed = btrfs::set_read_only(&place, true);
        if sealed.is_ok() {
            staging.discard_or_leave();
        }
        return Err(Error::from(error).taken_back(sealed.map_err(Error::from)));
    }
    let removed = (|| {
        pool.commit()?;
        if was_current {
            file::remove_file(&layout.current_base())?;
        }
        let base_file = layout.base_file(version);
        if file::exists(&base_file)? {
            file::remove_file(&base_file)?;
        }
        staging.discard()
    })();
    removed.map_err(|error| interrupted("removing", version, error))
}
