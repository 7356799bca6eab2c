//! `restore`: one path as it was in a snapshot.

use profile_db::model::Time;
use profile_store::restore::{self, From, Plan, Side};

use crate::actor;
use crate::changes::{json_path, kind_word};
use crate::cli::Restore;
use crate::commands::history::number;
use crate::commands::{Outcome, path};
use crate::context::{Context, Result};
use crate::report::Human;
use crate::report::restore::Restored;
use crate::report::undo::{self, Item, Services};

/// Brings the path back.
///
/// # Errors
///
/// There is no such transaction or snapshot, the path is none that is restored, or another command is at work.
pub fn run(arguments: &Restore, context: &Context) -> Result<Outcome> {
    let from = From {
        number: number(arguments.from.number)?,
        side: match arguments.from.post {
            true => Side::Post,
            false => Side::Pre,
        },
    };
    let pool = context.pool()?;
    let profile = context.profile(&pool)?;
    context.catch_up(&pool, &profile);
    let path = path::in_profile(&arguments.path, context, &pool, &profile)?;
    let journal = pool.journal()?;
    let mut progress = context.progress();
    progress.begin("comparing");
    let mut prepared = restore::prepare(&pool, &journal, &profile, &path, from, Time::now())?;
    if arguments.running.live {
        prepared.insist();
    }
    if arguments.running.no_restart {
        prepared.outlook.services.restart_nothing();
    }
    let mut report = of_plan(&prepared.plan, from);
    report.check = arguments.check;
    report.not_live = undo::not_live(&prepared.outlook);
    report.services = Services::of(&prepared.outlook);
    report.notes.extend(prepared.outlook.notes.iter().cloned());
    if report.check || report.nothing || report.finding().is_some() {
        prepared.cancel()?;
        return Ok(report.into());
    }
    let applied = restore::apply(
        &pool,
        &journal,
        prepared,
        &actor::current()?,
        Time::now(),
        progress.as_mut(),
    )?;
    report.transaction = Some(applied.number.get());
    let kept = applied.replayed.kept_directories;
    report.kept = kept
        .iter()
        .map(|path| Item::new(&path.to_path(), "it is not empty".into()))
        .collect();
    report.notes.extend(applied.replayed.notes);
    Ok(report.into())
}

/// The plan as a report.
fn of_plan(plan: &Plan, from: From) -> Restored {
    let (path, name) = json_path(&plan.path);
    let mut report = Restored {
        transaction: None,
        path,
        from: from.number.get(),
        snapshot: plan.snapshot.clone(),
        mode: plan.method.as_str(),
        check: false,
        nothing: plan.is_nothing(),
        brought: 0,
        replaced: Vec::new(),
        removed: Vec::new(),
        kept: Vec::new(),
        not_live: Vec::new(),
        services: Services::default(),
        notes: plan.notes.clone(),
        name,
    };
    for change in &plan.restore {
        match (change.old, change.new) {
            (Some(_), Some(_)) => {
                let item = Item::new(&change.path, change.kind.as_str().into());
                report.replaced.push(item);
            }
            (None, Some(kind)) => report
                .removed
                .push(Item::new(&change.path, kind_word(kind).into())),
            (_, None) => report.brought += 1,
        }
    }
    report
}
