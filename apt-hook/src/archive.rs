//! What is in an archive, as far as it must be known before dpkg unpacks it: which names it gives to
//! things that are no directories.
//!
//! Reading every file list whole would cost as much as dpkg's own unpacking, for it means to
//! decompress everything. So the small control member is read first (2 ms): `md5sums` names every
//! regular file of a package that was built with debhelper, and `conffiles` the rest. Symlinks are in
//! neither and are not needed: dpkg never replaces a directory by a symlink. Only an archive without
//! `md5sums` is read whole.
//!
//! `dpkg-deb` reads, `tar` takes the headers apart; nothing is extracted.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};
use profile_sys::command::Command;

/// How many archives are read at a time.
const AT_A_TIME: usize = 2;
/// Largest member of a control archive that is read, in bytes. md5sums of 100,000 files have 10 MB.
const MEMBER_LIMIT_BYTES: u64 = 64 * 1024 * 1024;

/// An archive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Archive {
    /// Package, version and architecture, by its control file.
    pub package: Option<(String, String, String)>,
    /// Absolute paths of what could stand in a directory's way.
    pub files: BTreeSet<PathBuf>,
}

/// Reads several archives, two at a time, in their order. One that cannot be read is an error of its
/// own: dpkg will say the same about it.
pub fn read_all(paths: &[PathBuf]) -> Vec<Result<Archive>> {
    let next = AtomicUsize::new(0);
    let found: Mutex<Vec<(usize, Result<Archive>)>> = Mutex::new(Vec::with_capacity(paths.len()));
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(path) = paths.get(index) else { return };
            let archive = read(path);
            // A thread that panicked while it held the lock left a whole list behind.
            found
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .push((index, archive));
        }
    };
    if paths.len() > 1 {
        std::thread::scope(|scope| {
            for _ in 0..AT_A_TIME.min(paths.len()) {
                scope.spawn(work);
            }
        });
    } else {
        work();
    }
    let mut found = found
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    found.sort_by_key(|(index, _)| *index);
    found.into_iter().map(|(_, archive)| archive).collect()
}

/// Reads one archive.
///
/// # Errors
///
/// `dpkg-deb` cannot read it.
pub fn read(path: &Path) -> Result<Archive> {
    let mut archive = Archive::default();
    let mut has_sums = false;
    each_entry(path, "--ctrl-tarfile", |name, entry| {
        let mut text = Vec::new();
        match name.as_os_str().as_bytes() {
            b"md5sums" => {
                has_sums = true;
                entry.take(MEMBER_LIMIT_BYTES).read_to_end(&mut text)?;
                archive.files.extend(parse_sums(&text));
            }
            b"conffiles" => {
                entry.take(MEMBER_LIMIT_BYTES).read_to_end(&mut text)?;
                archive.files.extend(parse_conffiles(&text));
            }
            b"control" => {
                entry.take(MEMBER_LIMIT_BYTES).read_to_end(&mut text)?;
                archive.package = parse_control(&text);
            }
            _ => {}
        }
        Ok(())
    })?;
    if !has_sums {
        each_entry(path, "--fsys-tarfile", |name, entry| {
            let kind = entry.header().entry_type();
            if !kind.is_dir() && !kind.is_symlink() {
                archive.files.insert(Path::new("/").join(name));
            }
            Ok(())
        })?;
    }
    Ok(archive)
}

type Entry<'a> = tar::Entry<'a, profile_sys::command::CommandStream>;

