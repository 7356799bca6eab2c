//! `list`: all profiles.

use profile_db::journal::Newest;
use profile_store::profile;

use crate::commands::Outcome;
use crate::context::{Context, Result};
use crate::failure::chain;
use crate::report::profile::{Profiles, Row, Unreadable};

/// Lists the profiles. A profile whose file cannot be read is listed as such; it fails nothing.
///
/// # Errors
///
/// The pool or the journal cannot be read.
pub fn run(context: &Context) -> Result<Outcome> {
    let pool = context.pool()?;
    let journal = pool.journal_read_only()?;
    let mut report = Profiles {
        profiles: Vec::new(),
        unreadable: Vec::new(),
    };
    for (id, profile) in profile::all(&pool)? {
        match profile {
            Ok(profile) => report.profiles.push(Row {
                id: id.to_string(),
                name: profile.name.to_string(),
                kind: profile.kind.to_string(),
                base: profile.base.version.to_string(),
                created: profile.created.to_string(),
                description: profile.description.clone(),
                transactions: journal.counts(Some(&id))?.transactions,
                last_command: journal
                    .newest(&id, Newest::Any)?
                    .map(|newest| newest.command),
            }),
            Err(error) => report.unreadable.push(Unreadable {
                id: id.to_string(),
                message: chain(&error),
            }),
        }
    }
    Ok(report.into())
}
