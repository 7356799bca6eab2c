//! Paths that live with a profile but that undo and reset never rewind (`@state`, `@data`).
//!
//! Each is a directory below `@state/<id>` with the same path, bound over the merged tree. Logs, a
//! package cache or a container store that went back in time with an undo would be damage, not
//! help; and overlayfs cannot carry some of them at all (swap files, another overlay's upper).
//! Comparisons of trees exclude exactly this list, because the binds hide what lies below them.

mod extra;

use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use conffile_diff::dpkg::info::parse_list;
use profile_db::ProfileFile;
use profile_db::model::ProfileId;
use profile_sys::{btrfs, file, mount, tree};

pub use extra::{check_extra, check_extra_in};
use extra::{from_root, is_system};

use crate::enter::confined;
use crate::error::{Error, Result};
use crate::layout::Layout;
use crate::package_database;

/// Policy key: `home=shared` binds /home from `@data`.
pub const POLICY_HOME: &str = "home";
/// Policy key: further state paths, absolute, separated by commas.
pub const POLICY_STATE_PATHS: &str = "state-paths";
/// Largest file list of a package that is read, in bytes.
const LIST_LIMIT_BYTES: u64 = 64 * 1024 * 1024;
/// Where directories are copied to before they get their place, at the top of the state or of `@data`.
const SEEDING: &str = ".flipper-seeding";
/// Where `@data` is mounted in every profile.
pub const DATA_MOUNT: &str = "/data";

/// What the list of the design names, with the mode of the directory in a base that has none, and whether
/// `reset` keeps it.
const DEFAULT: &[(&str, u32, bool)] = &[
    ("/home", 0o755, true),
    ("/root", 0o700, true),
    ("/srv", 0o755, false),
    ("/swap", 0o700, false),
    ("/var/cache/apt", 0o755, false),
    ("/var/lib/apt/lists", 0o755, false),
    ("/var/lib/containerd", 0o711, false),
    ("/var/lib/containers", 0o755, false),
    ("/var/lib/docker", 0o710, false),
    ("/var/lib/libvirt/images", 0o711, false),
    ("/var/lib/machines", 0o700, false),
    ("/var/lib/systemd/coredump", 0o755, false),
    ("/var/log", 0o755, false),
    ("/var/tmp", 0o1777, false),
];

/// One path that is not part of the upper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatePath {
    /// Absolute path in the merged tree.
    pub path: PathBuf,
    /// Mode of the directory that a base without one gets.
    pub mode: u32,
    /// `reset` keeps its content unless all of it was asked for.
    pub kept_on_reset: bool,
    /// Comes from `@data` instead of `@state`.
    pub shared: bool,
}

impl StatePath {
    /// The path without its leading slash, to be joined to a root.
    pub fn relative(&self) -> &Path {
        self.path.strip_prefix("/").unwrap_or(&self.path)
    }

    /// Where its content stands in the pool.
    pub fn source(&self, layout: &Layout, id: &ProfileId) -> PathBuf {
        let root = if self.shared {
            layout.data()
        } else {
            layout.state(id)
        };
        root.join(self.relative())
    }
}

/// All state paths of every profile without policies: what a base is prepared for.
pub fn defaults() -> Vec<StatePath> {
    DEFAULT
        .iter()
        .map(|(path, mode, kept)| StatePath {
            path: PathBuf::from(path),
            mode: *mode,
            kept_on_reset: *kept,
            shared: false,
        })
        .collect()
}

