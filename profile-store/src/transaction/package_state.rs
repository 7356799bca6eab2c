//! What dpkg and apt say about packages, in one state of a profile.
//!
//! Read straight from a profile subvolume or snapshot and its base, without a mount: the hooks have
//! milliseconds. The rules of the overlay for a single file are few: the upper's file if there is
//! one, nothing if it is a whiteout or below an opaque directory, else the base's.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use conffile_diff::dpkg::changes::Side;
use conffile_diff::dpkg::{AutoMarks, Status};
use profile_db::journal::PackageChange;
use profile_sys::{file, tree};

use crate::error::{Error, Result};
use crate::layout::UPPER;

/// dpkg's status file, from the root of the merged tree.
pub const STATUS: &str = "var/lib/dpkg/status";
/// What dpkg did since it last wrote the whole status.
const UPDATES: &str = "var/lib/dpkg/updates";
/// apt's automatic marks.
pub const EXTENDED_STATES: &str = "var/lib/apt/extended_states";
/// Largest of them that is read, in bytes: the status of all of Debian has about 70 MB.
const LIMIT_BYTES: u64 = 256 * 1024 * 1024;

/// Both files of one moment, parsed.
#[derive(Debug, Clone, Default)]
pub struct PackageState {
    bytes: Vec<u8>,
    marks: Vec<u8>,
    /// dpkg's packages.
    pub status: Status,
    /// apt's automatic marks.
    pub auto: AutoMarks,
}

impl PackageState {
    /// The state in `profile` (a profile subvolume or a snapshot of one) over `base`.
    ///
    /// # Errors
    ///
    /// A file cannot be read or parsed.
    pub fn read(profile: &Path, base: &Path) -> Result<Self> {
        let mut bytes = read(profile, base, STATUS)?;
        // dpkg writes what it did since into small files and the whole only at its end: after a cut
        // they hold the newest word on each package, and the last stanza of a package counts.
        for name in updates(profile, base)? {
            bytes.extend_from_slice(b"\n\n");
            bytes.extend(read(profile, base, &format!("{UPDATES}/{name}"))?);
        }
        let marks = read(profile, base, EXTENDED_STATES)?;
        let refused = |name: &str, detail: String| Error::PackageDatabase {
            path: profile.join(UPPER).join(name),
            detail,
        };
        let status = Status::parse(&bytes).map_err(|error| refused(STATUS, error.to_string()))?;
        let auto = AutoMarks::parse(&marks)
            .map_err(|error| refused(EXTENDED_STATES, error.to_string()))?;
        Ok(Self {
            bytes,
            marks,
            status,
            auto,
        })
    }

    /// As conffile-diff compares it.
    pub fn side(&self) -> Side<'_> {
        Side {
            status: &self.status,
            bytes: &self.bytes,
            auto: &self.auto,
        }
    }

    /// This state with what transactions recorded since, oldest first, though they left no snapshot:
    /// what the journal accounts for. `now` lends the stanzas of what still is as recorded.
    ///
    /// # Errors
    ///
    /// A recorded name or version is none that dpkg could have written.
    pub fn with_recorded(&self, recorded: &[PackageChange], now: &Self) -> Result<Self> {
        let mut newest: BTreeMap<(&str, &str), &PackageChange> = BTreeMap::new();
        for change in recorded {
            newest.insert((&change.name, &change.architecture), change);
        }
        let mut bytes = Vec::with_capacity(self.bytes.len());
        let mut add = |stanza: &[u8]| {
            bytes.extend_from_slice(stanza.trim_ascii_end());
            bytes.extend_from_slice(b"\n\n");
        };
        for package in self.status.packages() {
            let key = (package.name.as_str(), package.architecture.as_str());
            if !newest.contains_key(&key) {
                add(package.stanza(&self.bytes));
            }
        }
        for ((name, architecture), change) in newest {
            let Some(version) = change.new_version.as_deref() else {
                continue;
            };
            let known = |state: &'_ Self| {
                let package = state.status.get(name, architecture)?;
                (package.version == version && package.state.is_present())
                    .then(|| package.stanza(&state.bytes).to_vec())
            };
            let stanza = known(now).or_else(|| known(self)).unwrap_or_else(|| {
                let words = change
                    .status_after
                    .as_deref()
                    .unwrap_or("install ok installed");
                format!("Package: {name}\nStatus: {words}\nArchitecture: {architecture}\nVersion: {version}\n")
                    .into_bytes()
            });
            add(&stanza);
        }
        let status = Status::parse(&bytes).map_err(|error| Error::PackageDatabase {
            path: STATUS.into(),
            detail: error.to_string(),
        })?;
        Ok(Self {
            bytes,
            marks: self.marks.clone(),
            status,
            auto: self.auto.clone(),
        })
    }

    /// Whether both files have the same bytes.
    pub fn same_bytes(&self, other: &Self) -> bool {
        self.bytes == other.bytes && self.marks == other.marks
    }
}

