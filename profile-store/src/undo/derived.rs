//! Files that a program makes of others, made anew in the profile itself after both sides of them were wrong.

use std::path::Path;

use profile_sys::command::Command;
use profile_sys::file;

use super::replay::Replayed;
use crate::error::Result;

/// Where ldconfig is in a merged tree; Debian's /sbin/ldconfig is a link to it or the same directory.
const LDCONFIG: &str = "usr/sbin/ldconfig";

/// Has the profile's own ldconfig write the linker's cache. Where it cannot, that is told: programs find
/// libraries without the cache, only slower.
///
/// # Errors
///
/// It cannot be told whether there is one.
pub fn linker_cache(merged: &Path, replayed: &mut Replayed) -> Result<()> {
    if !file::exists(&merged.join(LDCONFIG))? {
        return Ok(());
    }
    let outcome = Command::new("chroot")
        .arg(merged)
        .arg(Path::new("/").join(LDCONFIG))
        .run_ok();
    if let Err(error) = outcome {
        replayed.notes.push(format!(
            "the linker's cache is not made anew: {error}; run `ldconfig` in the profile"
        ));
    }
    Ok(())
}