/// All state paths of one profile, by its policies; sorted, parents before children.
pub fn of(profile: &ProfileFile) -> Vec<StatePath> {
    let mut paths = defaults();
    if policy(profile, POLICY_HOME) == Some("shared") {
        for path in paths
            .iter_mut()
            .filter(|path| path.path == Path::new("/home"))
        {
            path.shared = true;
        }
    }
    for path in listed(policy(profile, POLICY_STATE_PATHS).unwrap_or_default()) {
        // What a user has below /home is kept with the rest of it.
        let kept_on_reset = paths
            .iter()
            .any(|above| above.kept_on_reset && Path::new(path).starts_with(&above.path));
        paths.push(StatePath {
            kept_on_reset,
            ..extra(path)
        });
    }
    paths.sort_by(|a, b| a.path.cmp(&b.path));
    paths.dedup_by(|a, b| a.path == b.path);
    paths
}

fn extra(path: &str) -> StatePath {
    StatePath {
        path: PathBuf::from(path),
        mode: 0o755,
        kept_on_reset: false,
        shared: false,
    }
}

/// A policy's text, when the profile has it and it is one.
fn policy<'a>(profile: &'a ProfileFile, key: &str) -> Option<&'a str> {
    profile
        .policies
        .get(key)
        .and_then(serde_json::Value::as_str)
}

/// Whether a path of the merged tree (no leading slash) lies in or below one of `paths`.
///
/// The mount point itself counts as state: what is seen there is the state's directory.
pub fn covers(paths: &[StatePath], relative: &Path) -> bool {
    paths
        .iter()
        .any(|path| relative.starts_with(path.relative()))
}

/// The further state paths in a policy's text.
fn listed(policy: &str) -> impl Iterator<Item = &str> {
    policy
        .split(',')
        .map(str::trim)
        .filter(|path| !path.is_empty())
}

/// Fills every state directory that does not exist yet from the merged tree: services find the directories
/// that their packages shipped, and what was there before the path became state stays visible.
///
/// A path that is no directory in that tree gets none: bound over it later, an empty one would hide what a
/// package put there meanwhile. Each appears in one step, whole and on disk, so whatever is cut or fails, no
/// part of a copy is ever bound. Returns whether anything was made. The caller holds the pool's lock.
///
/// # Errors
///
/// A directory cannot be made or copied, the disk is full.
pub fn seed(layout: &Layout, profile: &ProfileFile, merged: &Path) -> Result<bool> {
    let (shared, own): (Vec<_>, Vec<_>) = outermost(of(profile))
        .into_iter()
        .partition(|path| path.shared);
    let mut seeded = false;
    for (top, paths) in [(layout.state(&profile.id), own), (layout.data(), shared)] {
        if !paths.is_empty() {
            seeded |= seed_below(layout, &top, &paths, merged)?;
        }
    }
    Ok(seeded)
}

/// Without those below another one, which older versions let a user set: their content is where that one's is.
fn outermost(mut paths: Vec<StatePath>) -> Vec<StatePath> {
    let all: Vec<PathBuf> = paths.iter().map(|path| path.path.clone()).collect();
    paths.retain(|path| {
        !all.iter()
            .any(|other| *other != path.path && path.path.starts_with(other))
    });
    paths
}

/// [`seed`] for the paths that live below one subvolume.
fn seed_below(layout: &Layout, top: &Path, paths: &[StatePath], merged: &Path) -> Result<bool> {
    let store = tree::Root::open(top)?;
    // What a seeding left that was cut short.
    store.remove_tree(SEEDING.as_ref())?;
    let mut wanting = Vec::new();
    for path in paths {
        if store.lstat(path.relative())?.is_none() {
            wanting.extend(mount_point(merged, path)?.map(|origin| (origin, path.relative())));
        }
    }
    if wanting.is_empty() {
        return Ok(false);
    }
    let copied = copy_in(layout, &store, &wanting);
    // After a failure this gives back the space; what cannot be removed now is at the next seeding.
    let removed = store.remove_tree(SEEDING.as_ref());
    copied.and_then(|()| Ok(removed?))?;
    Ok(true)
}

