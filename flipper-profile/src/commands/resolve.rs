//! `--keep-mine`, `--take-old`, `--resolve`: what a person decides about what stands in the way.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use conffile_diff::merge::Side;
use profile_store::undo::{Decision, Decisions};
use profile_sys::file;

use crate::cli::Undo;
use crate::context::Result;
use crate::failure::Failure;

/// Longest file that a path may get.
const LONGEST_BYTES: u64 = 64 << 20;

/// The decisions of the command line; `in_profile` places a path in the profile's tree. Files that are named are read here, before anything else happens.
///
/// # Errors
///
/// One is not of the form, or a file cannot be read.
pub fn decisions(
    arguments: &Undo,
    in_profile: impl Fn(&Path) -> Result<PathBuf>,
) -> Result<Decisions> {
    let mut decisions = Decisions {
        all: match (arguments.keep_mine, arguments.take_old) {
            (true, _) => Some(Side::Mine),
            (_, true) => Some(Side::Other),
            _ => None,
        },
        ..Decisions::default()
    };
    for word in &arguments.resolve {
        let (what, how) =
            split(word).ok_or_else(|| wrong(word, "expected PATH=mine, PATH=old or PATH=FILE"))?;
        let side = match how.as_bytes() {
            b"mine" => Some(Side::Mine),
            b"old" => Some(Side::Other),
            _ => None,
        };
        if is_package(what) {
            let Some(side) = side else {
                return Err(wrong(word, "a package is \"mine\" or \"old\""));
            };
            decisions
                .packages
                .insert(what.to_string_lossy().into_owned(), side);
            continue;
        }
        let decision = match side {
            Some(side) => Decision::Side(side),
            None => Decision::Content(
                file::read_limited(Path::new(how), LONGEST_BYTES)
                    .map_err(profile_store::Error::from)?,
            ),
        };
        decisions
            .paths
            .insert(in_profile(Path::new(what))?, decision);
    }
    Ok(decisions)
}

/// What stands before the last `=`, and after it.
fn split(word: &OsStr) -> Option<(&OsStr, &OsStr)> {
    let bytes = word.as_bytes();
    let mark = bytes.iter().rposition(|&byte| byte == b'=')?;
    let (what, how) = (&bytes[..mark], &bytes[mark + 1..]);
    (!what.is_empty() && !how.is_empty()).then(|| (OsStr::from_bytes(what), OsStr::from_bytes(how)))
}

/// Whether a word is the name of a package (Debian Policy 5.6.1), and no path.
fn is_package(word: &OsStr) -> bool {
    let bytes = word.as_bytes();
    bytes.len() > 1
        && bytes[0].is_ascii_alphanumeric()
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(byte))
}

fn wrong(word: &OsStr, why: &str) -> Failure {
    Failure::usage(format!("--resolve {}: {why}", word.to_string_lossy()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(path: &Path) -> Result<PathBuf> {
        Ok(path.strip_prefix("/").unwrap().to_path_buf())
    }

    fn undo(resolve: &[&str]) -> Undo {
        Undo {
            span: None,
            to: None,
            check: false,
            exact: false,
            cascade: false,
            hold: false,
            keep_mine: true,
            take_old: false,
            withdraw: false,
            running: crate::cli::Running {
                live: false,
                no_restart: false,
            },
            later: Default::default(),
            resolve: resolve.iter().map(Into::into).collect(),
        }
    }

    #[test]
    fn paths_packages_and_files() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("new");
        std::fs::write(&file, "text").unwrap();
        let named = format!("/etc/c={}", file.display());
        let found = decisions(
            &undo(&["/etc/a=old", "/etc/b=x=mine", &named, "libc6=mine"]),
            plain,
        )
        .unwrap();
        assert_eq!(found.all, Some(Side::Mine));
        let side = |side| Some(Decision::Side(side));
        assert_eq!(
            found.paths.get(Path::new("etc/a")).cloned(),
            side(Side::Other)
        );
        assert_eq!(
            found.paths.get(Path::new("etc/b=x")).cloned(),
            side(Side::Mine)
        );
        let content = Decision::Content(b"text".to_vec());
        assert_eq!(found.paths.get(Path::new("etc/c")), Some(&content));
        assert_eq!(found.packages.get("libc6"), Some(&Side::Mine));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for word in [
            "/etc/a",
            "=mine",
            "/etc/a=",
            "libc6=/etc/x",
            "/etc/a=/no/such/file",
        ] {
            assert!(decisions(&undo(&[word]), plain).is_err(), "{word}");
        }
    }
}
