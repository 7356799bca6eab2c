//! Several transactions taken back together: one after the other, newest first, in a copy of the profile.
//!
//! Each step sees what the steps before it left, as if each were an undo of its own; then the copy is what the
//! profile becomes, exchanged in or replayed as one.

use std::path::{Path, PathBuf};

use profile_db::journal::Transaction;
use profile_sys::btrfs;

use super::Verb;
use super::apply::{paths_of, wanted};
use super::plan::Sorted;
use super::prepare::require_present_base;
use super::replay::replay;
use super::row::NOW;
use super::sides::{self, Sides};
use super::step::Reading;
use crate::delta;
use crate::error::Result;
use crate::progress::Progress;
use crate::replacement::STAGED_PROFILE;
use crate::staging::Staging;
use crate::state_paths;
use crate::view::View;

/// Name of the sealed copy in the staging directory, from which the changes are read.
const BUILT: &str = "built";

/// What taking several transactions back comes to.
#[derive(Debug, Default)]
pub(super) struct Built {
    /// All steps together; `restore` and `times` are the difference of the copy to the present.
    pub sorted: Sorted,
    /// The subvolumes that it took in the staging directory.
    parts: Vec<PathBuf>,
}

impl Reading<'_> {
    /// Builds the copy as [`STAGED_PROFILE`] of the staging directory, where the present stands as [`NOW`].
    ///
    /// A path that stands in the way stays in the copy, so that everything that stands in the way is found.
    pub(super) fn build(
        &self,
        verb: Verb,
        transactions: &[Transaction],
        staging: &Staging,
        progress: &mut dyn Progress,
    ) -> Result<Built> {
        let staged = staging.part(STAGED_PROFILE);
        let now = staging.part(NOW);
        btrfs::snapshot(&now, &staged, false)?;
        let mut built = Built {
            parts: vec![staged.clone()],
            ..Built::default()
        };
        let mut base = None;
        let state = state_paths::of(self.profile);
        progress.begin("working out");
        for (count, transaction) in transactions.iter().enumerate() {
            progress.advance(count as u64, Some(transactions.len() as u64));
            let sides = sides::sides(self.pool, transaction, verb.participle())?;
            require_present_base(self.profile, &sides, transaction, verb)?;
            let present = match count {
                0 => now.clone(),
                _ => {
                    let present = staging.part(&format!("present-{count}"));
                    btrfs::snapshot(&staged, &present, true)?;
                    built.parts.push(present.clone());
                    present
                }
            };
            let since = delta::between(
                self.pool,
                (&sides.post, &sides.base),
                (&present, &sides.base),
                &state,
            )?;
            let later = self.later(transaction.number, transactions)?;
            let step = self.step(transaction, &sides, &present, &since, &later)?;
            let into = staging.part(&format!("wanted-{count}"));
            if !step.joined.is_empty() {
                built.parts.push(into.clone());
            }
            self.apply_step(&step, &sides, &present, into, &staged)?;
            built.take(step);
            base = Some(sides.base);
        }
        let Some(base) = base else { return Ok(built) };
        let sealed = staging.part(BUILT);
        btrfs::snapshot(&staged, &sealed, true)?;
        built.parts.push(sealed.clone());
        // From the copy to the present: `old` of a change is what the path becomes.
        let delta = delta::between(self.pool, (&sealed, &base), (&now, &base), &state)?;
        (built.sorted.restore, built.sorted.times) = delta.apart();
        Ok(built)
    }

    /// Carries one step out in the copy.
    fn apply_step(
        &self,
        step: &Sorted,
        sides: &Sides,
        present: &Path,
        into: PathBuf,
        staged: &Path,
    ) -> Result<()> {
        let wanted = wanted(self.pool, &step.joined, sides, present, into)?;
        let view = View::read_only(self.pool, &wanted, &sides.base)?;
        let merged = View::writable(self.pool, staged, &sides.base)?;
        let paths = paths_of(&step.restore, &step.joined);
        let mut silent = crate::progress::Silent;
        let mut done = replay(view.path(), merged.path(), &paths, &step.times, &mut silent)?;
        // What is chosen now the next step sees; where it cannot be done, the end of all says so.
        step.remake.make(merged.path(), &mut done)?;
        merged.close()?;
        view.close()
    }
}

impl Built {
    /// Deletes what it took, so that it can be built anew.
    pub(super) fn discard(self) -> Result<()> {
        for part in self.parts {
            btrfs::delete_subvolume_tree(&part)?;
        }
        Ok(())
    }

    fn take(&mut self, step: Sorted) {
        self.sorted.already += step.already;
        self.sorted.joined.extend(step.joined);
        self.sorted.kept.extend(step.kept);
        add(
            &mut self.sorted.left_behind,
            step.left_behind,
            |one, other| one.path == other.path,
        );
        add(&mut self.sorted.meanwhile, step.meanwhile, |one, other| {
            one.path == other.path
        });
        add(&mut self.sorted.conflicts, step.conflicts, |one, other| {
            one.path == other.path && one.obstacle == other.obstacle
        });
        self.sorted.remake.linker_cache |= step.remake.linker_cache;
    }
}

/// Adds what is not there yet.
fn add<T>(known: &mut Vec<T>, new: Vec<T>, same: impl Fn(&T, &T) -> bool) {
    for one in new {
        if !known.iter().any(|other| same(&one, other)) {
            known.push(one);
        }
    }
}
