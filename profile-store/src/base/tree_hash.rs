//! The content hash of a base: what a profile pins besides the version.
//!
//! SHA-256 over every entry in byte order of its path: path, type, mode, owner, device number,
//! symlink target, content, extended attributes, and which earlier path it is a hard link of. Times
//! are left out: they are no content, and a base that is added again from the same tar must have
//! the same hash.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use profile_db::model::TreeHash;
use profile_sys::file;
use profile_sys::tree::{self, Kind};
use sha2::{Digest, Sha256};
use walkdir::WalkDir;

use crate::error::Result;
use crate::progress::Progress;
use crate::state_paths::walk_error;

/// Bytes read at a time.
const BUFFER_BYTES: usize = 256 * 1024;
/// Entries between two reports of progress.
const REPORT_ENTRIES: u64 = 500;

/// The hash and the extent of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeSummary {
    /// SHA-256 of the tree.
    pub hash: TreeHash,
    /// Number of entries, the root included.
    pub entries: u64,
    /// Sum of the sizes of regular files, hard links counted once, in bytes.
    pub bytes: u64,
}

/// Hashes the tree at `root`, a base's own subvolume (not a merged view).
///
/// # Errors
///
/// Something in the tree cannot be read.
pub fn summarize(root: &Path, progress: &mut dyn Progress) -> Result<TreeSummary> {
    let mut hasher = Sha256::new();
    let (mut entries, mut bytes) = (0, 0);
    let mut links: HashMap<(u64, u64), PathBuf> = HashMap::new();
    // sort_by compares within a directory, and the walk is depth first: a fixed total order.
    let walk = WalkDir::new(root)
        .follow_links(false)
        .sort_by(|a, b| a.file_name().as_bytes().cmp(b.file_name().as_bytes()));
    for entry in walk {
        let entry = entry.map_err(|error| walk_error(root, error))?;
        let relative = entry.path().strip_prefix(root).unwrap_or(Path::new(""));
        let Some(meta) = tree::lstat(entry.path())? else {
            continue;
        };
        field(&mut hasher, relative.as_os_str().as_bytes());
        field(
            &mut hasher,
            format!(
                "{:?} {:o} {} {} {}",
                meta.kind, meta.mode, meta.uid, meta.gid, meta.rdev
            )
            .as_bytes(),
        );
        for (name, value) in tree::xattrs(entry.path())? {
            field(&mut hasher, name.as_bytes());
            field(&mut hasher, &value);
        }
        entries += 1;
        if meta.kind != Kind::Directory && meta.nlink > 1 {
            if let Some(first) = links.get(&(meta.dev, meta.ino)) {
                field(&mut hasher, b"link");
                field(&mut hasher, first.as_os_str().as_bytes());
                continue;
            }
            links.insert((meta.dev, meta.ino), relative.to_path_buf());
        }
        match meta.kind {
            Kind::File => {
                field(&mut hasher, &meta.size.to_le_bytes());
                bytes += meta.size;
                hash_content(&mut hasher, entry.path())?;
            }
            Kind::Symlink => field(
                &mut hasher,
                file::read_link(entry.path())?.as_os_str().as_bytes(),
            ),
            _ => {}
        }
        if entries % REPORT_ENTRIES == 0 {
            progress.advance(entries, None);
        }
    }
    let hash =
        TreeHash::from_bytes("sha256", &hasher.finalize()).expect("BUG: SHA-256 has 64 digits");
    Ok(TreeSummary {
        hash,
        entries,
        bytes,
    })
}

/// Adds one field with its length, so that no two different sequences of fields hash alike.
fn field(hasher: &mut Sha256, bytes: &[u8]) {
    hasher.update((bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}

fn hash_content(hasher: &mut Sha256, path: &Path) -> Result<()> {
    let failed = |source| profile_sys::Error::Io {
        verb: "read",
        path: path.to_path_buf(),
        source,
    };
    let mut file = File::open(path).map_err(failed)?;
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match file.read(&mut buffer).map_err(failed)? {
            0 => return Ok(()),
            count => hasher.update(&buffer[..count]),
        }
    }
}
