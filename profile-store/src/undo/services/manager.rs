//! The systemd that runs a profile, and what it is asked and told.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use profile_sys::command::Command;
use profile_sys::mountinfo::{self, Mount};
use profile_sys::{file, process};

use super::returning::Returning;
use super::unit::{self, Unit};
use crate::error::Result;
use crate::session::parse_overlay_source;
use crate::standing::Standing;

/// The name of its process.
const PROGRAM: &str = "systemd";
/// Kinds of unit that run something, or have something run.
const KINDS: [&str; 4] = ["*.service", "*.socket", "*.timer", "*.path"];
/// Where control groups are mounted; the ones that systemd keeps are in one of these, by the machine's set-up.
const CONTROL_GROUPS: [&str; 3] = [
    "sys/fs/cgroup",
    "sys/fs/cgroup/systemd",
    "sys/fs/cgroup/unified",
];
/// Longest list of processes of one control group that is read, in bytes.
const PROCESSES_LIMIT_BYTES: u64 = 1 << 20;
/// How far control groups of one unit may be nested.
const DEEPEST: u32 = 8;

/// A systemd that is the first process of its pid namespace, in the profile's merged tree.
#[derive(Debug)]
pub struct Manager {
    pid: u32,
}

impl Manager {
    /// The one of the profile that stands there; `None` when nothing is mounted or no systemd runs.
    ///
    /// # Errors
    ///
    /// The processes cannot be looked at.
    pub(crate) fn find(standing: &Standing) -> Result<Option<Self>> {
        let Some(root) = source_of_root(&standing.mounts()?) else {
            return Ok(None);
        };
        for pid in process::all_pids()? {
            if process::info(pid)?.is_none_or(|process| process.comm != PROGRAM) {
                continue;
            }
            if process::own_pid(pid)? != Some(1) {
                continue;
            }
            // It may end while it is looked at.
            let mounts = match mountinfo::read_of(pid) {
                Ok(mounts) => mounts,
                Err(error) if error.is_not_found() => continue,
                Err(error) => return Err(error.into()),
            };
            if source_of_root(&mounts).as_ref() == Some(&root) {
                return Ok(Some(Self { pid }));
            }
        }
        Ok(None)
    }

    /// What runs, with all that it runs from.
    ///
    /// # Errors
    ///
    /// systemd does not answer, or a process cannot be looked at.
    pub(crate) fn units(&self) -> Result<Vec<Unit>> {
        let property = format!("--property={}", unit::PROPERTIES);
        let output = self
            .systemctl(["show", property.as_str()])
            .args(KINDS)
            .run_ok()?;
        let mut units = unit::parse(&String::from_utf8_lossy(&output.stdout));
        units.retain(|unit| unit.is_active);
        let callers = callers()?;
        for unit in &mut units {
            for pid in self.processes(&unit.control_group)? {
                unit.mapped.extend(process::mapped_files(pid)?);
                unit.holds_caller |= callers.contains(&pid);
            }
        }
        Ok(units)
    }

    /// The units among those that come back which something wants that is active.
    ///
    /// # Errors
    ///
    /// systemd does not answer.
    pub(crate) fn wanted(&self, returning: &BTreeSet<Returning>) -> Result<BTreeSet<String>> {
        let by: BTreeSet<&str> = returning.iter().map(|one| one.wanted_by.as_str()).collect();
        if by.is_empty() {
            return Ok(BTreeSet::new());
        }
        let property = format!("--property={}", unit::PROPERTIES);
        let output = self
            .systemctl(["show", property.as_str(), "--"])
            .args(&by)
            .run_ok()?;
        // In the order of the names: one may be an alias, like that of the default target.
        let told = unit::parse(&String::from_utf8_lossy(&output.stdout));
        let active: BTreeSet<&str> = by
            .into_iter()
            .zip(&told)
            .filter(|(_, unit)| unit.is_active)
            .map(|(name, _)| name)
            .collect();
        let wanted = returning
            .iter()
            .filter(|one| active.contains(one.wanted_by.as_str()))
            .map(|one| one.unit.clone());
        Ok(wanted.collect())
    }

