//! `undo` and `redo`: one transaction taken back.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use profile_db::ProfileFile;
use profile_db::journal::{self, Transaction, TransactionKind};
use profile_db::model::{Time, TransactionNumber};
use profile_db::state::State;
use profile_store::operation::PathText;
use profile_store::undo::{
    self, Decisions, Held, Method, Plan, Replayed, Request, Verb, Which, Wishes,
};
use profile_store::{Exit, Pool, profile};

use crate::actor;
use crate::cli::{Redo, Running, Undo};
use crate::commands::Outcome;
use crate::commands::history::number;
use crate::commands::hold;
use crate::commands::path::in_profile;
use crate::commands::resolve;
use crate::context::{Context, Result};
use crate::failure::Failure;
use crate::report::Human;
use crate::report::undo::{Item, Undone, WAITING, WITHDRAWN};

/// Takes transactions back.
///
/// # Errors
///
/// There is nothing to undo, a transaction cannot be taken back, or another command is at work.
pub fn undo(arguments: &Undo, context: &Context) -> Result<Outcome> {
    if arguments.withdraw {
        return withdraw(context);
    }
    let which = match (arguments.span, arguments.to) {
        (_, Some(to)) => Which::After(number(to)?),
        (None, None) => Which::Newest,
        (Some(span), _) if span.first == span.last => Which::Number(number(span.first)?),
        (Some(span), _) => Which::Range(number(span.first)?, number(span.last)?),
    };
    let named = arguments.keep_mine || arguments.take_old || !arguments.resolve.is_empty();
    if arguments.exact && arguments.to.is_some() && named {
        return Err(Failure::usage(
            "--to with --exact brings a snapshot back whole: there is nothing to decide about",
        ));
    }
    if arguments.later.next_start {
        let fixed = arguments.take_old || !arguments.resolve.is_empty();
        if fixed || (arguments.exact && arguments.to.is_some()) {
            return Err(Failure::usage(
                "--next-start leaves what is done until then as it is: with it there is no --take-old, no --resolve \
                 and no --to with --exact",
            ));
        }
    }
    let request = Request {
        verb: Verb::Undo,
        which,
        wishes: Wishes {
            exact: arguments.exact,
            cascade: arguments.cascade,
            decisions: Decisions::default(),
        },
    };
    let wished = Wished {
        check: arguments.check,
        hold: arguments.hold,
        next_start: arguments.later.next_start,
        running: &arguments.running,
    };
    take_back(request, &wished, context, |pool, profile| {
        resolve::decisions(arguments, |path| in_profile(path, context, pool, profile))
    })
}

/// Takes an undo back.
///
/// # Errors
///
/// As [`undo`].
pub fn redo(arguments: &Redo, context: &Context) -> Result<Outcome> {
    let named = arguments.number.map(number).transpose()?;
    let request = Request {
        verb: Verb::Redo,
        which: named.map_or(Which::Newest, Which::Number),
        wishes: Wishes::default(),
    };
    let wished = Wished {
        check: arguments.check,
        hold: false,
        next_start: arguments.later.next_start,
        running: &arguments.running,
    };
    take_back(request, &wished, context, |_, _| Ok(Decisions::default()))
}

/// What is wished of an undo or a redo besides the plan itself.
struct Wished<'a> {
    check: bool,
    hold: bool,
    next_start: bool,
    running: &'a Running,
}

fn take_back(
    mut request: Request,
    wished: &Wished<'_>,
    context: &Context,
    decide: impl FnOnce(&Pool, &ProfileFile) -> Result<Decisions>,
) -> Result<Outcome> {
    let pool = context.pool()?;
    let deletion = match (request.verb, &request.which) {
        (Verb::Undo, Which::Number(named)) => deletion(&pool, *named)?,
        _ => None,
    };
    if let Some(deletion) = deletion {
        return bring_back(&pool, &deletion, wished);
    }
    let profile = context.profile(&pool)?;
    request.wishes.decisions = decide(&pool, &profile)?;
    context.catch_up(&pool, &profile);
    let journal = pool.journal()?;
    let mut progress = context.progress();
    progress.begin("comparing");
    let mut prepared = undo::prepare(
        &pool,
        &journal,
        &profile,
        &request,
        Time::now(),
        progress.as_mut(),
    )?;
    if wished.running.live {
        prepared.insist();
    }
    if wished.running.no_restart {
        prepared.outlook.services.restart_nothing();
    }
    if let Some(path) = not_of(&prepared.plan, &request.wishes.decisions) {
        let (path, number) = (path.display().to_string(), prepared.plan.transaction.number);
        prepared.cancel()?;
        return Err(Failure::usage(format!(
            "/{path} is nothing that transaction {number} changed"
        )));
    }
    let mut report = of_plan(&prepared.plan, request.verb);
    report.check = wished.check;
    let waits = wished.next_start && prepared.plan.method == Method::Live;
    match waits {
        // Nothing runs in the profile then.
        true => report.mode = Some(WAITING),
        false => report.look(&prepared.outlook),
    }
    let is_refused = report.finding().is_some();
    if wished.check || is_refused {
        if !is_refused {
            hold::tell(&mut report, &prepared.plan.older, wished.hold);
        }
        prepared.cancel()?;
        return Ok(report.into());
    }
    for left in &report.left_behind {
        context.say_first(&left.line());
    }
    if let Err(refused) = confirm_cascade(&request, &prepared.plan, context) {
        prepared.cancel()?;
        return Err(refused);
    }
    let is_held = wished.hold || hold::offer(&prepared.plan.older, context);
    if is_held {
        prepared.hold();
    }
    hold::tell(&mut report, &prepared.plan.older, is_held);
    if waits {
        undo::wait(
            &pool,
            prepared,
            &request.wishes,
            &actor::current()?,
            Time::now(),
        )?;
        return Ok(report.into());
    }
    let applied = undo::apply(
        &pool,
        &journal,
        prepared,
        &actor::current()?,
        Time::now(),
        progress.as_mut(),
    )?;
    report.transaction = Some(applied.number.get());
    report.notes.extend(notes(&applied.replayed));
    Ok(report.into())
}

