//! Accounts: passwd(5), shadow(5), group(5), gshadow(5), subuid(5), merged entry by entry.
//!
//! Beyond the rules of every merge:
//! 1. A password, a lock and an expiry that mine changed stay, without a question: an old password never
//!    comes back.
//! 2. Members of a group are a set.
//! 3. An entry that comes back with an id that another name has now is a conflict, never a second owner of
//!    the same files.

use super::records::{self, Record, Records, Resolved, lines, told, without_end};
use super::{Conflict, Error, Merged, Owner, Sides, Three, one_changed, united};
use crate::dpkg::stanza::lossy;

/// How one field of an entry is merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    /// As every value.
    Value,
    /// Mine when mine changed it.
    Secret,
    /// Names between commas.
    Members,
}

/// One kind of file.
struct Form {
    /// For people: `user`, `group`.
    what: &'static str,
    fields: &'static [Field],
    /// Number of the field with the id.
    id: Option<usize>,
}

use Field::{Members, Secret, Value};

const PASSWD: Form = Form {
    what: "user",
    fields: &[Value, Secret, Value, Value, Value, Value, Value],
    id: Some(2),
};
const SHADOW: Form = Form {
    what: "password of",
    fields: &[
        Value, Secret, Secret, Secret, Secret, Secret, Secret, Secret, Secret,
    ],
    id: None,
};
const GROUP: Form = Form {
    what: "group",
    fields: &[Value, Secret, Value, Members],
    id: Some(2),
};
const GROUP_SHADOW: Form = Form {
    what: "group password of",
    fields: &[Value, Secret, Members, Members],
    id: None,
};

/// `name:password:uid:gid:gecos:home:shell`
pub fn passwd(sides: Sides<'_>) -> Result<Merged, Error> {
    entries(sides, &PASSWD)
}

/// `name:password:last change:minimum:maximum:warning:inactive:expiry:reserved`
pub fn shadow(sides: Sides<'_>) -> Result<Merged, Error> {
    entries(sides, &SHADOW)
}

/// `name:password:gid:members`
pub fn group(sides: Sides<'_>) -> Result<Merged, Error> {
    entries(sides, &GROUP)
}

/// `name:password:administrators:members`
pub fn group_shadow(sides: Sides<'_>) -> Result<Merged, Error> {
    entries(sides, &GROUP_SHADOW)
}

fn entries(sides: Sides<'_>, form: &Form) -> Result<Merged, Error> {
    let three = keyed(sides, "accounts", "entry", name)?;
    let mut merged = records::merge(&three, |key, entry| match within(form, entry) {
        Some(line) => Resolved::Content(Some(line)),
        // The password stays out of every message.
        None => told(format!("{} {}", form.what, lossy(key)), entry, |line| {
            without_password(form, line)
        })
        .of(Owner::account(key)),
    });
    if let Some(id) = form.id {
        let owners = |line: &[u8]| field(line, id).map(<[u8]>::to_vec);
        let clashes = clashes(&merged, &three.mine, name, |one, two| {
            owners(one).is_some() && owners(one) == owners(two)
        });
        for (comes, stands) in clashes {
            let id = owners(&comes).unwrap_or_default();
            merged.conflicts.push(Conflict {
                what: format!("{} {}", form.what, lossy(name(&comes).unwrap_or_default())),
                mine: format!(
                    "{} has its id {}",
                    lossy(name(&stands).unwrap_or_default()),
                    lossy(&id)
                ),
                other: format!("id {}", lossy(&id)),
                whose: name(&comes).map(Owner::account),
            });
        }
        keep_whole(&mut merged, sides);
    }
    Ok(merged)
}

/// The lines of each side by their keys; a line without one is not what the file is made of.
fn keyed<'a>(
    sides: Sides<'a>,
    kind: &'static str,
    line_is: &str,
    key: impl Fn(&'a [u8]) -> Option<&'a [u8]>,
) -> Result<Three<Records<'a>>, Error> {
    records::split(sides, |content| {
        lines(content)
            .map(|line| match key(line) {
                Some(key) => Ok(Record::new(key, line)),
                None => Err(Error {
                    kind,
                    detail: format!("`{}` is no {line_is}", lossy(without_end(line))),
                }),
            })
            .collect()
    })
}

/// Entries depend on one another: a part of a merge is no state that anybody wants.
fn keep_whole(merged: &mut Merged, sides: Sides<'_>) {
    if !merged.conflicts.is_empty() {
        merged.content = sides.mine.map(<[u8]>::to_vec);
    }
}

