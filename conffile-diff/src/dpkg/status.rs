//! `/var/lib/dpkg/status`: which packages there are and in which state.
//!
//! Invariants:
//! 1. Bytes that are not UTF-8 never break a parse; in names and versions they are replaced,
//!    in conffile paths they are kept.
//! 2. Every package keeps the byte range of its stanza, so that whole stanzas move as bytes.
//! 3. A word that dpkg does not define is an error: a state that is guessed is worse than none.
//!
//! Source of the words: dpkg, `lib/dpkg/parsehelp.c` (`wantinfos`, `eflaginfos`, `statusinfos`).

use std::fmt;
use std::ops::Range;

use super::stanza::{self, excerpt, fields, lossy, stanzas};

/// Why a status file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A line that is no field.
    #[error("cannot parse dpkg's status: {0}")]
    Malformed(#[from] stanza::Malformed),
    /// A stanza without `Package:`.
    #[error("cannot parse dpkg's status: the stanza at line {line} names no package")]
    Unnamed {
        /// First line of the stanza.
        line: usize,
    },
    /// A `Status:` field that is not three words dpkg knows.
    #[error("cannot parse dpkg's status: package {package} has the unknown status `{words}`")]
    StatusWords {
        /// The package.
        package: String,
        /// The field as it stands.
        words: String,
    },
    /// A line of `Conffiles:` that is not a path and a hash.
    #[error("cannot parse dpkg's status: package {package} has the malformed conffile `{text}`")]
    ConffileLine {
        /// The package.
        package: String,
        /// The line.
        text: String,
    },
}

/// What the administrator wants of a package: the first word of `Status:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Want {
    /// `unknown`
    Unknown,
    /// `install`
    Install,
    /// `hold`
    Hold,
    /// `deinstall`
    Deinstall,
    /// `purge`
    Purge,
}

impl Want {
    const WORDS: [(&'static str, Want); 5] = [
        ("unknown", Want::Unknown),
        ("install", Want::Install),
        ("hold", Want::Hold),
        ("deinstall", Want::Deinstall),
        ("purge", Want::Purge),
    ];

    /// The word dpkg writes.
    pub fn as_str(self) -> &'static str {
        word_of(&Self::WORDS, self)
    }
}

/// Whether dpkg insists on a reinstallation: the second word of `Status:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Flag {
    /// `ok`
    Ok,
    /// `reinstreq`: the package is broken and must be reinstalled.
    Reinstreq,
}

impl Flag {
    // `hold` and `hold-reinstreq` are old spellings that dpkg still reads.
    const WORDS: [(&'static str, Flag); 4] = [
        ("ok", Flag::Ok),
        ("reinstreq", Flag::Reinstreq),
        ("hold", Flag::Ok),
        ("hold-reinstreq", Flag::Reinstreq),
    ];

    /// The word dpkg writes.
    pub fn as_str(self) -> &'static str {
        word_of(&Self::WORDS, self)
    }
}

/// How far dpkg got with a package: the third word of `Status:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// `not-installed`
    NotInstalled,
    /// `config-files`: removed, its configuration is left.
    ConfigFiles,
    /// `half-installed`: unpacking began and did not end.
    HalfInstalled,
    /// `unpacked`: not yet configured.
    Unpacked,
    /// `half-configured`: its postinst failed or was cut.
    HalfConfigured,
    /// `triggers-awaited`
    TriggersAwaited,
    /// `triggers-pending`
    TriggersPending,
    /// `installed`
    Installed,
}

impl State {
    const WORDS: [(&'static str, State); 8] = [
        ("not-installed", State::NotInstalled),
        ("config-files", State::ConfigFiles),
        ("half-installed", State::HalfInstalled),
        ("unpacked", State::Unpacked),
        ("half-configured", State::HalfConfigured),
        ("triggers-awaited", State::TriggersAwaited),
        ("triggers-pending", State::TriggersPending),
        ("installed", State::Installed),
    ];

    /// The word dpkg writes.
    pub fn as_str(self) -> &'static str {
        word_of(&Self::WORDS, self)
    }

    /// Whether files of the package may be on the disk, whole or in part.
    pub fn is_present(self) -> bool {
        !matches!(self, State::NotInstalled | State::ConfigFiles)
    }

    /// Whether dpkg was stopped before it finished: `dpkg --audit` names these.
    pub fn is_unfinished(self) -> bool {
        self.is_present() && self != State::Installed
    }

