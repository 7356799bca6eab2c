//! Several transactions taken back together: one after the other, newest first, in a copy of the profile.
//!
//! Each step sees what the steps before it left, as if each were an undo of its own; then the copy is what the
//! profile becomes, exchanged in or replayed as one.

use std::path::{Path, PathBuf};

use profile_db::journal::Transaction;
use profile_sys::btrfs;

use super::apply::{paths_of, wanted};
use super::plan::Sorted;
use super::prepare::{NOW, require_present_base};
use super::replay::replay;
use super::sides::{self, Sides};
use super::step::Reading;
use super::{Verb, plan};
use crate::delta::{self, Change};
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
            let state = state_paths::of(self.profile);
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
        let state = state_paths::of(self.profile);
        // From the copy to the present: `old` of a change is what the path becomes.
        let delta = delta::between(self.pool, (&sealed, &base), (&now, &base), &state)?;
        let (times, restore): (Vec<Change>, Vec<Change>) = delta
            .changes
            .into_iter()
            .partition(|change| change.kind == delta::ChangeKind::Times);
        built.sorted.restore = restore;
        built.sorted.times = times.into_iter().map(|change| change.path).collect();
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
        for left in step.left_behind {
            if !self
                .sorted
                .left_behind
                .iter()
                .any(|one| one.path == left.path)
            {
                self.sorted.left_behind.push(left);
            }
        }
        self.sorted.remake.linker_cache |= step.remake.linker_cache;
        for change in step.meanwhile {
            if !self
                .sorted
                .meanwhile
                .iter()
                .any(|one| one.path == change.path)
            {
                self.sorted.meanwhile.push(change);
            }
        }
        for conflict in step.conflicts {
            let known = |one: &plan::Conflict| {
                one.path == conflict.path && one.obstacle == conflict.obstacle
            };
            if !self.sorted.conflicts.iter().any(known) {
                self.sorted.conflicts.push(conflict);
            }
        }
    }
}
