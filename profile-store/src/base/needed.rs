//! What names a base, and so keeps it from being removed.

use std::path::Path;

use profile_db::BootRecord;
use profile_db::model::BaseVersion;
use profile_sys::file;

use crate::error::Result;
use crate::in_use;
use crate::layout::PROFILE_FILE;
use crate::pool::Pool;
use crate::profile;

/// Everything that names the base, in the user's words.
///
/// What cannot be parsed is taken to name every base: nothing is collected on a guess.
///
/// # Errors
///
/// A directory of the pool cannot be read.
pub fn needed_by(pool: &Pool, version: &BaseVersion) -> Result<Vec<String>> {
    let layout = pool.layout();
    let mut by = Vec::new();
    for name in file::list(&layout.profiles())? {
        if name != ".template" {
            names(&layout.profiles().join(&name), version, "profile", &mut by)?;
        }
    }
    for id in file::list(&layout.all_snapshots())? {
        let directory = layout.all_snapshots().join(&id);
        let mut snapshots = Vec::new();
        for name in file::list(&directory)? {
            names(&directory.join(&name), version, "snapshot", &mut snapshots)?;
        }
        // A profile has many snapshots over one base: one line tells it.
        if let Some(first) = snapshots.first() {
            by.push(format!(
                "{} snapshots of profile {} ({first} …)",
                snapshots.len(),
                id.to_string_lossy()
            ));
        }
    }
    for (place, word) in [(layout.staging(), "staging"), (layout.trash(), "trash")] {
        for name in file::list(&place)? {
            let directory = place.join(&name);
            for part in file::list(&directory)? {
                let part = directory.join(part);
                if file::exists(&part.join(PROFILE_FILE))? {
                    names(&part, version, word, &mut by)?;
                }
            }
        }
    }
    let record = layout.boot_record();
    if file::exists(&record)? {
        let wanted = format!("@base/{version}");
        match BootRecord::parse(&file::read_limited(
            &record,
            profile_db::boot_record::SIZE_MAX as u64 + 1,
        )?) {
            Ok(record) => {
                let named = record.operations.iter().any(|operation| {
                    operation.staged.path.to_string() == wanted
                        || operation.live.to_string() == wanted
                });
                if named {
                    by.push("the boot record".into());
                }
            }
            Err(error) => by.push(format!("perhaps the boot record ({error})")),
        }
    }
    let path = layout.base(version);
    if file::exists(&path)? {
        if let Some(why) = in_use::of(pool)?.names(pool, &path)? {
            by.push(format!("a mount ({why})"));
        }
    }
    Ok(by)
}

fn names(subvolume: &Path, version: &BaseVersion, what: &str, by: &mut Vec<String>) -> Result<()> {
    let short = subvolume
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    match profile::read_file(subvolume) {
        Ok(profile) if profile.base.version == *version => {
            by.push(format!("{what} {} ({short})", profile.name))
        }
        Ok(_) => {}
        Err(error) => by.push(format!("perhaps {what} {short} ({error})")),
    }
    Ok(())
}
