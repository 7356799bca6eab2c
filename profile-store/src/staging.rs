//! Where everything is built before it gets a visible name.
//!
//! One directory per operation, `@flipper/staging/<word>`, with a lock file that its owner holds:
//! what nobody holds and no operation of the journal names is garbage of a crash and is collected.
//! The lock makes it possible to fill a base for minutes without holding the pool's own lock, which
//! would leave every apt run of that time unprotected.

use std::path::{Path, PathBuf};

use profile_sys::{btrfs, file, lock};

use crate::error::Result;
use crate::identity;
use crate::layout::Layout;
use crate::pool::Pool;

/// Name of the lock file in a staging directory.
const LOCK: &str = "lock";

/// One operation's staging directory, held by this process.
#[derive(Debug)]
pub struct Staging {
    word: String,
    path: PathBuf,
    _lock: lock::FileLock,
}

impl Staging {
    /// Makes a new staging directory and takes its lock.
    ///
    /// # Errors
    ///
    /// It cannot be made.
    pub fn begin(pool: &Pool) -> Result<Self> {
        let word = identity::random_word()?;
        let path = pool.layout().staging().join(&word);
        file::create_directory(&path, 0o700)?;
        Self::hold(word, path)
    }

    /// Takes over the staging directory of an interrupted operation, or `None` when its owner lives
    /// or it is gone.
    ///
    /// # Errors
    ///
    /// The lock cannot be tried.
    pub fn take_over(layout: &Layout, word: &str) -> Result<Option<Self>> {
        let path = layout.staging().join(word);
        if !file::exists(&path)? {
            return Ok(None);
        }
        match lock::FileLock::try_acquire(&path.join(LOCK), lock::Mode::Exclusive)? {
            Some(lock) => Ok(Some(Self {
                word: word.to_owned(),
                path,
                _lock: lock,
            })),
            None => Ok(None),
        }
    }

    fn hold(word: String, path: PathBuf) -> Result<Self> {
        let lock = lock::FileLock::acquire(
            &path.join(LOCK),
            lock::Mode::Exclusive,
            std::time::Duration::ZERO,
        )?;
        Ok(Self {
            word,
            path,
            _lock: lock,
        })
    }

    /// The directory's name, which the journal records.
    pub fn word(&self) -> &str {
        &self.word
    }

    /// Path of one part of what is being built.
    pub fn part(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Deletes the directory with everything that is still in it.
    ///
    /// # Errors
    ///
    /// A part cannot be deleted; `recover` tries again.
    pub fn discard(self) -> Result<()> {
        discard_directory(&self.path)
    }
}

impl Staging {
    /// Deletes the directory after the change it served is in force. A failure here is none of the
    /// change: what is left is garbage that nobody holds any more, and `recover` and `pool gc`
    /// collect it.
    pub fn discard_or_leave(self) {
        if self.discard().is_err() {
            // Said above: the change is done, and its rest is found by every later collection.
        }
    }
}

/// Deletes a directory of subvolumes and files, subvolumes first.
///
/// # Errors
///
/// A part cannot be deleted.
pub fn discard_directory(path: &Path) -> Result<()> {
    for name in file::list(path)? {
        let part = path.join(&name);
        if btrfs::is_subvolume(&part)? {
            btrfs::delete_subvolume_tree(&part)?;
        }
    }
    Ok(file::remove_tree(path)?)
}

/// Deletes every staging directory that nobody holds and that `needed` does not name; returns how
/// many. Called under the pool's lock.
///
/// # Errors
///
/// A directory cannot be read or deleted.
pub fn collect(layout: &Layout, needed: &dyn Fn(&str) -> bool) -> Result<usize> {
    let mut collected = 0;
    for name in file::list(&layout.staging())? {
        let Some(word) = name.to_str() else { continue };
        if needed(word) {
            continue;
        }
        if let Some(staging) = Staging::take_over(layout, word)? {
            staging.discard()?;
            collected += 1;
        }
    }
    Ok(collected)
}
