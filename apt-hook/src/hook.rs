//! What every hook does first: find the profile, the front end and the person; open the pool.

use std::cell::RefCell;
use std::time::Duration;

use profile_db::journal::{Journal, TransactionKind};
use profile_db::model::Time;
use profile_store::pool::{JOURNAL_WAIT, PoolLock};
use profile_store::transaction::early::{self, Early};
use profile_store::transaction::front_end::Started;
use profile_store::transaction::notes::{self, About, Note};
use profile_store::transaction::{Asker, Caller, World, rows};
use profile_store::{Error, Pool, Session};
use profile_sys::deadline::{self, Ended};

use crate::mode::Mode;
use crate::policy::{self, Policy, Verdict};
use crate::say;

/// What is said of a plan that was lost.
pub const NO_PLAN: &str = "the plan of this change was not recorded";

/// How long the first hook of a change waits for another command to give the pool's lock back.
const LOCK_WAIT: Duration = Duration::from_secs(1);

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
    /// What a failure means for apt.
    pub policy: Policy,
    /// How long it may take.
    pub limit: Duration,
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
    pub world: &'a World<'a>,
    /// The journal.
    pub journal: Journal,
    /// The pool's lock, when nobody else has it.
    pub lock: Option<PoolLock>,
    /// The snapshot after the change, when its making has begun.
    pub early: RefCell<Option<Early>>,
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
        let world = World::of_session(&pool, &self.session);
        let outcome = std::thread::scope(|scope| {
            let early = match self.mode {
                Mode::Post => early::guess(&world, caller),
                Mode::Pre | Mode::Plan | Mode::DpkgPre | Mode::DpkgPost => None,
            };
            let early = early.map(|(early, making)| {
                scope.spawn(|| making.make(&world));
                early
            });
            self.in_journal(&world, caller, early, work)
        });
        match outcome {
            Ok(verdict) => verdict,
            Err(error) => self.failed(Some(&pool), caller, &error),
        }
    }

    fn in_journal(
        &self,
        world: &World<'_>,
        caller: &Caller,
        early: Option<Early>,
        work: impl FnOnce(&Work<'_>) -> Result<Verdict, Error>,
    ) -> Result<Verdict, Error> {
        let pool = world.pool;
        let told = !self.begins()
            && notes::tells_of(Some(pool.layout()), &self.session.profile, &caller.owner);
        // A hook hardly waits for another command: what needs the lock is left to the next one. The first
        // one does, for a moment: what is closed after this change has begun is closed with it in it.
        let wait = match self.begins() {
            true => LOCK_WAIT,
            false => Duration::ZERO,
        };
        let lock = pool.lock_within(wait).ok();
        let wait = if told { rows::PATIENCE } else { JOURNAL_WAIT };
        let journal = rows::journal_within(pool, wait)?;
        work(&Work {
            hook: self,
            caller,
            world,
            journal,
            lock,
            early: RefCell::new(early),
        })
    }

    /// Tells that this hook could not do its work, and leaves a note where that is its only trace.
    /// One line for one change: the later hooks are silent about what the first has told.
    pub fn failed(&self, pool: Option<&Pool>, caller: &Caller, error: &Error) -> Verdict {
        let layout = pool.map(Pool::layout);
        if !self.begins() && notes::tells_of(layout, &self.session.profile, &caller.owner) {
            return Verdict::Failed;
        }
        let what = self.failure();
        say::warn(&format!("{what}: {}", say::whole(error)), &say::help(error));
        if self.begins() && !self.stops() {
            self.leave_note(pool, caller, &say::whole(error));
        }
        Verdict::Failed
    }

    /// What a failure of this hook means.
    pub fn failure(&self) -> &'static str {
        match self.mode {
            Mode::Pre if self.stops() => {
                "this change does not happen, since it cannot be protected (hook-policy = stop)"
            }
            Mode::Pre | Mode::DpkgPre => "this change is not protected and cannot be undone",
            Mode::Plan => NO_PLAN,
            Mode::Post | Mode::DpkgPost => "this change is not fully recorded yet",
        }
    }

    /// A part of the time that the hook has, `most` at the most: what it is there for comes first.
    pub fn share(&self, most: Duration) -> Duration {
        most.min(self.limit / 4)
    }

    /// Whether this is the first hook of a change.
    pub fn begins(&self) -> bool {
        matches!(self.mode, Mode::Pre | Mode::DpkgPre)
    }

    /// Whether a failure of this hook stops the change.
    pub fn stops(&self) -> bool {
        policy::exit_status(self.mode, Verdict::Failed, self.policy) != 0
    }

    /// Leaves word beside the journal that this change is unprotected: in the pool, or where the
    /// session keeps it when the pool takes nothing.
    pub fn leave_note(&self, pool: Option<&Pool>, caller: &Caller, reason: &str) {
        let note = self.note(caller, reason);
        let in_pool = pool.map(|pool| notes::leave(&notes::directory(pool.layout()), &note));
        if !matches!(in_pool, Some(Ok(()))) {
            leave_in_session(&note);
        }
    }

    /// As [`Hook::leave_note`], from the process that does not work itself: whatever kept the work
    /// from ending may keep this from ending too.
    pub fn leave_note_within(&self, limit: Duration, caller: &Caller, reason: &str) {
        let note = self.note(caller, reason);
        let leave = || {
            let left = Pool::open_session(&self.session)
                .and_then(|pool| notes::leave(&notes::directory(pool.layout()), &note));
            i32::from(left.is_err())
        };
        match deadline::run_within(limit, leave) {
            Ok(Ended::InTime(0)) => {}
            _ => leave_in_session(&note),
        }
    }

    fn note(&self, caller: &Caller, reason: &str) -> Note {
        let (profile, base) = (&self.session.profile, &self.session.base);
        let about = About::Unprotected;
        let mut note = Note::new(about, profile, base, self.kind(), caller, self.now);
        note.reason = Some(reason.to_owned());
        note
    }
}

/// The last resort: word of it lasts as long as the session.
fn leave_in_session(note: &Note) {
    if let Err(error) = notes::leave(notes::RUN.as_ref(), note) {
        let what = format!(
            "not even a note of it could be left: {}",
            say::whole(&error)
        );
        say::warn(&what, "");
    }
}