    /// Whether a run of dpkg failed or was cut in the middle of this package.
    ///
    /// `unpacked` belongs here because apt always configures what it unpacked; awaited and
    /// pending triggers do not, since a bare `dpkg --no-triggers` leaves them on purpose.
    pub fn is_broken(self) -> bool {
        matches!(
            self,
            State::HalfInstalled | State::Unpacked | State::HalfConfigured
        )
    }
}

macro_rules! display_word {
    ($($kind:ty),*) => {$(
        impl fmt::Display for $kind {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(self.as_str())
            }
        }
    )*};
}
display_word!(Want, Flag, State);

fn word_of<T: PartialEq>(words: &[(&'static str, T)], value: T) -> &'static str {
    // Every value stands in its table; the empty word keeps this total without a panic.
    words
        .iter()
        .find(|(_, candidate)| *candidate == value)
        .map_or("", |(word, _)| word)
}

fn parse_word<T: Copy>(words: &[(&'static str, T)], word: &[u8]) -> Option<T> {
    words
        .iter()
        .find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(word))
        .map(|&(_, value)| value)
}

/// The hash dpkg recorded for a conffile.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ConffileHash {
    /// MD5 of the distributor's version, as hexadecimal text.
    Digest(String),
    /// `newconffile`: not yet configured for the first time.
    New,
    /// `nonexistent`
    Nonexistent,
    /// `-`
    Unknown,
}

/// One line of `Conffiles:`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Conffile {
    /// Absolute path.
    pub path: Vec<u8>,
    /// What dpkg recorded at the last configuration.
    pub hash: ConffileHash,
    /// The present version of the package no longer ships it.
    pub obsolete: bool,
    /// The package asks for its removal at the next upgrade.
    pub remove_on_upgrade: bool,
}

/// One stanza of the status file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Name.
    pub name: String,
    /// Architecture as dpkg writes it (`all` included); empty when the stanza has none.
    pub architecture: String,
    /// Version; empty when the stanza has none.
    pub version: String,
    /// Version that was configured last, while it differs in state from `version`.
    pub config_version: Option<String>,
    /// Source package, when it is called differently.
    pub source: Option<String>,
    /// First word of `Status:`.
    pub want: Want,
    /// Second word of `Status:`.
    pub flag: Flag,
    /// Third word of `Status:`.
    pub state: State,
    /// `Multi-Arch: same`, so that several architectures may be installed together.
    pub multi_arch_same: bool,
    /// Configuration files with their recorded hashes.
    pub conffiles: Vec<Conffile>,
    /// Where the stanza stands in the bytes that were parsed.
    pub range: Range<usize>,
}

impl Package {
    /// The stanza itself, out of the bytes that were parsed.
    pub fn stanza<'a>(&self, status: &'a [u8]) -> &'a [u8] {
        status.get(self.range.clone()).unwrap_or_default()
    }

    /// The raw value of another field of the stanza, `Depends` for one.
    pub fn field<'a>(&self, status: &'a [u8], name: &str) -> Option<&'a [u8]> {
        stanza::field(self.stanza(status), name)
    }

    /// `name:architecture` as dpkg prints it, or the name alone when it has no architecture.
    pub fn full_name(&self) -> String {
        if self.architecture.is_empty() {
            self.name.clone()
        } else {
            format!("{}:{}", self.name, self.architecture)
        }
    }
}

/// All packages of a status file, ordered by name and architecture.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    packages: Vec<Package>,
}

impl Status {
    /// Parses the bytes of a status file.
    pub fn parse(bytes: &[u8]) -> Result<Status, Error> {
        let mut packages = Vec::with_capacity(bytes.len() / 1024);
        for range in stanzas(bytes) {
            packages.push(parse_stanza(bytes, range)?);
        }
        // Stable, so that of two stanzas of one package the later is last, which dpkg obeys.
        packages.sort_by(|a: &Package, b| a.key().cmp(&b.key()));
        let mut kept: Vec<Package> = Vec::with_capacity(packages.len());
        for package in packages {
            match kept.last_mut() {
                Some(last) if last.key() == package.key() => *last = package,
                _ => kept.push(package),
            }
        }
        Ok(Status { packages: kept })
    }

    /// Every package that has a stanza, ordered by name and architecture.
    pub fn packages(&self) -> &[Package] {
        &self.packages
    }

    /// The stanza of one package of one architecture.
    pub fn get(&self, name: &str, architecture: &str) -> Option<&Package> {
        self.packages
            .binary_search_by(|package| package.key().cmp(&(name, architecture)))
            .ok()
            .map(|index| &self.packages[index])
    }

