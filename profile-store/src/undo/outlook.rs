//! What a change of the mounted profile's files means for what runs there: what it must not replace under it, which services
//! it concerns, what is in force from the next boot on only.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use conffile_diff::dpkg::info::parse_list;
use profile_db::ProfileFile;
use profile_sys::tree::Kind;

use super::essential::{self, Booted, Essential};
use super::join::Joined;
use super::services::{self, Fate, Manager, Services};
use crate::delta::Change;
use crate::error::Result;
use crate::merged::Merged;
use crate::package_database::{info_files, read_optional};
use crate::pool::Pool;
use crate::profile;
use crate::standing::Standing;
use crate::view::View;

/// What is known before the first path changes.
#[derive(Debug, Default)]
pub struct Outlook {
    /// Paths that must not be replaced while the profile is mounted, unless the user insists.
    pub not_live: Vec<(PathBuf, Essential)>,
    /// What is done with services.
    pub services: Services,
    /// What else should be known.
    pub notes: Vec<String>,
}

/// Looks at what becomes of the files of a mounted profile, of which `now` is a snapshot. Where it is mounted nowhere,
/// that means nothing for what runs, since nothing does.
///
/// # Errors
///
/// dpkg's lists or the processes cannot be read.
pub(crate) fn look(
    pool: &Pool,
    profile: &ProfileFile,
    standing: &Standing,
    (restore, joined): (&[Change], &[(PathBuf, Joined)]),
    now: &Path,
) -> Result<Outlook> {
    if matches!(standing, Standing::Free) {
        return Ok(Outlook::default());
    }
    let (base, _) = profile::base_for(pool, profile)?;
    let changed = changed(restore, joined);
    let mut outlook = Outlook::default();
    let manager = Manager::find(standing)?;
    let parts = parts(pool, &changed, now, &base)?;
    outlook.not_live = parts
        .iter()
        .filter(|(_, part)| part.is_in_use(manager.is_some()))
        .map(|(path, part)| (path.clone(), *part))
        .collect();
    let Some(manager) = manager else {
        return Ok(outlook);
    };
    let returning = services::returning(restore, &Merged::new(now, &base))?;
    let looked = manager
        .units()
        .and_then(|units| Ok((units, manager.wanted(&returning)?)));
    match looked {
        Ok((units, wanted)) => {
            outlook.services = services::decide(&changed, &units);
            outlook.services.add_wanted(wanted);
        }
        // The files are the user's, whatever systemd says: it is told, not refused.
        Err(error) => outlook.notes.push(format!(
            "The services cannot be looked at: {error}. Restart what is concerned by hand."
        )),
    }
    let booted: BTreeSet<Booted> = changed
        .keys()
        .filter_map(|path| essential::booted(path))
        .collect();
    let parts: BTreeSet<Essential> = parts.values().copied().collect();
    outlook.notes.extend(reboot(&booted, &parts));
    Ok(outlook)
}

/// Files that come, change or go: those that are restored, and those of the joined that become something else.
fn changed(restore: &[Change], joined: &[(PathBuf, Joined)]) -> BTreeMap<PathBuf, Fate> {
    let restored = restore
        .iter()
        .filter(|change| (change.old, change.new) != (Some(Kind::Directory), Some(Kind::Directory)))
        .map(|change| {
            let fate = match (change.old, change.new) {
                (None, _) => Fate::Goes,
                (_, None) => Fate::Comes,
                _ => Fate::Changes,
            };
            (change.path.clone(), fate)
        });
    let joined = joined
        .iter()
        .filter(|(_, joined)| joined.is_written())
        .map(|(path, joined)| match joined {
            Joined::Gone => (path.clone(), Fate::Goes),
            _ => (path.clone(), Fate::Changes),
        });
    restored.chain(joined).collect()
}

/// Which of the changed paths are parts of what counts, by their names and by dpkg's lists of now.
fn parts(
    pool: &Pool,
    changed: &BTreeMap<PathBuf, Fate>,
    now: &Path,
    base: &Path,
) -> Result<BTreeMap<PathBuf, Essential>> {
    let run_from: Vec<&PathBuf> = changed
        .keys()
        .filter(|path| essential::is_run_from(path))
        .collect();
    if run_from.is_empty() {
        return Ok(BTreeMap::new());
    }
    let view = View::read_only(pool, now, base)?;
    let owned = owned(view.path())?;
    view.close()?;
    let part = |path: &PathBuf| {
        owned
            .get(&usr(path))
            .copied()
            .or_else(|| essential::by_name(path))
    };
    Ok(run_from
        .into_iter()
        .filter_map(|path| Some((path.clone(), part(path)?)))
        .collect())
}

