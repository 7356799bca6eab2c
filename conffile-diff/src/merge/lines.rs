//! Files of lines: sets, and lines with a key among their words.

use super::records::{self, Record, Records, absent_when_empty, lines, told, without_end};
use super::{Error, Merged, Sides};
use crate::dpkg::stanza::lossy;

/// Every line is a record that is there or not: dpkg's architectures and trigger interests, login shells.
pub fn set(sides: Sides<'_>) -> Merged {
    keyed(sides, "line", |line| line)
}

/// `user group mode path`, of dpkg (`lib/dpkg/db-fsys-override.c`): one line for each path.
pub fn stat_overrides(sides: Sides<'_>) -> Merged {
    // Like dpkg: a single blank ends a word, so that a second one begins the next, which is empty then.
    keyed(sides, "stat override of", |line| {
        line.splitn(4, |&byte| byte == b' ').nth(3).unwrap_or(line)
    })
}

/// `md5  path`, of ucf.
pub fn ucf_hashes(sides: Sides<'_>) -> Merged {
    keyed(sides, "ucf's hash of", |line| after_words(line, 1))
}

/// `package path`, of ucf: each path is of one package.
pub fn ucf_registry(sides: Sides<'_>) -> Merged {
    keyed(sides, "ucf's registration of", |line| after_words(line, 1))
}

/// Three lines each (dpkg, `lib/dpkg/db-fsys-divert.c`): the path, where it is diverted to, the package.
///
/// # Errors
///
/// The number of lines is no multiple of three.
pub fn diversions(sides: Sides<'_>) -> Result<Merged, Error> {
    let three = records::split(sides, |content| {
        let starts: Vec<usize> = lines(content)
            .scan(0, |position, line| {
                let start = *position;
                *position += line.len();
                Some(start)
            })
            .collect();
        let mut list = Vec::with_capacity(starts.len() / 3);
        for record in starts.chunks(3).enumerate() {
            let (number, [start, second, _]) = record else {
                return Err(Error {
                    kind: "dpkg's diversions",
                    detail: format!("{} lines are no multiple of three", starts.len()),
                });
            };
            let end = starts.get(3 * number + 3).copied().unwrap_or(content.len());
            list.push(Record::new(
                without_end(&content[*start..*second]),
                &content[*start..end],
            ));
        }
        Ok(list)
    })?;
    let merged = records::merge(&three, |key, three| {
        told(format!("diversion of {}", lossy(key)), three, |record| {
            let words: Vec<String> = lines(record).map(|line| lossy(without_end(line))).collect();
            words[1..].join(" by ")
        })
    });
    Ok(absent_when_empty(merged, sides))
}

/// Lines that `key` finds the key of.
fn keyed(sides: Sides<'_>, what: &str, key: impl Fn(&[u8]) -> &[u8]) -> Merged {
    let three = sides.map(|content| {
        let lines = lines(content.unwrap_or_default());
        Records::new(
            lines
                .map(|line| Record::new(key(without_end(line)), line))
                .collect(),
        )
    });
    let merged = records::merge(&three, |key, three| {
        told(format!("{what} {}", lossy(key)), three, |line| {
            lossy(without_end(line))
        })
    });
    absent_when_empty(merged, sides)
}

/// What stands after so many words and the blanks after them; the line when it has fewer.
fn after_words(line: &[u8], words: usize) -> &[u8] {
    let mut rest = line;
    for _ in 0..words {
        let Some(end) = rest.iter().position(u8::is_ascii_whitespace) else {
            return line;
        };
        rest = rest[end..].trim_ascii_start();
    }
    rest
}
