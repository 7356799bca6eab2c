//! What a command ends with when it does not end well.
//!
//! On standard error, in this order: `error:` with the whole chain of causes, indented details,
//! `hint:` with the next command, and always last `note:` with where the system now stands.

use std::ops::{Deref, DerefMut};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use profile_store::Exit;
use serde::Serialize;

use crate::output::encode::JsonPath;
use crate::output::{Screen, escape};

/// The state that nearly every failure leaves behind.
pub const NOTHING_CHANGED: &str = "nothing was changed";

/// A failure, or a finding that needs a person (exit 3 and 4). One pointer wide, as it stands in
/// every result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure(Box<Told>);

/// What a failure tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Exit status.
    pub code: u8,
    /// A stable word for programs.
    pub situation: &'static str,
    /// One sentence.
    pub message: String,
    /// One line each, below the message.
    pub details: Vec<String>,
    /// The path it is about.
    pub path: Option<PathBuf>,
    /// Where the system now stands.
    pub state: String,
    /// The next command.
    pub hint: Option<String>,
}

impl Deref for Failure {
    type Target = Told;

    fn deref(&self) -> &Told {
        &self.0
    }
}

impl DerefMut for Failure {
    fn deref_mut(&mut self) -> &mut Told {
        &mut self.0
    }
}

/// The `error` of the JSON envelope.
#[derive(Debug, Serialize)]
pub struct JsonError {
    code: u8,
    situation: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<String>,
    #[serde(flatten)]
    path: Option<JsonPath>,
    state: String,
    hint: Option<String>,
}

impl Failure {
    /// A failure of this command's own, with nothing changed.
    pub fn new(exit: Exit, situation: &'static str, message: impl Into<String>) -> Self {
        Self(Box::new(Told {
            code: exit.code(),
            situation,
            message: message.into(),
            details: Vec::new(),
            path: None,
            state: NOTHING_CHANGED.into(),
            hint: None,
        }))
    }

    /// The command line asks for something that makes no sense.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "usage", message)
    }

    /// With the next command.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// With another state than "nothing was changed".
    pub fn state(mut self, state: impl Into<String>) -> Self {
        self.state = state.into();
        self
    }

    /// With lines below the message.
    pub fn details(mut self, details: Vec<String>) -> Self {
        self.details = details;
        self
    }

    /// For `--json`.
    pub fn to_json(&self) -> JsonError {
        JsonError {
            code: self.code,
            situation: self.situation,
            message: self.message.clone(),
            details: self.details.clone(),
            path: self
                .path
                .as_ref()
                .map(|path| JsonPath::new(path.as_os_str().as_bytes())),
            state: self.state.clone(),
            hint: self.hint.clone(),
        }
    }

    /// For people.
    pub fn print(&self, screen: &Screen) {
        screen.complain("error", "1;31", &escape::lines(&self.message));
        for line in &self.details {
            screen.complain_detail(&escape::text(line));
        }
        if let Some(hint) = &self.hint {
            screen.complain("hint", "36", &escape::lines(hint));
        }
        screen.complain("note", "36", &escape::lines(&self.state));
    }
}

impl From<profile_store::Error> for Failure {
    fn from(error: profile_store::Error) -> Self {
        Self(Box::new(Told {
            code: error.exit().code(),
            situation: error.situation(),
            message: chain(&error),
            details: Vec::new(),
            path: path_of(&error).map(Path::to_path_buf),
            state: error.state().into(),
            hint: error.hint(),
        }))
    }
}

/// Errors of the crates below the store, as the store tells them.
macro_rules! through_the_store {
    ($($error:ty),*) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                profile_store::Error::from(error).into()
            }
        }
    )*};
}

through_the_store!(
    profile_sys::Error,
    profile_db::journal::Error,
    profile_db::model::NameError
);

/// The error and its causes, joined; a cause that the message already tells is not told twice.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !message.contains(&text) {
            message.push_str(": ");
            message.push_str(&text);
        }
        cause = error.source();
    }
    message
}

