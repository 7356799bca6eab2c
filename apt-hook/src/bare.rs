//! The dpkg that started a hook: is it a bare one, does it work on this root, which archives has it?
//!
//! dpkg runs its hooks for every process, also for those that apt starts. Under apt they must do
//! nothing: apt's own hooks have been there. apt says so in `DPKG_FRONTEND_LOCKED`, but aptitude does
//! not set it; what every front end over libapt does is to give dpkg a `--status-fd`. Pure functions
//! of the arguments; dpkg's long options may have their value in the next word.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Options of dpkg that take a value, in the same word or in the next.
const WITH_VALUE: &[&str] = &[
    "--root",
    "--admindir",
    "--instdir",
    "--status-fd",
    "--command-fd",
    "--log",
    "--debug",
    "--abort-after",
    "--path-exclude",
    "--path-include",
    "--verify-format",
    "--pre-invoke",
    "--post-invoke",
    "--status-logger",
    "--ignore-depends",
];

/// What the command line of a dpkg says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    /// A front end reads its status.
    pub has_reader: bool,
    /// It works on another root or database than the running system's.
    pub elsewhere: bool,
    /// It unpacks archives (`-i`, `--unpack`).
    pub unpacks: bool,
    /// Directories are searched for archives (`-R`).
    pub recursive: bool,
    /// Words that are no options.
    pub words: Vec<PathBuf>,
}

impl Line {
    /// Reads the arguments, the program's name among them.
    pub fn parse(arguments: &[Vec<u8>]) -> Self {
        let mut line = Self::default();
        let mut rest = arguments.iter().skip(1);
        let mut only_words = false;
        while let Some(argument) = rest.next() {
            if only_words || !argument.starts_with(b"-") || argument == b"-" {
                line.words.push(PathBuf::from(OsStr::from_bytes(argument)));
            } else if argument == b"--" {
                only_words = true;
            } else if argument.starts_with(b"--") {
                let text = String::from_utf8_lossy(argument);
                let (name, value) = match text.split_once('=') {
                    Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                    None => (text.into_owned(), None),
                };
                let value = value.or_else(|| {
                    let takes = WITH_VALUE.contains(&name.as_str());
                    takes
                        .then(|| rest.next())
                        .flatten()
                        .map(|word| String::from_utf8_lossy(word).into_owned())
                });
                line.long(&name, value.as_deref());
            } else {
                line.short(&argument[1..]);
            }
        }
        line
    }

    fn long(&mut self, name: &str, value: Option<&str>) {
        let is_root = |path: &str| path.trim_end_matches('/').is_empty();
        match (name, value) {
            ("--status-fd", _) => self.has_reader = true,
            ("--root" | "--instdir", Some(path)) => self.elsewhere |= !is_root(path),
            ("--admindir", Some(path)) => {
                self.elsewhere |= path.trim_end_matches('/') != "/var/lib/dpkg"
            }
            ("--install" | "--unpack", _) => self.unpacks = true,
            ("--recursive", _) => self.recursive = true,
            _ => {}
        }
    }

    /// Letters may stand together: `-iGROEB`. `-D` has its number, and `-a` nothing, behind it.
    fn short(&mut self, letters: &[u8]) {
        for letter in letters {
            match letter {
                b'i' => self.unpacks = true,
                b'R' => self.recursive = true,
                b'D' => return,
                _ => {}
            }
        }
    }
}

/// Whether dpkg's environment names another root or database.
pub fn elsewhere_by_environment(root: Option<&str>, admin_directory: Option<&str>) -> bool {
    let plain = |text: Option<&str>, ordinary: &str| {
        text.map(|text| text.trim_end_matches('/'))
            .is_none_or(|text| text.is_empty() || text == ordinary)
    };
    !plain(root, "") || !plain(admin_directory, "/var/lib/dpkg")
}

