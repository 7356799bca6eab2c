//! `@flipper/boot-log`: what early boot did, one JSON object a line, appended.
//!
//! Every line is written with a newline before and after it, so that a line
//! torn by a power cut never spoils the next one. What cannot be read is kept
//! apart and reported, never dropped.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::model::Time;
use crate::model::words::open_words;

/// The longest line that early boot writes, in bytes.
pub const LINE_MAX: usize = 4096;

/// One line: what early boot did about one operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BootLogLine {
    /// The sequence of the record it acted on.
    pub sequence: u64,
    /// The operation's number.
    pub number: u64,
    /// What came of it.
    pub outcome: Outcome,
    /// `/proc/sys/kernel/random/boot_id` of that boot.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub boot_id: String,
    /// The clock then; devices often have none at boot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Time>,
    /// For people: what was exchanged, or why nothing was.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// Fields of newer versions.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

open_words!(
    /// What came of an operation in early boot.
    Outcome, {
        /// Completed or taken back, as its direction says.
        Done = "done",
        /// Nothing was left to do.
        Already = "already",
        /// Something failed; it is still pending.
        Failed = "failed",
        /// Something else stood there; nothing was touched.
        Unexpected = "unexpected",
    }
);

/// A parsed boot log.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BootLog {
    /// The lines, in order.
    pub lines: Vec<BootLogLine>,
    /// What could not be read: line number from 1, and the bytes.
    pub unreadable: Vec<(usize, Vec<u8>)>,
}

impl BootLogLine {
    /// The bytes to append. A detail that is too long is cut.
    pub fn to_bytes(&self) -> Vec<u8> {
        let encode = |line: &Self| {
            serde_json::to_vec(line).expect("BUG: a line of the boot log is valid JSON")
        };
        let mut json = encode(self);
        if json.len() > LINE_MAX - 2 {
            let mut line = self.clone();
            line.unknown = Map::new();
            // JSON writes at most six bytes for a character of one byte, so
            // this bound holds whatever the detail is made of.
            line.detail = self.detail.chars().take(LINE_MAX / 16).collect();
            line.boot_id = self.boot_id.chars().take(64).collect();
            json = encode(&line);
        }
        let mut bytes = vec![b'\n'];
        bytes.extend_from_slice(&json);
        bytes.push(b'\n');
        bytes
    }
}

impl BootLog {
    /// Parses a boot log. Never fails: what is no line is kept as unreadable.
    pub fn parse(bytes: &[u8]) -> Self {
        let mut log = Self::default();
        for (index, line) in bytes.split(|b| *b == b'\n').enumerate() {
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let parsed = (line.len() <= LINE_MAX)
                .then(|| serde_json::from_slice(line).ok())
                .flatten();
            match parsed {
                Some(line) => log.lines.push(line),
                None => log.unreadable.push((index + 1, line.to_vec())),
            }
        }
        log
    }

    /// Whether the log says that the operation with this number is finished.
    pub fn finished(&self, number: u64) -> bool {
        self.lines.iter().any(|line| {
            line.number == number && matches!(line.outcome, Outcome::Done | Outcome::Already)
        })
    }
}
