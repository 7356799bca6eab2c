//! `pool check`: whether the pool keeps what it promises. Reads only.

use profile_db::model::SnapshotName;
use profile_sys::{btrfs, file};

use crate::error::{Error, Result};
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
    /// What helps.
    pub hint: String,
}

/// What helps where the journal itself is damaged.
const JOURNAL: &str = "profiles and snapshots do not need it and can still be entered; put @flipper/journal.db back from a copy of the pool";
/// What helps where a base is damaged.
const BASE: &str =
    "add it anew under another version; `flipper-profile base info` tells who stands over it";
/// What helps where profile.json is damaged.
const PROFILE_FILE: &str =
    "put its profile.json back: every snapshot of it below @snapshots has one";
/// What helps where nothing else is known.
const COPY_OUT: &str =
    "copy what you need of it out with `flipper-profile run`, and create it anew";
/// What helps where the template is damaged.
const TEMPLATE: &str = "clone a profile with `flipper-profile clone` instead of creating one";

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
            Err(error) => failed(&mut problems, &subject, &error, PROFILE_FILE),
        }
    }
    template(pool, &mut problems)?;
    Ok(problems)
}

fn note(
    problems: &mut Vec<Problem>,
    subject: &str,
    detail: impl std::fmt::Display,
    hint: impl Into<String>,
) {
    problems.push(Problem {
        subject: subject.to_owned(),
        detail: detail.to_string(),
        hint: hint.into(),
    });
}

/// What could not be examined; the error's own hint comes first.
fn failed(problems: &mut Vec<Problem>, subject: &str, error: &Error, hint: &str) {
    let hint = error.hint().unwrap_or_else(|| hint.to_owned());
    note(problems, subject, error, hint);
}

fn journal(pool: &Pool, problems: &mut Vec<Problem>) -> Result<()> {
    const SUBJECT: &str = "@flipper/journal.db";
    let journal = match pool.journal_read_only() {
        Ok(journal) => journal,
        Err(error) => {
            note(problems, SUBJECT, error, JOURNAL);
            return Ok(());
        }
    };
    match journal.integrity_check() {
        Ok(found) => found
            .into_iter()
            .for_each(|detail| note(problems, SUBJECT, detail, JOURNAL)),
        Err(error) => note(problems, SUBJECT, error, JOURNAL),
    }
    match recover::pending(&journal) {
        Ok(pending) => {
            for what in pending {
                let detail = format!("interrupted: {what}");
                note(problems, SUBJECT, detail, "run `flipper-profile recover`");
            }
        }
        Err(error) => note(problems, SUBJECT, error, JOURNAL),
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
        failed(problems, &subject, &error, BASE);
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
            BASE,
        ),
        Ok(_) => {}
        Err(error) => failed(problems, &subject, &error.into(), BASE),
    }
    if deep {
        match base::verify(pool, version, progress) {
            Ok(found) => found
                .into_iter()
                .for_each(|detail| note(problems, &subject, detail, BASE)),
            Err(error) => failed(problems, &subject, &error, BASE),
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
    let name = &profile.name;
    if let Err(error) = profile::base_for(pool, profile) {
        failed(problems, subject, &error, BASE);
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
                COPY_OUT,
            ),
            Some(_) => {}
            None => note(
                problems,
                subject,
                format!("{part} is missing"),
                format!(
                    "`flipper-profile reset {name}` makes it whole, without what was changed in it"
                ),
            ),
        }
    }
    let guard = path.join(GUARD);
    if !file::exists(&guard)? || !btrfs::is_subvolume(&guard)? {
        note(
            problems,
            subject,
            "its guard is missing: a stray `btrfs subvolume delete` could remove it",
            format!("`flipper-profile clone {name} NAME` makes a profile that has one"),
        );
    }
    if btrfs::is_read_only(&path)? {
        note(
            problems,
            subject,
            "it is read-only",
            format!("mount the pool's top level, and `btrfs property set DIR/{subject} ro false`"),
        );
    }
    if !file::exists(&layout.state(&profile.id))? {
        note(
            problems,
            subject,
            "its state is missing",
            format!(
                "`flipper-profile clone --no-state {name} NAME` makes a profile with a new one"
            ),
        );
    }
    if !file::exists(&layout.snapshot(&profile.id, SnapshotName::Origin))? {
        note(
            problems,
            subject,
            "its origin is missing: it cannot be reset",
            format!("`flipper-profile clone {name} NAME` makes a profile that can be"),
        );
    }
    Ok(())
}

fn template(pool: &Pool, problems: &mut Vec<Problem>) -> Result<()> {
    const SUBJECT: &str = "@profiles/.template";
    let path = pool.layout().template();
    if !btrfs::is_read_only(&path)? {
        note(problems, SUBJECT, "it is writable", TEMPLATE);
    }
    match profile_sys::tree::lstat(&path.join(UPPER))? {
        Some(meta) if meta.ino >= pool.inode_floor() => {}
        _ => note(
            problems,
            SUBJECT,
            "its upper does not stand above the inode floor",
            TEMPLATE,
        ),
    }
    Ok(())
}