/// Copies each directory beside the places first, and gives them their names when all are on disk.
fn copy_in(layout: &Layout, store: &tree::Root, wanting: &[(PathBuf, &Path)]) -> Result<()> {
    let seeding = Path::new(SEEDING);
    let copy_of = |number: usize| seeding.join(number.to_string());
    store.create_directory(seeding, 0o700)?;
    for (number, (origin, _)) in wanting.iter().enumerate() {
        copy_tree(origin, &store.path().join(copy_of(number)))?;
    }
    btrfs::commit(layout.top())?;
    for (number, (_, place)) in wanting.iter().enumerate() {
        make_directories(store, place.parent().unwrap_or(Path::new("")))?;
        store.rename(&copy_of(number), place)?;
    }
    Ok(())
}

/// Directories that an installed package of the tree at `merged` ships below one of `paths`, relative to the root.
///
/// dpkg's lists do not tell a directory from a file; the files are those that have a checksum.
fn package_directories(merged: &Path, paths: &[StatePath]) -> Result<HashSet<PathBuf>> {
    let mut found = HashSet::new();
    const INFO: &str = "var/lib/dpkg/info";
    let info = package_database::place(merged, INFO.as_ref())?;
    for name in file::list(&info)? {
        let list = info.join(&name);
        if list.extension().is_none_or(|extension| extension != "list") {
            continue;
        }
        let below = |path: &Path, state: &StatePath| {
            path != state.relative() && path.starts_with(state.relative())
        };
        let shipped: Vec<PathBuf> = parse_list(&file::read_limited(&list, LIST_LIMIT_BYTES)?)
            .iter()
            .filter_map(|path| Path::new(OsStr::from_bytes(path)).strip_prefix("/").ok())
            .filter(|path| paths.iter().any(|state| below(path, state)))
            .map(Path::to_path_buf)
            .collect();
        // Hardly any package has one.
        if shipped.is_empty() {
            continue;
        }
        let sums = list.with_extension("md5sums");
        let sums = match file::exists(&sums)? {
            true => file::read_limited(&sums, LIST_LIMIT_BYTES)?,
            false => Vec::new(),
        };
        let files: HashSet<&Path> = sums
            .split(|&byte| byte == b'\n')
            .filter_map(summed)
            .collect();
        found.extend(
            shipped
                .into_iter()
                .filter(|path| !files.contains(path.as_path())),
        );
    }
    Ok(found)
}

/// The file of one line of dpkg's md5sums: the sum, two spaces, the path without leading slash.
fn summed(line: &[u8]) -> Option<&Path> {
    let gap = line.iter().position(|&byte| byte == b' ')?;
    let path = line.get(gap + 2..)?;
    Some(Path::new(OsStr::from_bytes(path)))
}

/// Empties state directories of the staged state at `state`, and seeds them again from the merged tree.
/// Directories that packages own stay, empty: their owner and mode are known only from themselves.
///
/// A path that is no directory in that tree loses its own too, and gets one as [`seed`] makes it.
///
/// # Errors
///
/// Something cannot be deleted or copied, dpkg's file lists cannot be read.
pub fn renew(state: &Path, paths: &[StatePath], merged: &Path) -> Result<()> {
    let store = tree::Root::open(state)?;
    let owned = package_directories(merged, paths)?;
    for path in paths {
        let relative = path.relative();
        if store.lstat(relative)?.map(|meta| meta.kind) != Some(tree::Kind::Directory) {
            continue;
        }
        match mount_point(merged, path)? {
            Some(origin) => {
                empty_keeping(&store, relative, &owned)?;
                seed_into(&origin, &state.join(relative))?;
            }
            None => store.remove_tree(relative)?,
        }
    }
    Ok(())
}

