//! Listing transactions, newest first.
//!
//! Every listing walks one index in the order of the answer: nothing is sorted,
//! it can stop anywhere, and go on from the last number, page by page. Which index leads is decided
//! here and not by SQLite (CROSS JOIN keeps the order that is written), because
//! SQLite knows no statistics of a fresh journal.

use std::ops::ControlFlow;

use rusqlite::types::Value;
use rusqlite::{OptionalExtension, params_from_iter};

use super::{Counts, Error, Journal, Result, Transaction};
use crate::model::{ProfileId, TransactionNumber};
use crate::state::State;

/// Which transactions to list. The default is all of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Only of this profile.
    pub profile: Option<ProfileId>,
    /// Only those that changed this package: `name` or `name:architecture`.
    pub package: Option<String>,
    /// Only those that changed this path, or something below it, as far as
    /// their lists of paths are stored. Absolute and plain.
    pub path: Option<Vec<u8>>,
    /// Only in one of these states; empty is any.
    pub states: Vec<State>,
    /// Only numbers below this one: the last of a page, to get the next page.
    pub before: Option<TransactionNumber>,
    /// Only numbers above this one.
    pub after: Option<TransactionNumber>,
    /// At most so many.
    pub limit: Option<usize>,
}

/// Which transaction is the newest one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Newest {
    /// Of all.
    Any,
    /// Of those that `undo` without a number takes back: done, failed or
    /// interrupted, no undo and no redo, and not undone.
    Undoable,
    /// Of the undos that are not themselves undone, which `redo` without a
    /// number does again.
    Redoable,
}

/// A statement and its parameters.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
}

const LIST: &str = "list transactions";
/// How many transactions are read with the journal locked.
const PAGE: usize = 256;

impl Journal {
    /// The transaction with this number.
    pub fn transaction(&self, number: TransactionNumber) -> Result<Transaction> {
        let verb = "read a transaction";
        self.one(
            verb,
            &format!(
                "SELECT {} FROM transactions t WHERE t.number = ?1",
                self.columns()
            ),
            vec![number.get().into()],
        )?
        .ok_or(Error::NoSuchTransaction { verb, number })
    }

    /// The transactions that pass a filter, newest first. Give a limit: this
    /// holds all of them in memory; [`Journal::each_transaction`] does not.
    pub fn transactions(&self, filter: &Filter) -> Result<Vec<Transaction>> {
        let mut transactions = Vec::new();
        self.each_transaction(filter, |transaction| {
            transactions.push(transaction);
            ControlFlow::Continue(())
        })?;
        Ok(transactions)
    }

    /// Calls `visit` for the transactions that pass a filter, newest first,
    /// until it breaks.
    ///
    /// Reads page after page; while `visit` runs, others may use the journal,
    /// however long it takes. What is recorded meanwhile is not seen.
    pub fn each_transaction(
        &self,
        filter: &Filter,
        mut visit: impl FnMut(Transaction) -> ControlFlow<()>,
    ) -> Result<()> {
        let mut left = filter.limit.unwrap_or(usize::MAX);
        let mut filter = filter.clone();
        while left > 0 {
            let page = self.page(&filter, left.min(PAGE))?;
            let Some(last) = page.last() else {
                break;
            };
            filter.before = Some(last.number);
            left -= page.len();
            let full = page.len() == PAGE;
            for transaction in page {
                if visit(transaction).is_break() {
                    return Ok(());
                }
            }
            if !full {
                break;
            }
        }
        Ok(())
    }

    /// The first transactions that pass a filter, whatever limit it has.
    fn page(&self, filter: &Filter, limit: usize) -> Result<Vec<Transaction>> {
        let connection = self.connection(LIST)?;
        let mut page: Vec<Transaction> = Vec::new();
        let Some(query) = self.query_of(filter)? else {
            return Ok(page);
        };
        let failed = self.failed(LIST);
        let mut statement = connection.prepare_cached(&query.sql).map_err(&failed)?;
        let mut rows = statement
            .query(params_from_iter(query.values))
            .map_err(&failed)?;
        while page.len() < limit {
            let Some(row) = rows.next().map_err(&failed)? else {
                break;
            };
            let transaction = self.transaction_of(LIST, row)?;
            // A package of two architectures gives its transaction twice, one
            // after the other.
            if page.last().map(|last| last.number) != Some(transaction.number) {
                page.push(transaction);
            }
        }
        Ok(page)
    }

