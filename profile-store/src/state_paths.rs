//! Paths that live with a profile but that undo and reset never rewind (`@state`, `@data`).
//!
//! Each is a directory below `@state/<id>` with the same path, bound over the merged tree. Logs, a
//! package cache or a container store that went back in time with an undo would be damage, not
//! help; and overlayfs cannot carry some of them at all (swap files, another overlay's upper).
//! Comparisons of trees exclude exactly this list, because the binds hide what lies below them.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use conffile_diff::dpkg::info::parse_list;
use profile_db::ProfileFile;
use profile_db::model::ProfileId;
use profile_sys::tree::Root;
use profile_sys::{file, mount, tree};

use crate::enter::confined;
use crate::error::{Error, Result};
use crate::layout::Layout;

/// Policy key: `home=shared` binds /home from `@data`.
pub const POLICY_HOME: &str = "home";
/// Policy key: further state paths, absolute, separated by commas.
pub const POLICY_STATE_PATHS: &str = "state-paths";
/// Where `@data` is mounted in every profile.
pub const DATA_MOUNT: &str = "/data";

/// What the list of the design names, with the mode of a directory that neither base nor state has
/// yet, and whether `reset` keeps it.
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
    /// Mode of the directory when it is made and the base has none.
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
    let extra = policy(profile, POLICY_STATE_PATHS).unwrap_or_default();
    for path in extra
        .split(',')
        .map(str::trim)
        .filter(|path| !path.is_empty())
    {
        // What a user has below /home is kept with the rest of it.
        let kept_on_reset = paths
            .iter()
            .any(|above| above.kept_on_reset && Path::new(path).starts_with(&above.path));
        paths.push(StatePath {
            path: PathBuf::from(path),
            mode: 0o755,
            kept_on_reset,
            shared: false,
        });
    }
    paths.sort_by(|a, b| a.path.cmp(&b.path));
    paths.dedup_by(|a, b| a.path == b.path);
    paths
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

/// Checks one further state path a user asks for.
///
/// # Errors
///
/// It is not absolute and plain, or the system cannot live with it being kept out of the upper.
pub fn check_extra(path: &str) -> Result<()> {
    let refuse = |detail: &str| {
        Err(Error::Setting {
            key: POLICY_STATE_PATHS.into(),
            detail: format!("{path}: {detail}"),
        })
    };
    let parsed = Path::new(path);
    if !parsed.is_absolute() || path.contains("//") || path.ends_with('/') {
        return refuse("an absolute path without a trailing slash is needed");
    }
    if parsed.components().any(|part| {
        matches!(
            part,
            std::path::Component::ParentDir | std::path::Component::CurDir
        )
    }) {
        return refuse("`.` and `..` are not allowed");
    }
    const NEVER: &[&str] = &[
        "/usr",
        "/etc",
        "/var/lib/dpkg",
        "/var/lib/apt",
        "/boot",
        "/proc",
        "/sys",
        "/dev",
        "/run",
        "/tmp",
        "/data",
    ];
    if NEVER
        .iter()
        .any(|never| Path::new(never).starts_with(parsed) || parsed.starts_with(never))
    {
        return refuse("the system's own directories cannot be state");
    }
    Ok(())
}

