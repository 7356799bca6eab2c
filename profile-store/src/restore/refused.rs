//! Why a path is not brought back.

use std::path::PathBuf;

/// A path that a restore refuses. Paths are absolute, as the profile has them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The whole tree.
    #[error("the root of the tree is no path to restore")]
    Root,
    /// It is in no snapshot, because it is no part of the profile's tree.
    #[error("{} cannot be restored: what is below {} is mounted there, and no snapshot has it", path.display(), mount.display())]
    NoPart {
        /// The path.
        path: PathBuf,
        /// What is mounted.
        mount: PathBuf,
    },
    /// It is in no snapshot, because it is state.
    #[error("{} cannot be restored: {} is state of the profile, and no snapshot has it", path.display(), state.display())]
    State {
        /// The path.
        path: PathBuf,
        /// The state path that covers it.
        state: PathBuf,
    },
    /// Bringing back dpkg's own files without those of the packages would break both.
    #[error("{} cannot be restored: dpkg's database at {} would no longer fit the files of the packages", path.display(), database.display())]
    PackageDatabase {
        /// The path.
        path: PathBuf,
        /// The first file of the database that would change.
        database: PathBuf,
    },
    /// The snapshot does not have it.
    #[error("{} was not there in the snapshot {snapshot}", path.display())]
    Missing {
        /// The path.
        path: PathBuf,
        /// The snapshot.
        snapshot: String,
    },
    /// What stands above it now is no directory.
    #[error("{} cannot be restored: {} is no directory now", path.display(), above.display())]
    NoDirectory {
        /// The path.
        path: PathBuf,
        /// What stands in the way.
        above: PathBuf,
    },
    /// Programs run in the profile from what would be replaced.
    #[error("{} cannot be restored while the profile is in use: running programs need {}", path.display(), needed.display())]
    InUse {
        /// The path.
        path: PathBuf,
        /// The first of the files.
        needed: PathBuf,
    },
}

impl Refused {
    /// The path that was asked for.
    pub fn path(&self) -> Option<&PathBuf> {
        match self {
            Self::Root => None,
            Self::NoPart { path, .. }
            | Self::State { path, .. }
            | Self::PackageDatabase { path, .. }
            | Self::Missing { path, .. }
            | Self::NoDirectory { path, .. }
            | Self::InUse { path, .. } => Some(path),
        }
    }

    /// What helps instead.
    pub fn hint(&self) -> Option<String> {
        let path = self.path().map(|path| path.display().to_string());
        let path = path.unwrap_or_default();
        Some(match self {
            Self::Root => "`flipper-profile undo N` takes back a transaction, `flipper-profile reset NAME` all of them".into(),
            Self::NoPart { .. } | Self::State { .. } => return None,
            Self::PackageDatabase { .. } => {
                "`flipper-profile undo N` takes packages and their database back together; or name paths that packages do not keep".into()
            }
            Self::Missing { .. } => {
                format!("`flipper-profile history --path {path}` shows the transactions that changed it; `--from N:post` is the state after one")
            }
            Self::NoDirectory { above, .. } => {
                format!("restore {} first, or move it aside", above.display())
            }
            Self::InUse { .. } => "leave the profile first, or replace it under them with --live".into(),
        })
    }
}