/// The archives that a bare dpkg unpacks, by its words: files as they are, directories searched when
/// that was asked for. `directory` is where it was started.
pub fn archives(line: &Line, directory: &Path) -> Vec<PathBuf> {
    if !line.unpacks {
        return Vec::new();
    }
    let mut found = Vec::new();
    for word in &line.words {
        let path = directory.join(word);
        if line.recursive && path.is_dir() {
            // dpkg runs find(1): regular files that end in .deb, at any depth.
            let mut entries: Vec<PathBuf> = walk(&path, 0);
            entries.sort();
            found.append(&mut entries);
        } else if path.is_file() {
            found.push(path);
        }
    }
    found
}

/// Deepest directory that is searched.
const DEEPEST: usize = 32;

fn walk(directory: &Path, depth: usize) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for entry in entries.flatten() {
        let path = entry.path();
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        if kind.is_dir() && depth < DEEPEST {
            found.append(&mut walk(&path, depth + 1));
        } else if kind.is_file() && path.extension() == Some(OsStr::new("deb")) {
            found.push(path);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Line {
        let words: Vec<Vec<u8>> = text
            .split(' ')
            .map(|word| word.as_bytes().to_vec())
            .collect();
        Line::parse(&words)
    }

    #[test]
    fn a_bare_dpkg_is_told_from_one_of_a_front_end() {
        assert!(!line("dpkg -i a.deb").has_reader);
        assert!(!line("dpkg --configure -a").has_reader);
        assert!(line("/usr/bin/dpkg --status-fd 20 --no-triggers --unpack /x/a.deb").has_reader);
        assert!(line("dpkg --force-depends --status-fd=9 --configure a:amd64").has_reader);
    }

    #[test]
    fn another_root_is_not_ours() {
        for text in [
            "dpkg --root=/mnt -i a.deb",
            "dpkg --root /mnt -i a.deb",
            "dpkg --admindir=/x -i a",
            "dpkg --instdir /x -r a",
        ] {
            assert!(line(text).elsewhere, "{text}");
        }
        for text in [
            "dpkg -i a.deb",
            "dpkg --root=/ -i a.deb",
            "dpkg --admindir=/var/lib/dpkg/ -i a.deb",
        ] {
            assert!(!line(text).elsewhere, "{text}");
        }
        assert!(!elsewhere_by_environment(None, None));
        assert!(!elsewhere_by_environment(Some(""), Some("/var/lib/dpkg")));
        assert!(!elsewhere_by_environment(Some("/"), None));
        assert!(elsewhere_by_environment(Some("/mnt"), None));
        assert!(elsewhere_by_environment(None, Some("/mnt/var/lib/dpkg")));
    }

    #[test]
    fn archives_are_the_words_of_a_dpkg_that_unpacks() {
        let of = |text: &str| {
            let line = line(text);
            (line.unpacks, line.recursive, line.words)
        };
        assert_eq!(
            of("dpkg -i a.deb b.deb"),
            (true, false, vec!["a.deb".into(), "b.deb".into()])
        );
        assert_eq!(of("dpkg -iGROEB /d"), (true, true, vec!["/d".into()]));
        assert_eq!(of("dpkg --unpack -R d"), (true, true, vec!["d".into()]));
        assert_eq!(
            of("dpkg --log /l -i -- -x.deb"),
            (true, false, vec!["-x.deb".into()])
        );
        assert_eq!(of("dpkg -r a"), (false, false, vec!["a".into()]));
        assert!(!of("dpkg -Di -r a").0);
    }

    #[test]
    fn directories_are_searched_only_when_asked() {
        let top = tempfile::tempdir().unwrap();
        for name in ["d/e/a.deb", "d/b.deb", "d/c.txt", "x.deb"] {
            let path = top.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let at = |names: &[&str]| {
            names
                .iter()
                .map(|name| top.path().join(name))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            archives(&line("dpkg -iR d"), top.path()),
            at(&["d/b.deb", "d/e/a.deb"])
        );
        assert_eq!(
            archives(&line("dpkg -i d x.deb none.deb"), top.path()),
            at(&["x.deb"])
        );
        assert_eq!(archives(&line("dpkg -r x.deb"), top.path()), at(&[]));
    }
}