/// Makes and fills every state directory that does not exist yet, from the tree at `root` (the base
/// or a merged view): services find the directories that their packages shipped.
///
/// # Errors
///
/// A directory cannot be made or copied.
pub fn seed(layout: &Layout, profile: &ProfileFile, root: &Path) -> Result<()> {
    for path in of(profile) {
        let target = path.source(layout, &profile.id);
        if file::exists(&target)? {
            continue;
        }
        let origin = root.join(path.relative());
        if tree::lstat(&origin)?.is_some_and(|meta| meta.kind == tree::Kind::Directory) {
            make_parents(&target)?;
            copy_tree(&origin, &target)?;
        } else {
            make_parents(&target)?;
            file::create_directory(&target, path.mode)?;
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

/// Directories below `below` (relative to the root) that an installed package of the tree at
/// `merged` ships, relative to the root.
///
/// dpkg's lists do not tell a directory from a file; the files are those that have a checksum.
///
/// # Errors
///
/// dpkg's file lists cannot be read.
pub fn package_directories(merged: &Path, below: &Path) -> Result<HashSet<PathBuf>> {
    let mut found = HashSet::new();
    let info = merged.join("var/lib/dpkg/info");
    for name in file::list(&info)? {
        if Path::new(&name)
            .extension()
            .is_none_or(|extension| extension != "list")
        {
            continue;
        }
        let list = info.join(&name);
        let shipped: Vec<PathBuf> = parse_list(&file::read(&list)?)
            .iter()
            .filter_map(|path| Path::new(OsStr::from_bytes(path)).strip_prefix("/").ok())
            .filter(|path| *path != below && path.starts_with(below))
            .map(Path::to_path_buf)
            .collect();
        // Hardly any package has one.
        if shipped.is_empty() {
            continue;
        }
        let sums = list.with_extension("md5sums");
        let sums = match file::exists(&sums)? {
            true => file::read(&sums)?,
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

/// Deletes what is in a state directory, except the directories in `owned` (relative to the root),
/// which stay empty: their owner and mode are known only from themselves.
///
/// # Errors
///
/// Something cannot be deleted.
pub fn empty_keeping(directory: &Path, relative: &Path, owned: &HashSet<PathBuf>) -> Result<()> {
    for name in file::list(directory)? {
        let (path, relative) = (directory.join(&name), relative.join(&name));
        let Some(meta) = tree::lstat(&path)? else {
            continue;
        };
        if meta.kind != tree::Kind::Directory {
            file::remove_file(&path)?;
        } else if owned.contains(&relative) {
            empty_keeping(&path, &relative, owned)?;
        } else {
            file::remove_tree(&path)?;
        }
    }
    Ok(())
}

/// Copies what `from` has and `to` lacks.
///
/// # Errors
///
/// Something cannot be copied.
pub fn seed_into(from: &Path, to: &Path) -> Result<()> {
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
    let mut made = Vec::new();
    for path in of(profile).into_iter().filter(|path| !path.shared) {
        let source = path.source(layout, &profile.id);
        let mut directories: Vec<PathBuf> = package_directories(merged, path.relative())?
            .into_iter()
            .collect();
        directories.sort();
        if directories.is_empty() || !file::exists(&source)? {
            continue;
        }
        let state = Root::open(&source)?;
        for directory in directories {
            let Ok(inside) = directory.strip_prefix(path.relative()) else {
                continue;
            };
            if make_directories(&state, inside)? {
                made.push(directory);
            }
        }
    }
    Ok(made)
}

/// Makes what is missing of a directory in the tree; false when it is there, or something else is in its
/// place: a symlink of a service would lead into the host.
fn make_directories(state: &Root, path: &Path) -> Result<bool> {
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
/// that would be a change of the profile.
///
/// # Errors
///
/// A state directory cannot be made or a bind fails.
pub fn bind_all(layout: &Layout, profile: &ProfileFile, merged: &Path) -> Result<Vec<PathBuf>> {
    // Directories for state paths that came with a newer version or a policy.
    seed(layout, profile, merged)?;
    let mut missing = Vec::new();
    let data = PathBuf::from(DATA_MOUNT);
    match mount_point(merged, &data)? {
        Some(target) => mount::bind(&layout.data(), &target)?,
        None => missing.push(data),
    }
    for path in of(profile) {
        match mount_point(merged, &path.path)? {
            Some(target) => mount::bind(&path.source(layout, &profile.id), &target)?,
            None => missing.push(path.path),
        }
    }
    Ok(missing)
}

/// The directory that `path` leads to in the merged tree. A symlink on the way means a place in that tree, not
/// one of the host; a symlink at its end is the owner's wish to have the content elsewhere.
fn mount_point(merged: &Path, path: &Path) -> Result<Option<PathBuf>> {
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
mod tests {
    use super::*;

    #[test]
    fn state_covers_the_mount_point_and_what_is_below() {
        let paths = defaults();
        assert!(covers(&paths, Path::new("var/log")));
        assert!(covers(&paths, Path::new("var/log/apt/history.log")));
        assert!(!covers(&paths, Path::new("var/logs")));
        assert!(!covers(&paths, Path::new("var")));
    }

    #[test]
    fn system_directories_are_refused_as_state() {
        for path in [
            "/etc",
            "/",
            "/var",
            "/usr/share",
            "var/lib/x",
            "/a/../b",
            "/a/",
        ] {
            assert!(check_extra(path).is_err(), "{path}");
        }
        check_extra("/var/lib/mysql").unwrap();
    }

    #[test]
    fn a_file_of_a_package_is_no_directory_of_it() {
        let merged = tempfile::tempdir().unwrap();
        let info = merged.path().join("var/lib/dpkg/info");
        std::fs::create_dir_all(&info).unwrap();
        let list = "/.\n/opt\n/opt/app\n/opt/app/empty\n/opt/app/a file\n/usr/x\n";
        std::fs::write(info.join("app:amd64.list"), list).unwrap();
        std::fs::write(info.join("app:amd64.md5sums"), "0123  opt/app/a file\n").unwrap();
        std::fs::write(
            info.join("other.list"),
            "/.\n/opt\n/opt/app\n/opt/app/more\n",
        )
        .unwrap();
        let found = package_directories(merged.path(), Path::new("opt")).unwrap();
        let expected = ["opt/app", "opt/app/empty", "opt/app/more"].map(PathBuf::from);
        assert_eq!(found, HashSet::from(expected));
    }

    #[test]
    fn what_stands_in_a_directorys_place_is_left_and_not_followed() {
        use std::os::unix::fs::symlink;

        let (state, host) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        symlink(host.path(), state.path().join("link")).unwrap();
        std::fs::write(state.path().join("file"), "").unwrap();
        let root = Root::open(state.path()).unwrap();
        let make = |path: &str| make_directories(&root, Path::new(path)).unwrap();
        assert!(!make("link/below") && !make("file/below"));
        assert!(make("a/b") && !make("a/b") && make("a/c"));
        assert!(state.path().join("a/c").is_dir());
        assert_eq!(std::fs::read_dir(host.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_symlink_on_the_way_means_a_place_in_the_tree_and_one_at_the_end_is_respected() {
        use std::os::unix::fs::symlink;

        let merged = tempfile::tempdir().unwrap();
        let at = |path: &str| merged.path().join(path);
        std::fs::create_dir_all(at("opt/var/log")).unwrap();
        std::fs::create_dir(at("data")).unwrap();
        symlink("/opt/var", at("var")).unwrap();
        symlink("/data", at("srv")).unwrap();
        let found = |path: &str| mount_point(merged.path(), Path::new(path)).unwrap();
        assert_eq!(found("/var/log"), Some(at("opt/var/log")));
        assert_eq!(found("/data"), Some(at("data")));
        assert_eq!(found("/srv"), None);
        assert_eq!(found("/home"), None);
    }
}