/// The path that an error of the store is about.
fn path_of(error: &profile_store::Error) -> Option<&Path> {
    use profile_store::Error as Store;
    match error {
        Store::Sys(error) => path_of_effect(error),
        Store::Journal(error) => path_of_journal(error),
        Store::PoolPart { path, .. }
        | Store::PackageDatabase { path, .. }
        | Store::PoolMissing { path }
        | Store::PoolNotBtrfs { path, .. }
        | Store::PoolForeign { path }
        | Store::PoolHalfMade { path, .. }
        | Store::PoolDamaged { path, .. }
        | Store::PoolIncompatible { path, .. }
        | Store::PoolReadOnly { path, .. }
        | Store::TargetHoldsData { path, .. }
        | Store::TargetNoDevice { path }
        | Store::TargetTooSmall { path, .. }
        | Store::TargetNeedsSize { path }
        | Store::TargetInUse { path, .. }
        | Store::TargetOverwritten { path, .. }
        | Store::ProfileFile { path, .. }
        | Store::BaseNotDebian { path, .. }
        | Store::SnapshotMissing { path }
        | Store::Locked { path }
        | Store::SessionFile { path, .. } => Some(path),
        Store::NotRestorable(refused) => refused.path().map(PathBuf::as_path),
        Store::MountedOn { mount_points, .. } => mount_points.first().map(PathBuf::as_path),
        Store::Delta { to, .. } => Some(to),
        Store::RollbackFailed { failed, .. } => path_of(failed),
        _ => None,
    }
}

fn path_of_journal(error: &profile_db::journal::Error) -> Option<&Path> {
    use profile_db::journal::Error as Journal;
    match error {
        Journal::Missing { path }
        | Journal::Exists { path }
        | Journal::NotAJournal { path, .. }
        | Journal::Format { path, .. }
        | Journal::OpenedReadOnly { path, .. }
        | Journal::Locked { path, .. }
        | Journal::NoSpace { path, .. }
        | Journal::ReadOnlyFilesystem { path, .. }
        | Journal::Damaged { path, .. }
        | Journal::Malformed { path, .. }
        | Journal::File { path, .. }
        | Journal::Sqlite { path, .. } => Some(path),
        _ => None,
    }
}

fn path_of_effect(error: &profile_sys::Error) -> Option<&Path> {
    use profile_sys::Error as Sys;
    match error {
        Sys::Io { path, .. }
        | Sys::SubvolumeNotEmpty { path }
        | Sys::NotSubvolume { path }
        | Sys::BadName { path, .. }
        | Sys::Locked { path }
        | Sys::Malformed { path, .. }
        | Sys::TooLarge { path, .. } => Some(path),
        Sys::IoTwo { from, .. } => Some(from),
        Sys::OptionsNotForced { target, .. } => Some(target),
        Sys::RollbackFailed { cause, .. } => path_of_effect(cause),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn io(number: i32) -> profile_sys::Error {
        profile_sys::Error::io(
            "rename",
            "/pool/x",
            std::io::Error::from_raw_os_error(number),
        )
    }

    #[test]
    fn a_failed_effect_names_verb_path_and_cause() {
        let failure = Failure::from(profile_store::Error::from(io(18)));
        assert_eq!(
            failure.message,
            "cannot rename /pool/x: Invalid cross-device link (os error 18)"
        );
        assert_eq!(failure.path.as_deref(), Some(Path::new("/pool/x")));
        assert_eq!((failure.code, failure.state.as_str()), (1, NOTHING_CHANGED));
    }

    #[test]
    fn exit_status_and_situation_are_the_stores() {
        let locked = profile_store::Error::Locked {
            path: "/pool/@flipper/lock".into(),
        };
        let failure = Failure::from(locked);
        assert_eq!((failure.code, failure.situation), (75, "locked"));
        assert!(failure.hint.is_some());
    }

    #[test]
    fn json_has_the_fields_of_the_design() {
        let missing = profile_store::Error::PoolMissing {
            path: "/none".into(),
        };
        let json = serde_json::to_value(Failure::from(missing).to_json()).unwrap();
        assert_eq!(json["code"], 1);
        assert_eq!(json["situation"], "pool-missing");
        assert_eq!(json["path"], "/none");
        assert_eq!(json["state"], NOTHING_CHANGED);
        assert!(json["hint"].as_str().unwrap().contains("pool create"));
        let usage = serde_json::to_value(Failure::usage("no").to_json()).unwrap();
        assert!(usage["hint"].is_null() && usage.get("path").is_none());
    }
}
