//! Making room before a package change: what the first hook of apt does when space is short.

use std::time::{Duration, Instant};

use profile_db::journal::Journal;
use profile_db::model::Time;

use super::plan::Clock;
use super::prune::{self, Victim};
use super::rules::Rules;
use super::space::Space;
use crate::error::Result;
use crate::pool::PoolLock;
use crate::profile;
use crate::progress::Silent;
use crate::transaction::{World, reserve};

/// What was done to make room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// Transactions whose snapshots went.
    pub victims: Vec<Victim>,
    /// How much is free now.
    pub space: Space,
    /// What is to stay free.
    pub wanted: u64,
}

/// Deletes old snapshots before a package change when less is free than the profile's `keep-free` says; `None`
/// when space is not short or nothing may go.
///
/// Where there is plenty this is one look at the filesystem. It takes no longer than `patience`, apart from one
/// last comparison.
///
/// # Errors
///
/// Something cannot be read, recorded or deleted; the change can go on all the same.
pub fn before_change(
    world: &World<'_>,
    journal: &Journal,
    lock: &PoolLock,
    now: Time,
    patience: Duration,
) -> Result<Option<Room>> {
    let space = Space::of(world.pool)?;
    // No rule wants more than half.
    if !space.is_short(space.total / 2) {
        return Ok(None);
    }
    let Ok(rules) = Rules::of(&profile::read(world.pool, &world.profile)?) else {
        return Ok(None);
    };
    let wanted = rules.free.of(space.total);
    if !space.is_short(wanted) {
        return Ok(None);
    }
    reserve::make_room(world.pool)?;
    let until = Instant::now() + patience;
    let clock = Clock::read(now);
    let pruned = prune::run(world.pool, journal, lock, clock, until, &mut Silent)?;
    if pruned.victims.is_empty() {
        return Ok(None);
    }
    reserve::refill(world.pool)?;
    Ok(Some(Room {
        victims: pruned.victims,
        space: Space::of(world.pool)?,
        wanted,
    }))
}
