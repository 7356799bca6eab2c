//! apt's history log, a second source: reinstallations, purges and errors that the states of packages
//! do not show.

use std::time::{Duration, UNIX_EPOCH};

use conffile_diff::dpkg::{HistoryEntry, history_log};
use profile_db::journal::Transaction;
use profile_db::model::Time;
use profile_sys::file;

use super::World;
use super::package_state;
use crate::error::Result;

/// The log, from the root of the merged tree.
const LOG: &str = "var/log/apt/history.log";
/// Only the end of a long log is of interest; this many bytes are read at most.
const LIMIT_BYTES: u64 = 64 * 1024 * 1024;
/// A file's time and the row's come from clocks of different grain.
const GRAIN: Duration = Duration::from_secs(1);

/// The log's newest entry, when it is about this transaction: written since it began, for the same
/// command. PackageKit's command line names the daemon; there the time alone decides.
///
/// # Errors
///
/// The log cannot be read. A damaged one has no entry.
pub fn entry(world: &World<'_>, row: &Transaction) -> Result<Option<HistoryEntry>> {
    let in_state = world.pool.layout().state(&world.profile).join(LOG);
    let path = if file::exists(&in_state)? {
        in_state
    } else {
        let base = world.base_path(&world.base);
        match package_state::find(&world.subvolume(), &base, LOG.as_ref())? {
            Some(path) => path,
            None => return Ok(None),
        }
    };
    let Some(meta) = file::metadata(&path)? else {
        return Ok(None);
    };
    let written = meta
        .modified()
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    if meta.len() > LIMIT_BYTES || written.is_none_or(|time| time + GRAIN < since_1970(row.started))
    {
        return Ok(None);
    }
    let Some(found) = history_log::last(&file::read_limited(&path, LIMIT_BYTES)?) else {
        return Ok(None);
    };
    let same = match &found.command_line {
        Some(line) => {
            row.front_end == "packagekitd"
                || plain(&profile_db::redact::command(line)) == plain(&row.command)
        }
        // python-apt and the like have no command line of apt's.
        None => true,
    };
    Ok(same.then_some(found))
}

fn since_1970(time: Time) -> Duration {
    Duration::from_millis(u64::try_from(time.as_millisecond()).unwrap_or(0))
}

/// A command line without quoting: apt writes its words bare, the journal as one could type them.
fn plain(line: &str) -> String {
    line.chars()
        .filter(|c| !matches!(c, '\'' | '\\' | '"'))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting_makes_no_difference() {
        assert_eq!(
            plain(r"apt -o 'A=b c' install 'it'\''s'"),
            plain("apt -o A=b c install it's")
        );
        assert_ne!(plain("apt install a"), plain("apt install b"));
    }
}
