//! `forget`: a path goes out of every snapshot of a profile.

use profile_db::model::Time;
use profile_store::forget;

use crate::actor;
use crate::cli::Forget;
use crate::commands::Outcome;
use crate::context::{Context, Result};
use crate::output::encode::JsonPath;
use crate::report::forget::Forgotten;

/// Forgets the path, after a confirmation.
///
/// # Errors
///
/// The path is none, nobody confirmed, or another command is at work.
pub fn run(arguments: &Forget, context: &Context) -> Result<Outcome> {
    use std::os::unix::ffi::OsStrExt;
    let path = forget::relative(&arguments.path)?;
    let pool = context.pool()?;
    let profile = context.profile(&pool)?;
    context.catch_up(&pool, &profile);
    let found = forget::look(&pool, &context.journal(&pool)?, &profile, &path)?;
    let name = [b"/", path.as_os_str().as_bytes()].concat();
    let mut report = Forgotten {
        path: JsonPath::new(&name),
        snapshots: found.copies,
        linked: found.linked,
        transaction: None,
        name,
    };
    if report.snapshots.is_empty() {
        return Ok(report.into());
    }
    context.confirm(&report.question())?;
    let number = forget::forget(&pool, &profile.id, &path, &actor::current()?, Time::now())?;
    report.transaction = Some(number.get());
    Ok(report.into())
}
