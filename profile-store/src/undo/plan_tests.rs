use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use profile_sys::tree::Kind;

use super::*;

/// A present in which the named paths are as before, and everything else a directory unless gone.
#[derive(Default)]
struct World {
    as_before: HashSet<PathBuf>,
    gone: HashSet<PathBuf>,
    joined: HashMap<PathBuf, Joined>,
    settled: HashSet<PathBuf>,
    side: Option<Side>,
}

impl Present for World {
    fn is_as_before(&self, path: &Path) -> crate::Result<bool> {
        Ok(self.as_before.contains(path))
    }

    fn joined(&self, path: &Path) -> crate::Result<Joined> {
        Ok(match self.joined.get(path) {
            Some(joined) => joined.clone(),
            None => Joined::Conflict(Vec::new()),
        })
    }

    fn is_directory(&self, path: &Path) -> crate::Result<bool> {
        Ok(!self.gone.contains(path))
    }

    fn is_settled(&self, path: &Path) -> bool {
        self.settled.contains(path)
    }

    fn side(&self, _path: &Path) -> Option<Side> {
        self.side
    }
}

fn change(path: &str, kind: ChangeKind) -> Change {
    Change {
        path: path.into(),
        kind,
        old: (kind != ChangeKind::Added).then_some(Kind::File),
        new: (kind != ChangeKind::Removed).then_some(Kind::File),
    }
}

fn make_directory(change: &mut Change) {
    for side in change.old.iter_mut().chain(&mut change.new) {
        *side = Kind::Directory;
    }
}

fn delta(changes: &[(&str, ChangeKind)]) -> Delta {
    Delta {
        changes: changes
            .iter()
            .map(|(path, kind)| change(path, *kind))
            .collect(),
    }
}

fn paths(changes: &[Change]) -> Vec<&str> {
    changes
        .iter()
        .map(|change| change.path.to_str().unwrap())
        .collect()
}

#[test]
fn what_is_still_as_left_goes_back() {
    let delta = delta(&[("etc/a", ChangeKind::Content), ("usr/b", ChangeKind::Added)]);
    let sorted = sort(&delta, &[true, true], &Delta::default(), &World::default()).unwrap();
    assert_eq!(paths(&sorted.restore), ["etc/a", "usr/b"]);
    assert!(sorted.conflicts.is_empty());
}

#[test]
fn what_changed_meanwhile_is_kept() {
    let delta = delta(&[("etc/mine", ChangeKind::Added)]);
    let sorted = sort(&delta, &[false], &Delta::default(), &World::default()).unwrap();
    assert!(sorted.restore.is_empty());
    assert_eq!(paths(&sorted.meanwhile), ["etc/mine"]);
}

#[test]
fn what_changed_since_is_a_conflict() {
    let made = delta(&[("etc/a", ChangeKind::Content)]);
    let since = delta(&[("etc/a", ChangeKind::Content)]);
    let sorted = sort(&made, &[true], &since, &World::default()).unwrap();
    assert_eq!(
        sorted.conflicts[0].obstacle,
        Obstacle::ChangedSince(Vec::new())
    );
    assert!(sorted.restore.is_empty());
}

#[test]
fn what_went_back_by_itself_is_no_conflict() {
    let made = delta(&[("etc/a", ChangeKind::Content)]);
    let world = World {
        as_before: [PathBuf::from("etc/a")].into(),
        ..World::default()
    };
    let sorted = sort(&made, &[true], &made, &world).unwrap();
    assert_eq!((sorted.already, sorted.conflicts.len()), (1, 0));
}

#[test]
fn a_mere_time_is_never_a_conflict() {
    let made = delta(&[("etc", ChangeKind::Times)]);
    let sorted = sort(&made, &[true], &made, &World::default()).unwrap();
    assert!(sorted.conflicts.is_empty() && sorted.times.is_empty());
    let sorted = sort(&made, &[true], &Delta::default(), &World::default()).unwrap();
    assert_eq!(sorted.times, [PathBuf::from("etc")]);
}

#[test]
fn a_path_whose_directory_is_gone_is_a_conflict() {
    let made = delta(&[("opt/d/a", ChangeKind::Removed)]);
    let world = World {
        gone: [PathBuf::from("opt/d")].into(),
        ..World::default()
    };
    let sorted = sort(&made, &[true], &Delta::default(), &world).unwrap();
    assert_eq!(sorted.conflicts[0].obstacle, Obstacle::DirectoryGone);
}

#[test]
fn a_directory_that_holds_more_does_not_become_a_file_again() {
    let mut made = delta(&[
        ("etc/d", ChangeKind::Type),
        ("etc/d/own", ChangeKind::Added),
    ]);
    made.changes[0].new = Some(Kind::Directory);
    let mine = delta(&[("etc/d/mine", ChangeKind::Added)]);
    let sorted = sort(&made, &[true, true], &mine, &World::default()).unwrap();
    assert_eq!(sorted.conflicts[0].obstacle, Obstacle::HoldsMore);
    assert_eq!(sorted.conflicts[0].path, Path::new("etc/d"));
    assert_eq!(paths(&sorted.restore), ["etc/d/own"]);
    // What was there meanwhile counts too; what goes with the directory does not.
    let mut with_mine = made.clone();
    with_mine.changes.insert(1, mine.changes[0].clone());
    let nothing = Delta::default();
    let sorted = sort(
        &with_mine,
        &[true, false, true],
        &nothing,
        &World::default(),
    )
    .unwrap();
    assert_eq!(sorted.conflicts[0].obstacle, Obstacle::HoldsMore);
    let sorted = sort(&made, &[true, true], &nothing, &World::default()).unwrap();
    assert!(sorted.conflicts.is_empty());
}

