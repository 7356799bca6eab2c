//! Starting a holder, from the side of the entry that needs one.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use profile_db::ProfileFile;
use profile_sys::lock::FileLock;
use profile_sys::{btrfs, namespace, pipe};

use super::holder::{self, Answer, Request};
use crate::error::{Error, Result};
use crate::pool::Pool;
use crate::session::{Mode, Session};
use crate::transaction::{reserve, rows};
use crate::{in_use, profile, recover};

/// How long the mounts of a holder that was killed may take to go.
const GONE: Duration = Duration::from_secs(3);
/// Pause between two looks whether they have gone.
const PAUSE: Duration = Duration::from_millis(20);
/// The launcher's exit status when it could not detach or fork.
const NOT_LAUNCHED: i32 = 1;

/// Starts a holder and returns when everything is mounted, or when another entry has started one meanwhile.
///
/// # Errors
///
/// The profile is gone or mounted elsewhere, its base cannot be used, a mount failed.
pub(super) fn start(pool: &Pool, profile: &ProfileFile) -> Result<()> {
    // Two entries that find no holder come here one after the other.
    let _lock = pool.lock()?;
    if FileLock::is_held(&pool.layout().lease(&profile.id))? {
        return Ok(());
    }
    // It may have been renamed, rebased or deleted since the caller read it.
    let profile = profile::read(pool, &profile.id)?;
    require_free(pool, &profile)?;
    // A change of it may have been cut since the caller looked. Without a journal nobody can tell.
    let pending = rows::journal_within(pool, rows::PATIENCE)
        .and_then(|journal| recover::refuse_pending(&journal, &profile.id));
    if let Err(error @ Error::NeedsRecover { .. }) = pending {
        return Err(error);
    }
    let (base, base_uuid) = profile::base_for(pool, &profile)?;
    let session = Session {
        schema: 1,
        mode: Mode::Entered,
        pool: pool.file().id,
        device: pool.device().to_path_buf(),
        profile: profile.id,
        base: profile.base.version.clone(),
        upper_uuid: btrfs::subvolume_info(&pool.layout().profile(&profile.id))?.uuid,
        base_uuid,
    };
    let root = pool.private_directory("root")?;
    let request = Request {
        pool,
        profile: &profile,
        base: &base,
        session: &session,
        root: &root,
    };
    // Whoever filled the disk may want to enter to empty it.
    reserve::with_reserve(pool, || launch(&request))
}

/// Refuses a profile that is mounted anywhere.
fn require_free(pool: &Pool, profile: &ProfileFile) -> Result<()> {
    let deadline = Instant::now() + GONE;
    loop {
        match in_use::require_free(pool, profile) {
            // A holder that was killed has let go of its lease before its processes, and with them its mounts,
            // were gone.
            Err(Error::ProfileInUse { .. }) if Instant::now() < deadline => {
                std::thread::sleep(PAUSE)
            }
            outcome => return outcome,
        }
    }
}

/// Forks the launcher, which forks the holder and ends, so that the holder is nobody's child.
fn launch(request: &Request<'_>) -> Result<()> {
    let (mut answer, writer) = pipe::pipe()?;
    let launcher = namespace::fork_child(move || {
        // Taken out in the holder alone, which closes it when it has answered; here it stays.
        let mut slot = Some(writer);
        let forked = match &slot {
            Some(writer) => detach(writer),
            None => Ok(()),
        }
        .and_then(|()| {
            namespace::fork_child(|| match slot.take() {
                Some(writer) => holder::hold(request, writer),
                None => NOT_LAUNCHED,
            })
        });
        match (forked, &slot) {
            (Ok(_), _) => 0,
            (Err(error), Some(writer)) => {
                holder::report(writer, &Answer::failed(&error, false));
                NOT_LAUNCHED
            }
            (Err(_), None) => NOT_LAUNCHED,
        }
    })?;
    launcher.wait()?;
    let mut text = Vec::new();
    answer.read_to_end(&mut text).map_err(|error| {
        profile_sys::Error::io("read the holder's answer from", "/proc/self/fd", error)
    })?;
    match Answer::parse(&text) {
        Answer::Ready => Ok(()),
        Answer::Failed { no_space: true, .. } => Err(Error::NoSpace {
            verb: "enter the profile",
            free: btrfs::usage(request.pool.layout().top())?.free,
        }),
        Answer::Failed { detail, .. } => Err(Error::CannotStart {
            command: "anything".into(),
            name: request.profile.name.to_string(),
            detail,
            status: super::OWN_FAILURE,
        }),
    }
}

/// Leaves the terminal and the working directory of the user; children get a pid namespace of their own.
fn detach(writer: &File) -> profile_sys::Result<()> {
    namespace::detach_from_terminal(&[writer.as_fd()])?;
    let root = Path::new("/");
    std::env::set_current_dir(root)
        .map_err(|error| profile_sys::Error::io("stand in", root, error))?;
    namespace::unshare(&[namespace::Kind::Pid])
}
