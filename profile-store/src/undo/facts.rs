//! What is known about the packages of a transaction: the input of attribution.

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use conffile_diff::attribution::{
    Attribution, Change as ChangeWord, ChangedPath, PackageFacts, Verdict,
};
use conffile_diff::dpkg::Status;
use conffile_diff::dpkg::info::{parse_conffiles, parse_list, parse_ucf_registry};
use profile_db::journal::PackageChange;

use crate::delta::{ChangeKind, Delta};
use crate::error::Result;
use crate::package_database::{PackageDatabase, info_files, read_optional};
use profile_sys::tree::Kind;

/// Decides for every change of a transaction whether the packages made it; the verdicts stand in
/// the order of the delta's changes.
///
/// `old` and `new` are views of the merged tree before and after.
///
/// # Errors
///
/// dpkg's databases in one of the views cannot be read.
pub fn judge(
    packages: &[PackageChange],
    old: &Path,
    new: &Path,
    delta: &Delta,
) -> Result<Vec<Verdict>> {
    let mut facts: HashMap<String, PackageFacts> = HashMap::new();
    let mut other_lists = Vec::new();
    for package in packages {
        facts
            .entry(package.name.clone())
            .or_insert_with(|| empty(&package.name, false));
    }
    for root in [old, new] {
        sources(PackageDatabase::read(root)?.status(), &mut facts);
        collect(root, &mut facts, &mut other_lists)?;
        ucf(root, &mut facts)?;
    }
    let attribution = Attribution::new(facts.into_values().collect(), other_lists);
    let absolute: Vec<Vec<u8>> = delta
        .changes
        .iter()
        .map(|change| [b"/", change.path.as_os_str().as_bytes()].concat())
        .collect();
    let changed: Vec<ChangedPath<'_>> = delta
        .changes
        .iter()
        .zip(&absolute)
        .map(|(change, path)| ChangedPath {
            path,
            change: match change.kind {
                ChangeKind::Added => ChangeWord::Added,
                ChangeKind::Removed => ChangeWord::Removed,
                _ => ChangeWord::Modified,
            },
            directory: change.new.or(change.old) == Some(Kind::Directory),
        })
        .collect();
    Ok(attribution.judge(&changed))
}

fn empty(name: &str, triggered: bool) -> PackageFacts {
    PackageFacts {
        name: name.to_owned(),
        source: None,
        paths: Vec::new(),
        conffiles: Vec::new(),
        texts: Vec::new(),
        triggered,
    }
}

fn sources(status: &Status, facts: &mut HashMap<String, PackageFacts>) {
    for (name, fact) in facts.iter_mut() {
        if let Some(package) = status.named(name).first() {
            fact.source = package.source.clone().or(fact.source.take());
        }
    }
}

/// Takes up the files of dpkg's info directory of one view.
fn collect(
    root: &Path,
    facts: &mut HashMap<String, PackageFacts>,
    other_lists: &mut Vec<Vec<u8>>,
) -> Result<()> {
    for (name, path) in info_files(root)? {
        let kind = name.kind.as_str();
        let known = facts.get(&name.package).is_some_and(|fact| !fact.triggered);
        match kind {
            "list" if !known => other_lists.push(read_optional(&path)?),
            "list" => {
                let paths = parse_list(&read_optional(&path)?);
                let fragments = tmpfiles(root, &paths)?;
                if let Some(fact) = facts.get_mut(&name.package) {
                    fact.texts.extend(fragments);
                    fact.paths.extend(paths);
                }
            }
            "conffiles" if known => {
                let conffiles = parse_conffiles(&read_optional(&path)?);
                if let Some(fact) = facts.get_mut(&name.package) {
                    fact.conffiles.extend(conffiles);
                }
            }
            "preinst" | "postinst" | "prerm" | "postrm" | "config" if known => {
                let text = read_optional(&path)?;
                if let Some(fact) = facts.get_mut(&name.package) {
                    fact.texts.push(text);
                }
            }
            // A package that waits for triggers may have had its postinst run by them.
            "triggers" if !known => {
                let script = path.with_extension("postinst");
                let text = read_optional(&script)?;
                facts
                    .entry(name.package.clone())
                    .or_insert_with(|| empty(&name.package, true))
                    .texts
                    .push(text);
            }
            _ => {}
        }
    }
    Ok(())
}

/// Texts of the tmpfiles.d fragments that a package ships: systemd-tmpfiles makes what they name.
fn tmpfiles(root: &Path, paths: &[Vec<u8>]) -> Result<Vec<Vec<u8>>> {
    paths
        .iter()
        .filter(|path| path.starts_with(b"/usr/lib/tmpfiles.d/") && path.ends_with(b".conf"))
        .map(|path| {
            let relative: PathBuf = Path::new(std::ffi::OsStr::from_bytes(&path[1..])).into();
            read_optional(&root.join(relative))
        })
        .collect()
}

fn ucf(root: &Path, facts: &mut HashMap<String, PackageFacts>) -> Result<()> {
    let registry = read_optional(&root.join("var/lib/ucf/registry"))?;
    for (package, path) in parse_ucf_registry(&registry) {
        if let Some(fact) = facts.get_mut(&package) {
            fact.conffiles.push(path);
        }
    }
    Ok(())
}
