//! What every hook does first: find the profile, the front end and the person; open the pool.

use profile_db::journal::{Journal, TransactionKind};
use profile_db::model::Time;
use profile_store::pool::PoolLock;
use profile_store::transaction::front_end::Started;
use profile_store::transaction::notes::{self, About, Note};
use profile_store::transaction::{Asker, Caller, World};
use profile_store::{Error, Pool, Session};

use crate::mode::Mode;
use crate::policy::Verdict;
use crate::say;

/// One call of a hook, in a profile.
#[derive(Debug)]
pub struct Hook {
    /// Which hook.
    pub mode: Mode,
    /// The profile it runs in.
    pub session: Session,
    /// The hook's own process id: its ancestors tell who asks.
    pub pid: u32,
    /// What the environment tells about the person.
    pub asker: Asker,
    /// Why no protection is wanted, when none is.
    pub switched_off: Option<String>,
    /// When it was called.
    pub now: Time,
}

/// What a hook works on.
#[derive(Debug)]
pub struct Work<'a> {
    /// The hook.
    pub hook: &'a Hook,
    /// Who asks.
    pub caller: &'a Caller,
    /// The profile in its pool.
    pub world: World<'a>,
    /// The journal.
    pub journal: Journal,
    /// The pool's lock, when nobody else has it.
    pub lock: Option<PoolLock>,
}

impl Hook {
    /// The kind of transaction that this hook is about.
    pub fn kind(&self) -> TransactionKind {
        match self.mode {
            Mode::Pre | Mode::Plan | Mode::Post => TransactionKind::Apt,
            Mode::DpkgPre | Mode::DpkgPost => TransactionKind::Dpkg,
        }
    }

    /// Who asks; `None` when the process that started the hook is gone.
    pub fn caller(&self) -> Result<Option<Caller>, Error> {
        let started = match self.mode {
            Mode::Pre | Mode::Post => Started::ByCopy,
            Mode::Plan | Mode::DpkgPre | Mode::DpkgPost => Started::Directly,
        };
        Caller::of_hook(self.pid, started, &self.asker)
    }

    /// Opens the pool and does `work`. What fails before it is told and left as a note.
    pub fn with_journal(
        &self,
        caller: &Caller,
        work: impl FnOnce(&Work<'_>) -> Result<Verdict, Error>,
    ) -> Verdict {
        let pool = match Pool::open_session(&self.session) {
            Ok(pool) => pool,
            Err(error) => return self.failed(None, caller, &error),
        };
        let outcome = pool.journal().and_then(|journal| {
            let work_on = Work {
                hook: self,
                caller,
                world: World::of_session(&pool, &self.session),
                journal,
                // A hook does not wait for another command: what needs the lock is left to the next one.
                lock: pool.lock_within(std::time::Duration::ZERO).ok(),
            };
            work(&work_on)
        });
        match outcome {
            Ok(verdict) => verdict,
            Err(error) => self.failed(Some(&pool), caller, &error),
        }
    }

    /// Tells that this hook could not do its work, and leaves a note where that is its only trace.
    pub fn failed(&self, pool: Option<&Pool>, caller: &Caller, error: &Error) -> Verdict {
        let what = match self.mode {
            Mode::Pre | Mode::DpkgPre => "this change is not protected and cannot be undone",
            Mode::Plan => "the plan of this change was not recorded",
            Mode::Post | Mode::DpkgPost => "this change is not fully recorded yet",
        };
        say::warn(&format!("{what}: {}", say::whole(error)), &say::help(error));
        if matches!(self.mode, Mode::Pre | Mode::DpkgPre) {
            self.leave_note(pool, caller, &say::whole(error));
        }
        Verdict::Failed
    }

    /// Leaves word beside the journal that this change is unprotected: in the pool, or where the
    /// session keeps it when the pool takes nothing.
    pub fn leave_note(&self, pool: Option<&Pool>, caller: &Caller, reason: &str) {
        let mut note = Note::new(
            About::Unprotected,
            &self.session.profile,
            &self.session.base,
            self.kind(),
            caller,
            self.now,
        );
        note.reason = Some(reason.to_owned());
        let in_pool = pool.map(|pool| notes::leave(&notes::directory(pool.layout()), &note));
        if matches!(in_pool, Some(Ok(()))) {
            return;
        }
        if let Err(error) = notes::leave(notes::RUN.as_ref(), &note) {
            say::warn(
                &format!(
                    "not even a note of it could be left: {}",
                    say::whole(&error)
                ),
                "",
            );
        }
    }
}
