//! Data that programs wrote after a transaction, which taking it back cannot bring back to what it was.
//!
//! A database is of use whole or not at all. A directory of data whose content changed after the transaction stays as it is,
//! with what the transaction itself made in it, and is told; one that nobody changed goes back with the rest.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use conffile_diff::dpkg::info::parse_list;
use profile_db::ProfileFile;
use profile_db::journal::{Action, Journal, PackageChange, Transaction, TransactionKind};
use profile_db::model::TransactionNumber;
use profile_sys::file;
use profile_sys::tree::{Kind, Root};

use super::sides::Made;
use super::world::World;
use crate::delta::Delta;
use crate::error::Result;
use crate::layout::Layout;
use crate::package_database::{info_files, read_optional};
use crate::state_paths;

/// Where packages keep data, one directory each.
const DATA: &str = "var/lib";
/// Directories there that are the system's own: their files are merged one by one.
const OF_THE_SYSTEM: &[&str] = &[
    "apt",
    "aspell",
    "dbus",
    "dictionaries-common",
    "dkms",
    "dpkg",
    "emacsen-common",
    "initramfs-tools",
    "ispell",
    "misc",
    "pam",
    "polkit-1",
    "python",
    "sgml-base",
    "systemd",
    "ucf",
    "vim",
    "xml-core",
];
/// Directories that services make for themselves, by the package whose data it is.
const KNOWN: &[(&str, &str)] = &[
    ("containerd", "var/lib/containerd"),
    ("containerd.io", "var/lib/containerd"),
    ("docker-ce", "var/lib/docker"),
    ("docker.io", "var/lib/docker"),
    ("libvirt-daemon", "var/lib/libvirt/images"),
    ("mariadb-server", "var/lib/mysql"),
    ("mysql-server", "var/lib/mysql"),
    ("podman", "var/lib/containers"),
    ("redis-server", "var/lib/redis"),
    ("systemd-container", "var/lib/machines"),
];

/// What becomes of the program whose data stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// It goes.
    Goes,
    /// Another version comes back.
    Changes,
    /// It comes back.
    Returns,
}

/// Data that stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftBehind {
    /// Its directory, relative to the root.
    pub path: PathBuf,
    /// The package whose data it is.
    pub package: String,
    /// What becomes of the program.
    pub program: Program,
    /// The transaction that is taken back.
    pub since: TransactionNumber,
}

impl LeftBehind {
    /// What is to be known of it, in the user's words.
    pub fn words(&self) -> String {
        let Self { package, since, .. } = self;
        match self.program {
            Program::Goes => format!(
                "data of {package}, written after transaction {since}: it stays, the program goes"
            ),
            Program::Changes => format!(
                "data of {package}, written after transaction {since}: it stays as it is, and its format may be newer \
                 than the program that comes back"
            ),
            Program::Returns => format!(
                "data of {package}, changed after transaction {since}: it stays as it is, also for the program that comes back"
            ),
        }
    }
}

/// The directories in which packages keep data: the package of each, and what becomes of it.
pub(super) type Directories = BTreeMap<PathBuf, (String, Program)>;

fn program(package: &PackageChange) -> Program {
    match package.action {
        Action::Install => Program::Goes,
        Action::Remove | Action::Purge => Program::Returns,
        _ => Program::Changes,
    }
}

/// The directories of data of `packages`: those below /var/lib that dpkg's lists name, `shipped`, and those known by
/// the name of the package.
fn directories(
    packages: &[PackageChange],
    shipped: &BTreeMap<String, Vec<PathBuf>>,
) -> Directories {
    let mut found = Directories::new();
    for package in packages {
        let listed = shipped.get(&package.name).into_iter().flatten();
        let own = listed.filter(|path| is_of_one_package(path)).cloned();
        let known = KNOWN
            .iter()
            .filter(|(name, _)| *name == package.name)
            .map(|(_, path)| PathBuf::from(path));
        for path in own.chain(known) {
            found
                .entry(path)
                .or_insert_with(|| (package.name.clone(), program(package)));
        }
    }
    found
}

/// Whether a path is a directory of data, and not one of the system's.
fn is_of_one_package(path: &Path) -> bool {
    path.parent() == Some(Path::new(DATA))
        && path
            .file_name()
            .is_some_and(|name| !OF_THE_SYSTEM.iter().any(|system| name == *system))
}

/// Takes out of what a transaction made everything in the directories that `stays` says, but for what packages ship;
/// returns those of them in which something changed, in the transaction or since.
fn set_apart(
    made: &mut Made,
    since: &Delta,
    directories: &Directories,
    shipped: &HashSet<&Path>,
    stays: &dyn Fn(&Path) -> bool,
) -> Vec<PathBuf> {
    let is_data = |directory: &Path, path: &Path| {
        path != directory && path.starts_with(directory) && !shipped.contains(path)
    };
    let changes = |delta: &Delta, directory: &Path| {
        delta
            .substantial()
            .any(|change| is_data(directory, &change.path))
    };
    let kept: Vec<PathBuf> = directories
        .keys()
        .filter(|directory| {
            changes(since, directory) || (changes(&made.delta, directory) && stays(directory))
        })
        .cloned()
        .collect();
    if kept.is_empty() {
        return kept;
    }
    let mut verdicts = std::mem::take(&mut made.verdicts).into_iter();
    let mut left = Vec::new();
    made.delta.changes.retain(|change| {
        let stays = kept
            .iter()
            .any(|directory| is_data(directory, &change.path));
        let verdict = verdicts.next();
        if !stays {
            left.extend(verdict);
        }
        !stays
    });
    made.verdicts = left;
    kept
}

