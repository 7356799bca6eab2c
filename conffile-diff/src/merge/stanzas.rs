//! Files of stanzas: dpkg's status, apt's automatic marks, debconf's answers.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::records::{self, Record, Resolved, absent_when_empty, lines, told, without_end};
use super::{Error, Merged, Sides, Three, one_changed};
use crate::dpkg::edit::set_field;
use crate::dpkg::stanza::{field, lossy, stanzas};

/// Word by which apt marks a package that came as a dependency.
const AUTO: &[u8] = b"1";

/// dpkg's status: by package, and by architecture where several of one name are installed.
///
/// A later change of the selection alone (a hold) stays on the version that comes back.
///
/// # Errors
///
/// A stanza names no package.
pub fn status(sides: Sides<'_>) -> Result<Merged, Error> {
    let several = names_of_several(sides);
    let three = split(sides, "dpkg's status", |stanza| {
        let name = field(stanza, "Package")?;
        Some(if several.contains(name) {
            Cow::Owned(
                [
                    name,
                    b":",
                    field(stanza, "Architecture").unwrap_or_default(),
                ]
                .concat(),
            )
        } else {
            Cow::Borrowed(name)
        })
    })?;
    let merged = records::merge(&three, |key, package| match with_selection(package) {
        Some(stanza) => Resolved::Content(Some(stanza)),
        None => told(
            format!("package {}", lossy(key)),
            package,
            version_and_status,
        ),
    });
    Ok(absent_when_empty(merged, sides))
}

/// Packages of which one side has several architectures.
fn names_of_several(sides: Sides<'_>) -> BTreeSet<&[u8]> {
    let mut several = BTreeSet::new();
    for content in [sides.ancestor, sides.mine, sides.other]
        .into_iter()
        .flatten()
    {
        let mut seen = BTreeSet::new();
        for range in stanzas(content) {
            if let Some(name) = field(&content[range], "Package") {
                if !seen.insert(name) {
                    several.insert(name);
                }
            }
        }
    }
    several
}

/// The other's stanza with mine's selection, when that is all that mine changed and the package stays what
/// it is: installed, or its conffiles left.
fn with_selection(package: Three<Option<&[u8]>>) -> Option<Vec<u8>> {
    let (ancestor, mine, other) = (package.ancestor?, package.mine?, package.other?);
    let words = |stanza| -> Option<(String, String)> {
        let status = lossy(field(stanza, "Status")?);
        let (want, state) = status.split_once(' ')?;
        Some((want.to_owned(), state.to_owned()))
    };
    let (was, now, wanted) = (words(ancestor)?, words(mine)?, words(other)?);
    if was.1 != now.1 || was.1 != wanted.1 || was.0 != wanted.0 {
        return None;
    }
    let unselected = set_field(mine, "Status", &format!("{} {}", was.0, was.1)).ok()?;
    if unselected != ancestor {
        return None;
    }
    set_field(other, "Status", &format!("{} {}", now.0, wanted.1)).ok()
}

fn version_and_status(stanza: &[u8]) -> String {
    let part = |name| field(stanza, name).map(lossy);
    let version =
        part("Version").map_or_else(|| "no version".to_owned(), |v| format!("version {v}"));
    format!("{version}, {}", part("Status").unwrap_or_default())
}

/// apt's marks: a package without a stanza is not marked, so two changes never differ.
///
/// # Errors
///
/// A stanza names no package.
pub fn extended_states(sides: Sides<'_>) -> Result<Merged, Error> {
    let three = split(sides, "apt's marks", |stanza| {
        let architecture = field(stanza, "Architecture").unwrap_or_default();
        Some(Cow::Owned(
            [field(stanza, "Package")?, b":", architecture].concat(),
        ))
    })?;
    let merged = records::merge(&three, |key, package| {
        let is_auto = |stanza: Option<&[u8]>| {
            stanza.and_then(|stanza| field(stanza, "Auto-Installed")) == Some(AUTO)
        };
        let marks = Three {
            ancestor: is_auto(package.ancestor),
            mine: is_auto(package.mine),
            other: is_auto(package.other),
        };
        match one_changed(marks) {
            Some(mark) if mark == marks.mine => Resolved::Content(package.mine.map(<[u8]>::to_vec)),
            Some(_) => Resolved::Content(package.other.map(<[u8]>::to_vec)),
            None => told(format!("mark of {}", lossy(key)), package, lossy),
        }
    });
    Ok(absent_when_empty(merged, sides))
}

