//! The caches that packages' triggers make from what other packages ship: icons, types of files, settings.
//!
//! After an undo of one package beside a later one neither side of such a file is right. The program that made it is
//! asked again, in the profile; where it is not there any more, nobody needs the file.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use conffile_diff::merge::{Kind, Maker, kind_of};
use profile_sys::command::Command;
use profile_sys::file;

use crate::error::Result;

/// A program of the profile with its arguments. The program is relative to the root.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Call {
    program: PathBuf,
    arguments: Vec<OsString>,
}

/// Whether a path, relative to the root, is a cache that is made here.
pub(super) fn is_one(path: &Path) -> bool {
    maker(path).is_some_and(|maker| !matches!(maker, Maker::Ldconfig | Maker::NextUse))
}

fn maker(path: &Path) -> Option<Maker> {
    match kind_of(&[b"/", path.as_os_str().as_bytes()].concat()) {
        Kind::Derived(maker) => Some(maker),
        _ => None,
    }
}

/// Makes the caches at `paths` anew in the tree `merged`, each program once. Returns what could not be made: programs
/// work without a cache, or the next package with a trigger for it makes it.
///
/// # Errors
///
/// It cannot be told whether a program is there.
pub(super) fn make(merged: &Path, paths: impl Iterator<Item = PathBuf>) -> Result<Vec<String>> {
    let libraries = architectures(merged)?;
    let mut calls = BTreeSet::new();
    for path in paths {
        for call in calls_for(&path, &libraries) {
            if file::exists(&merged.join(&call.program))? {
                calls.insert(call);
                break;
            }
        }
    }
    let mut notes = Vec::new();
    for call in calls {
        let mut command = Command::new("chroot")
            .arg(merged)
            .arg(Path::new("/").join(&call.program));
        for argument in &call.arguments {
            command = command.arg(argument);
        }
        if let Err(error) = command.run_ok() {
            let words: Vec<_> = call
                .arguments
                .iter()
                .map(|word| word.to_string_lossy())
                .collect();
            notes.push(format!(
                "a cache is not made anew: {error}; run `/{} {}` in the profile",
                call.program.display(),
                words.join(" ")
            ));
        }
    }
    Ok(notes)
}

/// The directories with the libraries of one architecture each, `usr/lib/x86_64-linux-gnu`.
fn architectures(merged: &Path) -> Result<Vec<PathBuf>> {
    let directory = Path::new("usr/lib");
    if !file::exists(&merged.join(directory))? {
        return Ok(Vec::new());
    }
    let mut found: Vec<PathBuf> = file::list(&merged.join(directory))?
        .into_iter()
        .filter(|name| name.as_bytes().windows(7).any(|part| part == b"-linux-"))
        .map(|name| directory.join(name))
        .collect();
    found.sort();
    Ok(found)
}

