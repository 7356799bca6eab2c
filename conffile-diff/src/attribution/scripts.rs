//! Which paths the text of maintainer scripts names.
//!
//! The scripts are not run and not parsed as shell: what looks like a path in them is a path.

use std::collections::{HashMap, HashSet};

use super::paths::{ancestors, base_name, parent};

/// The paths and words of the texts of all packages of a transaction.
#[derive(Debug, Default)]
pub(crate) struct Named {
    /// Path → package whose text named it first.
    paths: HashMap<Vec<u8>, usize>,
    /// Directories above named paths: `mkdir -p` makes them without naming them.
    above: HashMap<Vec<u8>, usize>,
    /// Single words, for names put together from a directory and a base name.
    words: HashSet<Vec<u8>>,
}

/// Directories in which a script can name a file with a variable before it (`$DPKG_ROOT/etc/x`).
const TOPS: [&[u8]; 8] = [
    b"/etc/",
    b"/var/",
    b"/boot/",
    b"/opt/",
    b"/srv/",
    b"/initrd",
    b"/vmlinuz",
    b"/root/",
];

impl Named {
    /// Takes up what one text of the package with number `package` names.
    pub(crate) fn add(&mut self, package: usize, text: &[u8]) {
        for run in text.split(|byte| !is_path_byte(*byte)) {
            for word in run.split(|&byte| byte == b'/').filter(|w| w.len() > 1) {
                if !self.words.contains(word) {
                    self.words.insert(word.to_vec());
                }
            }
            let Some(path) = absolute(run) else { continue };
            for directory in ancestors(path) {
                // A script that names /var/lib/x/y does not speak of /var/lib.
                if depth(directory) >= 2 {
                    self.above.entry(directory.to_vec()).or_insert(package);
                }
            }
            self.paths.entry(path.to_vec()).or_insert(package);
        }
    }

    /// The package whose text names the path; `whole_directory` when a directory came or went.
    pub(crate) fn find(&self, path: &[u8], whole_directory: bool) -> Option<usize> {
        if let Some(&package) = self.paths.get(path) {
            return Some(package);
        }
        if whole_directory {
            if let Some(&package) = self.above.get(path) {
                return Some(package);
            }
        }
        if let Some(&package) = without_suffix(path).and_then(|stem| self.paths.get(stem)) {
            return Some(package);
        }
        // `cd /etc/x; … > y`. A word says nothing about a directory everybody names.
        let directory = parent(path);
        if depth(directory) >= 2 && self.words.contains(base_name(path)) {
            return self.paths.get(directory).copied();
        }
        None
    }
}

fn depth(path: &[u8]) -> usize {
    path.iter().filter(|&&byte| byte == b'/').count()
}

/// Suffixes that programs add to a name they were given: the public half of a key, the database
/// made from a text, a backup.
fn without_suffix(path: &[u8]) -> Option<&[u8]> {
    const SUFFIXES: [&[u8]; 9] = [
        b".pub", b".db", b".bak", b".old", b".new", b".orig", b".lock", b"~", b"-",
    ];
    SUFFIXES
        .iter()
        .find_map(|suffix| path.strip_suffix(*suffix))
}

fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80 || b"/._+-@%~".contains(&byte)
}

/// The absolute path in a run of path characters, without a slash or full stop at its end.
fn absolute(run: &[u8]) -> Option<&[u8]> {
    let start = if run.first() == Some(&b'/') {
        0
    } else {
        (0..run.len()).find(|&at| TOPS.iter().any(|top| run[at..].starts_with(top)))?
    };
    let mut path = &run[start..];
    while let [rest @ .., b'/' | b'.'] = path {
        path = rest;
    }
    (path.len() > 1 && !path.windows(2).any(|pair| pair == b"//")).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str) -> Named {
        let mut named = Named::default();
        named.add(0, text.as_bytes());
        named
    }

    #[test]
    fn finds_paths_however_they_are_written() {
        let named = named(
            "FILE=/etc/mailname; [ -e \"$DPKG_ROOT/etc/aliases\" ] || echo x > '/etc/with/quotes'.\nrm -f /var/lib/x/*\n",
        );
        for path in [
            "/etc/mailname",
            "/etc/aliases",
            "/etc/with/quotes",
            "/var/lib/x",
        ] {
            assert_eq!(named.find(path.as_bytes(), false), Some(0), "{path}");
        }
        assert_eq!(named.find(b"/etc/mail", false), None);
        assert_eq!(named.find(b"/etc/hosts", false), None);
    }

    #[test]
    fn joins_a_named_directory_with_a_word() {
        let named = named("cd /etc/exim4\ncat > passwd.client\n");
        assert_eq!(named.find(b"/etc/exim4/passwd.client", false), Some(0));
        assert_eq!(named.find(b"/etc/exim4/other", false), None);
        assert_eq!(named.find(b"/etc/passwd.client", false), None);
    }

    #[test]
    fn knows_the_other_half_of_a_key() {
        let named = named("ssh-keygen -f /etc/ssh/ssh_host_rsa_key");
        assert_eq!(named.find(b"/etc/ssh/ssh_host_rsa_key.pub", false), Some(0));
    }

    #[test]
    fn knows_directories_that_were_made_on_the_way() {
        let named = named("mkdir -p /var/lib/a/b/c");
        assert_eq!(named.find(b"/var/lib/a", true), Some(0));
        assert_eq!(named.find(b"/var/lib/a", false), None);
        assert_eq!(named.find(b"/var/lib", true), Some(0));
        assert_eq!(named.find(b"/var", true), None);
    }
}
