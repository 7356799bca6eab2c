//! Between the snapshot and dpkg: the plan is recorded, and directories that dpkg could not move
//! aside on an overlay are made movable.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use profile_store::Error;
use profile_store::transaction::materialise::{self, Site};
use profile_store::transaction::package_state::PackageState;
use profile_store::transaction::{self, Caller, Planned};

use crate::archive::{self, Archive};
use crate::hook::{Hook, Work};
use crate::policy::Verdict;
use crate::protocol::{Direction, Plan, Step, Version};
use crate::say;

/// What helps where dpkg meets a directory of the base that was not made movable.
const INSTEAD: &str = "if dpkg says `Invalid cross-device link`, `apt install ./FILE.deb` does it";

/// Records apt's plan and prepares for its archives. A plan for another root takes the transaction
/// back: nothing of this profile will change.
pub fn of_plan(hook: &Hook, caller: &Caller, plan: &Plan) -> Verdict {
    if is_elsewhere(plan) {
        return hook.with_journal(caller, |work| {
            transaction::plan::cancel(work.world, &work.journal, work.caller)?;
            Ok(Verdict::Fine)
        });
    }
    let planned: Vec<Planned> = plan.steps.iter().filter_map(planned).collect();
    let paths = unpacked(plan);
    std::thread::scope(|scope| {
        // One that cannot be read stops dpkg by itself. Meanwhile: dpkg-deb needs longer than the journal, and nothing of it.
        let reading = scope.spawn(|| read(&paths).0);
        hook.with_journal(caller, |work| {
            transaction::plan(work.world, &work.journal, work.caller, &planned)?;
            let archives = reading
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            materialise_for(work, &archives)
        })
    })
}

/// The archives that a plan unpacks.
fn unpacked(plan: &Plan) -> Vec<PathBuf> {
    // What is unpacked again in the same version stands there already.
    let changing = plan
        .steps
        .iter()
        .filter(|step| step.direction != Some(Direction::Same));
    changing
        .filter_map(|step| match &step.step {
            Step::Unpack { archive } => Some(archive.clone()),
            Step::Configure | Step::Remove => None,
        })
        .collect()
}

/// What is in the archives that can be read, and which cannot.
fn read(paths: &[PathBuf]) -> (Vec<Archive>, Vec<&PathBuf>) {
    let mut archives = Vec::new();
    let mut unreadable = Vec::new();
    for (path, found) in paths.iter().zip(archive::read_all(paths)) {
        match found {
            Ok(archive) => archives.push(archive),
            Err(_) => unreadable.push(path),
        }
    }
    (archives, unreadable)
}

/// Records what a bare dpkg will do with its archives, and prepares for them.
///
/// # Errors
///
/// The journal or dpkg's status cannot be read, or the journal not be written.
pub fn of_archives(work: &Work<'_>, paths: &[PathBuf]) -> Result<Verdict, Error> {
    let (archives, unreadable) = read(paths);
    for path in &unreadable {
        let what = format!(
            "{} could not be read, and nothing was prepared for it",
            path.display()
        );
        say::warn(&what, INSTEAD);
    }
    if archives.is_empty() {
        return Ok(Verdict::Fine);
    }
    let now = PackageState::read(
        &work.world.subvolume(),
        &work.world.base_path(&work.world.base),
    )?;
    let planned: Vec<Planned> = archives
        .iter()
        .filter_map(|archive| archive.package.clone())
        .map(|(name, version, architecture)| {
            let old = now.status.named(&name).iter().find(|package| {
                package.state.is_present()
                    && (package.architecture == architecture || !package.multi_arch_same)
            });
            let old_version = old.map(|package| package.version.clone());
            Planned {
                name,
                architecture,
                old_version,
                new_version: Some(version),
                configure_only: false,
            }
        })
        .collect();
    transaction::plan(work.world, &work.journal, work.caller, &planned)?;
    materialise_for(work, &archives)
}

/// Makes every directory of the base movable that one of the archives has something else for.
fn materialise_for(work: &Work<'_>, archives: &[Archive]) -> Result<Verdict, Error> {
    let site = Site::new(work.world, Path::new("/"));
    let mut directories = BTreeSet::new();
    for file in archives.iter().flat_map(|archive| &archive.files) {
        // The cheap question first: nearly everything is a file already, or not there.
        if std::fs::symlink_metadata(file).is_ok_and(|meta| meta.is_dir()) {
            directories.extend(site.directory_of_base(file)?);
        }
    }
    if directories.is_empty() {
        return Ok(Verdict::Fine);
    }
    let directories: Vec<PathBuf> = directories.into_iter().collect();
    let row = transaction::rows::going_on(work.world, &work.journal, &work.caller.owner)?;
    let number = row.map(|row| row.number);
    match materialise::materialise(
        work.world,
        &work.journal,
        &site,
        number,
        &directories,
        work.hook.now,
    ) {
        Ok(_) => Ok(Verdict::Fine),
        Err(error) => {
            let names: Vec<String> = directories
                .iter()
                .map(|path| format!("/{}", path.display()))
                .collect();
            let what = format!(
                "{} could not be prepared and dpkg may fail there: {}",
                names.join(", "),
                say::whole(&error)
            );
            say::warn(&what, &say::help(&error));
            Ok(Verdict::Failed)
        }
    }
}

