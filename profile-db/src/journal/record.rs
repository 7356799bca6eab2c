//! The life of a transaction: begin, what becomes known, end, undone.

use rusqlite::{OptionalExtension, Params, params};

use super::{Durability, Error, Finish, Journal, NewTransaction, Outcome, Result};
use crate::model::{Time, TransactionNumber};
use crate::state::{self, Event, State};

impl Journal {
    /// Begins a transaction and gives it its number. Durable with one sync:
    /// when this returns the intent is on the disk, and the first change may
    /// be made.
    pub fn begin(&self, new: &NewTransaction) -> Result<TransactionNumber> {
        let verb = "begin a transaction";
        self.write(verb, Durability::Durable, || {
            let connection = self.connection(verb)?;
            let failed = self.failed(verb);
            let owner = &new.owner;
            connection
                .prepare_cached(
                    "INSERT INTO transactions (profile, base, kind, state, command, user, uid, \
                     front_end, owner_pid, owner_start_time, owner_pid_ns, owner_boot_id, \
                     owner_soft_reboots, started, undoes, noticed) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
                )
                .and_then(|mut insert| {
                    insert.execute(params![
                        new.profile.as_str(),
                        new.base.as_str(),
                        new.kind.as_str(),
                        State::Open.as_str(),
                        new.command,
                        new.user,
                        new.uid,
                        new.front_end,
                        owner.pid,
                        // SQLite has no unsigned numbers; the signed twin comes
                        // back as it went in.
                        owner.start_time as i64,
                        owner.pid_ns as i64,
                        owner.boot_id,
                        owner.soft_reboots,
                        new.started.to_string(),
                        new.undoes.map(TransactionNumber::get),
                        json_list(&new.noticed),
                    ])
                })
                .map_err(&failed)?;
            let number = connection.last_insert_rowid();
            TransactionNumber::new(number).map_err(|error| Error::Malformed {
                verb,
                path: self.path.clone(),
                place: "the number of the new transaction".to_owned(),
                detail: error.to_string(),
            })
        })
    }

    /// Records the snapshot of before.
    ///
    /// Not synced: the snapshot's own name says which transaction it belongs
    /// to, so after a power cut `recover` finds on the disk what this would
    /// have said, and a sync here would be the hook's second one for nothing.
    pub fn set_pre(&self, number: TransactionNumber, snapshot: &str) -> Result<()> {
        self.update(
            "record the snapshot before",
            Durability::Ordered,
            number,
            "UPDATE transactions SET pre = ?2 WHERE number = ?1",
            params![number.get(), snapshot],
        )
    }

    /// Records the snapshot of after, or that there is none any more. Not
    /// synced, as [`Journal::set_pre`]; `finish` follows, or the next commit of
    /// the group replaces it.
    pub fn set_post(&self, number: TransactionNumber, snapshot: Option<&str>) -> Result<()> {
        self.update(
            "record the snapshot after",
            Durability::Ordered,
            number,
            "UPDATE transactions SET post = ?2 WHERE number = ?1",
            params![number.get(), snapshot],
        )
    }

    /// Forgets the snapshots of a transaction, before retention takes them, and says since when. Durable: when
    /// this has returned nothing of the journal names them, and a cut leaves snapshots that are collected
    /// later, never a row that promises what is not there.
    pub fn forget_snapshots(&self, number: TransactionNumber, gone: Time) -> Result<()> {
        let verb = "forget the snapshots";
        self.write(verb, Durability::Durable, || {
            self.update(
                verb,
                Durability::Durable,
                number,
                "UPDATE transactions SET pre = NULL, post = NULL, files_gone = ?2 \
                 WHERE number = ?1",
                params![number.get(), gone.to_string()],
            )?;
            self.forget_size(number)
        })
    }

    /// Replaces the command line by a better one that became known later; the
    /// caller took secrets out. Not synced.
    pub fn set_command(&self, number: TransactionNumber, command: &str) -> Result<()> {
        self.update(
            "record the command",
            Durability::Ordered,
            number,
            "UPDATE transactions SET command = ?2 WHERE number = ?1",
            params![number.get(), command],
        )
    }

    /// Replaces who asked for it, when that became known later. Not synced.
    pub fn set_user(
        &self,
        number: TransactionNumber,
        user: Option<&str>,
        uid: Option<u32>,
    ) -> Result<()> {
        self.update(
            "record the user",
            Durability::Ordered,
            number,
            "UPDATE transactions SET user = ?2, uid = ?3 WHERE number = ?1",
            params![number.get(), user, uid],
        )
    }

