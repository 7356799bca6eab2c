//! Which of many transactions are taken back together.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use profile_db::ProfileFile;
use profile_db::journal::{Filter, Journal, Transaction, TransactionKind};
use profile_db::model::TransactionNumber;
use profile_db::state::{State, can_be_undone};

use super::choose::has_content;
use super::prepare::Verb;
use crate::error::{Error, Result};

/// The transactions of the profile with numbers that are `asked` for and are in force, newest first.
///
/// An undo whose transactions are all among those asked for comes to nothing with them, and so does a redo whose
/// undo is: both are left out.
///
/// # Errors
///
/// There is none, or one of them cannot be taken back.
pub(super) fn within(
    journal: &Journal,
    profile: &ProfileFile,
    verb: Verb,
    asked: impl Fn(TransactionNumber) -> bool,
) -> Result<Vec<Transaction>> {
    let mut rows = Vec::new();
    let filter = Filter {
        profile: Some(profile.id),
        ..Filter::default()
    };
    journal.each_transaction(&filter, |transaction| {
        if asked(transaction.number) && has_content(&transaction.kind) {
            rows.push(transaction);
        }
        ControlFlow::Continue(())
    })?;
    let mut found = BTreeMap::new();
    for row in &rows {
        match row.state {
            State::Undone => continue,
            State::Open => return Err(not_undoable(row, verb, "it is still going on")),
            State::Skipped => {
                let detail = "it was not protected: there is no snapshot from before";
                return Err(not_undoable(row, verb, detail));
            }
            State::Done | State::Failed | State::Interrupted => {}
        }
        let undone = taken_back(journal, row)?;
        if comes_to_nothing(&undone, &asked) {
            continue;
        }
        found.insert(row.number, row.clone());
        // What it brings back is in force then, and was asked for as well.
        for number in undone.into_iter().filter(|number| asked(*number)) {
            let back = journal.transaction(number)?;
            if has_content(&back.kind) && back.state_before_undo.is_some_and(can_be_undone) {
                found.insert(number, back);
            }
        }
    }
    match found.is_empty() {
        true => Err(Error::NothingTo {
            name: profile.name.to_string(),
            verb: verb.as_str(),
        }),
        false => Ok(found.into_values().rev().collect()),
    }
}

/// The transactions that an undo or a redo takes back; none for another transaction.
pub(super) fn taken_back(journal: &Journal, row: &Transaction) -> Result<Vec<TransactionNumber>> {
    match row.kind {
        TransactionKind::Undo | TransactionKind::Redo => Ok(journal.undone(row.number)?),
        _ => Ok(Vec::new()),
    }
}

/// Whether a transaction that takes these back comes to nothing together with those that are `among` the looked at.
pub(super) fn comes_to_nothing(
    undone: &[TransactionNumber],
    among: impl Fn(TransactionNumber) -> bool,
) -> bool {
    !undone.is_empty() && undone.iter().all(|number| among(*number))
}

fn not_undoable(row: &Transaction, verb: Verb, detail: &str) -> Error {
    Error::NotUndoable {
        number: row.number,
        participle: verb.participle(),
        detail: detail.to_owned(),
    }
}