/// Whether apt works on another root than the one it runs in.
fn is_elsewhere(plan: &Plan) -> bool {
    let is = |name: &str, ordinary: &[&str]| {
        plan.setting(name).is_none_or(|value| {
            let value = plain(&String::from_utf8_lossy(value));
            value.is_empty() || ordinary.contains(&value.as_str())
        })
    };
    // The status file may be given from the root or from Dir::State on.
    let status = &[
        "/var/lib/dpkg/status",
        "../dpkg/status",
        "var/lib/dpkg/status",
    ];
    !(is("Dir", &[])
        && is("RootDir", &[])
        && is("DPkg::Chroot-Directory", &[])
        && is("Dir::State::status", status))
}

/// A path without doubled and last slashes; python-apt writes `//var/lib/dpkg/status`.
fn plain(path: &str) -> String {
    let mut plain = String::new();
    for c in path.chars() {
        if c != '/' || !plain.ends_with('/') {
            plain.push(c);
        }
    }
    plain.trim_end_matches('/').to_owned()
}

fn planned(step: &crate::protocol::Planned) -> Option<Planned> {
    let name = step.name.clone()?;
    let architecture = |version: &Version| version.architecture.clone();
    let architecture = step
        .new
        .as_ref()
        .and_then(architecture)
        .or_else(|| step.old.as_ref().and_then(architecture));
    let (new, configure_only) = match step.step {
        Step::Unpack { .. } => (step.new.as_ref(), false),
        Step::Configure => (step.new.as_ref().or(step.old.as_ref()), true),
        Step::Remove => (None, false),
    };
    Some(Planned {
        name,
        architecture: architecture.unwrap_or_default(),
        old_version: step.old.as_ref().map(|version| version.version.clone()),
        new_version: new.map(|version| version.version.clone()),
        configure_only,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(settings: &[&str], steps: &[&str]) -> Plan {
        let text = format!(
            "VERSION 3\n{}\n\n{}",
            settings.join("\n"),
            [steps, &[""]].concat().join("\n")
        );
        Plan::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn another_root_is_recognised() {
        for setting in [
            "Dir=/mnt/",
            "RootDir=/mnt",
            "DPkg::Chroot-Directory=/mnt",
            "Dir::State::status=/mnt/var/lib/dpkg/status",
        ] {
            assert!(is_elsewhere(&plan(&[setting], &[])), "{setting}");
        }
        let ordinary = [
            "Dir=/",
            "Dir::State=var/lib/apt",
            "Dir::State::status=/var/lib/dpkg/status",
            "DPkg::Chroot-Directory=/",
        ];
        assert!(!is_elsewhere(&plan(&ordinary, &[])));
        assert!(!is_elsewhere(&plan(&["RootDir="], &[])));
        // As unattended-upgrades has it.
        let python = ["Dir=/", "Dir::State::status=//var/lib/dpkg/status"];
        assert!(!is_elsewhere(&plan(&python, &[])));
    }

    #[test]
    fn steps_become_planned_packages() {
        let plan = plan(
            &["Dir=/"],
            &[
                "jq - - none < 1.7-1 amd64 none /var/cache/apt/archives/jq.deb",
                "old 1 amd64 none > - - none **REMOVE**",
                "jq - - none < 1.7-1 amd64 none **CONFIGURE**",
            ],
        );
        let found: Vec<Planned> = plan.steps.iter().filter_map(planned).collect();
        let versions: Vec<_> = found
            .iter()
            .map(|package| {
                (
                    package.name.as_str(),
                    package.old_version.as_deref(),
                    package.new_version.as_deref(),
                    package.configure_only,
                )
            })
            .collect();
        assert_eq!(
            versions,
            [
                ("jq", None, Some("1.7-1"), false),
                ("old", Some("1"), None, false),
                ("jq", None, Some("1.7-1"), true)
            ]
        );
        assert_eq!(found[0].architecture, "amd64");
        assert_eq!(found[1].architecture, "amd64");
    }
}