    /// The newest transaction of a profile, of the sort asked for.
    pub fn newest(&self, profile: &ProfileId, which: Newest) -> Result<Option<Transaction>> {
        let condition = match which {
            Newest::Any => "",
            Newest::Undoable => {
                "AND t.state IN ('done', 'failed', 'interrupted') AND t.kind NOT IN ('undo', 'redo')"
            }
            Newest::Redoable => "AND t.state = 'done' AND t.kind = 'undo'",
        };
        let columns = self.columns();
        self.one(
            "find the newest transaction",
            &format!(
                "SELECT {columns} FROM transactions t WHERE t.profile = ?1 {condition} \
                 ORDER BY t.number DESC LIMIT 1"
            ),
            vec![profile.to_string().into()],
        )
    }

    /// Those of the newest `within` transactions of a profile that have not ended, newest first: open, or
    /// unprotected or failed and without an end.
    pub fn unended(&self, profile: &ProfileId, within: usize) -> Result<Vec<Transaction>> {
        let limit = i64::try_from(within).unwrap_or(i64::MAX);
        let columns = self.columns();
        // The condition stands outside, so that what has ended is counted and not made into rows.
        self.all(&Query {
            sql: format!(
                "SELECT {columns} FROM (SELECT number FROM transactions WHERE profile = ?1 \
                 ORDER BY number DESC LIMIT ?2) newest \
                 CROSS JOIN transactions t ON t.number = newest.number \
                 WHERE t.state = 'open' OR (t.state IN ('skipped', 'failed') AND t.ended IS NULL) \
                 ORDER BY t.number DESC"
            ),
            values: vec![profile.to_string().into(), limit.into()],
        })
    }

    /// The open transactions of a profile, or of all, newest first.
    pub fn open_transactions(&self, profile: Option<&ProfileId>) -> Result<Vec<Transaction>> {
        self.marked("t.state = 'open'", profile)
    }

    /// The transactions the user must be told about, newest first: unprotected,
    /// failed or interrupted, and not acknowledged.
    pub fn unacknowledged(&self, profile: Option<&ProfileId>) -> Result<Vec<Transaction>> {
        self.marked("t.attention = 1", profile)
    }

    /// The transactions whose snapshots are pinned, newest first.
    pub fn pinned(&self, profile: Option<&ProfileId>) -> Result<Vec<Transaction>> {
        self.marked("t.pinned = 1", profile)
    }

    /// Whether an id was ever a profile's: then it must not be given out again.
    pub fn knows_profile(&self, profile: &ProfileId) -> Result<bool> {
        let connection = self.connection(LIST)?;
        connection
            .prepare_cached("SELECT 1 FROM transactions WHERE profile = ?1 LIMIT 1")
            .and_then(|mut select| select.exists([profile.as_str()]))
            .map_err(self.failed("look for a profile"))
    }

    /// Numbers of transactions by state, of a profile or of all.
    pub fn counts(&self, profile: Option<&ProfileId>) -> Result<Counts> {
        let verb = "count transactions";
        let connection = self.connection(verb)?;
        let failed = self.failed(verb);
        let (condition, values) = of_profile(profile);
        let mut counts = Counts::default();
        let mut statement = connection
            .prepare_cached(&format!(
                "SELECT state, count(*), coalesce(sum(attention = 1), 0) FROM transactions t \
                 WHERE {condition} GROUP BY state"
            ))
            .map_err(&failed)?;
        let mut rows = statement.query(params_from_iter(values)).map_err(&failed)?;
        while let Some(row) = rows.next().map_err(&failed)? {
            let state: String = row.get(0).map_err(&failed)?;
            let number = row.get::<_, i64>(1).map_err(&failed)?.unsigned_abs();
            counts.unacknowledged += row.get::<_, i64>(2).map_err(&failed)?.unsigned_abs();
            counts.transactions += number;
            match state.parse() {
                Ok(State::Open) => counts.open = number,
                Ok(State::Done) => counts.done = number,
                Ok(State::Failed) => counts.failed = number,
                Ok(State::Interrupted) => counts.interrupted = number,
                Ok(State::Skipped) => counts.skipped = number,
                Ok(State::Undone) => counts.undone = number,
                Err(error) => {
                    return Err(Error::Malformed {
                        verb,
                        path: self.path.clone(),
                        place: "the state of a transaction".to_owned(),
                        detail: format!("{error}"),
                    });
                }
            }
        }
        Ok(counts)
    }

