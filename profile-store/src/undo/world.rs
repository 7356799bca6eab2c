//! The merged trees that a plan asks about.

use std::cell::OnceCell;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use conffile_diff::merge::{Settled, Side, kind_of};
use profile_sys::tree::{Kind, Root};

use super::decisions::Decisions;
use super::join::{self, Joined, Trees};
use super::plan::Present;
use super::sides::Sides;
use crate::delta::{self, Change, ChangeKind};
use crate::error::Result;
use crate::pool::Pool;
use crate::view::View;

/// The merged trees before and after the transaction and now, each mounted when it is first asked about.
#[derive(Debug)]
pub(super) struct World<'a> {
    pool: &'a Pool,
    base: &'a Path,
    before: (&'a Path, OnceCell<View>),
    after: (&'a Path, OnceCell<View>),
    now: (&'a Path, OnceCell<View>),
}

impl<'a> World<'a> {
    /// Of the two sides of a transaction, and a snapshot of the present.
    pub(super) fn new(pool: &'a Pool, sides: &'a Sides, now: &'a Path) -> Self {
        Self {
            pool,
            base: &sides.base,
            before: (&sides.pre, OnceCell::new()),
            after: (&sides.post, OnceCell::new()),
            now: (now, OnceCell::new()),
        }
    }

    fn view<'b>(&'b self, of: &'b (&Path, OnceCell<View>)) -> Result<&'b View> {
        let (snapshot, view) = of;
        if let Some(view) = view.get() {
            return Ok(view);
        }
        let mounted = View::read_only(self.pool, snapshot, self.base)?;
        Ok(view.get_or_init(|| mounted))
    }

    /// Where the merged tree before the transaction stands.
    pub(super) fn before(&self) -> Result<PathBuf> {
        Ok(self.view(&self.before)?.path().to_path_buf())
    }

    /// Where the merged tree after the transaction stands.
    pub(super) fn after(&self) -> Result<PathBuf> {
        Ok(self.view(&self.after)?.path().to_path_buf())
    }

    /// The merged tree as it is.
    pub(super) fn present(&self) -> Result<Root> {
        Ok(Root::open(self.view(&self.now)?.path())?)
    }

    /// The three merged trees: before and after the transaction, and now.
    pub(super) fn trees(&self) -> Result<[&Path; 3]> {
        Ok([
            self.view(&self.before)?.path(),
            self.view(&self.after)?.path(),
            self.view(&self.now)?.path(),
        ])
    }

    /// What is to change at a path so that it is as before the transaction; `None` when it is.
    pub(super) fn back(&self, path: &Path) -> Result<Option<Change>> {
        let [before, _, now] = self.trees()?;
        // By real directories only, as the replay goes: a symlink on the way leads to another path.
        let (old, new) = (
            Root::open(before)?.lstat(path)?,
            Root::open(now)?.lstat(path)?,
        );
        let kind = match (&old, &new) {
            (None, None) => None,
            (Some(_), None) => Some(ChangeKind::Removed),
            (None, Some(_)) => Some(ChangeKind::Added),
            (Some(one), Some(other)) => delta::differs(before, now, path, one, other)?
                .filter(|kind| *kind != ChangeKind::Times),
        };
        Ok(kind.map(|kind| Change {
            path: path.to_path_buf(),
            kind,
            old: old.map(|meta| meta.kind),
            new: new.map(|meta| meta.kind),
        }))
    }
}

/// The world with what was decided.
#[derive(Debug)]
pub(super) struct Decided<'a> {
    pub world: &'a World<'a>,
    pub decisions: &'a Decisions,
    pub settled: &'a Settled,
}

impl Present for Decided<'_> {
    fn joined(&self, path: &Path) -> Result<Joined> {
        let [other, ancestor, mine] = self.world.trees()?.map(Root::open);
        let (ancestor, mine, other) = (ancestor?, mine?, other?);
        let trees = Trees {
            ancestor: &ancestor,
            mine: &mine,
            other: &other,
        };
        join::join(&trees, path, self.decisions, self.settled)
    }

    fn is_as_before(&self, path: &Path) -> Result<bool> {
        Ok(self.world.back(path)?.is_none())
    }

    fn is_directory(&self, path: &Path) -> Result<bool> {
        let meta = self.world.present()?.lstat(path)?;
        Ok(meta.is_some_and(|meta| meta.kind == Kind::Directory))
    }

    fn is_settled(&self, path: &Path) -> bool {
        let absolute = [b"/", path.as_os_str().as_bytes()].concat();
        self.decisions.named(path).is_some() || self.settled.concerns(kind_of(&absolute))
    }

    fn side(&self, path: &Path) -> Option<Side> {
        self.decisions.side(path)
    }
}