/// The packages that taking a transaction back concerns: for an undo those of what it took back, the other way round.
///
/// # Errors
///
/// The journal cannot be read.
pub(super) fn packages_of(
    journal: &Journal,
    transaction: &Transaction,
) -> Result<Vec<PackageChange>> {
    if !matches!(
        transaction.kind,
        TransactionKind::Undo | TransactionKind::Redo
    ) {
        return Ok(journal.packages(transaction.number)?);
    }
    let mut packages = Vec::new();
    for number in journal.undone(transaction.number)? {
        for mut package in packages_of(journal, &journal.transaction(number)?)? {
            package.action = match package.action {
                Action::Install => Action::Remove,
                Action::Remove | Action::Purge => Action::Install,
                other => other,
            };
            packages.push(package);
        }
    }
    Ok(packages)
}

/// Takes the data that stays out of what a transaction made; `world` gives the trees before and after it.
///
/// Data stays when something of it changed since; and when it was there before the transaction as well as after: then what
/// changed of it in between was its service's doing, as when it was stopped for an undo.
///
/// # Errors
///
/// dpkg's lists cannot be read.
pub(super) fn take_out(
    made: &mut Made,
    since: &Delta,
    transaction: &Transaction,
    packages: &[PackageChange],
    world: &World<'_>,
) -> Result<Vec<LeftBehind>> {
    // Most transactions, and most profiles since, change nothing there that is not the package manager's.
    let of_a_package = |delta: &Delta| {
        delta.substantial().any(|change| {
            let directory: PathBuf = change.path.components().take(3).collect();
            directory != change.path && is_of_one_package(&directory)
        })
    };
    if packages.is_empty() || !(of_a_package(since) || of_a_package(&made.delta)) {
        return Ok(Vec::new());
    }
    let (before, after) = (world.before()?, world.after()?);
    let mut shipped = shipped(&after, packages)?;
    for (package, paths) in self::shipped(&before, packages)? {
        shipped.entry(package).or_default().extend(paths);
    }
    let directories = directories(packages, &shipped);
    let paths: HashSet<&Path> = shipped.values().flatten().map(PathBuf::as_path).collect();
    let mut throughout = HashSet::new();
    for directory in directories.keys() {
        if holds_data(&before, directory, &paths)? && holds_data(&after, directory, &paths)? {
            throughout.insert(directory.as_path());
        }
    }
    let kept = set_apart(made, since, &directories, &paths, &|directory| {
        throughout.contains(directory)
    });
    Ok(told(&kept, &directories, transaction))
}

/// Whether something that no package ships stands in a directory of the tree at `root`.
fn holds_data(root: &Path, directory: &Path, shipped: &HashSet<&Path>) -> Result<bool> {
    let root = Root::open(root)?;
    if root
        .lstat(directory)?
        .is_none_or(|meta| meta.kind != Kind::Directory)
    {
        return Ok(false);
    }
    let names = root.list(directory)?;
    Ok(names
        .iter()
        .any(|name| !shipped.contains(directory.join(name).as_path())))
}

fn told(kept: &[PathBuf], directories: &Directories, transaction: &Transaction) -> Vec<LeftBehind> {
    let one = |path: &PathBuf| {
        let (package, program) = directories.get(path)?;
        Some(LeftBehind {
            path: path.clone(),
            package: package.clone(),
            program: *program,
            since: transaction.number,
        })
    };
    kept.iter().filter_map(one).collect()
}

/// What the packages ship, by dpkg's lists of the tree at `root`.
fn shipped(root: &Path, packages: &[PackageChange]) -> Result<BTreeMap<String, Vec<PathBuf>>> {
    let mut shipped: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for (name, list) in info_files(root)? {
        if name.kind.as_str() != "list"
            || !packages.iter().any(|package| package.name == name.package)
        {
            continue;
        }
        let paths = parse_list(&read_optional(&list)?);
        let relative = paths.iter().filter_map(|path| {
            Path::new(OsStr::from_bytes(path))
                .strip_prefix("/")
                .ok()
                .map(Path::to_path_buf)
        });
        shipped.entry(name.package).or_default().extend(relative);
    }
    Ok(shipped)
}

/// Data of a transaction's packages below the state paths of the profile, which no undo reaches.
///
/// # Errors
///
/// A directory cannot be read.
pub(super) fn in_state(
    layout: &Layout,
    profile: &ProfileFile,
    transaction: &Transaction,
    packages: &[PackageChange],
) -> Result<Vec<LeftBehind>> {
    let state = state_paths::of(profile);
    let mut directories = directories(packages, &BTreeMap::new());
    directories.retain(|path, _| state_paths::covers(&state, path));
    let mut kept = Vec::new();
    for path in directories.keys() {
        let place = layout.state(&profile.id).join(path);
        let is_directory = file::metadata(&place)?.is_some_and(|meta| meta.is_dir());
        if is_directory && !file::list(&place)?.is_empty() {
            kept.push(path.clone());
        }
    }
    Ok(told(&kept, &directories, transaction))
}

#[cfg(test)]
#[path = "left_behind_tests.rs"]
mod tests;
