//! Looking at a merged tree without entering it: private overlay mounts for one call.
//!
//! A view lives in this process's own mount namespace and is unmounted when it is dropped.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use profile_sys::{btrfs, mount};

use crate::error::Result;
use crate::layout::{UPPER, WORK};
use crate::pool::Pool;
use crate::session::overlay_source;

/// A merged tree, mounted for the life of this value.
#[derive(Debug)]
pub struct View {
    path: PathBuf,
}

impl View {
    /// The merged tree as it was in `profile`, a snapshot (or any profile subvolume that is mounted
    /// nowhere), over `base`. Read-only: both sides are lower layers, so whiteouts and opaque
    /// directories are honoured and nothing can be written.
    ///
    /// # Errors
    ///
    /// The mount fails.
    pub fn read_only(pool: &Pool, profile: &Path, base: &Path) -> Result<Self> {
        let upper = profile.join(UPPER);
        let source = source_of(profile, base)?;
        Self::mount(
            pool,
            &mount::Overlay {
                source,
                lowers: vec![&upper, base],
                upper: None,
                same_filesystem: true,
            },
        )
    }

    /// The merged tree of `profile`, a staged subvolume that only this operation knows, to be changed
    /// through the overlay: what is written there becomes the upper.
    ///
    /// # Errors
    ///
    /// The mount fails.
    pub fn writable(pool: &Pool, profile: &Path, base: &Path) -> Result<Self> {
        let (upper, work) = (profile.join(UPPER), profile.join(WORK));
        let source = source_of(profile, base)?;
        let overlay = mount::Overlay {
            source,
            lowers: vec![base],
            upper: Some((&upper, &work)),
            same_filesystem: true,
        };
        Self::mount(pool, &overlay)
    }

    fn mount(pool: &Pool, overlay: &mount::Overlay<'_>) -> Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let path =
            pool.private_directory(&format!("view-{}", NEXT.fetch_add(1, Ordering::Relaxed)))?;
        mount::mount_overlay(overlay, &path)?;
        Ok(Self { path })
    }

    /// Root of the merged tree.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Unmounts the view; after this its upper is mounted nowhere.
    ///
    /// # Errors
    ///
    /// Something still has a file of it open. The view is detached then: a snapshot below a mount is never cleared
    /// away.
    pub fn close(self) -> Result<()> {
        mount::unmount(&self.path)?;
        std::mem::forget(self);
        Ok(())
    }
}

impl Drop for View {
    fn drop(&mut self) {
        // A detached view vanishes with this process's namespace at the latest, so a failure here
        // leaves nothing behind that another process could see.
        let _ = mount::unmount_detach(&self.path);
    }
}

fn source_of(profile: &Path, base: &Path) -> Result<String> {
    Ok(overlay_source(
        btrfs::subvolume_info(profile)?.uuid,
        btrfs::subvolume_info(base)?.uuid,
    ))
}