/// What a profile subvolume says while a snapshot of it is being made: its files are in memory, the
/// snapshot's are not.
#[derive(Debug)]
pub struct Glance {
    /// Which files were read; `None` when they changed meanwhile.
    files: Option<Files>,
    state: Result<PackageState>,
}

impl Glance {
    /// Reads the state of `present`.
    ///
    /// # Errors
    ///
    /// Its files cannot be looked at. What cannot be read or parsed is an error only when it is used.
    pub fn at(present: &Path, base: &Path) -> Result<Self> {
        let before = files(present, base)?;
        let state = PackageState::read(present, base);
        let after = files(present, base)?;
        Ok(Self {
            files: (before == after).then_some(before).flatten(),
            state,
        })
    }

    /// The state in `snapshot`: what was read when the snapshot has these very files, else read now.
    ///
    /// # Errors
    ///
    /// As [`PackageState::read`].
    pub fn state_of(self, snapshot: &Path, base: &Path) -> Result<PackageState> {
        match self.files.is_some() && self.files == files(snapshot, base)? {
            true => self.state,
            false => PackageState::read(snapshot, base),
        }
    }
}

/// Whether the databases in two states of one profile are the same files.
///
/// # Errors
///
/// They cannot be looked at.
pub fn unchanged(profile: &Path, other: &Path, base: &Path) -> Result<bool> {
    let other = files(other, base)?;
    Ok(other.is_some() && files(profile, base)? == other)
}

/// Inode (0 when it is the base's), size and time of a file.
type Identity = Option<(u64, u64, i128)>;
/// Which files hold the databases: a snapshot keeps all that an identity has, and dpkg and apt replace
/// the files when they write.
type Files = [Identity; 2];

/// The files of `profile`; `None` while dpkg has words beside them that it has not merged.
fn files(profile: &Path, base: &Path) -> Result<Option<Files>> {
    if !updates(profile, base)?.is_empty() {
        return Ok(None);
    }
    Ok(Some([
        identity(profile, base, STATUS)?,
        identity(profile, base, EXTENDED_STATES)?,
    ]))
}

fn identity(profile: &Path, base: &Path, name: &str) -> Result<Identity> {
    let Some(path) = find(profile, base, Path::new(name))? else {
        return Ok(None);
    };
    let from_base = path.starts_with(base);
    Ok(tree::lstat(&path)?.map(|meta| {
        let ino = if from_base { 0 } else { meta.ino };
        (ino, meta.size, meta.mtime_ns)
    }))
}