    /// Stops units, together, so that none of them starts another one again.
    ///
    /// # Errors
    ///
    /// One of them still runs.
    pub(super) fn stop(&self, units: &[String]) -> Result<()> {
        Ok(self.systemctl(["stop"]).args(units).run_ok().map(drop)?)
    }

    /// Starts or restarts one unit.
    ///
    /// # Errors
    ///
    /// It did not.
    pub(super) fn one(&self, verb: &'static str, unit: &str) -> Result<()> {
        Ok(self.systemctl([verb, unit]).run_ok().map(drop)?)
    }

    /// Has all units read anew.
    ///
    /// # Errors
    ///
    /// systemd refuses.
    pub(super) fn reload(&self) -> Result<()> {
        Ok(self.systemctl(["daemon-reload"]).run_ok().map(drop)?)
    }

    /// Those of `units` that systemd still knows a file of.
    ///
    /// # Errors
    ///
    /// systemd does not answer.
    pub(super) fn still_there(&self, units: &[String]) -> Result<Vec<String>> {
        let mut found = Vec::new();
        for unit in units {
            let asked = self
                .systemctl(["show", "--property=LoadState", "--value", unit.as_str()])
                .run_ok()?;
            if asked.stdout.trim_ascii() == b"loaded" {
                found.push(unit.clone());
            }
        }
        Ok(found)
    }

    /// `systemctl` as a process of its namespaces, from which alone it can be reached.
    fn systemctl<const N: usize>(&self, arguments: [&str; N]) -> Command {
        Command::new("nsenter")
            .arg(format!("--target={}", self.pid))
            .args([
                "--mount",
                "--pid",
                "--cgroup",
                "--",
                "systemctl",
                "--no-pager",
                "--no-ask-password",
            ])
            .args(arguments)
    }

    /// The processes of a control group and of those below it, by the numbers that this process sees.
    fn processes(&self, control_group: &str) -> Result<BTreeSet<u32>> {
        let mut found = BTreeSet::new();
        let group = control_group.trim_start_matches('/');
        // That of systemd itself is the root of all others.
        if group.is_empty() {
            return Ok(found);
        }
        let root = PathBuf::from(format!("/proc/{}/root", self.pid));
        for mounted in CONTROL_GROUPS {
            collect(&root.join(mounted).join(group), DEEPEST, &mut found)?;
        }
        Ok(found)
    }
}

/// What was mounted as `/`, when it is an overlay of ours.
fn source_of_root(mounts: &[Mount]) -> Option<OsString> {
    // The last entry is the one on top.
    let root = mounts
        .iter()
        .rev()
        .find(|mount| mount.mount_point == Path::new("/"))?;
    parse_overlay_source(root.source.to_str()?)
        .is_some()
        .then(|| root.source.clone())
}

/// This process and those above it.
fn callers() -> Result<BTreeSet<u32>> {
    let own = std::process::id();
    let above = process::ancestors(own)?;
    Ok(above
        .iter()
        .map(|process| process.pid)
        .chain([own])
        .collect())
}

/// Adds the processes of the group at `directory`; a group that is gone has none.
fn collect(directory: &Path, deep: u32, found: &mut BTreeSet<u32>) -> Result<()> {
    if !file::exists(directory)? {
        return Ok(());
    }
    match file::read_limited(&directory.join("cgroup.procs"), PROCESSES_LIMIT_BYTES) {
        // 0 stands for one that this process cannot see.
        Ok(text) => found.extend(
            String::from_utf8_lossy(&text)
                .lines()
                .filter_map(|line| line.parse::<u32>().ok())
                .filter(|pid| *pid != 0),
        ),
        Err(error) if error.is_not_found() => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    if deep == 0 {
        return Ok(());
    }
    for name in file::list(directory)? {
        let below = directory.join(name);
        if file::metadata(&below)?.is_some_and(|meta| meta.is_dir()) {
            collect(&below, deep - 1, found)?;
        }
    }
    Ok(())
}
