//! update-alternatives' records of a name (dpkg, `utils/update-alternatives.c`).
//!
//! The form: `auto` or `manual`, the master link, the name and the link of each slave, an empty line; then for
//! each choice its path, its priority and its path of each slave, which may be empty; an empty line.

use std::collections::BTreeMap;

use super::records::{conflict, lines, without_end};
use super::{Error, Merged, Sides, Three, one_changed};
use crate::dpkg::stanza::lossy;

type Text = Vec<u8>;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Choice {
    priority: Text,
    /// By the slave's name; without those that are empty.
    slaves: BTreeMap<Text, Text>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Alternative {
    status: Text,
    link: Text,
    /// Link by name, in the order in which update-alternatives saves them.
    slaves: BTreeMap<Text, Text>,
    choices: BTreeMap<Text, Choice>,
}

/// Merges status and links as values, slaves and choices by name.
///
/// A side that does not know the name at all says nothing about how it is linked: a name that did not exist before
/// stays whole for the choices that came later.
///
/// # Errors
///
/// A side is cut short.
pub fn merge(sides: Sides<'_>) -> Result<Merged, Error> {
    let parsed = sides.try_map(|content| content.map(parse).transpose())?;
    let three = parsed.as_ref().map(Option::as_ref);
    let heads = three.map(|side| side.or(three.ancestor));
    let mut conflicts = Vec::new();
    let mut value = |what: String, of: Three<Option<&Alternative>>, part: &Part<'_>| {
        let values = of.map(|side| side.and_then(part));
        let sides = values.as_ref().map(Option::as_deref);
        match one_changed(sides) {
            Some(value) => value.map(<[u8]>::to_vec),
            None => {
                conflicts.push(conflict(what, sides, lossy));
                values.mine
            }
        }
    };
    let present = |text: &Text| (!text.is_empty()).then(|| text.clone());
    let mut merged = Alternative {
        status: value("mode".to_owned(), heads, &|side| present(&side.status)).unwrap_or_default(),
        link: value("link".to_owned(), heads, &|side| present(&side.link)).unwrap_or_default(),
        ..Alternative::default()
    };
    for path in names(three, |side| side.choices.keys()) {
        let words = |side: &Alternative| side.choices.get(&path).map(Choice::words);
        let written = value(format!("choice {}", lossy(&path)), three, &words);
        let choice = [three.mine, three.other, three.ancestor]
            .into_iter()
            .filter_map(|side| side?.choices.get(&path))
            .find(|choice| Some(choice.words()) == written);
        merged
            .choices
            .extend(choice.map(|choice| (path, choice.clone())));
    }
    for name in names(three, |side| side.slaves.keys()) {
        let link = value(format!("link {}", lossy(&name)), heads, &|side| {
            side.slaves.get(&name).cloned()
        });
        // update-alternatives takes a slave away with the last choice that has it.
        let lost =
            three.mine.is_some_and(|mine| mine.has_path_of(&name)) && !merged.has_path_of(&name);
        merged
            .slaves
            .extend(link.filter(|_| !lost).map(|link| (name, link)));
    }
    // And the file of a name with its last choice, when nothing about it is left to decide.
    let content = match merged.choices.is_empty() {
        false => Some(merged.write()),
        true if conflicts.is_empty() => None,
        true => sides.mine.map(<[u8]>::to_vec),
    };
    Ok(Merged { content, conflicts })
}

/// A part of what is known about a name.
type Part<'a> = dyn Fn(&Alternative) -> Option<Text> + 'a;

/// The names and files of one alternative.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Links {
    /// The link of the name itself, absolute: `/usr/bin/editor`.
    pub link: Vec<u8>,
    /// Name and link of each slave.
    pub slaves: Vec<(Vec<u8>, Vec<u8>)>,
    /// What can be chosen, absolute.
    pub choices: Vec<Vec<u8>>,
}

/// Reads a record.
///
/// # Errors
///
/// It is cut short.
pub fn links(content: &[u8]) -> Result<Links, Error> {
    let alternative = parse(content)?;
    Ok(Links {
        link: alternative.link,
        slaves: alternative.slaves.into_iter().collect(),
        choices: alternative.choices.into_keys().collect(),
    })
}

fn names<'a, I: Iterator<Item = &'a Text>>(
    three: Three<Option<&'a Alternative>>,
    of: impl Fn(&'a Alternative) -> I,
) -> Vec<Text> {
    let sides = three.into_iter().flatten();
    let mut names: Vec<Text> = sides.flat_map(of).cloned().collect();
    names.sort();
    names.dedup();
    names
}

fn parse(content: &[u8]) -> Result<Alternative, Error> {
    let mut lines = lines(content).map(|line| without_end(line).to_vec());
    let mut next = |what: &str| {
        lines.next().ok_or_else(|| Error {
            kind: "an alternative",
            detail: format!("it ends before {what}"),
        })
    };
    let mut alternative = Alternative {
        status: next("its mode")?,
        link: next("its link")?,
        ..Alternative::default()
    };
    // Choices have their slaves in the order of the head.
    let mut order = Vec::new();
    loop {
        let name = next("the end of its links")?;
        if name.is_empty() {
            break;
        }
        let link = next("the link of a slave")?;
        order.push(name.clone());
        alternative.slaves.insert(name, link);
    }
    loop {
        let path = next("the end of its choices")?;
        if path.is_empty() {
            return Ok(alternative);
        }
        let priority = next("a priority")?;
        let mut slaves = BTreeMap::new();
        for name in &order {
            let slave = next("the path of a slave")?;
            if !slave.is_empty() {
                slaves.insert(name.clone(), slave);
            }
        }
        alternative
            .choices
            .insert(path, Choice { priority, slaves });
    }
}

impl Choice {
    /// All of it as one text, to compare and to tell.
    fn words(&self) -> Text {
        let mut text = [b"priority ", self.priority.as_slice()].concat();
        for (name, path) in &self.slaves {
            text.extend([b", ", name.as_slice(), b" ", path].concat());
        }
        text
    }
}

impl Alternative {
    /// Whether a choice has something for a slave.
    fn has_path_of(&self, slave: &Text) -> bool {
        let mut choices = self.choices.values();
        choices.any(|choice| choice.slaves.contains_key(slave))
    }

    fn write(&self) -> Text {
        let mut content = Vec::new();
        let mut line = |text: &[u8]| {
            content.extend_from_slice(text);
            content.push(b'\n');
        };
        line(&self.status);
        line(&self.link);
        for (name, link) in &self.slaves {
            line(name);
            line(link);
        }
        line(b"");
        for (path, choice) in &self.choices {
            line(path);
            line(&choice.priority);
            for name in self.slaves.keys() {
                line(choice.slaves.get(name).map_or(b"", Vec::as_slice));
            }
        }
        line(b"");
        content
    }
}