/// Calls `visit` for every entry of one of an archive's members, with its name without leading `./`.
fn each_entry(
    path: &Path,
    member: &str,
    mut visit: impl FnMut(&Path, &mut Entry<'_>) -> std::io::Result<()>,
) -> Result<()> {
    let context = || format!("read {}", path.display());
    let stream = Command::new("dpkg-deb")
        .arg(member)
        .arg(path)
        .stream()
        .with_context(context)?;
    let mut archive = tar::Archive::new(stream);
    for entry in archive.entries().with_context(context)? {
        let mut entry = entry.with_context(context)?;
        let name = entry.path_bytes().into_owned();
        let name = name.strip_prefix(b"./").unwrap_or(&name);
        let name = PathBuf::from(OsStr::from_bytes(name));
        visit(&name, &mut entry).with_context(context)?;
    }
    // To its very end, so that a failure of dpkg-deb is seen.
    let mut rest = archive.into_inner();
    std::io::copy(&mut rest, &mut std::io::sink()).with_context(context)?;
    Ok(())
}

/// Lines of `md5sums`: 32 digits, two blanks, a path without leading slash.
fn parse_sums(text: &[u8]) -> impl Iterator<Item = PathBuf> {
    text.split(|&byte| byte == b'\n').filter_map(|line| {
        let name = line.get(32..)?.strip_prefix(b"  ")?;
        let name = name.strip_prefix(b"./").unwrap_or(name);
        (!name.is_empty()).then(|| Path::new("/").join(OsStr::from_bytes(name)))
    })
}

fn parse_conffiles(text: &[u8]) -> impl Iterator<Item = PathBuf> {
    let names = conffile_diff::dpkg::info::parse_conffiles(text);
    names
        .into_iter()
        .map(|name| PathBuf::from(OsStr::from_bytes(&name)))
}

fn parse_control(text: &[u8]) -> Option<(String, String, String)> {
    let text = String::from_utf8_lossy(text);
    let field = |name: &str| {
        text.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found
                .eq_ignore_ascii_case(name)
                .then(|| value.trim().to_owned())
        })
    };
    Some((field("Package")?, field("Version")?, field("Architecture")?))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn sums_name_files_with_blanks_in_them() {
        let text = b"d41d8cd98f00b204e9800998ecf8427e  usr/share/a b\nshort\nd41d8cd98f00b204e9800998ecf8427e  ./etc/x\n";
        let found: Vec<_> = parse_sums(text).collect();
        assert_eq!(
            found,
            [PathBuf::from("/usr/share/a b"), PathBuf::from("/etc/x")]
        );
    }

    #[test]
    fn a_control_file_names_its_package() {
        let text = b"Package: jq\nVersion: 1.7-1\nArchitecture: amd64\nDescription: x\n Package: not this\n";
        assert_eq!(
            parse_control(text),
            Some(("jq".into(), "1.7-1".into(), "amd64".into()))
        );
        assert_eq!(parse_control(b"Package: jq\n"), None);
    }

    /// Builds an archive with dpkg-deb; `None` where there is none.
    fn build(top: &Path, with_sums: bool) -> Option<PathBuf> {
        let tree = top.join("tree");
        for directory in ["DEBIAN", "usr/share/t/empty", "etc"] {
            fs::create_dir_all(tree.join(directory)).unwrap();
        }
        fs::write(tree.join("usr/share/t/file"), "x").unwrap();
        std::os::unix::fs::symlink("file", tree.join("usr/share/t/link")).unwrap();
        fs::write(tree.join("etc/t.conf"), "x").unwrap();
        fs::write(tree.join("DEBIAN/conffiles"), "/etc/t.conf\n").unwrap();
        let control =
            "Package: t\nVersion: 1\nArchitecture: all\nMaintainer: t <t@t>\nDescription: t\n";
        fs::write(tree.join("DEBIAN/control"), control).unwrap();
        if with_sums {
            let sums = "d41d8cd98f00b204e9800998ecf8427e  usr/share/t/file\n";
            fs::write(tree.join("DEBIAN/md5sums"), sums).unwrap();
        }
        let archive = top.join("t.deb");
        let built = Command::new("dpkg-deb")
            .arg("--build")
            .arg(&tree)
            .arg(&archive)
            .run_ok();
        built.is_ok().then_some(archive)
    }

    #[test]
    fn both_ways_of_reading_find_the_same_files() {
        for with_sums in [true, false] {
            let top = tempfile::tempdir().unwrap();
            let Some(path) = build(top.path(), with_sums) else {
                eprintln!("skipped: no dpkg-deb here");
                return;
            };
            let found = read_all(&[path.clone(), top.path().join("none.deb"), path]);
            let archive = found[0].as_ref().unwrap();
            let files: Vec<_> = archive
                .files
                .iter()
                .map(|path| path.to_str().unwrap())
                .collect();
            assert_eq!(
                files,
                ["/etc/t.conf", "/usr/share/t/file"],
                "md5sums: {with_sums}"
            );
            assert_eq!(
                archive.package,
                Some(("t".into(), "1".into(), "all".into()))
            );
            assert!(found[1].is_err());
            assert_eq!(found[2].as_ref().unwrap(), archive);
        }
    }
}
