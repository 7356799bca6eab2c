//! `pool create|info|check|upgrade|gc`.

use std::os::unix::ffi::OsStrExt;

use profile_db::Journal;
use profile_db::model::Time;
use profile_store::pool::{self, CreateOptions};
use profile_store::retention::sizes;
use profile_store::upgrade::{self, Holder};
use profile_store::{base, check, gc, profile};
use profile_sys::btrfs;

use crate::cli::{PoolCheck, PoolCommand, PoolCreate, PoolGc, PoolUpgrade};
use crate::commands::Outcome;
use crate::context::{Context, Result};
use crate::output::encode::JsonPath;
use crate::output::units;
use crate::report::pool::{Checked, Collected, Created, Format, Info, Problem, Tool, Upgraded};
use crate::report::retention::Pruned;

/// Runs one of the verbs.
///
/// # Errors
///
/// What the verb says.
pub fn run(verb: &PoolCommand, context: &Context) -> Result<Outcome> {
    match verb {
        PoolCommand::Create(arguments) => create(arguments, context),
        PoolCommand::Info => info(context),
        PoolCommand::Check(arguments) => check(arguments, context),
        PoolCommand::Upgrade(arguments) => upgrade(arguments, context),
        PoolCommand::Gc(arguments) => collect(arguments, context),
    }
}

fn create(arguments: &PoolCreate, context: &Context) -> Result<Outcome> {
    let target = &arguments.target;
    if arguments.force && target.exists() {
        context.confirm(&format!(
            "Destroy everything that {} holds?",
            target.display()
        ))?;
    }
    let options = CreateOptions {
        size: arguments.size,
        force: arguments.force,
        inode_floor: arguments.inode_floor,
        label: arguments.label.clone(),
        now: Time::now(),
    };
    let pool = pool::create(target, &options, context.progress().as_mut())?;
    let report = Created {
        path: JsonPath::new(target.as_os_str().as_bytes()),
        pool: pool.file().id.to_string(),
        filesystem: pool.filesystem().to_string(),
        inode_floor: pool.inode_floor(),
        shown: target.to_string_lossy().into_owned(),
    };
    Ok(report.into())
}

fn info(context: &Context) -> Result<Outcome> {
    let pool = context.pool()?;
    let usage = btrfs::usage(pool.layout().top())?;
    let file = pool.file();
    let journal = pool.journal_read_only()?;
    let report = Info {
        path: JsonPath::new(pool.named().as_os_str().as_bytes()),
        device: pool.device().to_string_lossy().into_owned(),
        pool: file.id.to_string(),
        filesystem: pool.filesystem().to_string(),
        created: file.created.to_string(),
        inode_floor: pool.inode_floor(),
        size: usage.total,
        free: usage.available,
        bases: base::versions(&pool)?.len() as u64,
        current_base: base::current(&pool)?.map(|version| version.to_string()),
        profiles: profile::all(&pool)?.len() as u64,
        transactions: journal.counts(None)?.transactions,
        snapshots: sizes::known(&pool, &journal)?.into(),
        format: Format::new(&file.format),
        read_only_because: pool.read_only_because().to_vec(),
        shown: pool.named().to_string_lossy().into_owned(),
    };
    Ok(report.into())
}

fn check(arguments: &PoolCheck, context: &Context) -> Result<Outcome> {
    let pool = context.pool()?;
    let found = check::check(&pool, arguments.deep, context.progress().as_mut())?;
    let what = format!("the pool {}", pool.named().display());
    Ok(Checked {
        what,
        problems: found
            .iter()
            .map(problem)
            .map(|mut problem| {
                problem.message = context.without_top(&problem.message);
                problem
            })
            .collect(),
    }
    .into())
}

fn problem(found: &check::Problem) -> Problem {
    let interrupted = found.detail.starts_with("interrupted: ");
    let situation = match found.subject.split('/').next() {
        _ if interrupted => "interrupted",
        Some("@base") => "base",
        Some("@profiles") => "profile",
        Some("@flipper") => "journal",
        _ => "pool",
    };
    Problem {
        situation: situation.into(),
        message: format!("{}: {}", found.subject, found.detail),
        path: Some(JsonPath::new(found.subject.as_bytes())),
        hint: Some(found.hint.clone()),
    }
}