    /// The statement for a filter; none when nothing can pass it.
    pub(super) fn query_of(&self, filter: &Filter) -> Result<Option<Query>> {
        let mut conditions = Vec::new();
        let mut values: Vec<Value> = Vec::new();
        let mut bind = |conditions: &mut Vec<String>, text: &str, value: Value| {
            values.push(value);
            conditions.push(text.replace('?', &format!("?{}", values.len())));
        };
        let package = filter.package.as_deref().map(|package| {
            let (name, architecture) = match package.split_once(':') {
                Some((name, architecture)) => (name, Some(architecture)),
                None => (package, None),
            };
            (name.to_owned(), architecture.map(str::to_owned))
        });
        // What leads the walk, and the column that orders it.
        let (from, number) = if let Some(path) = &filter.path {
            let Some(id) = self.path_id(LIST, path)? else {
                return Ok(None);
            };
            bind(&mut conditions, "i.path = ?", id.into());
            (
                "path_changes i CROSS JOIN transactions t ON t.number = i.txn",
                "i.txn",
            )
        } else if let Some((name, architecture)) = &package {
            bind(&mut conditions, "p.name = ?", name.clone().into());
            if let Some(architecture) = architecture {
                bind(
                    &mut conditions,
                    "p.architecture = ?",
                    architecture.clone().into(),
                );
            }
            (
                "packages p INDEXED BY packages_by_name CROSS JOIN transactions t ON t.number = p.txn",
                "p.txn",
            )
        } else {
            ("transactions t", "t.number")
        };
        if let (Some(_), Some((name, architecture))) = (&filter.path, package) {
            let mut both = Vec::new();
            bind(&mut both, "p.name = ?", name.into());
            if let Some(architecture) = architecture {
                bind(&mut both, "p.architecture = ?", architecture.into());
            }
            conditions.push(format!(
                "EXISTS (SELECT 1 FROM packages p WHERE p.txn = t.number AND {})",
                both.join(" AND ")
            ));
        }
        if let Some(profile) = &filter.profile {
            bind(&mut conditions, "t.profile = ?", profile.to_string().into());
        }
        match filter.states.as_slice() {
            [] => {}
            // Literally, so that the index of open transactions serves.
            [State::Open] => conditions.push("t.state = 'open'".to_owned()),
            states => {
                let words: Vec<String> = states.iter().map(|s| format!("'{s}'")).collect();
                // The sign keeps SQLite from choosing an order by state.
                conditions.push(format!("+t.state IN ({})", words.join(", ")));
            }
        }
        if let Some(before) = filter.before {
            bind(
                &mut conditions,
                &format!("{number} < ?"),
                before.get().into(),
            );
        }
        if let Some(after) = filter.after {
            bind(
                &mut conditions,
                &format!("{number} > ?"),
                after.get().into(),
            );
        }
        let conditions = if conditions.is_empty() {
            String::new()
        } else {
            format!("WHERE {} ", conditions.join(" AND "))
        };
        let columns = self.columns();
        Ok(Some(Query {
            sql: format!("SELECT {columns} FROM {from} {conditions}ORDER BY {number} DESC"),
            values,
        }))
    }

    /// The transactions that one of the partial indexes holds: few, always.
    fn marked(&self, mark: &str, profile: Option<&ProfileId>) -> Result<Vec<Transaction>> {
        let (condition, values) = of_profile(profile);
        let columns = self.columns();
        self.all(&Query {
            sql: format!(
                "SELECT {columns} FROM transactions t WHERE {mark} AND {condition} \
                 ORDER BY t.number DESC"
            ),
            values,
        })
    }

    /// Every transaction that a statement gives: for those that give few.
    fn all(&self, query: &Query) -> Result<Vec<Transaction>> {
        let connection = self.connection(LIST)?;
        let failed = self.failed(LIST);
        let mut statement = connection.prepare_cached(&query.sql).map_err(&failed)?;
        let mut rows = statement
            .query(params_from_iter(&query.values))
            .map_err(&failed)?;
        let mut transactions = Vec::new();
        while let Some(row) = rows.next().map_err(&failed)? {
            transactions.push(self.transaction_of(LIST, row)?);
        }
        Ok(transactions)
    }

    fn one(
        &self,
        verb: &'static str,
        sql: &str,
        values: Vec<Value>,
    ) -> Result<Option<Transaction>> {
        let connection = self.connection(verb)?;
        let failed = self.failed(verb);
        let mut statement = connection.prepare_cached(sql).map_err(&failed)?;
        statement
            .query_row(params_from_iter(values), |row| {
                Ok(self.transaction_of(verb, row))
            })
            .optional()
            .map_err(&failed)?
            .transpose()
    }
}

fn of_profile(profile: Option<&ProfileId>) -> (&'static str, Vec<Value>) {
    match profile {
        Some(profile) => ("t.profile = ?1", vec![profile.to_string().into()]),
        None => ("true", Vec::new()),
    }
}
