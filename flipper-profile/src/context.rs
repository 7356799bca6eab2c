//! What every command needs: the pool, the profile, progress, and a person's yes.

use std::cell::{OnceCell, RefCell};
use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use profile_db::model::Time;
use profile_db::{Journal, ProfileFile};
use profile_store::transaction::{World, catch_up};
use profile_store::{Error, Exit, Pool, Progress, Selector, Session, pool, profile};

use crate::cli::Global;
use crate::failure::{Failure, chain};
use crate::output::{Screen, escape, progress};

/// Result of a command's parts.
pub type Result<T> = std::result::Result<T, Failure>;

/// The options of the command line and the streams of the process.
#[derive(Debug)]
pub struct Context {
    global: Global,
    /// Where output goes.
    pub screen: Screen,
    /// The verb's words joined by a dash.
    pub verb: &'static str,
    /// Where this process alone sees the pool's top level.
    top: OnceCell<PathBuf>,
    /// What a program has to know besides the result.
    warnings: RefCell<Vec<String>>,
}

impl Context {
    /// Checks what can be checked before a pool is touched.
    ///
    /// # Errors
    ///
    /// The process is not root, except for the verbs that only generate files.
    pub fn new(global: Global, screen: Screen, verb: &'static str) -> Result<Self> {
        if !verb.starts_with("generate-") && !is_root() {
            let failure = Failure::new(
                Exit::Failed,
                "not-root",
                format!("{} must be run as root", words(verb)),
            );
            return Err(failure.hint("try it again with sudo"));
        }
        Ok(Self {
            global,
            screen,
            verb,
            top: OnceCell::new(),
            warnings: RefCell::default(),
        })
    }

    /// Tells what does not keep the verb from its work: in the envelope with `--json`, else as a note.
    pub fn warn(&self, text: String) {
        self.screen.note(&escape::lines(&text));
        self.warnings.borrow_mut().push(text);
    }

    /// Tells people, and nobody else, what they should know before the work begins; the answer has it too.
    pub fn say_first(&self, line: &str) {
        self.screen.note(line);
    }

    /// What was warned of so far.
    pub fn warnings(&self) -> Vec<String> {
        self.warnings.borrow().clone()
    }

    /// The pool that was named, else the one of the profile that the command runs in.
    ///
    /// # Errors
    ///
    /// None was named and the command runs in no profile, or it cannot be opened.
    pub fn pool(&self) -> Result<Pool> {
        // An empty variable is how a script unsets it.
        let named = self
            .global
            .pool
            .as_ref()
            .filter(|name| !name.is_empty())
            .map(PathBuf::from);
        let selector: Selector = pool::locate(named.as_deref())?;
        let pool = Pool::open(&selector)?;
        self.top.get_or_init(|| pool.layout().top().to_path_buf());
        Ok(pool)
    }

    /// The failure as it reads outside of this process, which alone can see the pool's top level:
    /// paths in the pool count from there, `@flipper/journal.db`.
    pub fn seen_from_outside(&self, mut failure: Failure) -> Failure {
        let Some(top) = self.top.get() else {
            return failure;
        };
        failure.message = self.without_top(&failure.message);
        for line in &mut failure.details {
            *line = self.without_top(line);
        }
        let inside = failure
            .path
            .as_ref()
            .and_then(|path| path.strip_prefix(top).ok());
        if let Some(inside) = inside.map(Path::to_path_buf) {
            failure.path = Some(inside);
        }
        failure
    }

    /// A text in which paths in the pool count from its top level, which this process alone can see.
    pub fn without_top(&self, text: &str) -> String {
        match self.top.get() {
            Some(top) => text.replace(&format!("{}/", top.display()), ""),
            None => text.to_owned(),
        }
    }

    /// `-p`, where it was given.
    pub fn named_profile(&self) -> Option<&str> {
        self.global.profile.as_deref()
    }

    /// The profile of the verbs that have no positional one: `-p`, else the entered or booted one.
    ///
    /// # Errors
    ///
    /// None was named and the command runs in none of this pool, or there is no such profile.
    pub fn profile(&self, pool: &Pool) -> Result<ProfileFile> {
        if let Some(name) = self.named_profile() {
            return Ok(profile::find(pool, name)?);
        }
        match self.session(pool)? {
            Some(session) => Ok(profile::read(pool, &session.profile)?),
            None => Err(Failure::usage(format!(
                "no profile: none was named, and {} runs in none",
                words(self.verb)
            ))
            .hint("name one with -p NAME; `flipper-profile list` shows the profiles")),
        }
    }