/// debconf's questions and templates (`Debconf::Format::822`): field by field, owners as a set.
///
/// # Errors
///
/// A stanza has no name.
pub fn debconf(sides: Sides<'_>) -> Result<Merged, Error> {
    let three = split(sides, "debconf's database", |stanza| {
        field(stanza, "Name").map(Cow::Borrowed)
    })?;
    let merged = records::merge(&three, |key, question| match fieldwise(question) {
        Some(stanza) => Resolved::Content(Some(stanza)),
        // Answers may be passwords.
        None => told(format!("debconf question {}", lossy(key)), question, |_| {
            "another answer".to_owned()
        }),
    });
    Ok(absent_when_empty(merged, sides))
}

fn fieldwise(question: Three<Option<&[u8]>>) -> Option<Vec<u8>> {
    let of = |stanza: Option<&'_ [u8]>| -> Option<Vec<Vec<u8>>> {
        let mut fields: Vec<Vec<u8>> = Vec::new();
        for line in lines(stanza?) {
            match (line.first(), fields.last_mut()) {
                (Some(b' ' | b'\t'), Some(field)) => field.extend_from_slice(line),
                _ if without_end(line).is_empty() => {}
                _ => fields.push(line.to_vec()),
            }
        }
        Some(fields)
    };
    let (ancestor, mine, other) = (
        of(question.ancestor)?,
        of(question.mine)?,
        of(question.other)?,
    );
    fn name(field: &[u8]) -> &[u8] {
        field.split(|&byte| byte == b':').next().unwrap_or_default()
    }
    let find = |fields: &'_ [Vec<u8>], wanted: &[u8]| -> Option<Vec<u8>> {
        fields.iter().find(|field| name(field) == wanted).cloned()
    };
    let mut merged = Vec::new();
    let added = other
        .iter()
        .filter(|field| find(&mine, name(field)).is_none());
    for field in mine.iter().chain(added) {
        let three = Three {
            ancestor: find(&ancestor, name(field)),
            mine: find(&mine, name(field)),
            other: find(&other, name(field)),
        };
        let Three {
            ancestor,
            mine,
            other,
        } = &three;
        let bytes = Three {
            ancestor: ancestor.as_deref(),
            mine: mine.as_deref(),
            other: other.as_deref(),
        };
        match one_changed(bytes) {
            Some(value) => merged.extend_from_slice(value.unwrap_or_default()),
            None if name(field) == b"Owners" => merged.extend(owners(bytes)?),
            None => return None,
        }
    }
    merged.push(b'\n');
    Some(merged)
}

fn owners(field: Three<Option<&[u8]>>) -> Option<Vec<u8>> {
    let list = |field: Option<&[u8]>| -> Option<Vec<String>> {
        let text = std::str::from_utf8(field.unwrap_or_default()).ok()?;
        let names = text.split_once(':').map_or("", |(_, names)| names);
        let names = names.split(',').map(|name| name.trim().to_owned());
        Some(names.filter(|name| !name.is_empty()).collect())
    };
    let (ancestor, mine, other) = (list(field.ancestor)?, list(field.mine)?, list(field.other)?);
    let kept = mine
        .iter()
        .filter(|name| other.contains(name) || !ancestor.contains(name));
    let new = other
        .iter()
        .filter(|name| !ancestor.contains(name) && !mine.contains(name));
    let names: Vec<&str> = kept.chain(new).map(String::as_str).collect();
    Some(format!("Owners: {}\n", names.join(", ")).into_bytes())
}

/// The stanzas of each side, each with one empty line after it, as dpkg, apt and debconf write them.
fn split<'a>(
    sides: Sides<'a>,
    kind: &'static str,
    key: impl Fn(&'a [u8]) -> Option<Cow<'a, [u8]>>,
) -> Result<Three<records::Records<'a>>, Error> {
    records::split(sides, |content| {
        stanzas(content)
            .map(|range| {
                let stanza = &content[range.clone()];
                let Some(key) = key(stanza) else {
                    return Err(Error {
                        kind,
                        detail: "a stanza has no name".to_owned(),
                    });
                };
                let whole = content.get(range.start..=range.end);
                let bytes = match whole {
                    Some(whole) if whole.ends_with(b"\n\n") => Cow::Borrowed(whole),
                    _ => Cow::Owned([without_end(stanza), b"\n\n"].concat()),
                };
                Ok(Record { key, bytes })
            })
            .collect()
    })
}
