//! `pool check`: whether the pool keeps what it promises. Reads only.

use profile_db::model::SnapshotName;
use profile_sys::{btrfs, file};

use crate::error::Result;
use crate::layout::{GUARD, UPPER, WORK};
use crate::pool::Pool;
use crate::progress::Progress;
use crate::{base, profile, recover};

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What it is about: a path from the pool's top, or a part.
    pub subject: String,
    /// What is wrong.
    pub detail: String,
}

/// Checks the layout, the journal, every base and every profile; with `deep`, also every base's
/// content hash.
///
/// # Errors
///
/// The pool cannot be read at all.
pub fn check(pool: &Pool, deep: bool, progress: &mut dyn Progress) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    progress.begin("checking the journal");
    journal(pool, &mut problems)?;
    progress.begin("checking the bases");
    for version in base::versions(pool)? {
        bases(pool, &version, deep, progress, &mut problems);
    }
    progress.begin("checking the profiles");
    for (id, profile) in profile::all(pool)? {
        let subject = format!("@profiles/{id}");
        match profile {
            Ok(profile) => one_profile(pool, &profile, &subject, &mut problems)?,
            Err(error) => note(&mut problems, &subject, error),
        }
    }
    template(pool, &mut problems)?;
    Ok(problems)
}

fn note(problems: &mut Vec<Problem>, subject: &str, detail: impl std::fmt::Display) {
    problems.push(Problem {
        subject: subject.to_owned(),
        detail: detail.to_string(),
    });
}

fn journal(pool: &Pool, problems: &mut Vec<Problem>) -> Result<()> {
    const SUBJECT: &str = "@flipper/journal.db";
    let journal = match pool.journal_read_only() {
        Ok(journal) => journal,
        Err(error) => {
            note(problems, SUBJECT, error);
            return Ok(());
        }
    };
    match journal.integrity_check() {
        Ok(found) => found
            .into_iter()
            .for_each(|detail| note(problems, SUBJECT, detail)),
        Err(error) => note(problems, SUBJECT, error),
    }
    match recover::pending(&journal) {
        Ok(pending) => {
            for what in pending {
                note(problems, SUBJECT, format!("interrupted: {what}"));
            }
        }
        Err(error) => note(problems, SUBJECT, error),
    }
    Ok(())
}

fn bases(
    pool: &Pool,
    version: &profile_db::model::BaseVersion,
    deep: bool,
    progress: &mut dyn Progress,
    problems: &mut Vec<Problem>,
) {
    let subject = format!("@base/{version}");
    if let Err(error) = base::locate(pool, version) {
        note(problems, &subject, error);
        return;
    }
    match btrfs::highest_inode(&pool.layout().base(version)) {
        Ok(highest) if highest >= pool.inode_floor() => note(
            problems,
            &subject,
            format!(
                "its highest inode number {highest} is not below the floor {}",
                pool.inode_floor()
            ),
        ),
        Ok(_) => {}
        Err(error) => note(problems, &subject, error),
    }
    if deep {
        match base::verify(pool, version, progress) {
            Ok(found) => found
                .into_iter()
                .for_each(|detail| note(problems, &subject, detail)),
            Err(error) => note(problems, &subject, error),
        }
    }
}

fn one_profile(
    pool: &Pool,
    profile: &profile_db::ProfileFile,
    subject: &str,
    problems: &mut Vec<Problem>,
) -> Result<()> {
    let layout = pool.layout();
    let path = layout.profile(&profile.id);
    if let Err(error) = profile::base_for(pool, profile) {
        note(problems, subject, error);
    }
    for part in [UPPER, WORK] {
        match profile_sys::tree::lstat(&path.join(part))? {
            Some(meta) if meta.ino < pool.inode_floor() => note(
                problems,
                subject,
                format!(
                    "{part} has the inode number {}, below the floor {}",
                    meta.ino,
                    pool.inode_floor()
                ),
            ),
            Some(_) => {}
            None => note(problems, subject, format!("{part} is missing")),
        }
    }
    let guard = path.join(GUARD);
    if !file::exists(&guard)? || !btrfs::is_subvolume(&guard)? {
        note(
            problems,
            subject,
            "its guard is missing: a stray `btrfs subvolume delete` could remove it",
        );
    }
    if btrfs::is_read_only(&path)? {
        note(problems, subject, "it is read-only");
    }
    if !file::exists(&layout.state(&profile.id))? {
        note(problems, subject, "its state is missing");
    }
    if !file::exists(&layout.snapshot(&profile.id, SnapshotName::Origin))? {
        note(
            problems,
            subject,
            "its origin is missing: it cannot be reset",
        );
    }
    Ok(())
}

fn template(pool: &Pool, problems: &mut Vec<Problem>) -> Result<()> {
    const SUBJECT: &str = "@profiles/.template";
    let path = pool.layout().template();
    if !btrfs::is_read_only(&path)? {
        note(problems, SUBJECT, "it is writable");
    }
    match profile_sys::tree::lstat(&path.join(UPPER))? {
        Some(meta) if meta.ino >= pool.inode_floor() => {}
        _ => note(
            problems,
            SUBJECT,
            "its upper does not stand above the inode floor",
        ),
    }
    Ok(())
}
