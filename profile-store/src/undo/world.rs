//! The merged trees that a plan asks about.

use std::cell::OnceCell;
use std::path::Path;

use profile_sys::tree::{Kind, Root};

use super::join::{self, Joined, Trees};
use super::plan::Present;
use super::sides::Sides;
use crate::delta;
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

    /// The merged tree as it is.
    pub(super) fn present(&self) -> Result<Root> {
        Ok(Root::open(self.view(&self.now)?.path())?)
    }
}

impl Present for World<'_> {
    fn joined(&self, path: &Path) -> Result<Joined> {
        let root = |view: &View| Root::open(view.path());
        let (ancestor, mine, other) = (
            root(self.view(&self.after)?)?,
            root(self.view(&self.now)?)?,
            root(self.view(&self.before)?)?,
        );
        let trees = Trees {
            ancestor: &ancestor,
            mine: &mine,
            other: &other,
        };
        join::join(&trees, path)
    }

    fn is_as_before(&self, path: &Path) -> Result<bool> {
        let (before, now) = (self.view(&self.before)?, self.view(&self.now)?);
        // By real directories only, as the replay goes: a symlink on the way leads to another path.
        let physical = |view: &View| Root::open(view.path())?.lstat(path);
        match (physical(before)?, physical(now)?) {
            (None, None) => Ok(true),
            (Some(a), Some(b)) => {
                let kind = delta::differs(before.path(), now.path(), path, &a, &b)?;
                Ok(kind.is_none_or(|kind| kind == delta::ChangeKind::Times))
            }
            _ => Ok(false),
        }
    }

    fn is_directory(&self, path: &Path) -> Result<bool> {
        let now = Root::open(self.view(&self.now)?.path())?;
        Ok(now
            .lstat(path)?
            .is_some_and(|meta| meta.kind == Kind::Directory))
    }
}