/// There is one form so far, so every pool that can be opened has the newest one, and nobody is left
/// behind by it.
fn upgrade(arguments: &PoolUpgrade, context: &Context) -> Result<Outcome> {
    let pool = context.pool()?;
    if !arguments.dry_run {
        // Refused where this version may only read.
        drop(pool.lock()?);
    }
    let tool = |reader: upgrade::Reader| Tool {
        place: match reader.holder {
            Holder::Base(version) => format!("base {version}"),
            Holder::Profile(name) => format!("profile {name}"),
        },
        version: reader.version,
    };
    let tools = upgrade::readers(&pool)?.into_iter().map(tool).collect();
    Ok(Upgraded {
        features: Vec::new(),
        readers: Vec::new(),
        tools,
        changed: false,
    }
    .into())
}

fn collect(arguments: &PoolGc, context: &Context) -> Result<Outcome> {
    let pool = context.pool()?;
    let listed = gc::list(&pool, Time::now(), context.progress().as_mut())?;
    let found = if arguments.dry_run {
        listed
    } else {
        let lost = of_undo(&listed, &pool.journal_read_only()?);
        if !lost.is_empty() {
            context.confirm(&question(&lost))?;
        }
        gc::collect(&pool, &listed, Time::now(), context.progress().as_mut())?
    };
    // Rows stay when what they brought is collected.
    let mut collected = of_undo(&found, &pool.journal_read_only()?);
    collected.extend(
        found
            .unnamed
            .iter()
            .map(|path| format!("{}, a snapshot that no transaction has", path.display())),
    );
    if found.staging > 0 {
        collected.push(units::count(
            found.staging as u64,
            "piece of an interrupted change",
            "pieces of interrupted changes",
        ));
    }
    if found.swept > 0 {
        collected.push(units::count(
            found.swept as u64,
            "snapshot that an interrupted deletion left",
            "snapshots that an interrupted deletion left",
        ));
    }
    Ok(Collected {
        collected,
        pruned: found.pruned.iter().map(Pruned::from).collect(),
        until_free: found.for_space.iter().map(Pruned::from).collect(),
        frees: arguments.dry_run.then(|| found.frees.into()),
        free: found.free,
        to_stay_free: found.to_stay_free,
        kept: found.kept,
        dry_run: arguments.dry_run,
    }
    .into())
}

/// What an undo or a diff would need; the rest is garbage.
fn of_undo(found: &gc::Collected, journal: &Journal) -> Vec<String> {
    let trash = found.trash.iter().map(|number| {
        // The command names the profile. Without its row there is only the number.
        let command = journal
            .transaction(*number)
            .map(|row| format!(" ({})", row.command))
            .unwrap_or_default();
        format!("what transaction {number}{command} deleted or replaced")
    });
    let former = found
        .former_profiles
        .iter()
        .map(|id| format!("the snapshots of the former profile {id}"));
    trash.chain(former).collect()
}

fn question(lost: &[String]) -> String {
    let mut question = String::from("This would go for good, and no undo could bring it back:\n");
    for item in lost {
        question.push_str(&format!("  {item}\n"));
    }
    question.push_str("Collect it?");
    question
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_of_gc_lists_what_would_be_lost() {
        let lost =
            ["what transaction 5 (flipper-profile delete tv) deleted or replaced".to_owned()];
        let expected = "\
This would go for good, and no undo could bring it back:
  what transaction 5 (flipper-profile delete tv) deleted or replaced
Collect it?";
        assert_eq!(question(&lost), expected);
    }

    #[test]
    fn a_problem_has_a_word_for_programs() {
        let word = |subject: &str, detail: &str| {
            problem(&check::Problem {
                subject: subject.into(),
                detail: detail.into(),
                hint: "x".into(),
            })
            .situation
        };
        assert_eq!(word("@base/13.2", "it is writable"), "base");
        assert_eq!(word("@profiles/k3j2h1g0", "work is missing"), "profile");
        assert_eq!(
            word("@flipper/journal.db", "interrupted: undo"),
            "interrupted"
        );
        assert_eq!(word("@flipper/journal.db", "a row is missing"), "journal");
    }
}
