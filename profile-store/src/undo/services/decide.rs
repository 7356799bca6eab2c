//! Which services a change of files concerns. Plain data.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Unit;

/// What becomes of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It was not there.
    Comes,
    /// It becomes another.
    Changes,
    /// It goes.
    Goes,
}

/// What is done with services, and when. Recorded with the intent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Services {
    /// Stopped before the first path changes, because their files go.
    #[serde(default)]
    pub stop: Vec<String>,
    /// Restarted after the last one.
    #[serde(default)]
    pub restart: Vec<String>,
    /// Started after that, because their files come and something that runs wants them.
    #[serde(default)]
    pub start: Vec<String>,
    /// Concerned too, but left to the user.
    #[serde(default)]
    pub by_hand: Vec<String>,
    /// Whether systemd reads its units anew in between.
    #[serde(default)]
    pub reload: bool,
}

impl Services {
    /// Whether nothing is to be done.
    pub fn is_nothing(&self) -> bool {
        self.stop.is_empty() && self.restart.is_empty() && self.start.is_empty() && !self.reload
    }

    /// Leaves starting and restarting to the user.
    pub fn restart_nothing(&mut self) {
        self.by_hand.append(&mut self.restart);
        self.by_hand.append(&mut self.start);
        self.by_hand.sort();
    }

    /// Adds units whose files come and that are wanted, but for those that are dealt with already.
    pub fn add_wanted(&mut self, units: impl IntoIterator<Item = String>) {
        for unit in units {
            let lists = [&self.stop, &self.restart, &self.start, &self.by_hand];
            if lists.iter().any(|list| list.contains(&unit)) {
                continue;
            }
            match is_by_hand(&unit) {
                true => self.by_hand.push(unit),
                false => self.start.push(unit),
            }
        }
        // A socket cannot be started any more when its service runs.
        self.start
            .sort_by_key(|unit| (unit.ends_with(".service"), unit.clone()));
        self.by_hand.sort();
    }
}

/// Where unit files stand.
pub(super) const UNIT_DIRECTORIES: [&str; 3] = [
    "etc/systemd/system",
    "usr/lib/systemd/system",
    "usr/local/lib/systemd/system",
];
/// What units are made from besides.
const MADE_FROM: [&str; 2] = ["etc/init.d", "usr/lib/systemd/system-generators"];

/// Beginnings of services whose restart would take the user's own session, the network under it, or every
/// program that talks over the bus along.
const BY_HAND: &[&str] = &[
    "NetworkManager.",
    "autovt@",
    "connman.",
    "console-getty.",
    "container-getty@",
    "dbus-broker.",
    "dbus.",
    "display-manager.",
    "gdm.",
    "gdm3.",
    "getty@",
    "greetd.",
    "ifup@",
    "iwd.",
    "lightdm.",
    "networking.",
    "nodm.",
    "sddm.",
    "serial-getty@",
    "slim.",
    "systemd-logind.",
    "systemd-networkd.",
    "user@",
    "wpa_supplicant",
    "xdm.",
];

/// Directories of the root that are links into `usr` in Debian.
const MERGED: &[&str] = &["bin", "lib", "lib32", "lib64", "libx32", "sbin"];

/// The one name of a path: relative to the root, `usr/lib` for what is also named `lib`.
pub(super) fn plain(path: &Path) -> PathBuf {
    let path = path.strip_prefix("/").unwrap_or(path);
    match MERGED.iter().any(|directory| path.starts_with(directory)) {
        true => Path::new("usr").join(path),
        false => path.to_path_buf(),
    }
}

/// Says what is done with `units` when the paths of `changed`, relative to the root, change.
///
/// A unit that loses its own file or a program that it starts is stopped. One of which anything else changes (its file,
/// a file that adds to it, a program, or a library that a process of it runs from) is restarted.
pub fn decide(changed: &BTreeMap<PathBuf, Fate>, units: &[Unit]) -> Services {
    let changed: BTreeMap<PathBuf, Fate> = changed
        .iter()
        .map(|(path, fate)| (plain(path), *fate))
        .collect();
    let drop_ins = directories_of_drop_ins(&changed);
    let mut services = Services {
        reload: changed.keys().any(|path| is_of_a_unit(path)),
        ..Services::default()
    };
    let goes = |paths: &BTreeSet<PathBuf>| {
        paths
            .iter()
            .any(|path| changed.get(&plain(path)) == Some(&Fate::Goes))
    };
    let changes =
        |paths: &BTreeSet<PathBuf>| paths.iter().any(|path| changed.contains_key(&plain(path)));
    for unit in units.iter().filter(|unit| unit.is_active) {
        let loses = goes(&unit.files) || goes(&unit.programs);
        let concerned = loses
            || changes(&unit.files)
            || changes(&unit.drop_ins)
            || changes(&unit.programs)
            || changes(&unit.mapped)
            || names_of_drop_ins(&unit.id)
                .iter()
                .any(|name| drop_ins.contains(name.as_str()));
        if !concerned {
            continue;
        }
        let list = match (unit.holds_caller, loses) {
            // It would end the undo itself.
            (true, _) => &mut services.by_hand,
            (false, true) => &mut services.stop,
            (false, false) if unit.refuses || is_by_hand(&unit.id) => &mut services.by_hand,
            (false, false) => &mut services.restart,
        };
        list.push(unit.id.clone());
    }
    for list in [
        &mut services.stop,
        &mut services.restart,
        &mut services.by_hand,
    ] {
        list.sort();
        list.dedup();
    }
    services
}

fn is_of_a_unit(path: &Path) -> bool {
    UNIT_DIRECTORIES
        .iter()
        .chain(&MADE_FROM)
        .any(|directory| path.starts_with(directory) && path != Path::new(directory))
}

fn is_by_hand(id: &str) -> bool {
    BY_HAND.iter().any(|start| id.starts_with(start))
}

/// The names of directories with drop-ins of which something changes: `nginx.service.d`.
fn directories_of_drop_ins(changed: &BTreeMap<PathBuf, Fate>) -> BTreeSet<String> {
    changed
        .keys()
        .filter(|path| {
            is_of_a_unit(path)
                && path
                    .extension()
                    .is_some_and(|extension| extension == "conf")
        })
        .filter_map(|path| path.parent()?.file_name()?.to_str().map(str::to_owned))
        .filter(|name| name.ends_with(".d"))
        .collect()
}

/// The names of directories whose files add to a unit: its own, that of its template, that of its type.
fn names_of_drop_ins(id: &str) -> Vec<String> {
    let mut names = vec![format!("{id}.d")];
    if let Some((stem, kind)) = id.rsplit_once('.') {
        names.push(format!("{kind}.d"));
        if let Some((template, _)) = stem.split_once('@') {
            names.push(format!("{template}@.{kind}.d"));
        }
    }
    names
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
