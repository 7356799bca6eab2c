//! `recover`: what was interrupted is finished or taken back.

use profile_db::model::{Time, TransactionNumber};
use profile_store::recover;
use profile_store::undo::{self, Waited};

use crate::actor;
use crate::commands::Outcome;
use crate::context::{Context, Result};
use crate::output::units;
use crate::report::recover::{Action, Recovered};
use crate::report::retention::{self, Pruned};

/// Recovers the pool.
///
/// # Errors
///
/// The pool or the journal cannot be read, or another command is at work.
pub fn run(context: &Context) -> Result<Outcome> {
    let pool = context.pool()?;
    let mut progress = context.progress();
    let mut done = recover::run(&pool, Time::now(), progress.as_mut())?;
    let waited = undo::carry_out_all(&pool, &actor::current()?, Time::now(), progress.as_mut())?;
    let of_changes = |word: &'static str, list: Vec<String>| {
        list.into_iter()
            .map(move |what| Action::of_change(word, what))
    };
    let of_transactions = |word: &'static str, list: Vec<TransactionNumber>| {
        list.into_iter()
            .map(move |number| Action::of_transaction(word, number.get()))
    };
    let mut actions = Vec::new();
    actions.extend(of_changes("finished", done.finished));
    actions.extend(of_changes("taken back", done.taken_back));
    actions.extend(of_transactions("recorded as interrupted", done.interrupted));
    actions.extend(of_transactions("noticed", done.noticed));
    if done.collected > 0 {
        let what = units::count(
            done.collected as u64,
            "piece of an interrupted change",
            "pieces of interrupted changes",
        );
        actions.push(Action::of_change("collected", what));
    }
    for (name, waited) in waited {
        match waited {
            Ok(waited @ Waited::Done(_)) => {
                let what = format!("{name}: {}", waited.words());
                actions.push(Action::of_change("carried out", what));
            }
            Ok(waited @ Waited::Dropped(_)) => {
                let what = format!("{name}: {}", waited.words());
                actions.push(Action::of_change("dropped", what));
            }
            Err(error) => done
                .left
                .push(format!("{name}: what waits for its start: {error}")),
        }
    }
    let pruned: Vec<Pruned> = done.pruned.iter().map(Pruned::from).collect();
    actions.extend(of_changes("deleted", retention::lines(&pruned)));
    Ok(Recovered {
        actions,
        pruned,
        left: done.left,
    }
    .into())
}