/// Fills the new state at `state`, which nobody sees yet, from the merged tree. With `former`, the state of the
/// profile that it is a clone of, it also gets the directories of that one that packages own, empty.
///
/// # Errors
///
/// Something cannot be copied, dpkg's file lists cannot be read.
pub fn fill_new(
    state: &Path,
    former: Option<&Path>,
    profile: &ProfileFile,
    merged: &Path,
) -> Result<()> {
    let mut paths = outermost(of(profile));
    paths.retain(|path| !path.shared);
    let former = match former {
        Some(former) => Some((
            tree::Root::open(former)?,
            package_directories(merged, &paths)?,
        )),
        None => None,
    };
    for path in &paths {
        let relative = path.relative();
        let Some(origin) = mount_point(merged, path)? else {
            continue;
        };
        let target = state.join(relative);
        make_parents(&target)?;
        let Some((former, owned)) = &former else {
            copy_tree(&origin, &target)?;
            continue;
        };
        if former.lstat(relative)?.map(|meta| meta.kind) == Some(tree::Kind::Directory) {
            let of_packages = |below: &Path, meta: &tree::Meta| {
                meta.kind == tree::Kind::Directory && owned.contains(&relative.join(below))
            };
            let from = former.path().join(relative);
            tree::copy_tree(&from, &target, &|_| false, &of_packages)?;
            seed_into(&origin, &target)?;
        } else {
            copy_tree(&origin, &target)?;
        }
    }
    Ok(())
}

/// Makes the missing directories above `target`; they are only containers, never seen in a profile.
fn make_parents(target: &Path) -> Result<()> {
    match target.parent() {
        Some(parent) => Ok(file::create_directory_all(parent, 0o755)?),
        None => Ok(()),
    }
}

/// Deletes what is in a directory, except the directories in `owned`, which become empty.
fn empty_keeping(store: &tree::Root, directory: &Path, owned: &HashSet<PathBuf>) -> Result<()> {
    for name in store.list(directory)? {
        let path = directory.join(name);
        let kind = store.lstat(&path)?.map(|meta| meta.kind);
        if kind == Some(tree::Kind::Directory) && owned.contains(&path) {
            empty_keeping(store, &path, owned)?;
        } else {
            store.remove_tree(&path)?;
        }
    }
    Ok(())
}

/// Copies what a former state directory has and the present one lacks, itself, with its owner and mode,
/// where there is none.
///
/// # Errors
///
/// Something cannot be copied.
pub fn bring_back(former: &Path, present: &Path) -> Result<()> {
    if file::exists(present)? {
        return seed_into(former, present);
    }
    make_parents(present)?;
    copy_tree(former, present)
}

/// Copies what `from` has and `to` lacks.
///
/// # Errors
///
/// Something cannot be copied.
fn seed_into(from: &Path, to: &Path) -> Result<()> {
    if !is_directory(from)? {
        return Ok(());
    }
    for name in file::list(from)? {
        let (source, target) = (from.join(&name), to.join(&name));
        if file::exists(&target)? {
            if is_directory(&source)? && is_directory(&target)? {
                seed_into(&source, &target)?;
            }
        } else {
            copy_tree(&source, &target)?;
        }
    }
    Ok(())
}

/// Makes the directories below state paths that installed packages ship and that are missing, as an
/// undo of a purge leaves them: a service must find its log directory again.
///
/// Owner and mode are root's and 0755, as dpkg would make a directory it has no better word for;
/// tmpfiles.d and the package's own scripts set them right when the service starts.
///
/// # Errors
///
/// A list cannot be read or a directory not be made.
pub fn make_missing_package_directories(
    layout: &Layout,
    profile: &ProfileFile,
    merged: &Path,
) -> Result<Vec<PathBuf>> {
    let store = tree::Root::open(&layout.state(&profile.id))?;
    let mut paths = Vec::new();
    for path in of(profile).into_iter().filter(|path| !path.shared) {
        // What is not seeded yet gets them with the rest.
        if store.lstat(path.relative())?.is_some() {
            paths.push(path);
        }
    }
    let mut directories: Vec<PathBuf> = package_directories(merged, &paths)?.into_iter().collect();
    directories.sort();
    let mut made = Vec::new();
    for directory in directories {
        if make_directories(&store, &directory)? {
            made.push(directory);
        }
    }
    Ok(made)
}