/// Where a file of the merged tree stands: in the upper of `profile` or in `base`; `None` when the
/// merged tree has no such file.
///
/// # Errors
///
/// A directory on the way cannot be looked at.
pub fn find(profile: &Path, base: &Path, relative: &Path) -> Result<Option<PathBuf>> {
    let upper = profile.join(UPPER);
    let mut at = upper.clone();
    let mut parts = relative.components().peekable();
    while let Some(part) = parts.next() {
        at.push(part);
        let Some(meta) = tree::lstat(&at)? else {
            let below = base.join(relative);
            return Ok(tree::lstat(&below)?.map(|_| below));
        };
        if meta.is_whiteout() {
            return Ok(None);
        }
        if parts.peek().is_none() {
            return Ok(Some(at));
        }
        if meta.kind != tree::Kind::Directory || tree::is_opaque(&at)? {
            // Nothing of the base shows below this: the file is in the upper or nowhere.
            let only = upper.join(relative);
            return Ok(tree::lstat(&only)?.map(|_| only));
        }
    }
    Ok(None)
}

/// Names of dpkg's update files, in the order in which it wrote them.
fn updates(profile: &Path, base: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    // Of a merged directory both sides count; what the upper deleted is found missing when read.
    for directory in [profile.join(UPPER).join(UPDATES), base.join(UPDATES)] {
        if !file::exists(&directory)? {
            continue;
        }
        let found = file::list(&directory)?;
        names.extend(
            found
                .into_iter()
                .filter_map(|name| name.into_string().ok())
                // While it is being written it is called `tmp.i`.
                .filter(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit())),
        );
    }
    names.sort();
    names.dedup();
    Ok(names)
}

