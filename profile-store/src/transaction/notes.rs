//! What a hook or the trigger could not write into the journal, left beside it for the next look.
//!
//! One small JSON file per note, in `@flipper/notes` when the pool can be written, else in
//! [`RUN`], which lasts as long as the session. A note is removed after its row is durable; a note
//! that was imported and not removed is recognised by its owner and time.

use std::path::{Path, PathBuf};

use profile_db::journal::TransactionKind;
use profile_db::model::{BaseVersion, Owner, ProfileId, Time};
use profile_sys::file;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::identity;
use crate::layout::Layout;

/// Where notes stand that the pool did not take.
pub const RUN: &str = "/run/flipper-profile/notes";
/// Largest note that is read, in bytes.
const LIMIT_BYTES: u64 = 256 * 1024;
/// Version of the form.
const SCHEMA: u32 = 1;

/// What a note is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum About {
    /// A package change that has no snapshot and no row.
    Unprotected,
    /// A package change that no hook announced, seen by the trigger in the middle.
    Unseen,
}

/// One note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Version of the form, 1.
    pub schema: u32,
    /// What it is about.
    pub about: About,
    /// The profile.
    pub profile: ProfileId,
    /// The base it stood on.
    pub base: BaseVersion,
    /// The kind of transaction.
    pub kind: TransactionKind,
    /// The command line, without secrets.
    pub command: String,
    /// Who asked for it.
    pub user: Option<String>,
    /// That user's number.
    pub uid: Option<u32>,
    /// The front end.
    pub front_end: String,
    /// The process that changes packages.
    pub owner: Owner,
    /// When the note was made.
    pub at: Time,
    /// Why there is no protection.
    pub reason: Option<String>,
}

impl Note {
    /// A note about what `caller` does.
    pub fn new(
        about: About,
        profile: &ProfileId,
        base: &BaseVersion,
        kind: TransactionKind,
        caller: &super::Caller,
        at: Time,
    ) -> Self {
        Self {
            schema: SCHEMA,
            about,
            profile: *profile,
            base: base.clone(),
            kind,
            command: caller.command.clone(),
            user: caller.user.clone(),
            uid: caller.uid,
            front_end: caller.front_end.clone(),
            owner: caller.owner.clone(),
            at,
            reason: None,
        }
    }
}

/// The directory of notes in a pool.
pub fn directory(layout: &Layout) -> PathBuf {
    layout.own().join("notes")
}

/// Leaves a note in a directory.
///
/// # Errors
///
/// It cannot be written.
pub fn leave(directory: &Path, note: &Note) -> Result<()> {
    file::create_directory_all(directory, 0o700)?;
    let bytes = serde_json::to_vec(note).expect("BUG: a note is valid JSON");
    // The time first, so that a listing by name is one by age.
    let name = format!(
        "{:015}-{}.json",
        note.at.as_millisecond(),
        identity::random_word()?
    );
    Ok(file::write_atomic(&directory.join(name), &bytes, 0o600)?)
}

/// A note with the file it stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// The file.
    pub path: PathBuf,
    /// The note.
    pub note: Note,
}

/// The notes about a profile, oldest first. What cannot be parsed is kept and passed over.
///
/// # Errors
///
/// The directory or a file cannot be read.
pub fn all(layout: &Layout, profile: &ProfileId) -> Result<Vec<Left>> {
    let mut found = in_directory(&directory(layout), profile)?;
    found.extend(in_directory(Path::new(RUN), profile)?);
    found.sort_by(|a, b| (a.note.at, &a.path).cmp(&(b.note.at, &b.path)));
    Ok(found)
}

fn in_directory(directory: &Path, profile: &ProfileId) -> Result<Vec<Left>> {
    let mut found = Vec::new();
    if !file::exists(directory)? {
        return Ok(found);
    }
    for name in file::list(directory)? {
        if Path::new(&name)
            .extension()
            .is_none_or(|ending| ending != "json")
        {
            continue;
        }
        let path = directory.join(&name);
        let bytes = file::read_limited(&path, LIMIT_BYTES)?;
        match serde_json::from_slice::<Note>(&bytes) {
            Ok(note) if note.profile == *profile && note.schema == SCHEMA => {
                found.push(Left { path, note });
            }
            Ok(_) | Err(_) => {}
        }
    }
    Ok(found)
}

/// Whether a note tells already that what a process changes is unprotected; `layout` is given when
/// the pool is there. What cannot be read tells nothing.
pub fn tells_of(layout: Option<&Layout>, profile: &ProfileId, owner: &Owner) -> bool {
    let pool = layout.map(directory);
    [pool, Some(PathBuf::from(RUN))]
        .into_iter()
        .flatten()
        .filter_map(|directory| in_directory(&directory, profile).ok())
        .flatten()
        .any(|left| left.note.about == About::Unprotected && left.note.owner == *owner)
}

/// Removes a note that was dealt with.
///
/// # Errors
///
/// It cannot be removed.
pub fn remove(left: &Left) -> Result<()> {
    Ok(file::remove_file(&left.path)?)
}
