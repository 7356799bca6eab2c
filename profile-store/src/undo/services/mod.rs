//! Services of a profile that is changed while systemd runs it.
//!
//! Which of them an undo concerns is decided first, from plain data ([`decide`], [`returning`]). Then, around the
//! replay: those whose files go are stopped before the first path changes, the others are restarted after the last
//! one, and those whose files come are started when something that runs wants them.
//! The names stand in the intent, so that `recover` restarts what an undo that was cut had stopped.
//!
//! systemd runs the profile when a process of it is the first of its pid namespace and has the profile's merged
//! tree as root: a booted profile, or a container in an entered one. Anywhere else there are no services, and
//! nothing of this happens.

mod decide;
mod manager;
mod returning;
mod unit;

pub use decide::{Fate, Services, decide};
pub use manager::Manager;
pub use returning::returning;
pub use unit::Unit;

use crate::error::{Error, Result};
use crate::standing::Standing;

/// Stops what goes. Nothing of the profile was changed yet.
///
/// # Errors
///
/// One of them does not stop.
pub(super) fn stop(standing: &Standing, services: &Services) -> Result<()> {
    if services.stop.is_empty() {
        return Ok(());
    }
    let Some(manager) = Manager::find(standing)? else {
        return Ok(());
    };
    manager
        .stop(&services.stop)
        .map_err(|error| Error::Services {
            detail: format!("a service that would lose its files does not stop: {error}"),
        })
}

/// Starts what was stopped for a change that does not happen; returns what did not start.
///
/// # Errors
///
/// The processes of the profile cannot be looked at.
pub(super) fn start_again(standing: &Standing, services: &Services) -> Result<Vec<String>> {
    if services.stop.is_empty() {
        return Ok(Vec::new());
    }
    Ok(match Manager::find(standing)? {
        Some(manager) => each(&services.stop, "start", &manager),
        None => Vec::new(),
    })
}

/// After the files are what they should be: units are read anew, and what is concerned runs again. Returns what
/// did not, for the user: the undo itself is done.
///
/// # Errors
///
/// The processes of the profile cannot be looked at.
pub(super) fn bring_back(standing: &Standing, services: &Services) -> Result<Vec<String>> {
    if services.is_nothing() {
        return Ok(Vec::new());
    }
    let Some(manager) = Manager::find(standing)? else {
        return Ok(Vec::new());
    };
    let mut notes = Vec::new();
    if services.reload {
        if let Err(error) = manager.reload() {
            notes.push(format!(
                "systemd did not read its units anew: {error}; run `systemctl daemon-reload`"
            ));
        }
    }
    // A unit may have had its file in several places, of which one went.
    let standing_yet = manager.still_there(&services.stop)?;
    notes.extend(each(&standing_yet, "start", &manager));
    notes.extend(each(&services.restart, "restart", &manager));
    notes.extend(each(&services.start, "start", &manager));
    Ok(notes)
}

fn each(units: &[String], verb: &'static str, manager: &Manager) -> Vec<String> {
    let failed = |unit: &String| {
        let error = manager.one(verb, unit).err()?;
        Some(format!(
            "{unit} did not {verb}: {error}; `systemctl status {unit}` tells why"
        ))
    };
    units.iter().filter_map(failed).collect()
}
