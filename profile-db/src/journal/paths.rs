//! The index of changed paths.
//!
//! `path_names` is a tree: a row is a name below a parent, the root has id
//! [`ROOT`]. `path_changes` says for every changed path, and for every directory
//! above one, which transactions. So a path's history is one walk down the tree
//! and one walk along the index, and includes what changed below it.

use rusqlite::{CachedStatement, OptionalExtension, params};

use super::{ChangeRow, Error, Journal, Result};
use crate::model::TransactionNumber;

/// The id of `/` in `path_names`.
const ROOT: i64 = 1;

/// The parts of an absolute, plain path; none for anything else.
pub(super) fn parts(path: &[u8]) -> Option<Vec<&[u8]>> {
    let below = path.strip_prefix(b"/")?;
    if below.is_empty() {
        return Some(Vec::new());
    }
    let parts: Vec<&[u8]> = below.split(|b| *b == b'/').collect();
    let plain = |part: &&[u8]| !matches!(*part, b"" | b"." | b"..") && !part.contains(&0);
    parts.iter().all(plain).then_some(parts)
}

fn checked<'a>(verb: &'static str, path: &'a [u8]) -> Result<Vec<&'a [u8]>> {
    parts(path).ok_or_else(|| Error::BadPath {
        verb,
        path: path.to_vec(),
    })
}

/// The parts of every path of a list, in the order of the tree: then all that
/// lies below one directory comes together.
fn in_tree_order<'a>(verb: &'static str, changes: &'a [ChangeRow]) -> Result<Vec<Vec<&'a [u8]>>> {
    let mut all = changes
        .iter()
        .map(|change| checked(verb, &change.path))
        .collect::<Result<Vec<_>>>()?;
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

impl Journal {
    /// The id of a path in the index; none when no stored list has it or
    /// anything below it.
    pub(super) fn path_id(&self, verb: &'static str, path: &[u8]) -> Result<Option<i64>> {
        let connection = self.connection(verb)?;
        let mut find = connection
            .prepare_cached("SELECT id FROM path_names WHERE parent = ?1 AND name = ?2")
            .map_err(self.failed(verb))?;
        let mut id = ROOT;
        for part in checked(verb, path)? {
            match self.child(verb, &mut find, id, part)? {
                Some(child) => id = child,
                None => return Ok(None),
            }
        }
        Ok(Some(id))
    }

    /// Adds a list to the index.
    pub(super) fn index_paths(
        &self,
        verb: &'static str,
        number: TransactionNumber,
        changes: &[ChangeRow],
    ) -> Result<()> {
        let connection = self.connection(verb)?;
        let failed = self.failed(verb);
        let prepare = |sql| connection.prepare_cached(sql).map_err(&failed);
        let mut find = prepare("SELECT id FROM path_names WHERE parent = ?1 AND name = ?2")?;
        let mut add = prepare("INSERT INTO path_names (parent, name) VALUES (?1, ?2)")?;
        let mut mark = prepare("INSERT OR IGNORE INTO path_changes (path, txn) VALUES (?1, ?2)")?;
        self.walk(verb, changes, |parent, name| {
            let id = match name {
                None => {
                    connection
                        .execute(
                            "INSERT OR IGNORE INTO path_names (id, parent, name) \
                             VALUES (?1, 0, x'')",
                            [ROOT],
                        )
                        .map_err(&failed)?;
                    ROOT
                }
                Some(name) => match self.child(verb, &mut find, parent, name)? {
                    Some(id) => id,
                    None => {
                        add.execute(params![parent, name]).map_err(&failed)?;
                        connection.last_insert_rowid()
                    }
                },
            };
            mark.execute(params![id, number.get()]).map_err(&failed)?;
            Ok(Some(id))
        })
    }

    /// Takes a list out of the index. Names stay: another transaction may have
    /// them.
    pub(super) fn unindex_paths(
        &self,
        verb: &'static str,
        number: TransactionNumber,
        changes: &[ChangeRow],
    ) -> Result<()> {
        let connection = self.connection(verb)?;
        let failed = self.failed(verb);
        let prepare = |sql| connection.prepare_cached(sql).map_err(&failed);
        let mut find = prepare("SELECT id FROM path_names WHERE parent = ?1 AND name = ?2")?;
        let mut unmark = prepare("DELETE FROM path_changes WHERE path = ?1 AND txn = ?2")?;
        self.walk(verb, changes, |parent, name| {
            let id = match name {
                None => Some(ROOT),
                Some(name) => self.child(verb, &mut find, parent, name)?,
            };
            if let Some(id) = id {
                unmark.execute(params![id, number.get()]).map_err(&failed)?;
            }
            Ok(id)
        })
    }

    /// Calls `visit` once for every changed path and every directory above one,
    /// parents first, with the parent's id and the name (none for the root).
    /// `visit` gives the id; below none nothing is visited.
    fn walk(
        &self,
        verb: &'static str,
        changes: &[ChangeRow],
        mut visit: impl FnMut(i64, Option<&[u8]>) -> Result<Option<i64>>,
    ) -> Result<()> {
        let paths = in_tree_order(verb, changes)?;
        if paths.is_empty() {
            return Ok(());
        }
        let Some(root) = visit(0, None)? else {
            return Ok(());
        };
        // Names and ids from the root down to the last path visited.
        let mut stack: Vec<(&[u8], Option<i64>)> = Vec::new();
        for path in &paths {
            let common = stack
                .iter()
                .zip(path)
                .take_while(|((name, _), part)| name == *part)
                .count();
            stack.truncate(common);
            for part in &path[common..] {
                let parent = stack.last().map_or(Some(root), |(_, id)| *id);
                let id = match parent {
                    Some(parent) => visit(parent, Some(part))?,
                    None => None,
                };
                stack.push((part, id));
            }
        }
        Ok(())
    }

    fn child(
        &self,
        verb: &'static str,
        find: &mut CachedStatement<'_>,
        parent: i64,
        name: &[u8],
    ) -> Result<Option<i64>> {
        find.query_row(params![parent, name], |row| row.get(0))
            .optional()
            .map_err(self.failed(verb))
    }
}
