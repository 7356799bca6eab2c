//! Histories of a profile: transactions of random changes, each compared as soon as it is made.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nix::sys::stat::{SFlag, makedev};

use crate::act;
use crate::place::{Place, Profile, Snapshot};
use crate::random::Random;
use crate::walk;

/// After so many transactions the profile has drifted far from the base: a new history begins.
pub const TRANSACTIONS_OF_A_HISTORY: u64 = 20;
/// How many former states are kept to be compared with and gone back to.
const KEPT: usize = 4;
/// The most steps of one transaction.
const STEPS: usize = 60;

/// One profile from its beginning on.
pub struct History<'a> {
    place: &'a Place,
    seed: u64,
    random: Random,
    profile: Profile,
    snapshots: Vec<Snapshot>,
    /// What was done, for whoever reads a failure.
    told: Vec<String>,
    made: u64,
}

impl<'a> History<'a> {
    pub fn new(place: &'a Place, seed: u64) -> Self {
        let profile = place.profile(&format!("h{seed}"), None);
        let first = place.snapshot(&profile, &format!("s{seed}-0"));
        Self {
            place,
            seed,
            random: Random::new(seed),
            profile,
            snapshots: vec![first],
            told: Vec::new(),
            made: 0,
        }
    }

    /// Makes so many transactions and compares each; how many deltas were compared.
    pub fn play(&mut self, transactions: u64, seen: &mut BTreeMap<&'static str, u64>) -> u64 {
        (0..transactions).map(|_| self.transaction(seen)).sum()
    }

    fn transaction(&mut self, seen: &mut BTreeMap<&'static str, u64>) -> u64 {
        self.made += 1;
        self.told.push(format!("-- transaction {}", self.made));
        if self.random.once_in(8) {
            self.go_back();
        }
        // Small ones are the rule, and an empty one must be told as such.
        let most = *self.random.pick(&[1, 3, 10, STEPS]);
        for _ in 0..self.random.below(most + 1) {
            self.step();
        }
        let name = format!("s{}-{}", self.seed, self.made);
        let newest = self.place.snapshot(&self.profile, &name);
        let older = self.snapshots.last().expect("one at least");
        for (_, how, ..) in walk::differences(&older.reading, &newest.reading) {
            *seen.entry(how).or_default() += 1;
        }
        self.compare(older, &newest);
        // Over several transactions, and the other way round, as undo and `diff N..M` may ask.
        let other = self.random.below(self.snapshots.len());
        self.compare(&self.snapshots[other], &newest);
        let both_ways = self.random.once_in(3);
        if both_ways {
            self.compare(&newest, &self.snapshots[other]);
        }
        self.snapshots.push(newest);
        if self.snapshots.len() > KEPT {
            self.snapshots.remove(0);
        }
        2 + u64::from(both_ways)
    }

    fn compare(&self, older: &Snapshot, newer: &Snapshot) {
        if let Some(disagreement) = self.place.disagreement(older, newer) {
            panic!(
                "history {} ({} to {}):\n{}\n{disagreement}\nagain: FLIPPER_DELTA_SEED={} FLIPPER_DELTA_CASES={}",
                self.seed,
                older.path.display(),
                newer.path.display(),
                self.told.join("\n"),
                self.seed,
                self.made,
            );
        }
    }

    /// The profile becomes a copy of a former state, as an undo beside the profile leaves it: a subvolume that
    /// shares its origin with the snapshots, and counts inodes anew from there.
    fn go_back(&mut self) {
        let to = self.random.below(self.snapshots.len());
        self.told
            .push(format!("back to {}", self.snapshots[to].path.display()));
        let name = format!("h{}-{}", self.seed, self.made);
        self.profile = self.place.profile(&name, Some(&self.snapshots[to].path));
    }

    /// One change. What the kernel refuses (a name in the way, a directory into itself) is no change.
    fn step(&mut self) {
        let paths = paths(&self.profile.merged);
        let path = self.some(&paths);
        let fresh = self.fresh(&paths);
        let number = self.random.below(1000);
        let (what, outcome) = self.act(&path, &fresh, number, &paths);
        let said = match outcome {
            Ok(()) => "done".to_owned(),
            Err(error) => error.to_string(),
        };
        let root = &self.profile.merged;
        let relative = |path: &Path| path.strip_prefix(root).map(Path::to_path_buf);
        self.told.push(format!(
            "{what} {:?} {:?} {number}: {said}",
            relative(&path).unwrap_or_default(),
            relative(&fresh).unwrap_or_default(),
        ));
    }

