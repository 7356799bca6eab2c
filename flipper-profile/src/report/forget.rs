//! The report of `forget`.

use serde::Serialize;

use super::Human;
use crate::output::encode::JsonPath;
use crate::output::{Style, escape, units};

/// `forget`.
#[derive(Debug, Serialize)]
pub struct Forgotten {
    /// Absolute in the merged tree.
    #[serde(flatten)]
    pub path: JsonPath,
    /// The snapshots that held it.
    pub snapshots: Vec<String>,
    /// Those of them in which the file has another name too, which stays.
    pub linked: Vec<String>,
    /// Number of the transaction; `None` when there was nothing to forget.
    pub transaction: Option<i64>,
    /// The exact name, for people.
    #[serde(skip)]
    pub name: Vec<u8>,
}

impl Forgotten {
    /// What is asked before.
    pub fn question(&self) -> String {
        format!(
            "{} goes out of {}: {}\n\
             Nothing brings it back from there. The file as it is now stays.\nForget it?",
            escape::bytes(&self.name),
            units::count(self.snapshots.len() as u64, "snapshot", "snapshots"),
            self.snapshots.join(", ")
        )
    }
}

impl Human for Forgotten {
    fn human(&self, _style: &Style) -> String {
        let name = escape::bytes(&self.name);
        let Some(number) = self.transaction else {
            return format!("No snapshot holds {name}.\n");
        };
        let mut text = format!(
            "Took {name} out of {}; this is transaction {number}.\n",
            units::count(self.snapshots.len() as u64, "snapshot", "snapshots")
        );
        if !self.linked.is_empty() {
            text.push_str(&format!(
                "It has another name there too, which stays: {}\n",
                self.linked.join(", ")
            ));
        }
        text.push_str(
            "The file as it is now stays, with the names of paths in the history. A flash medium may keep the bytes \
             until it uses their place again.\n",
        );
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn what_was_done_and_what_was_not_is_told() {
        let mut forgotten = samples::forgotten();
        let text = forgotten.human(&Style::plain());
        assert!(
            text.starts_with("Took /etc/secret out of 2 snapshots; this is transaction 14.\n"),
            "{text}"
        );
        assert!(
            text.contains("which stays: 12-post\n") && text.contains("flash medium"),
            "{text}"
        );
        assert!(forgotten.question().contains("12-post, 13-pre\n"));
        forgotten.transaction = None;
        assert_eq!(
            forgotten.human(&Style::plain()),
            "No snapshot holds /etc/secret.\n"
        );
    }
}