    /// Replaces what was noticed. Not synced.
    pub fn set_noticed(&self, number: TransactionNumber, noticed: &[String]) -> Result<()> {
        self.update(
            "record what was noticed",
            Durability::Ordered,
            number,
            "UPDATE transactions SET noticed = ?2 WHERE number = ?1",
            params![number.get(), json_list(noticed)],
        )
    }

    /// Counts one more commit of the transaction's group. Durable: a group is
    /// done only if every commit that began has ended.
    pub fn begin_commit(&self, number: TransactionNumber) -> Result<()> {
        self.update(
            "record a commit",
            Durability::Durable,
            number,
            "UPDATE transactions SET commits_begun = commits_begun + 1 WHERE number = ?1",
            params![number.get()],
        )
    }

    /// Counts a commit of the transaction's group as ended; never more than
    /// began. Not synced by itself: put it in a batch with what else a post
    /// knows.
    pub fn end_commit(&self, number: TransactionNumber) -> Result<()> {
        self.update(
            "record the end of a commit",
            Durability::Ordered,
            number,
            "UPDATE transactions SET commits_ended = min(commits_begun, commits_ended + 1) \
             WHERE number = ?1",
            params![number.get()],
        )
    }

    /// Ends a transaction, and says in which state it is now. Durable. Ending
    /// it again the same way changes nothing.
    pub fn finish(&self, number: TransactionNumber, finish: &Finish) -> Result<State> {
        let verb = "finish transaction";
        let (event, reason) = match &finish.outcome {
            Outcome::Done => (Event::Succeed, None),
            Outcome::Failed => (Event::Fail, None),
            Outcome::Interrupted => (Event::Interrupt, None),
            Outcome::Skipped(reason) => (Event::Skip, Some(reason.as_str())),
        };
        self.write(verb, Durability::Durable, || {
            let connection = self.connection(verb)?;
            let state = self.transit(verb, number, event)?;
            // Whoever acknowledged it stays told; what became done after all
            // needs no attention any more.
            connection
                .prepare_cached(
                    "UPDATE transactions SET state = ?2, ended = coalesce(?3, ended), \
                     problem = coalesce(?4, problem), \
                     unprotected_reason = coalesce(?5, unprotected_reason), \
                     attention = CASE WHEN ?6 THEN max(attention, 1) \
                                      WHEN attention = 1 THEN 0 ELSE attention END \
                     WHERE number = ?1",
                )
                .and_then(|mut update| {
                    update.execute(params![
                        number.get(),
                        state.as_str(),
                        finish.ended.map(|time| time.to_string()),
                        finish.problem,
                        reason,
                        matches!(state, State::Skipped | State::Interrupted | State::Failed),
                    ])
                })
                .map_err(self.failed(verb))?;
            Ok(state)
        })
    }

    /// Forgets an open transaction that changed nothing. Its number is not
    /// given out again. Refused when anything is recorded about it. Durable
    /// with the next durable call: coming back, it is dropped again.
    pub fn drop_empty(&self, number: TransactionNumber) -> Result<()> {
        let verb = "drop transaction";
        self.write(verb, Durability::Ordered, || {
            let connection = self.connection(verb)?;
            let not_empty = |what| Err(Error::NotEmpty { number, what });
            if self.state(verb, number)? != State::Open {
                return not_empty("ended");
            }
            for (what, query) in [
                ("packages", "SELECT 1 FROM packages WHERE txn = ?1 LIMIT 1"),
                (
                    "conffiles",
                    "SELECT 1 FROM conffiles WHERE txn = ?1 LIMIT 1",
                ),
                ("a list of paths", "SELECT 1 FROM path_lists WHERE txn = ?1"),
                (
                    "a transaction that it undid",
                    "SELECT 1 FROM transactions WHERE undone_by = ?1",
                ),
                ("an undo", "SELECT 1 FROM transactions WHERE undoes = ?1"),
            ] {
                let found = connection
                    .prepare_cached(query)
                    .and_then(|mut select| select.exists([number.get()]))
                    .map_err(self.failed(verb))?;
                if found {
                    return not_empty(what);
                }
            }
            connection
                .execute("DELETE FROM transactions WHERE number = ?1", [number.get()])
                .map_err(self.failed(verb))?;
            Ok(())
        })
    }

