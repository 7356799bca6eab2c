//! Which transaction `undo` and `redo` mean.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use profile_db::journal::{Filter, Journal, Transaction, TransactionKind};
use profile_db::model::TransactionNumber;
use profile_db::state::{State, can_be_undone};

use super::prepare::Verb;
use super::range;
use crate::error::{Error, Result};
use profile_db::ProfileFile;

/// The transaction as the user named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// The newest that qualifies.
    Newest,
    /// This one.
    Number(TransactionNumber),
    /// All from the first to the last.
    Range(TransactionNumber, TransactionNumber),
    /// All after this one.
    After(TransactionNumber),
    /// These, as far as they are in force.
    These(BTreeSet<TransactionNumber>),
}

/// Kinds whose content can be taken back; the others changed no content of the profile.
pub(super) fn has_content(kind: &TransactionKind) -> bool {
    matches!(
        kind,
        TransactionKind::Apt
            | TransactionKind::Dpkg
            | TransactionKind::Undo
            | TransactionKind::Redo
            | TransactionKind::Reset
            | TransactionKind::Restore
            | TransactionKind::Manual
    )
}

/// Finds the transactions to take back, newest first.
///
/// Without a number, `undo` takes the newest that is done, failed or interrupted, is no undo or
/// redo and is not undone; `redo` takes the newest undo that is in force. With a number, `redo N`
/// may also name the transaction that was undone.
///
/// # Errors
///
/// There is none, or the named one is of another profile, another state or without content.
pub fn choose(
    journal: &Journal,
    profile: &ProfileFile,
    verb: Verb,
    which: &Which,
) -> Result<Vec<Transaction>> {
    match which {
        Which::Newest => Ok(vec![newest(journal, profile, verb)?]),
        Which::Number(number) => Ok(vec![numbered(journal, profile, verb, *number)?]),
        Which::Range(first, last) => {
            for end in [first, last] {
                own(journal, profile, *end)?;
            }
            range::within(journal, profile, verb, |number| {
                (first..=last).contains(&&number)
            })
        }
        Which::After(number) => {
            own(journal, profile, *number)?;
            range::within(journal, profile, verb, |other| other > *number)
        }
        Which::These(numbers) => {
            range::within(journal, profile, verb, |number| numbers.contains(&number))
        }
    }
}

/// The transaction of the number, when it is one of the profile's.
///
/// # Errors
///
/// It is not, or the journal cannot be read.
pub(crate) fn own(
    journal: &Journal,
    profile: &ProfileFile,
    number: TransactionNumber,
) -> Result<Transaction> {
    let missing = || Error::NoSuchTransaction {
        number,
        profile: Some(profile.name.to_string()),
    };
    match journal.transaction(number) {
        Ok(transaction) if transaction.profile == profile.id => Ok(transaction),
        Ok(_) | Err(profile_db::journal::Error::NoSuchTransaction { .. }) => Err(missing()),
        Err(error) => Err(error.into()),
    }
}

fn newest(journal: &Journal, profile: &ProfileFile, verb: Verb) -> Result<Transaction> {
    let mut found = None;
    let filter = Filter {
        profile: Some(profile.id),
        ..Filter::default()
    };
    journal.each_transaction(&filter, |transaction| {
        let undo = transaction.kind == TransactionKind::Undo;
        let fits = match verb {
            Verb::Undo => {
                has_content(&transaction.kind)
                    && !undo
                    && transaction.kind != TransactionKind::Redo
                    && can_be_undone(transaction.state)
            }
            Verb::Redo => undo && transaction.state == State::Done,
        };
        if fits {
            found = Some(transaction);
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    })?;
    found.ok_or_else(|| Error::NothingTo {
        name: profile.name.to_string(),
        verb: verb.as_str(),
    })
}

fn numbered(
    journal: &Journal,
    profile: &ProfileFile,
    verb: Verb,
    number: TransactionNumber,
) -> Result<Transaction> {
    let transaction = own(journal, profile, number)?;
    let refuse = |detail: String| {
        Err(Error::NotUndoable {
            number,
            participle: verb.participle(),
            detail,
        })
    };
    if verb == Verb::Redo && transaction.kind != TransactionKind::Undo {
        return match transaction.undone_by {
            Some(by) => numbered(journal, profile, verb, by),
            None => refuse("it is not undone".into()),
        };
    }
    if !has_content(&transaction.kind) {
        return refuse(format!(
            "a {} changes no content of the profile",
            transaction.kind
        ));
    }
    match transaction.state {
        State::Undone => refuse(match transaction.undone_by {
            Some(by) => format!("transaction {by} has undone it already"),
            None => "it is undone already".into(),
        }),
        State::Open => refuse("it is still going on".into()),
        State::Skipped => refuse("it was not protected: there is no snapshot from before".into()),
        State::Done | State::Failed | State::Interrupted => Ok(transaction),
    }
}
