//! The one error type of the crate: what was attempted, on which path, and what the system answered.

use std::io;
use std::path::{Path, PathBuf};

/// The result of every function of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// An effect that did not happen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The system refused an operation on one path.
    #[error("cannot {verb} {}", path.display())]
    Io {
        /// What was attempted, in the infinitive: "create directory".
        verb: &'static str,
        /// The path it was attempted on.
        path: PathBuf,
        /// The answer of the system.
        source: io::Error,
    },
    /// The system refused an operation on two paths.
    #[error("cannot {verb} {} to {}", from.display(), to.display())]
    IoTwo {
        /// What was attempted, in the infinitive: "rename".
        verb: &'static str,
        /// The path that was to be read or moved.
        from: PathBuf,
        /// The path that was to be made.
        to: PathBuf,
        /// The answer of the system.
        source: io::Error,
    },
    /// A subvolume still holds another subvolume, so it cannot be deleted.
    #[error("cannot delete subvolume {}: it holds another subvolume", path.display())]
    SubvolumeNotEmpty {
        /// The subvolume that stays.
        path: PathBuf,
    },
    /// A path was expected to be a btrfs subvolume.
    #[error("{} is not a btrfs subvolume", path.display())]
    NotSubvolume {
        /// The path that is something else.
        path: PathBuf,
    },
    /// The last component of a path cannot name what was to be made.
    #[error("cannot {verb} {}: the path has no usable last component", path.display())]
    BadName {
        /// What was attempted.
        verb: &'static str,
        /// The offending path.
        path: PathBuf,
    },
    /// A program is installed in none of the directories of [`crate::command::DIRECTORIES`].
    #[error("program {program} is not installed")]
    CommandMissing {
        /// The program's name.
        program: String,
    },
    /// A program could not be started.
    #[error("cannot start {program}")]
    CommandStart {
        /// The program's name.
        program: String,
        /// The answer of the system.
        source: io::Error,
    },
    /// A program ran and reported failure.
    #[error("{program} {} failed ({status}): {stderr}", args.join(" "))]
    CommandFailed {
        /// The program's name.
        program: String,
        /// Its arguments, for people.
        args: Vec<String>,
        /// How it ended: "exit status: 1", "signal: 9 (SIGKILL)".
        status: String,
        /// The last KiB of what it wrote to standard error.
        stderr: String,
    },
    /// Another process holds the lock.
    #[error("{} is locked by another process", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// Something the kernel or a file told us does not have the expected form.
    #[error("malformed {what} in {}: {detail}", path.display())]
    Malformed {
        /// What was being parsed.
        what: &'static str,
        /// Where it came from.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// A file is larger than the caller is willing to read.
    #[error("{} is larger than {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit, in bytes.
        limit: u64,
    },
    /// The kernel accepted an overlay mount but does not honour an option that must hold.
    /// The mount was taken down again.
    #[error("overlay on {} came up with {found} where {wanted} was asked for", target.display())]
    OptionsNotForced {
        /// The mount point, unmounted again.
        target: PathBuf,
        /// The option that was asked for: `index=off`.
        wanted: String,
        /// What the kernel reports instead.
        found: String,
    },
    /// An effect failed, and so did the attempt to take back what had been done before it.
    #[error("{cause}; taking it back failed as well: {rollback}")]
    RollbackFailed {
        /// The first failure.
        #[source]
        cause: Box<Error>,
        /// The failure of the rollback.
        rollback: Box<Error>,
    },
}

impl Error {
    /// An [`Error::Io`] from anything that converts into an I/O error, such as nix's `Errno`.
    pub fn io(verb: &'static str, path: impl AsRef<Path>, source: impl Into<io::Error>) -> Self {
        Self::Io {
            verb,
            path: path.as_ref().to_owned(),
            source: source.into(),
        }
    }

    /// An [`Error::IoTwo`] from anything that converts into an I/O error.
    pub fn io_two(
        verb: &'static str,
        from: impl AsRef<Path>,
        to: impl AsRef<Path>,
        source: impl Into<io::Error>,
    ) -> Self {
        Self::IoTwo {
            verb,
            from: from.as_ref().to_owned(),
            to: to.as_ref().to_owned(),
            source: source.into(),
        }
    }

    pub(crate) fn malformed(
        what: &'static str,
        path: impl AsRef<Path>,
        detail: impl Into<String>,
    ) -> Self {
        Self::Malformed {
            what,
            path: path.as_ref().to_owned(),
            detail: detail.into(),
        }
    }

    /// The error number of the system, where there is one.
    #[must_use]
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Io { source, .. }
            | Self::IoTwo { source, .. }
            | Self::CommandStart { source, .. } => source.raw_os_error(),
            Self::SubvolumeNotEmpty { .. } => Some(libc::ENOTEMPTY),
            Self::RollbackFailed { cause, .. } => cause.errno(),
            _ => None,
        }
    }

    /// Whether the disk (or a quota on it) is full.
    #[must_use]
    pub fn is_no_space(&self) -> bool {
        matches!(self.errno(), Some(libc::ENOSPC | libc::EDQUOT))
    }

    /// Whether memory is short; a fork into a pid namespace whose first process has ended says the same.
    #[must_use]
    pub fn is_no_memory(&self) -> bool {
        self.errno() == Some(libc::ENOMEM)
    }

    /// Whether the path, or a directory on the way to it, does not exist.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.errno() == Some(libc::ENOENT)
    }

    /// Whether the path exists already.
    #[must_use]
    pub fn is_already_there(&self) -> bool {
        self.errno() == Some(libc::EEXIST)
    }

    /// Whether the system refused because of permissions.
    #[must_use]
    pub fn is_not_permitted(&self) -> bool {
        matches!(self.errno(), Some(libc::EPERM | libc::EACCES))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_no_space_not_found_and_not_permitted_apart() {
        let of = |number| Error::io("write", "/x", io::Error::from_raw_os_error(number));
        assert!(of(libc::ENOSPC).is_no_space() && of(libc::EDQUOT).is_no_space());
        assert!(of(libc::ENOENT).is_not_found() && !of(libc::ENOENT).is_no_space());
        assert!(of(libc::EPERM).is_not_permitted() && !of(libc::EPERM).is_not_found());
        let nested = Error::SubvolumeNotEmpty { path: "/x".into() };
        assert_eq!(nested.errno(), Some(libc::ENOTEMPTY));
    }

    #[test]
    fn names_verb_and_paths() {
        let error = Error::io_two(
            "rename",
            "/a",
            "/b",
            io::Error::from_raw_os_error(libc::EXDEV),
        );
        assert_eq!(error.to_string(), "cannot rename /a to /b");
    }
}