    /// Records that `by` took a transaction back. Durable.
    pub fn mark_undone(&self, number: TransactionNumber, by: TransactionNumber) -> Result<()> {
        let verb = "mark as undone transaction";
        self.write(verb, Durability::Durable, || {
            let connection = self.connection(verb)?;
            self.state(verb, by)?;
            let state = self.transit(verb, number, Event::Undo)?;
            connection
                .execute(
                    "UPDATE transactions SET state_before_undo = state, state = ?2, \
                     undone_by = ?3, attention = CASE attention WHEN 1 THEN 2 ELSE attention END \
                     WHERE number = ?1",
                    params![number.get(), state.as_str(), by.get()],
                )
                .map_err(self.failed(verb))?;
            Ok(())
        })
    }

    /// Records that the undo of a transaction was itself undone: it is in its
    /// former state again. Says in which. Durable.
    pub fn clear_undone(&self, number: TransactionNumber) -> Result<State> {
        let verb = "mark as not undone transaction";
        self.write(verb, Durability::Durable, || {
            let connection = self.connection(verb)?;
            let state = self.state(verb, number)?;
            let before: Option<String> = connection
                .query_row(
                    "SELECT state_before_undo FROM transactions WHERE number = ?1",
                    [number.get()],
                    |row| row.get(0),
                )
                .map_err(self.failed(verb))?;
            if state != State::Undone {
                return Err(Error::WrongState {
                    verb,
                    number,
                    source: state::WrongTransition {
                        from: state,
                        event: Event::Restore,
                    },
                });
            }
            let before = before
                .as_deref()
                .and_then(|word| word.parse().ok())
                .and_then(state::restored)
                .ok_or_else(|| Error::Malformed {
                    verb,
                    path: self.path.clone(),
                    place: format!("state_before_undo of row {number}"),
                    detail: "it is no state that can be undone".to_owned(),
                })?;
            connection
                .execute(
                    "UPDATE transactions SET state = ?2, state_before_undo = NULL, \
                     undone_by = NULL WHERE number = ?1",
                    params![number.get(), before.as_str()],
                )
                .map_err(self.failed(verb))?;
            Ok(before)
        })
    }

    /// Records that the user knows about a transaction. Durable.
    pub fn acknowledge(&self, number: TransactionNumber) -> Result<()> {
        self.update(
            "acknowledge",
            Durability::Durable,
            number,
            "UPDATE transactions SET attention = CASE attention WHEN 1 THEN 2 ELSE attention END \
             WHERE number = ?1",
            params![number.get()],
        )
    }

    /// Keeps the snapshots of a transaction whatever retention says, or no
    /// longer. Durable.
    pub fn set_pinned(&self, number: TransactionNumber, pinned: bool) -> Result<()> {
        self.update(
            "pin",
            Durability::Durable,
            number,
            "UPDATE transactions SET pinned = ?2 WHERE number = ?1",
            params![number.get(), pinned],
        )
    }

    /// The state of a transaction, or an error that there is none.
    pub(super) fn state(&self, verb: &'static str, number: TransactionNumber) -> Result<State> {
        let connection = self.connection(verb)?;
        let word: Option<String> = connection
            .prepare_cached("SELECT state FROM transactions WHERE number = ?1")
            .and_then(|mut select| {
                select
                    .query_row([number.get()], |row| row.get(0))
                    .optional()
            })
            .map_err(self.failed(verb))?;
        let word = word.ok_or(Error::NoSuchTransaction { verb, number })?;
        word.parse()
            .map_err(|error: crate::model::UnknownWord| Error::Malformed {
                verb,
                path: self.path.clone(),
                place: format!("state of row {number}"),
                detail: error.to_string(),
            })
    }

    fn transit(
        &self,
        verb: &'static str,
        number: TransactionNumber,
        event: Event,
    ) -> Result<State> {
        state::transition(self.state(verb, number)?, event).map_err(|source| Error::WrongState {
            verb,
            number,
            source,
        })
    }

    /// An update of one transaction; an error when there is none.
    fn update(
        &self,
        verb: &'static str,
        durability: Durability,
        number: TransactionNumber,
        sql: &str,
        params: impl Params,
    ) -> Result<()> {
        self.write(verb, durability, || {
            let connection = self.connection(verb)?;
            let rows = connection
                .prepare_cached(sql)
                .and_then(|mut update| update.execute(params))
                .map_err(self.failed(verb))?;
            match rows {
                0 => Err(Error::NoSuchTransaction { verb, number }),
                _ => Ok(()),
            }
        })
    }
}

/// A list of texts as JSON.
fn json_list(texts: &[String]) -> String {
    serde_json::to_string(texts).expect("BUG: a list of texts is valid JSON")
}