    /// All stanzas of one name: more than one only where architectures are mixed.
    pub fn named(&self, name: &str) -> &[Package] {
        let start = self.packages.partition_point(|p| p.name.as_str() < name);
        let rest = &self.packages[start..];
        &rest[..rest.partition_point(|p| p.name == name)]
    }

    /// Packages that a failed or interrupted run left behind: half-installed, unpacked or
    /// half-configured.
    pub fn broken(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|p| p.state.is_broken())
    }
}

impl Package {
    pub(crate) fn key(&self) -> (&str, &str) {
        (&self.name, &self.architecture)
    }
}

fn parse_stanza(bytes: &[u8], range: Range<usize>) -> Result<Package, Error> {
    let mut package = Package {
        name: String::new(),
        architecture: String::new(),
        version: String::new(),
        config_version: None,
        source: None,
        want: Want::Unknown,
        flag: Flag::Ok,
        state: State::NotInstalled,
        multi_arch_same: false,
        conffiles: Vec::new(),
        range: range.clone(),
    };
    let mut words: &[u8] = b"";
    let mut conffiles: &[u8] = b"";
    for field in fields(&bytes[range.clone()]) {
        let (name, value) = field.map_err(|error| stanza::Malformed {
            // Lines are counted from the beginning of the file, not of the stanza.
            line: error.line + stanza::line_number(bytes, range.start) - 1,
            ..error
        })?;
        // Length first: most fields of a stanza are none of these.
        match name.len() {
            6 if name.eq_ignore_ascii_case(b"Status") => words = value,
            6 if name.eq_ignore_ascii_case(b"Source") => {
                // `Source: glibc (2.36-9)` names the version where it differs.
                let source = value.split(|b| b.is_ascii_whitespace()).next();
                package.source = source.filter(|name| !name.is_empty()).map(lossy);
            }
            7 if name.eq_ignore_ascii_case(b"Package") => package.name = lossy(value),
            7 if name.eq_ignore_ascii_case(b"Version") => package.version = lossy(value),
            9 if name.eq_ignore_ascii_case(b"Conffiles") => conffiles = value,
            10 if name.eq_ignore_ascii_case(b"Multi-Arch") => {
                package.multi_arch_same = value.eq_ignore_ascii_case(b"same");
            }
            12 if name.eq_ignore_ascii_case(b"Architecture") => {
                package.architecture = lossy(value);
            }
            14 if name.eq_ignore_ascii_case(b"Config-Version") => {
                package.config_version = Some(lossy(value));
            }
            _ => {}
        }
    }
    if package.name.is_empty() {
        return Err(Error::Unnamed {
            line: stanza::line_number(bytes, range.start),
        });
    }
    // A stanza without the field is of a package dpkg has only heard of: not-installed.
    if !words.is_empty() {
        (package.want, package.flag, package.state) =
            parse_words(words).ok_or_else(|| Error::StatusWords {
                package: package.name.clone(),
                words: excerpt(words),
            })?;
    }
    for line in conffiles.split(|&byte| byte == b'\n') {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        let conffile = parse_conffile(line).ok_or_else(|| Error::ConffileLine {
            package: package.name.clone(),
            text: excerpt(line),
        })?;
        package.conffiles.push(conffile);
    }
    Ok(package)
}

fn parse_words(words: &[u8]) -> Option<(Want, Flag, State)> {
    let mut words = words
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty());
    let want = parse_word(&Want::WORDS, words.next()?)?;
    let flag = parse_word(&Flag::WORDS, words.next()?)?;
    let state = parse_word(&State::WORDS, words.next()?)?;
    words.next().is_none().then_some((want, flag, state))
}

/// Words are taken from the end of the line, as dpkg does: a path may contain blanks.
fn parse_conffile(mut line: &[u8]) -> Option<Conffile> {
    let mut obsolete = false;
    let mut remove_on_upgrade = false;
    loop {
        let (rest, word) = last_word(line)?;
        match word {
            b"obsolete" => obsolete = true,
            b"remove-on-upgrade" => remove_on_upgrade = true,
            hash => {
                let hash = match hash {
                    b"newconffile" => ConffileHash::New,
                    b"nonexistent" => ConffileHash::Nonexistent,
                    b"-" => ConffileHash::Unknown,
                    digest => ConffileHash::Digest(lossy(digest)),
                };
                return rest.starts_with(b"/").then(|| Conffile {
                    path: rest.to_vec(),
                    hash,
                    obsolete,
                    remove_on_upgrade,
                });
            }
        }
        line = rest;
    }
}

fn last_word(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let blank = line.iter().rposition(u8::is_ascii_whitespace)?;
    Some((line[..blank].trim_ascii_end(), &line[blank + 1..]))
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
