//! Judges the difference of two real trees: `attribute OLD_ROOT NEW_ROOT < paths`.
//!
//! Standard input has one changed path per NUL: `A`, `R` or `M`, then `d` or `-`, then the path.
//! Prints every path that is not attributed, and how many each rule attributed. This is how the
//! tables of [`conffile_diff::attribution`] are checked against installations of real packages.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use conffile_diff::attribution::{Attribution, Change, ChangedPath, PackageFacts, Verdict};
use conffile_diff::dpkg::changes::Side;
use conffile_diff::dpkg::{AutoMarks, Hints, Status, changes, info};

/// What dpkg keeps below one root.
struct Database {
    bytes: Vec<u8>,
    status: Status,
    info: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
    ucf: Vec<(String, Vec<u8>)>,
    root: PathBuf,
}

fn read(root: &Path) -> Database {
    let bytes = std::fs::read(root.join("var/lib/dpkg/status")).expect("no status file");
    let status = Status::parse(&bytes).expect("cannot parse the status file");
    let mut found: BTreeMap<String, BTreeMap<String, Vec<u8>>> = BTreeMap::new();
    let folder = std::fs::read_dir(root.join("var/lib/dpkg/info")).expect("no info directory");
    for entry in folder.flatten() {
        if let Some(name) = info::parse_name(entry.file_name().as_bytes()) {
            let text = std::fs::read(entry.path()).unwrap_or_default();
            let kinds = found.entry(name.package).or_default();
            kinds.entry(name.kind).or_default().extend(text);
        }
    }
    let ucf = std::fs::read(root.join("var/lib/ucf/registry")).unwrap_or_default();
    Database {
        bytes,
        status,
        info: found,
        ucf: info::parse_ucf_registry(&ucf),
        root: root.to_path_buf(),
    }
}

fn main() {
    let roots: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [old, new] = roots.as_slice() else {
        panic!("usage: attribute OLD_ROOT NEW_ROOT");
    };
    let (old, new) = (read(old), read(new));
    let auto = AutoMarks::default();
    let side = |database: &'static Database| Side {
        status: &database.status,
        bytes: &database.bytes,
        auto: Box::leak(Box::new(auto.clone())),
    };
    let (old, new): (&'static Database, &'static Database) =
        (Box::leak(Box::new(old)), Box::leak(Box::new(new)));
    let changed = changes(side(old), side(new), &Hints::default());
    let names: HashSet<&str> = changed.iter().map(|change| change.name.as_str()).collect();
    let attribution = attribution(&[old, new], &names);

    let mut input = Vec::new();
    std::io::stdin()
        .read_to_end(&mut input)
        .expect("cannot read standard input");
    let paths: Vec<ChangedPath<'_>> = input
        .split(|&byte| byte == 0)
        .filter(|line| line.len() > 2)
        .map(|line| ChangedPath {
            path: &line[2..],
            change: match line[0] {
                b'A' => Change::Added,
                b'R' => Change::Removed,
                _ => Change::Modified,
            },
            directory: line[1] == b'd',
        })
        .collect();
    let started = std::time::Instant::now();
    let verdicts = attribution.judge(&paths);
    let elapsed = started.elapsed();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for (path, verdict) in paths.iter().zip(&verdicts) {
        let shown = OsStr::from_bytes(path.path).to_string_lossy();
        let label = match verdict {
            Verdict::ChangedMeanwhile => {
                println!("meanwhile: {:?} {shown}", path.change);
                "ChangedMeanwhile".to_owned()
            }
            Verdict::Attributed(reason) => {
                if std::env::var_os("VERBOSE").is_some() {
                    println!("{reason:?}: {shown}");
                }
                let text = format!("{reason:?}");
                text.split([' ', '{']).next().unwrap_or_default().to_owned()
            }
        };
        *counts.entry(label).or_default() += 1;
    }
    println!(
        "{} packages, {} paths in {elapsed:?}: {counts:?}",
        names.len(),
        paths.len()
    );
}

fn attribution(databases: &[&Database], names: &HashSet<&str>) -> Attribution {
    let mut facts: BTreeMap<String, PackageFacts> = BTreeMap::new();
    let mut others: Vec<Vec<u8>> = Vec::new();
    for database in databases {
        for (package, kinds) in &database.info {
            let part = names.contains(package.as_str());
            let triggered = kinds
                .get("triggers")
                .is_some_and(|text| text.windows(8).any(|word| word == b"interest"));
            if !part {
                others.extend(kinds.get("list").cloned());
            }
            if !part && !triggered {
                continue;
            }
            let entry = facts.entry(package.clone()).or_default();
            entry.name = package.clone();
            entry.triggered = !part;
            let stanza = database.status.named(package).first();
            entry.source = stanza.and_then(|stanza| stanza.source.clone());
            entry.paths.extend(
                kinds
                    .get("list")
                    .map(|text| info::parse_list(text))
                    .into_iter()
                    .flatten(),
            );
            entry.conffiles.extend(
                kinds
                    .get("conffiles")
                    .map(|text| info::parse_conffiles(text))
                    .into_iter()
                    .flatten(),
            );
            for path in kinds
                .get("list")
                .map(|text| info::parse_list(text))
                .into_iter()
                .flatten()
            {
                if path.starts_with(b"/usr/lib/tmpfiles.d/") {
                    let path = database.root.join(OsStr::from_bytes(&path[1..]));
                    entry.texts.extend(std::fs::read(path));
                }
            }
            let registered = database.ucf.iter().filter(|(name, _)| name == package);
            entry
                .conffiles
                .extend(registered.map(|(_, path)| path.clone()));
            for kind in ["preinst", "postinst", "prerm", "postrm", "config"] {
                entry.texts.extend(kinds.get(kind).cloned());
            }
        }
    }
    Attribution::new(facts.into_values().collect(), others)
}
