//! Files of stanzas: dpkg's status, apt's automatic marks, debconf's answers.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::records::{self, Record, Resolved, absent_when_empty, lines, told, without_end};
use super::{Error, Merged, Owner, Sides, Three, one_changed, united};
use crate::dpkg::edit::set_field;
use crate::dpkg::stanza::{field, lossy, stanzas};

/// Word by which apt marks a package that came as a dependency.
const AUTO: &[u8] = b"1";

/// dpkg's status: by package, and by architecture where several of one name are installed.
///
/// A later change of the selection alone (a hold, or its end) stays on the version that comes back.
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
        )
        .of(owner(package)),
    });
    Ok(absent_when_empty(merged, sides))
}

/// Packages of which one side has several architectures.
fn names_of_several(sides: Sides<'_>) -> BTreeSet<&[u8]> {
    let mut several = BTreeSet::new();
    for content in sides.into_iter().flatten() {
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
fn with_selection(package: Sides<'_>) -> Option<Vec<u8>> {
    let stanza = package.in_all(|side| side)?;
    let words = stanza.in_all(|stanza| -> Option<(String, String)> {
        let status = lossy(field(stanza, "Status")?);
        let (want, state) = status.split_once(' ')?;
        Some((want.to_owned(), state.to_owned()))
    })?;
    let (was, now, wanted) = (words.ancestor, words.mine, words.other);
    let selected_otherwise = was.0 != wanted.0 && now.0 != wanted.0;
    if was.1 != now.1 || was.1 != wanted.1 || selected_otherwise {
        return None;
    }
    let unselected = set_field(stanza.mine, "Status", &format!("{} {}", was.0, was.1)).ok()?;
    if unselected != stanza.ancestor {
        return None;
    }
    set_field(stanza.other, "Status", &format!("{} {}", now.0, wanted.1)).ok()
}

/// The package that a stanza is of.
fn owner(package: Sides<'_>) -> Owner {
    let sides = [package.mine, package.other, package.ancestor];
    let name = sides
        .into_iter()
        .flatten()
        .find_map(|stanza| field(stanza, "Package"));
    Owner::package(name.unwrap_or_default())
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
        let marks = package
            .map(|stanza| stanza.and_then(|stanza| field(stanza, "Auto-Installed")) == Some(AUTO));
        match one_changed(marks) {
            Some(mark) if mark == marks.mine => Resolved::Content(package.mine.map(<[u8]>::to_vec)),
            Some(_) => Resolved::Content(package.other.map(<[u8]>::to_vec)),
            None => told(format!("mark of {}", lossy(key)), package, lossy).of(owner(package)),
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

fn fieldwise(question: Sides<'_>) -> Option<Vec<u8>> {
    let sides = question.in_all(|stanza| stanza.map(fields))?;
    let in_mine = |name| sides.mine.iter().any(|field| field_name(field) == name);
    let added = sides
        .other
        .iter()
        .filter(|field| !in_mine(field_name(field)));
    let mut merged = Vec::new();
    for field in sides.mine.iter().chain(added) {
        let name = field_name(field);
        let three = sides.as_ref().map(|fields| {
            let mut fields = fields.iter().copied();
            fields.find(|field| field_name(field) == name)
        });
        match one_changed(three) {
            Some(value) => merged.extend_from_slice(value.unwrap_or_default()),
            None if name == b"Owners" => merged.extend(owners(three)?),
            None => return None,
        }
    }
    merged.push(b'\n');
    Some(merged)
}

/// The fields of a stanza, each with its continuation lines.
fn fields(stanza: &[u8]) -> Vec<&[u8]> {
    let mut fields: Vec<std::ops::Range<usize>> = Vec::new();
    let mut start = 0;
    for line in lines(stanza) {
        let end = start + line.len();
        match (line.first(), fields.last_mut()) {
            (Some(b' ' | b'\t'), Some(field)) => field.end = end,
            _ if without_end(line).is_empty() => {}
            _ => fields.push(start..end),
        }
        start = end;
    }
    fields.into_iter().map(|range| &stanza[range]).collect()
}

fn field_name(field: &[u8]) -> &[u8] {
    field.split(|&byte| byte == b':').next().unwrap_or_default()
}

fn owners(field: Sides<'_>) -> Option<Vec<u8>> {
    let sets = field.in_all(|field| -> Option<Vec<&str>> {
        let text = std::str::from_utf8(field.unwrap_or_default()).ok()?;
        let names = text.split_once(':').map_or("", |(_, names)| names);
        let names = names.split(',').map(str::trim);
        Some(names.filter(|name| !name.is_empty()).collect())
    })?;
    Some(format!("Owners: {}\n", united(sets).join(", ")).into_bytes())
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