    fn act(
        &mut self,
        path: &Path,
        fresh: &Path,
        number: usize,
        paths: &[PathBuf],
    ) -> (&'static str, io::Result<()>) {
        let other = self.some(paths);
        let random = &mut self.random;
        if path == self.profile.merged && number % 8 > 0 {
            // What removes or moves would leave little of the tree, or be refused.
            return match number % 3 {
                0 => ("mode", act::set_mode(path, 0o700 + number as u32 % 8)),
                1 => ("owner", act::set_owner(path, number as u32 % 3)),
                _ => ("attribute", act::set_attribute(path, number)),
            };
        }
        match random.below(30) {
            0 | 1 => ("write", act::write(fresh, number * 9, number)),
            2 => ("write over", act::write(path, number, number)),
            3 | 4 => ("replace", act::replace(path, number, number)),
            5 => ("append", act::append(path, number)),
            6 => ("overwrite", act::overwrite(path, number, number % 2 == 0)),
            7 => ("resize", act::resize(path, number as u64 * 100)),
            8 => ("rewrite", act::rewrite(path)),
            9 => ("copy", act::copy(path, fresh)),
            10 | 11 => ("remove", act::remove(path)),
            // The base's directory is hidden whole by an opaque one.
            12 | 13 => (
                "make anew",
                act::remove(path).and_then(|()| fs::create_dir(path)),
            ),
            14 => (
                "unpack anew",
                act::remove(path).and_then(|()| act::unpack(path, number)),
            ),
            15 => ("mkdir", fs::create_dir(fresh)),
            16 | 17 => ("unpack", act::unpack(fresh, number)),
            18 | 19 => ("mv", act::mv(path, fresh)),
            20 => ("mv over", { act::mv(path, &other) }),
            21 => ("exchange", { act::exchange(path, &other) }),
            22 => {
                // Never one that leads out of the tree to what is there: the steps follow symlinks.
                let target = *random.pick(&["a", "../b", "/nonexistent/a", "lib"]);
                match number % 2 {
                    0 => ("symlink", symlink(target, fresh)),
                    _ => (
                        "symlink instead",
                        act::remove(path).and_then(|()| symlink(target, path)),
                    ),
                }
            }
            23 | 24 => ("link", fs::hard_link(path, fresh)),
            25 => {
                let place = match number % 2 {
                    0 => fresh,
                    _ => path,
                };
                if number % 2 == 1 && act::remove(path).is_err() {
                    return ("node instead", Err(io::ErrorKind::InvalidInput.into()));
                }
                match number % 5 {
                    0 => ("fifo", act::node(place, SFlag::S_IFIFO, 0)),
                    1 => ("socket", act::socket(place)),
                    2 => (
                        "block device",
                        act::node(place, SFlag::S_IFBLK, makedev(8, 1)),
                    ),
                    3 => (
                        "device",
                        act::node(place, SFlag::S_IFCHR, makedev(1, 3 + number as u64 % 2 * 2)),
                    ),
                    // Overlayfs refuses a forged whiteout.
                    _ => ("whiteout", act::node(place, SFlag::S_IFCHR, 0)),
                }
            }
            26 => (
                "mode",
                act::set_mode(path, *random.pick(&[0o644, 0o755, 0o700, 0o4711])),
            ),
            27 => ("owner", act::set_owner(path, random.below(3) as u32)),
            28 => match number % 3 {
                0 => ("no attributes", act::remove_attributes(path)),
                _ => ("attribute", act::set_attribute(path, number)),
            },
            _ => match number % 4 {
                0 => ("write unlinked", act::write_unlinked(path)),
                _ => {
                    let time = SystemTime::UNIX_EPOCH
                        + Duration::from_nanos(number as u64 * 1_000_000_007);
                    ("time", act::set_time(path, time))
                }
            },
        }
    }

    /// A path to change. One with much below it only sometimes, else little would be left; the root too.
    fn some(&mut self, paths: &[PathBuf]) -> PathBuf {
        for _ in 0..3 {
            let Some(path) = paths.get(self.random.below(paths.len() + 1)) else {
                break;
            };
            let below = paths.iter().filter(|one| one.starts_with(path)).count();
            if below < 12 || self.random.once_in(8) {
                return path.clone();
            }
        }
        self.profile.merged.clone()
    }

    /// A path with one of the names, in a directory that is there.
    fn fresh(&mut self, paths: &[PathBuf]) -> PathBuf {
        let some = self.some(paths);
        let real = fs::symlink_metadata(&some).is_ok_and(|meta| meta.is_dir());
        let place = match real {
            true => some,
            // The root is a directory, so what is none has a parent in the tree.
            false => some.parent().map_or(some.clone(), Path::to_path_buf),
        };
        let name = self.random.below(act::NAMES.len());
        act::below(&place, act::NAMES[name])
    }
}

/// Every path below `root`, without it, in an order that does not depend on the directory's.
fn paths(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut queue = vec![root.to_path_buf()];
    while let Some(directory) = queue.pop() {
        for entry in fs::read_dir(directory).expect("a directory") {
            let entry = entry.expect("an entry");
            if entry.file_type().expect("a type").is_dir() {
                queue.push(entry.path());
            }
            found.push(entry.path());
        }
    }
    found.sort();
    found
}