/// Makes what is missing of a directory in the tree; false when it is there, or something else is in its
/// place: a symlink of a service would lead into the host.
fn make_directories(state: &tree::Root, path: &Path) -> Result<bool> {
    let mut made = false;
    let mut at = PathBuf::new();
    for part in path.components() {
        at.push(part);
        match state.lstat(&at)?.map(|meta| meta.kind) {
            Some(tree::Kind::Directory) => {}
            Some(_) => return Ok(false),
            None => {
                state.create_directory(&at, 0o755)?;
                made = true;
            }
        }
    }
    Ok(made)
}

/// Copies an entry, a directory with all that is in it. For the base and our own state only.
fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    if is_directory(from)? {
        tree::copy_tree(from, to, &|_| false, &|_, _| true)?;
    } else {
        tree::copy_entry(from, to, &|_| false)?;
    }
    Ok(())
}

/// A walk's failure as an effect's failure, with the path it happened on.
pub(crate) fn walk_error(root: &Path, error: walkdir::Error) -> Error {
    let path = error.path().unwrap_or(root).to_path_buf();
    let source = error
        .into_io_error()
        .unwrap_or_else(|| std::io::Error::other("the tree loops"));
    profile_sys::Error::Io {
        verb: "walk",
        path,
        source,
    }
    .into()
}

/// Binds `@data` and every state path over the merged tree at `merged`.
///
/// Returns the paths whose mount point the merged tree does not have; nothing is made there, since
/// that would be a change of the profile, and nothing in the state either.
///
/// # Errors
///
/// A state directory cannot be made or a bind fails.
pub fn bind_all(layout: &Layout, profile: &ProfileFile, merged: &Path) -> Result<Vec<PathBuf>> {
    // State paths that came with a newer version, a policy or a package.
    if seed(layout, profile, merged)? {
        // Else a power cut could take away the place of what somebody writes there from now on.
        btrfs::commit(layout.top())?;
    }
    let mut missing = Vec::new();
    match place_in(merged, DATA_MOUNT.as_ref())? {
        Some(target) => mount::bind(&layout.data(), &target)?,
        None => missing.push(DATA_MOUNT.into()),
    }
    for path in outermost(of(profile)) {
        let Some(target) = mount_point(merged, &path)? else {
            missing.push(path.path);
            continue;
        };
        let source = path.source(layout, &profile.id);
        // Whoever is in a profile may put a symlink into @data, and would reach the host through it.
        if !is_directory(&source)? {
            let error = std::io::Error::from(std::io::ErrorKind::NotADirectory);
            return Err(profile_sys::Error::io("bind", source, error).into());
        }
        mount::bind(&source, &target)?;
    }
    Ok(missing)
}

/// Where a state path is mounted in the merged tree, if it can be: not where a symlink that came later leads into a
/// directory of the system.
fn mount_point(merged: &Path, path: &StatePath) -> Result<Option<PathBuf>> {
    let found = place_in(merged, &path.path)?;
    Ok(found.filter(|target| {
        let place = from_root(merged, target);
        place == path.path || !is_system(&place)
    }))
}

/// The directory that `path` leads to in the merged tree. A symlink on the way means a place in that tree, not
/// one of the host; a symlink at its end is the owner's wish to have the content elsewhere.
fn place_in(merged: &Path, path: &Path) -> Result<Option<PathBuf>> {
    let (Some(above), Some(name)) = (path.parent(), path.file_name()) else {
        return Ok(None);
    };
    let Some(above) = confined::resolve(merged, above)? else {
        return Ok(None);
    };
    let target = above.join(name);
    Ok(is_directory(&target)?.then_some(target))
}

fn is_directory(path: &Path) -> Result<bool> {
    Ok(tree::lstat(path)?.is_some_and(|meta| meta.kind == tree::Kind::Directory))
}

#[cfg(test)]
mod tests;
