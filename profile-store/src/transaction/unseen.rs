//! A dpkg that no hook announced, seen from the inside: by the trigger that it runs.
//!
//! In the middle of dpkg's work is no time for a snapshot: it would be neither before nor after. So
//! the trigger only leaves word of who it was. When dpkg has ended, the next hook or command finds
//! the packages changed ([`super::settled`]) and knows from the note what to call it.

use profile_db::journal::{Journal, TransactionKind};
use profile_db::model::{ProfileId, Time};
use profile_sys::process;

use super::caller::{Asker, Caller};
use super::front_end;
use super::notes::{self, About, Note};
use super::{World, rows};
use crate::error::Result;
use crate::layout::Layout;

/// What the trigger found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// The hooks know of this dpkg: a transaction goes on for one of its ancestors.
    Announced,
    /// No dpkg is among the ancestors: the trigger was started by hand.
    NoDpkg,
    /// A note was left.
    Noted,
}

/// Whether a note tells already that the change of a process above `pid` is unprotected; `layout` is given
/// when the pool is there.
///
/// # Errors
///
/// /proc cannot be read.
pub fn is_told(layout: Option<&Layout>, profile: &ProfileId, pid: u32) -> Result<bool> {
    for owner in Caller::owners(&process::ancestors(pid)?) {
        if notes::tells_of(layout, profile, &owner?) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Looks whether a transaction goes on for the dpkg above process `pid`, and leaves a note if none
/// does.
///
/// # Errors
///
/// /proc or the journal cannot be read, or the note cannot be written.
pub fn look(
    world: &World<'_>,
    journal: &Journal,
    pid: u32,
    asker: &Asker,
    now: Time,
) -> Result<Sight> {
    let chain = process::ancestors(pid)?;
    let Some(dpkg) = chain
        .iter()
        .position(|process| front_end::program(process) == "dpkg")
    else {
        return Ok(Sight::NoDpkg);
    };
    for owner in Caller::owners(&chain[dpkg..]) {
        if rows::going_on(world, journal, &owner?)?.is_some() {
            return Ok(Sight::Announced);
        }
    }
    let Some(caller) = Caller::of_chain(&chain[dpkg..], asker)? else {
        return Ok(Sight::NoDpkg);
    };
    let kind = TransactionKind::Dpkg;
    let note = Note::new(
        About::Unseen,
        &world.profile,
        &world.base,
        kind,
        &caller,
        now,
    );
    let known = notes::all(world.pool.layout(), &world.profile)?
        .iter()
        .any(|left| left.note.about == About::Unseen && left.note.owner == note.owner);
    if !known {
        notes::leave(&notes::directory(world.pool.layout()), &note)?;
    }
    Ok(Sight::Noted)
}
