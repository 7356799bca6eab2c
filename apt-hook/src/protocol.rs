//! What apt writes to a `DPkg::Pre-Install-Pkgs` hook: its configuration and its plan.
//!
//! Version 3 is asked for; the others are read too, because the option is keyed by the hook's
//! name and a wrapped or renamed hook silently gets version 1. Bytes in, plain data out:
//! 1. Nothing in the input makes this panic; a line it does not know is an error, not a guess.
//! 2. Remove and purge cannot be told apart here, and marks are not in it: the states of dpkg
//!    and apt, compared afterwards, decide. The plan is for what must be known before.
//!
//! Source: apt, `apt-pkg/deb/dpkgpm.cc`, `pkgDPkgPM::SendPkgsInfo` (3.0; 2.6 is the same).

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// Longest input worth reading: a plan of 100,000 packages is some 20 MB.
pub const LONGEST_BYTES: usize = 32 << 20;

/// Why the input cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// apt stopped writing in the middle, or was killed.
    #[error("apt's plan ends in the middle of line {line}")]
    Truncated {
        /// The line, counted from one.
        line: usize,
    },
    /// A version that this program does not know.
    #[error("apt's plan has version `{found}`; versions 1 to 3 are known")]
    Version {
        /// What stands after `VERSION`.
        found: String,
    },
    /// A line that does not have the form of its version.
    #[error("line {line} of apt's plan is malformed: `{text}`")]
    Line {
        /// The line, counted from one.
        line: usize,
        /// Its first characters.
        text: String,
    },
}

/// How the new version compares with the present one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// `<`: newer, or not there before.
    Forward,
    /// `=`: the same version again.
    Same,
    /// `>`: older, or gone afterwards.
    Backward,
}

/// What dpkg is about to do with a package.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    /// Unpack this archive.
    Unpack {
        /// Absolute path of the `.deb`.
        archive: PathBuf,
    },
    /// Configure what is unpacked.
    Configure,
    /// Remove, or purge.
    Remove,
}

/// A version of a package, as the plan names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Version {
    /// The version number.
    pub version: String,
    /// The architecture; from version 3 on.
    pub architecture: Option<String>,
    /// The kind of multi-arch (`none`, `same`, `foreign`, `allowed`); from version 3 on.
    pub multi_arch: Option<String>,
}

/// One line of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Planned {
    /// The package; version 1 names archives only.
    pub name: Option<String>,
    /// The version that is there.
    pub old: Option<Version>,
    /// The version that will be there.
    pub new: Option<Version>,
    /// How the two compare; unknown in version 1.
    pub direction: Option<Direction>,
    /// What dpkg will do.
    pub step: Step,
}

/// Everything apt wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Version of the protocol.
    pub version: u32,
    /// apt's configuration, decoded, in apt's order; empty in version 1.
    pub configuration: Vec<(String, Vec<u8>)>,
    /// The steps, in the order apt will take them.
    pub steps: Vec<Planned>,
}

impl Plan {
    /// Parses the whole input.
    pub fn parse(input: &[u8]) -> Result<Plan, Error> {
        let mut lines = Lines::new(input)?;
        let mut plan = Plan {
            version: 1,
            configuration: Vec::new(),
            steps: Vec::new(),
        };
        if let Some(found) = input.strip_prefix(b"VERSION ") {
            let end = found.iter().position(|&byte| byte == b'\n');
            plan.version = parse_version(&found[..end.unwrap_or(found.len())])?;
            lines.next();
            plan.configuration = parse_configuration(&mut lines)?;
        }
        for (number, line) in lines {
            let planned = match plan.version {
                1 => parse_archive(line).map(|step| Planned {
                    name: None,
                    old: None,
                    new: None,
                    direction: None,
                    step,
                }),
                version => parse_planned(line, version),
            };
            plan.steps
                .push(planned.ok_or_else(|| malformed(number, line))?);
        }
        Ok(plan)
    }

    /// The last value of a setting; apt ignores case in names.
    pub fn setting(&self, name: &str) -> Option<&[u8]> {
        self.configuration
            .iter()
            .rev()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_slice())
    }
}

/// Complete lines with their numbers.
struct Lines<'a> {
    rest: &'a [u8],
    number: usize,
}