/// What can make a cache, the best first.
fn calls_for(path: &Path, libraries: &[PathBuf]) -> Vec<Call> {
    let call = |program: &str, arguments: &[&str]| Call {
        program: program.into(),
        arguments: arguments.iter().map(OsString::from).collect(),
    };
    let absolute = |path: &Path| Path::new("/").join(path).into_os_string();
    // The cache is in the directory that it is made of.
    let directory = absolute(path.parent().unwrap_or(path));
    let on_directory = |program: PathBuf, options: &[&str]| Call {
        program,
        arguments: options
            .iter()
            .map(OsString::from)
            .chain([directory.clone()])
            .collect(),
    };
    let Some(maker) = maker(path) else {
        return Vec::new();
    };
    match maker {
        Maker::Ldconfig | Maker::NextUse => Vec::new(),
        Maker::Icons => ["gtk-update-icon-cache", "gtk4-update-icon-cache"]
            .map(|name| on_directory(Path::new("usr/bin").join(name), &["--quiet", "--force"]))
            .into(),
        Maker::Desktop => {
            vec![on_directory(
                "usr/bin/update-desktop-database".into(),
                &["--quiet"],
            )]
        }
        Maker::Mime => vec![call("usr/bin/update-mime-database", &["/usr/share/mime"])],
        Maker::Schemas => libraries
            .iter()
            .map(|library| on_directory(library.join("glib-2.0/glib-compile-schemas"), &[]))
            .collect(),
        Maker::GioModules => libraries
            .iter()
            .filter(|library| path.starts_with(library))
            .map(|library| on_directory(library.join("glib-2.0/gio-querymodules"), &[]))
            .collect(),
        Maker::PixbufLoaders => libraries
            .iter()
            .filter(|library| path.starts_with(library))
            .map(|library| Call {
                program: library.join("gdk-pixbuf-2.0/gdk-pixbuf-query-loaders"),
                arguments: vec!["--update-cache".into()],
            })
            .collect(),
        Maker::Catalog => vec![call("usr/bin/journalctl", &["--update-catalog"])],
        Maker::Hardware if path.starts_with("etc") => {
            vec![call("usr/bin/systemd-hwdb", &["update"])]
        }
        Maker::Hardware => vec![call("usr/bin/systemd-hwdb", &["--usr", "update"])],
        Maker::InfoDirectory => vec![call("usr/sbin/update-info-dir", &[])],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(path: &str) -> String {
        let libraries =
            ["usr/lib/aarch64-linux-gnu", "usr/lib/x86_64-linux-gnu"].map(PathBuf::from);
        let calls = calls_for(Path::new(path), &libraries);
        let words = |call: &Call| {
            let arguments = call.arguments.iter().map(|word| word.to_str().unwrap());
            let words: Vec<&str> = std::iter::once(call.program.to_str().unwrap())
                .chain(arguments)
                .collect();
            words.join(" ")
        };
        calls.first().map(words).unwrap_or_default()
    }

    #[test]
    fn each_cache_has_its_program() {
        for (path, expected) in [
            (
                "usr/share/icons/hicolor/icon-theme.cache",
                "usr/bin/gtk-update-icon-cache --quiet --force /usr/share/icons/hicolor",
            ),
            (
                "usr/share/applications/mimeinfo.cache",
                "usr/bin/update-desktop-database --quiet /usr/share/applications",
            ),
            (
                "usr/share/mime/image/png.xml",
                "usr/bin/update-mime-database /usr/share/mime",
            ),
            (
                "usr/share/glib-2.0/schemas/gschemas.compiled",
                "usr/lib/aarch64-linux-gnu/glib-2.0/glib-compile-schemas /usr/share/glib-2.0/schemas",
            ),
            (
                "usr/lib/x86_64-linux-gnu/gio/modules/giomodule.cache",
                "usr/lib/x86_64-linux-gnu/glib-2.0/gio-querymodules /usr/lib/x86_64-linux-gnu/gio/modules",
            ),
            (
                "usr/lib/x86_64-linux-gnu/gdk-pixbuf-2.0/2.10.0/loaders.cache",
                "usr/lib/x86_64-linux-gnu/gdk-pixbuf-2.0/gdk-pixbuf-query-loaders --update-cache",
            ),
            ("etc/udev/hwdb.bin", "usr/bin/systemd-hwdb update"),
            ("usr/lib/udev/hwdb.bin", "usr/bin/systemd-hwdb --usr update"),
            ("etc/ld.so.cache", ""),
            ("var/cache/man/index.db", ""),
            ("etc/motd", ""),
        ] {
            assert_eq!(first(path), expected, "{path}");
            assert_eq!(is_one(Path::new(path)), !expected.is_empty(), "{path}");
        }
    }

    #[test]
    fn without_the_program_nothing_is_made_and_a_failure_is_a_note() {
        let root = tempfile::tempdir().unwrap();
        let paths = || [PathBuf::from("usr/share/applications/mimeinfo.cache")].into_iter();
        assert!(make(root.path(), paths()).unwrap().is_empty());
        let program = root.path().join("usr/bin/update-desktop-database");
        std::fs::create_dir_all(program.parent().unwrap()).unwrap();
        std::fs::write(&program, "no program").unwrap();
        let notes = make(root.path(), paths()).unwrap();
        assert_eq!(notes.len(), 1, "{notes:?}");
        assert!(
            notes[0].contains("run `/usr/bin/update-desktop-database --quiet"),
            "{notes:?}"
        );
    }
}