#[test]
fn a_path_comes_back_with_its_directory() {
    let made = delta(&[
        ("opt/d", ChangeKind::Removed),
        ("opt/d/a", ChangeKind::Removed),
    ]);
    let world = World {
        gone: [PathBuf::from("opt/d")].into(),
        ..World::default()
    };
    let sorted = sort(&made, &[true, true], &Delta::default(), &world).unwrap();
    assert_eq!(paths(&sorted.restore), ["opt/d", "opt/d/a"]);
}

#[test]
fn a_directory_in_which_things_came_and_went_gets_its_time_back() {
    let mut made = delta(&[("var/lib/apt", ChangeKind::Times)]);
    make_directory(&mut made.changes[0]);
    let sorted = sort(&made, &[false], &Delta::default(), &World::default()).unwrap();
    assert_eq!(sorted.times, [PathBuf::from("var/lib/apt")]);
}

#[test]
fn a_directory_in_which_somebody_else_worked_keeps_its_time() {
    let mut made = delta(&[
        ("opt", ChangeKind::Times),
        ("opt/theirs", ChangeKind::Added),
    ]);
    make_directory(&mut made.changes[0]);
    let sorted = sort(&made, &[false, false], &Delta::default(), &World::default()).unwrap();
    assert!(sorted.times.is_empty());
}

#[test]
fn a_mount_is_in_the_way_of_what_goes_and_not_of_a_directory_that_stays() {
    let list = b"1 0 0:30 / / rw - overlay profile rw\n\
        2 1 0:31 / /etc/new rw - tmpfs none rw\n\
        3 1 0:31 / /etc/edited rw - tmpfs none rw\n\
        4 1 0:31 / /etc/stays rw - tmpfs none rw\n\
        5 1 0:31 / /var/log rw - btrfs state rw\n";
    let mounts = mountinfo::parse(list).unwrap();
    let mut stays = change("etc/stays", ChangeKind::Metadata);
    make_directory(&mut stays);
    let restore = [
        change("etc/edited", ChangeKind::Content),
        change("etc/new", ChangeKind::Added),
        change("etc/other", ChangeKind::Content),
        stays,
    ];
    assert_eq!(
        mounted_on(&mounts, &restore),
        [PathBuf::from("/etc/edited"), PathBuf::from("/etc/new")]
    );
}

#[test]
fn a_path_that_was_decided_about_stays_or_goes_back() {
    let delta = delta(&[
        ("etc/a", ChangeKind::Content),
        ("etc/b", ChangeKind::Content),
    ]);
    let mut world = World::default();
    world.joined.insert("etc/a".into(), Joined::Kept);
    world.joined.insert("etc/b".into(), Joined::Other);
    let sorted = sort(&delta, &[true, true], &delta, &world).unwrap();
    assert_eq!(paths(&sorted.restore), ["etc/b"]);
    assert_eq!(sorted.kept, [PathBuf::from("etc/a")]);
    assert!(sorted.conflicts.is_empty());
}

#[test]
fn records_that_were_decided_about_are_joined_though_nobody_changed_the_file_since() {
    let delta = delta(&[("etc/shadow", ChangeKind::Content)]);
    let mut world = World::default();
    let content = Joined::Content(b"x".to_vec(), crate::undo::join::From::Mine);
    world.joined.insert("etc/shadow".into(), content.clone());
    world.settled.insert("etc/shadow".into());
    let sorted = sort(&delta, &[true], &Delta::default(), &world).unwrap();
    assert_eq!(sorted.joined, [(PathBuf::from("etc/shadow"), content)]);
    assert!(sorted.restore.is_empty());
}

#[test]
fn into_a_directory_that_is_gone_nothing_comes_or_the_directory_comes_too() {
    let delta = delta(&[("etc/x/y/a", ChangeKind::Removed)]);
    let mut world = World {
        gone: ["etc/x/y".into(), "etc/x".into()].into(),
        ..World::default()
    };
    let sorted = sort(&delta, &[true], &Delta::default(), &world).unwrap();
    assert_eq!(sorted.conflicts[0].obstacle, Obstacle::DirectoryGone);
    world.side = Some(Side::Mine);
    let sorted = sort(&delta, &[true], &Delta::default(), &world).unwrap();
    assert_eq!(
        (
            sorted.kept.len(),
            sorted.restore.len(),
            sorted.conflicts.len()
        ),
        (1, 0, 0)
    );
    world.side = Some(Side::Other);
    let mut sorted = sort(&delta, &[true], &Delta::default(), &world).unwrap();
    sorted.restore.sort_by(|a, b| a.path.cmp(&b.path));
    assert_eq!(paths(&sorted.restore), ["etc/x", "etc/x/y", "etc/x/y/a"]);
}
