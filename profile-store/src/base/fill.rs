//! Filling a base from a bootstrap, a directory or a tar.

use std::path::{Path, PathBuf};

use profile_sys::command::{self, Command};

use crate::error::Result;
use crate::progress::Progress;

/// Where a base's tree comes from.
#[derive(Debug, Clone)]
pub enum Source {
    /// mmdebstrap makes it.
    Bootstrap {
        /// trixie, bookworm, …
        suite: String,
        /// Packages besides the variant's.
        include: Vec<String>,
        /// mmdebstrap's variant: minbase, important, standard, …
        variant: String,
        /// Archive; mmdebstrap's own default when absent.
        mirror: Option<String>,
        /// dpkg architecture; the machine's when absent.
        architecture: Option<String>,
    },
    /// A directory that holds a Debian root.
    Directory(PathBuf),
    /// A tar of a Debian root, compressed or not.
    Tar(PathBuf),
}

impl Source {
    /// One word for the base file.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Bootstrap { .. } => "bootstrap",
            Self::Directory(_) => "directory",
            Self::Tar(_) => "tar",
        }
    }

    /// What the base file keeps about it.
    pub(super) fn particulars(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Bootstrap {
                suite,
                include,
                variant,
                mirror,
                ..
            } => {
                let mut kept = vec![
                    ("suite", suite.clone()),
                    ("variant", variant.clone()),
                    ("include", include.join(",")),
                ];
                kept.extend(mirror.clone().map(|mirror| ("mirror", mirror)));
                kept
            }
            Self::Directory(path) | Self::Tar(path) => vec![("path", path.display().to_string())],
        }
    }

    /// The path that an error names.
    pub(super) fn path_for_messages(&self) -> &Path {
        match self {
            Self::Bootstrap { suite, .. } => Path::new(suite),
            Self::Directory(path) | Self::Tar(path) => path,
        }
    }
}

/// Fills the empty subvolume at `target`.
///
/// tar carries owners by number, modes, capabilities and every other extended attribute; nothing of
/// the host's user database is asked.
///
/// # Errors
///
/// A program is missing or fails.
pub(super) fn fill(
    source: &Source,
    target: &Path,
    environment: &[(String, String)],
    progress: &mut dyn Progress,
) -> Result<()> {
    let unpack = || {
        Command::new("tar")
            .args([
                "--extract",
                "--numeric-owner",
                "--same-owner",
                "--preserve-permissions",
                "--acls",
                "--xattrs",
            ])
            .arg("--xattrs-include=*")
            .arg("--directory")
            .arg(target)
    };
    match source {
        Source::Tar(path) => {
            progress.begin("unpacking the tar");
            unpack().arg("--file").arg(path).run_ok()?;
        }
        Source::Directory(path) => {
            progress.begin("copying the directory");
            let pack = Command::new("tar")
                .args([
                    "--create",
                    "--one-file-system",
                    "--numeric-owner",
                    "--acls",
                    "--xattrs",
                ])
                .arg("--xattrs-include=*")
                .arg("--directory")
                .arg(path)
                .args(["--file=-", "."]);
            command::pipe(pack, unpack().arg("--file=-"))?;
        }
        Source::Bootstrap {
            suite,
            include,
            variant,
            mirror,
            architecture,
        } => {
            progress.begin(&format!("bootstrapping {suite}"));
            let mut bootstrap = Command::new("mmdebstrap")
                .arg("--quiet")
                .arg("--format=tar")
                .arg(format!("--variant={variant}"));
            let include = included(include)?;
            // One option for each: the hook below takes every option's value for one file name.
            for word in &include.words {
                bootstrap = bootstrap.arg(format!("--include={word}"));
            }
            if include.has_files {
                // Makes the archives' directories visible inside, so that apt installs them with
                // their dependencies (mmdebstrap(1), HOOKS).
                bootstrap =
                    bootstrap.arg("--hook-dir=/usr/share/mmdebstrap/hooks/file-mirror-automount");
            }
            if let Some(architecture) = architecture {
                bootstrap = bootstrap.arg(format!("--architectures={architecture}"));
            }
            bootstrap = bootstrap.arg(suite).arg("-");
            if let Some(mirror) = mirror {
                bootstrap = bootstrap.arg(mirror);
            }
            for (name, value) in environment {
                bootstrap = bootstrap.env(name, value);
            }
            command::pipe(bootstrap, unpack().arg("--file=-"))?;
        }
    }
    Ok(())
}

/// What mmdebstrap's `--include` gets.
struct Included {
    words: Vec<String>,
    has_files: bool,
}

/// Package names stay, paths of archives (`./x.deb`, `/x.deb`) become absolute, since mmdebstrap looks
/// them up from another directory.
fn included(include: &[String]) -> Result<Included> {
    let mut found = Included {
        words: Vec::new(),
        has_files: false,
    };
    for word in include {
        if word.starts_with("./") || word.starts_with("../") || word.starts_with('/') {
            let path = Path::new(word);
            let absolute = path
                .canonicalize()
                .map_err(|error| profile_sys::Error::io("find the package", path, error))?;
            found.words.push(absolute.to_string_lossy().into_owned());
            found.has_files = true;
        } else {
            found.words.push(word.clone());
        }
    }
    Ok(found)
}