    /// The session of this process, when it runs in a profile of this very pool.
    ///
    /// # Errors
    ///
    /// The session file cannot be believed.
    pub fn session(&self, pool: &Pool) -> Result<Option<Session>> {
        Ok(Session::current()?.filter(|session| session.pool == pool.file().id))
    }

    /// Brings the journal up to what is there: hooks that could not record, transactions whose process
    /// is gone, changes that no hook saw. What cannot be done now is done by the next command; the
    /// verb goes on with what is recorded.
    pub fn catch_up(&self, pool: &Pool, profile: &ProfileFile) {
        let caught = || -> profile_store::Result<()> {
            let lock = pool.lock_within(Duration::ZERO)?;
            let world = World::of_profile(pool, &profile.id)?;
            catch_up(&world, &pool.journal()?, &lock, Time::now())?;
            Ok(())
        };
        match caught() {
            // Whoever holds the lock has done it, or the pool may not be written.
            Ok(()) | Err(Error::Locked { .. } | Error::PoolReadOnly { .. }) => {}
            Err(error) => self.not_up_to_date(&error),
        }
    }

    /// Warns that what the journal tells may be old.
    pub fn not_up_to_date(&self, error: &Error) {
        let why = self.without_top(&chain(error));
        self.warn(format!("the journal may not be up to date: {why}"));
    }

    /// The journal, for a verb that reads it but keeps what it has computed.
    ///
    /// # Errors
    ///
    /// It is missing, damaged or of an incompatible form.
    pub fn journal(&self, pool: &Pool) -> Result<Journal> {
        // A full or read-only disk does not keep anybody from reading.
        Ok(pool.journal().or_else(|_| pool.journal_read_only())?)
    }

    /// Progress on standard error.
    pub fn progress(&self) -> Box<dyn Progress> {
        progress::of(&self.screen)
    }

    /// Asks a person to confirm; `--yes` is the answer when it was given.
    ///
    /// # Errors
    ///
    /// Nobody can be asked, or the answer is no (exit 3).
    pub fn confirm(&self, question: &str) -> Result<()> {
        if self.global.yes {
            return Ok(());
        }
        let question = escape::lines(question);
        if !self.screen.interactive {
            return Err(Failure::new(
                Exit::Decision,
                "confirmation-needed",
                format!("{} needs a confirmation", words(self.verb)),
            )
            .details(question.lines().map(str::to_owned).collect())
            .hint("confirm it with --yes"));
        }
        if self.asked(&question) {
            return Ok(());
        }
        Err(Failure::new(
            Exit::Decision,
            "not-confirmed",
            format!("{} was not confirmed", words(self.verb)),
        ))
    }

    /// Asks whether something is wished besides; no without anybody to ask, and with `--yes`, which answers only what
    /// the command cannot do without.
    pub fn offer(&self, question: &str) -> bool {
        !self.global.yes && self.screen.interactive && self.asked(&escape::lines(question))
    }

    /// The answer to a question, whose text is escaped: yes, or anything else for no.
    fn asked(&self, question: &str) -> bool {
        // On standard error: standard output is the result's.
        let mut err = io::stderr();
        let asked = write!(err, "{question} [y/N] ").and_then(|()| err.flush());
        let mut answer = String::new();
        let read = asked.and_then(|()| io::stdin().lock().read_line(&mut answer));
        let yes = ["y", "yes"].contains(&answer.trim().to_lowercase().as_str());
        read.is_ok() && yes
    }
}

/// The verb as it is typed: "pool create". No verb of ours has a dash in it.
pub fn words(verb: &str) -> String {
    verb.replace('-', " ")
}

/// Whether the effective user is root: mounting, and btrfs's own calls, need it.
fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_in_the_pool_count_from_its_top() {
        let global = Global {
            pool: None,
            profile: None,
            json: false,
            yes: false,
            verbose: false,
            quiet: false,
        };
        let context = Context {
            global,
            screen: Screen::new(false, false, false),
            verb: "list",
            top: OnceCell::from(PathBuf::from("/run/x/pool")),
            warnings: RefCell::default(),
        };
        let locked = Error::Sys(profile_sys::Error::Locked {
            path: "/run/x/pool/@flipper/lock".into(),
        });
        let failure = context.seen_from_outside(locked.into());
        assert_eq!(failure.path.as_deref(), Some(Path::new("@flipper/lock")));
        assert_eq!(
            failure.message,
            "@flipper/lock is locked by another process"
        );
    }
}