impl<'a> Lines<'a> {
    /// apt ends every line: a last one without an end was cut, and a version or a path that was
    /// cut can still look like one.
    fn new(input: &'a [u8]) -> Result<Lines<'a>, Error> {
        if input.last().is_some_and(|&last| last != b'\n') {
            let line = 1 + input.iter().filter(|&&byte| byte == b'\n').count();
            return Err(Error::Truncated { line });
        }
        Ok(Lines {
            rest: input,
            number: 0,
        })
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = (usize, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let end = self.rest.iter().position(|&byte| byte == b'\n')?;
        let line = &self.rest[..end];
        self.rest = &self.rest[end + 1..];
        self.number += 1;
        Some((self.number, line))
    }
}

fn malformed(line: usize, text: &[u8]) -> Error {
    Error::Line {
        line,
        text: excerpt(text),
    }
}

fn excerpt(text: &[u8]) -> String {
    String::from_utf8_lossy(&text[..text.len().min(80)]).into_owned()
}

fn parse_version(found: &[u8]) -> Result<u32, Error> {
    match found {
        b"2" => Ok(2),
        b"3" => Ok(3),
        other => Err(Error::Version {
            found: excerpt(other),
        }),
    }
}

/// Lines of `Name=value` up to an empty one.
fn parse_configuration(lines: &mut Lines<'_>) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let mut found = Vec::new();
    for (number, line) in lines.by_ref() {
        if line.is_empty() {
            return Ok(found);
        }
        // apt encodes a `=` in a name, so the first one ends it.
        let equals = line.iter().position(|&byte| byte == b'=');
        let equals = equals.ok_or_else(|| malformed(number, line))?;
        let name = String::from_utf8_lossy(&decode(&line[..equals])).into_owned();
        found.push((name, decode(&line[equals + 1..])));
    }
    Err(Error::Truncated {
        line: lines.number + 1,
    })
}

/// Undoes the percent encoding; what is no encoding stays as it is.
fn decode(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match (byte, tail) {
            (b'%', [high, low, after @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => {
                    decoded.push((high << 4) | low);
                    rest = after;
                }
                _ => decoded.push(byte),
            },
            _ => decoded.push(byte),
        }
    }
    decoded
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

/// `name old… direction new… action`; the action is the rest of the line, for a path may contain
/// blanks and a name or a version may not.
fn parse_planned(line: &[u8], version: u32) -> Option<Planned> {
    let mut rest = line;
    let mut word = || {
        let blank = rest.iter().position(|&byte| byte == b' ')?;
        let word = std::str::from_utf8(&rest[..blank]).ok()?;
        rest = &rest[blank + 1..];
        (!word.is_empty()).then(|| word.to_owned())
    };
    let name = word()?;
    let old = parse_side(&mut word, version)?;
    let direction = match word()?.as_str() {
        "<" => Direction::Forward,
        "=" => Direction::Same,
        ">" => Direction::Backward,
        _ => return None,
    };
    let new = parse_side(&mut word, version)?;
    let step = match rest {
        b"**CONFIGURE**" => Step::Configure,
        b"**REMOVE**" => Step::Remove,
        path => parse_archive(path)?,
    };
    Some(Planned {
        name: Some(name),
        old,
        new,
        direction: Some(direction),
        step,
    })
}

/// A version with, from version 3 on, architecture and multi-arch; `-` stands for none.
fn parse_side(word: &mut impl FnMut() -> Option<String>, protocol: u32) -> Option<Option<Version>> {
    let version = word()?;
    let (architecture, multi_arch) = match protocol {
        3 => (Some(word()?), Some(word()?)),
        _ => (None, None),
    };
    Some((version != "-").then_some(Version {
        version,
        architecture,
        multi_arch,
    }))
}

/// An absolute path. apt writes `**ERROR**` where it has none, which is refused like any other
/// word.
fn parse_archive(path: &[u8]) -> Option<Step> {
    path.starts_with(b"/").then(|| Step::Unpack {
        archive: PathBuf::from(OsString::from_vec(path.to_vec())),
    })
}

#[cfg(test)]
#[path = "protocol_tests.rs"]
mod tests;