/// Takes back what waits for the next start of the profile.
fn withdraw(context: &Context) -> Result<Outcome> {
    let pool = context.pool()?;
    let profile = context.profile(&pool)?;
    let waiting = undo::withdraw(&pool, &profile.id)?.filter(|one| one.dropped.is_none());
    let Some(waiting) = waiting else {
        return Err(Failure::new(
            Exit::Failed,
            "nothing-waits",
            format!("no undo waits for the next start of '{}'", profile.name),
        ));
    };
    let mut report = Undone::nothing(Verb::Undo, &waiting.transactions, waiting.command);
    report.mode = Some(WITHDRAWN);
    Ok(report.into())
}

/// A path that was decided about and that the plan knows nothing of.
fn not_of<'a>(plan: &Plan, decisions: &'a Decisions) -> Option<&'a Path> {
    let known: HashSet<&Path> = (plan.restore.iter().map(|change| change.path.as_path()))
        .chain(plan.kept.iter().chain(&plan.merged).map(PathBuf::as_path))
        .chain(
            plan.conflicts
                .iter()
                .map(|conflict| conflict.path.as_path()),
        )
        .collect();
    let mut paths = decisions.paths.keys().map(PathBuf::as_path);
    paths.find(|path| !known.contains(path))
}

/// Asks before transactions are taken back that nobody named.
fn confirm_cascade(request: &Request, plan: &Plan, context: &Context) -> Result<()> {
    if !request.wishes.cascade || plan.transactions.len() == 1 {
        return Ok(());
    }
    let mut question = "Take all of these back?".to_owned();
    for transaction in &plan.transactions {
        question.push_str(&format!(
            "\n  {} {}",
            transaction.number, transaction.command
        ));
    }
    context.confirm(&question)
}

/// What the replay left alone.
fn notes(replayed: &Replayed) -> Vec<String> {
    let shown = |path: &PathText| format!("/{}", path.to_path().display());
    let kept = replayed.kept_directories.iter().map(|path| {
        format!(
            "{} stays: something that is not of the transaction is in it.",
            shown(path)
        )
    });
    kept.chain(replayed.notes.iter().cloned()).collect()
}

/// The named transaction, when it is the deletion of a profile. Such a profile has no name any more
/// by which `-p` could find it.
fn deletion(pool: &Pool, named: TransactionNumber) -> Result<Option<Transaction>> {
    match pool.journal_read_only()?.transaction(named) {
        Ok(row) => {
            Ok((row.kind == TransactionKind::Delete && row.state == State::Done).then_some(row))
        }
        // Told with the profile's name later.
        Err(journal::Error::NoSuchTransaction { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Takes the deletion of a profile back.
fn bring_back(pool: &Pool, deletion: &Transaction, wished: &Wished<'_>) -> Result<Outcome> {
    let mut report = Undone::nothing(Verb::Undo, &[deletion.number], deletion.command.clone());
    report.check = wished.check;
    if wished.hold {
        hold::tell(&mut report, &Held::default(), true);
    }
    if wished.check {
        report
            .notes
            .push(format!("The profile {} would come back.", deletion.profile));
        return Ok(report.into());
    }
    let _lock = pool.lock()?;
    let journal = pool.journal()?;
    let profile = profile::restore_deleted(
        pool,
        &journal,
        deletion.number,
        &actor::current()?,
        Time::now(),
    )?;
    report.transaction = journal
        .transaction(deletion.number)?
        .undone_by
        .map(TransactionNumber::get);
    report
        .notes
        .push(format!("The profile '{}' is back.", profile.name));
    Ok(report.into())
}

/// The plan as a report.
fn of_plan(plan: &Plan, verb: Verb) -> Undone {
    let conflict = |conflict: &undo::Conflict| {
        let by: Vec<i64> = conflict.by.iter().map(|number| number.get()).collect();
        let reason = match by.as_slice() {
            [] => conflict.obstacle.words(),
            [one] => format!("{}, by transaction {one}", conflict.obstacle.words()),
            many => {
                let list: Vec<String> = many.iter().map(i64::to_string).collect();
                format!(
                    "{}, by the transactions {}",
                    conflict.obstacle.words(),
                    list.join(", ")
                )
            }
        };
        Item {
            transactions: by,
            ..Item::new(&conflict.path, reason)
        }
    };
    let taken_back: Vec<TransactionNumber> =
        plan.transactions.iter().map(|one| one.number).collect();
    Undone {
        // With a cascade the newest of all is another one.
        undoes: plan.transaction.number.get(),
        mode: Some(plan.method.as_str()),
        restored: plan.restored,
        kept: plan
            .kept
            .iter()
            .map(|path| Item::new(path, "stays as it is now".into()))
            .collect(),
        merged: plan
            .merged
            .iter()
            .map(|path| Item::new(path, "changed again since: has both changes".into()))
            .collect(),
        meanwhile: plan
            .meanwhile
            .iter()
            .map(|change| Item::new(&change.path, change.kind.as_str().into()))
            .collect(),
        conflicts: plan.conflicts.iter().map(conflict).collect(),
        left_behind: plan
            .left_behind
            .iter()
            .map(|left| Item::new(&left.path, left.words()))
            .collect(),
        ..Undone::nothing(verb, &taken_back, plan.transaction.command.clone())
    }
}
