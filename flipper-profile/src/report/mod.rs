//! What verbs answer: plain data, with one rendering for programs and one for people.
//!
//! A report is what `--json` carries as `result`; its fields are described by the schemas in
//! `flipper-profile/schemas/`. Fields are only ever added within a schema. Nothing here touches a
//! pool: the commands fill reports, these draw them.

pub mod base;
pub mod blame;
pub mod change;
pub mod forget;
pub mod pool;
pub mod profile;
pub mod recover;
pub mod restore;
pub mod retention;
pub mod status;
pub mod transaction;
pub mod undo;

use profile_store::Exit;
use serde::Serialize;

use crate::context::Result;
use crate::failure::Failure;
use crate::output::Style;

/// How a report looks to people.
pub trait Human {
    /// The text, its last line ended. What comes from outside is escaped.
    fn human(&self, style: &Style) -> String;

    /// As [`Human::human`], for a report that shows the bytes of files.
    fn human_bytes(&self, style: &Style) -> Vec<u8> {
        self.human(style).into_bytes()
    }

    /// Whether the text only says that the work was done, so that `-q` leaves it out.
    fn only_confirms(&self) -> bool {
        false
    }

    /// What was found that needs a person, with its exit status: the report is printed all the same.
    fn finding(&self) -> Option<Failure> {
        None
    }
}

/// Any report, as `main` prints it.
pub trait Report: Human {
    /// For `--json`.
    ///
    /// # Errors
    ///
    /// A value has no form in JSON; no report of ours holds one.
    fn to_json(&self) -> serde_json::Result<serde_json::Value>;
}

impl<T: Human + Serialize> Report for T {
    fn to_json(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(self)
    }
}

/// A part of the model as JSON.
fn value(part: &impl Serialize) -> Result<serde_json::Value> {
    serde_json::to_value(part)
        .map_err(|error| Failure::new(Exit::Failed, "json", format!("no form in JSON: {error}")))
}

#[cfg(test)]
pub mod samples;
