//! `blame`: who last changed a path.

use profile_store::blame::{self, Source};
use profile_store::changes as lists;

use crate::changes::{kind_word, of_journal};
use crate::cli::Blame;
use crate::commands::{Outcome, path};
use crate::context::{Context, Result};
use crate::output::encode::JsonPath;
use crate::report;
use crate::report::blame::{Last, Owner};
use crate::report::transaction::{Package, Transaction};

/// Tells the last change of the path.
///
/// # Errors
///
/// There is no such profile, or what is recorded of it, its snapshots or its tree cannot be read.
pub fn run(arguments: &Blame, context: &Context) -> Result<Outcome> {
    let pool = context.pool()?;
    let profile = context.profile(&pool)?;
    context.catch_up(&pool, &profile);
    let path = path::in_profile(&arguments.path, context, &pool, &profile)?;
    let journal = context.journal(&pool)?;
    lists::ensure(&pool, &journal, &profile, context.progress().as_mut())?;
    let found = blame::of(&pool, &journal, &profile, &path)?;
    let name = path::from_root(&path);
    let mut report = report::blame::Blame {
        path: JsonPath::new(&name),
        kind: found.present.map(kind_word),
        source: "nothing",
        owners: found
            .owners
            .into_iter()
            .map(|owner| Owner {
                name: owner.name,
                architecture: owner.architecture,
                version: owner.version,
            })
            .collect(),
        last: found.last.as_ref().map(|last| Last {
            transaction: Transaction::from(&last.row),
            change: of_journal(&last.change),
            packages: last.packages.iter().map(Package::from).collect(),
        }),
        after: None,
        before: None,
        unprotected: Vec::new(),
        state_path: None,
        going_on: found.going_on.iter().map(|number| number.get()).collect(),
        base: profile.base.version.to_string(),
        name,
    };
    report.source = match found.source {
        Source::Nothing => "nothing",
        Source::Base => "base",
        Source::Origin => "origin",
        Source::Transaction => "transaction",
        Source::State { path, shared } => {
            report.state_path = Some(path.to_string_lossy().into_owned());
            match shared {
                true => "data",
                false => "state",
            }
        }
        Source::Outside {
            after,
            before,
            unprotected,
        } => {
            report.after = after.map(|number| number.get());
            report.before = before.map(|number| number.get());
            report.unprotected = unprotected.iter().map(|number| number.get()).collect();
            "outside"
        }
    };
    Ok(report.into())
}