/// Pairs of a line that the merge brought or made and a line of another name, which `clash`. What clashed before
/// in mine is nobody's business here.
fn clashes(
    merged: &Merged,
    mine: &Records<'_>,
    key: impl Fn(&[u8]) -> Option<&[u8]>,
    clash: impl Fn(&[u8], &[u8]) -> bool,
) -> Vec<(Vec<u8>, Vec<u8>)> {
    let content = merged.content.as_deref().unwrap_or_default();
    let stood = |line: &&[u8]| key(line).and_then(|key| mine.first(key)) == Some(*line);
    let (standing, brought): (Vec<&[u8]>, Vec<&[u8]>) = lines(content).partition(stood);
    let mut found = Vec::new();
    for (number, comes) in brought.iter().enumerate() {
        // Mine's new id of one name may be what the other gives to a new one: both are brought.
        let other = standing
            .iter()
            .chain(&brought[number + 1..])
            .find(|stands| key(stands) != key(comes) && clash(comes, stands));
        found.extend(other.map(|stands| (comes.to_vec(), stands.to_vec())));
    }
    found
}

/// The name of an entry: everything before the first colon. An empty line is an entry without a name.
fn name(line: &[u8]) -> Option<&[u8]> {
    let line = without_end(line);
    match line.iter().position(|&byte| byte == b':') {
        Some(end) => Some(&line[..end]),
        // What is left of a NIS entry, and blank lines, which both are passed over by the C library.
        None => matches!(line, [] | [b'+' | b'-' | b'#', ..]).then_some(line),
    }
}

/// Merges one entry field by field; `None` when a field is a conflict, or a side is gone.
fn within(form: &Form, entry: Sides<'_>) -> Option<Vec<u8>> {
    let fields = entry.in_all(|line| -> Option<Vec<&[u8]>> {
        let fields: Vec<&[u8]> = without_end(line?).split(|&byte| byte == b':').collect();
        (fields.len() == form.fields.len()).then_some(fields)
    })?;
    let mut merged = Vec::with_capacity(form.fields.len());
    for (number, kind) in form.fields.iter().enumerate() {
        let field = fields.as_ref().map(|fields| fields[number]);
        merged.push(match (one_changed(field), kind) {
            (Some(value), _) => value.to_vec(),
            (None, Field::Secret) => field.mine.to_vec(),
            (None, Field::Members) => members(field),
            (None, Field::Value) => return None,
        });
    }
    let mut line = merged.join(&b':');
    line.push(b'\n');
    Some(line)
}

fn members(field: Three<&[u8]>) -> Vec<u8> {
    let sets = field.map(|field| -> Vec<&[u8]> {
        let names = field.split(|&byte| byte == b',');
        names.filter(|name| !name.is_empty()).collect()
    });
    united(sets).join(&b',')
}

fn field(line: &[u8], number: usize) -> Option<&[u8]> {
    let found = without_end(line).split(|&byte| byte == b':').nth(number)?;
    (!found.is_empty()).then_some(found)
}

fn without_password(form: &Form, line: &[u8]) -> String {
    let fields: Vec<String> = without_end(line)
        .split(|&byte| byte == b':')
        .enumerate()
        .map(|(number, field)| match form.fields.get(number) {
            Some(Field::Secret) if !field.is_empty() => "***".to_owned(),
            _ => lossy(field),
        })
        .collect();
    fields.join(":")
}

/// `name:first:count`: a name may have several ranges, no two names the same one.
///
/// # Errors
///
/// A line is no range.
pub fn subordinate_ids(sides: Sides<'_>) -> Result<Merged, Error> {
    let three = keyed(sides, "subordinate ids", "range", |line| {
        range(line).map(|_| without_end(line))
    })?;
    let mut merged = records::merge(&three, |key, range| {
        told(format!("range {}", lossy(key)), range, lossy)
            .of(Owner::account(name(key).unwrap_or_default()))
    });
    let overlap = |one: &[u8], two: &[u8]| match (range(one), range(two)) {
        (Some(one), Some(two)) => one.start < two.end && two.start < one.end,
        _ => false,
    };
    for (comes, stands) in clashes(
        &merged,
        &three.mine,
        |line| Some(without_end(line)),
        overlap,
    ) {
        let range = lossy(without_end(&comes));
        merged.conflicts.push(Conflict {
            what: format!("range {range}"),
            mine: format!("{} overlaps", lossy(without_end(&stands))),
            other: range,
            whose: name(&comes).map(Owner::account),
        });
    }
    keep_whole(&mut merged, sides);
    Ok(merged)
}

fn range(line: &[u8]) -> Option<std::ops::Range<u64>> {
    let text = std::str::from_utf8(without_end(line)).ok()?;
    let mut fields = text.split(':');
    let (_name, first, count) = (fields.next()?, fields.next()?, fields.next()?);
    let first: u64 = first.parse().ok()?;
    Some(first..first.checked_add(count.parse().ok()?)?)
}