/// Every path of the packages that count.
fn owned(root: &Path) -> Result<HashMap<PathBuf, Essential>> {
    let packages: HashMap<&str, Essential> = essential::packages().collect();
    let mut owned = HashMap::new();
    for (name, file) in info_files(root)? {
        let (Some(part), "list") = (packages.get(name.package.as_str()), name.kind.as_str()) else {
            continue;
        };
        for path in parse_list(&read_optional(&file)?) {
            let path = Path::new(std::ffi::OsStr::from_bytes(&path));
            owned.insert(usr(path.strip_prefix("/").unwrap_or(path)), *part);
        }
    }
    Ok(owned)
}

/// dpkg's lists may still name a file by the link into `usr` that it was shipped through.
fn usr(path: &Path) -> PathBuf {
    match essential::is_run_from(path) && !path.starts_with("usr") {
        true => Path::new("usr").join(path),
        false => path.to_path_buf(),
    }
}

/// What needs a boot to be in force, in one sentence.
fn reboot(booted: &BTreeSet<Booted>, parts: &BTreeSet<Essential>) -> Option<String> {
    let running = parts
        .iter()
        .filter(|part| **part != Essential::PackageManager);
    let names: Vec<&str> = booted
        .iter()
        .map(|part| part.words())
        .chain(running.map(|part| part.words()))
        .collect();
    let list = match names.as_slice() {
        [] => return None,
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    };
    Some(format!(
        "Reboot: until then, what runs goes on with {list} from before this."
    ))
}

#[cfg(test)]
mod tests {
    use super::super::join::From;
    use super::*;
    use crate::delta::ChangeKind;

    #[test]
    fn what_stays_as_it_is_concerns_no_service() {
        let change = |path: &str, old, new| Change {
            path: path.into(),
            kind: ChangeKind::Content,
            old,
            new,
        };
        let (file, directory) = (Some(Kind::File), Some(Kind::Directory));
        let restore = [
            change("usr/sbin/nginx", file, file),
            change("usr/sbin/gone", None, file),
            change("usr/sbin/new", file, None),
            change("usr/sbin", directory, directory),
        ];
        let joined = [
            ("etc/a", Joined::Mine),
            ("etc/b", Joined::Kept),
            ("etc/c", Joined::Other),
            ("etc/d", Joined::Conflict(Vec::new())),
            ("etc/e", Joined::Content(Vec::new(), From::Mine)),
            ("etc/f", Joined::Gone),
        ]
        .map(|(path, joined)| (PathBuf::from(path), joined));
        let expected = [
            ("etc/e", Fate::Changes),
            ("etc/f", Fate::Goes),
            ("usr/sbin/gone", Fate::Goes),
            ("usr/sbin/new", Fate::Comes),
            ("usr/sbin/nginx", Fate::Changes),
        ]
        .map(|(path, fate)| (PathBuf::from(path), fate));
        assert_eq!(changed(&restore, &joined), BTreeMap::from(expected));
    }

    #[test]
    fn what_needs_a_reboot_is_one_sentence() {
        let told = |booted: &[Booted], parts: &[Essential]| {
            reboot(
                &booted.iter().copied().collect(),
                &parts.iter().copied().collect(),
            )
        };
        assert_eq!(told(&[], &[]), None);
        assert_eq!(told(&[], &[Essential::PackageManager]), None);
        assert_eq!(
            told(&[Booted::Kernel], &[]).as_deref(),
            Some("Reboot: until then, what runs goes on with the kernel from before this.")
        );
        let all = told(
            &[Booted::Kernel, Booted::Firmware],
            &[Essential::CLibrary, Essential::MessageBus],
        );
        let list = "with the kernel, firmware, the C library and the message bus from";
        assert!(
            all.as_ref().is_some_and(|all| all.contains(list)),
            "{all:?}"
        );
    }

    #[test]
    fn the_lists_of_what_counts_are_read_and_no_others() {
        let root = tempfile::tempdir().unwrap();
        let info = root.path().join("var/lib/dpkg/info");
        std::fs::create_dir_all(&info).unwrap();
        let list = |name: &str, text: &str| std::fs::write(info.join(name), text).unwrap();
        list(
            "libc6:amd64.list",
            "/.\n/lib\n/lib/x86_64-linux-gnu/libm.so.6\n",
        );
        list("libc6:amd64.md5sums", "0 usr/bin/nothing\n");
        list("libc6-dev:amd64.list", "/usr/lib/x86_64-linux-gnu/crt1.o\n");
        list("dpkg.list", "/usr/bin/dpkg-deb\n");
        let owned = owned(root.path()).unwrap();
        let of = |path: &str| owned.get(Path::new(path)).copied();
        assert_eq!(
            of("usr/lib/x86_64-linux-gnu/libm.so.6"),
            Some(Essential::CLibrary)
        );
        assert_eq!(of("usr/bin/dpkg-deb"), Some(Essential::PackageManager));
        assert_eq!(of("usr/lib/x86_64-linux-gnu/crt1.o"), None);
        assert_eq!(of("usr/bin/nothing"), None);
    }
}