fn read(profile: &Path, base: &Path, name: &str) -> Result<Vec<u8>> {
    match find(profile, base, Path::new(name))? {
        Some(path) => Ok(file::read_limited(&path, LIMIT_BYTES)?),
        None => Ok(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn put(root: &Path, name: &str, content: &str) {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn stanza(name: &str, state: &str) -> String {
        format!("Package: {name}\nStatus: install ok {state}\nArchitecture: all\nVersion: 1\n")
    }

    #[test]
    fn the_upper_comes_before_the_base() {
        let top = tempfile::tempdir().unwrap();
        let (profile, base) = (top.path().join("p"), top.path().join("b"));
        fs::create_dir_all(profile.join("upper")).unwrap();
        assert!(
            PackageState::read(&profile, &base)
                .unwrap()
                .status
                .packages()
                .is_empty()
        );
        put(&base, STATUS, &stanza("a", "installed"));
        assert_eq!(
            find(&profile, &base, STATUS.as_ref()).unwrap(),
            Some(base.join(STATUS))
        );
        put(&profile.join("upper"), STATUS, &stanza("b", "installed"));
        let state = PackageState::read(&profile, &base).unwrap();
        assert_eq!(state.status.packages()[0].name, "b");
        // A file where a directory was: nothing of the base shows below it.
        fs::remove_dir_all(profile.join("upper/var/lib")).unwrap();
        put(&profile.join("upper"), "var/lib", "");
        assert_eq!(find(&profile, &base, STATUS.as_ref()).unwrap(), None);
    }

    #[test]
    fn what_was_recorded_without_a_snapshot_counts_as_known() {
        let top = tempfile::tempdir().unwrap();
        let of = |name: &str, status: &str| {
            let profile = top.path().join(name);
            put(&profile.join("upper"), STATUS, status);
            PackageState::read(&profile, Path::new("/nonexistent")).unwrap()
        };
        let change = |name: &str, version: Option<&str>| PackageChange {
            name: name.to_owned(),
            architecture: "all".to_owned(),
            action: profile_db::journal::Action::Install,
            old_version: None,
            new_version: version.map(str::to_owned),
            auto_before: None,
            auto_after: None,
            status_after: None,
        };
        let both = stanza("a", "installed") + "\n" + &stanza("b", "installed");
        let (then, now) = (of("then", &both), of("now", &stanza("a", "installed")));
        let diff = |recorded: &[PackageChange]| {
            let known = then.with_recorded(recorded, &now).unwrap();
            let found = conffile_diff::dpkg::changes(known.side(), now.side(), &Default::default());
            found
                .into_iter()
                .map(|change| (change.name, change.action))
                .collect::<Vec<_>>()
        };
        use conffile_diff::dpkg::Action::{Downgrade, Install, Remove};
        assert_eq!(diff(&[]), [("b".to_owned(), Remove)]);
        assert_eq!(diff(&[change("b", None)]), []);
        // Removed and brought back unseen: the two states alone would show nothing.
        assert_eq!(
            diff(&[change("b", None), change("a", None)]),
            [("a".to_owned(), Install)]
        );
        assert_eq!(
            diff(&[change("b", None), change("a", Some("2"))]),
            [("a".to_owned(), Downgrade)]
        );
        assert_eq!(
            diff(&[change("c", Some("1")), change("b", None), change("c", None)]),
            []
        );
    }

    #[test]
    fn a_glance_at_the_present_serves_a_snapshot_only_when_that_has_the_same_files() {
        let top = tempfile::tempdir().unwrap();
        let (present, snapshot) = (top.path().join("present"), top.path().join("snapshot"));
        let base = Path::new("/nonexistent");
        let names = |snapshot: &Path| {
            let glance = Glance::at(&present, base).unwrap();
            let state = glance.state_of(snapshot, base).unwrap();
            let packages = state.status.packages();
            packages.iter().map(|p| p.name.clone()).collect::<Vec<_>>()
        };
        put(&present.join("upper"), STATUS, &stanza("a", "installed"));
        // The same inode, as in a snapshot.
        fs::create_dir_all(snapshot.join("upper/var/lib/dpkg")).unwrap();
        let of_snapshot = snapshot.join("upper").join(STATUS);
        fs::hard_link(present.join("upper").join(STATUS), &of_snapshot).unwrap();
        assert_eq!(names(&snapshot), ["a"]);
        // What was read serves: the bytes are others by now, under the same identity.
        let glance = Glance::at(&present, base).unwrap();
        let file = fs::File::options().write(true).open(&of_snapshot).unwrap();
        let time = file.metadata().unwrap().modified().unwrap();
        let size = usize::try_from(file.metadata().unwrap().len()).unwrap();
        fs::write(&of_snapshot, vec![b'!'; size]).unwrap();
        file.set_modified(time).unwrap();
        assert!(PackageState::read(&snapshot, base).is_err());
        let state = glance.state_of(&snapshot, base).unwrap();
        assert_eq!(state.status.packages()[0].name, "a");
        fs::write(&of_snapshot, stanza("a", "installed")).unwrap();
        // dpkg replaces the file; the snapshot keeps the former one.
        fs::remove_file(present.join("upper").join(STATUS)).unwrap();
        put(&present.join("upper"), STATUS, &stanza("b", "installed"));
        assert_eq!(names(&snapshot), ["a"]);
        // What stands there now cannot even be parsed.
        put(&present.join("upper"), STATUS, "Package: b\n broken");
        fs::write(present.join("upper").join(STATUS), b"\xff\n:").unwrap();
        assert_eq!(names(&snapshot), ["a"]);
    }

    #[test]
    fn what_a_killed_dpkg_had_not_yet_merged_counts() {
        let top = tempfile::tempdir().unwrap();
        let (profile, base) = (top.path().join("p"), top.path().join("b"));
        let upper = profile.join("upper");
        put(&base, STATUS, &stanza("a", "installed"));
        fs::create_dir_all(&upper).unwrap();
        assert!(unchanged(&profile, &profile, &base).unwrap());
        put(
            &upper,
            "var/lib/dpkg/updates/0000",
            &stanza("a", "half-configured"),
        );
        put(
            &upper,
            "var/lib/dpkg/updates/0001",
            &stanza("c", "unpacked"),
        );
        put(&upper, "var/lib/dpkg/updates/tmp.i", "Pack");
        let state = PackageState::read(&profile, &base).unwrap();
        let states: Vec<_> = state
            .status
            .packages()
            .iter()
            .map(|p| p.state.as_str())
            .collect();
        assert_eq!(states, ["half-configured", "unpacked"]);
        assert!(!unchanged(&profile, &profile, &base).unwrap());
    }
}
