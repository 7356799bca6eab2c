use std::collections::BTreeSet;

use proptest::prelude::*;

use profile_sys::btrfs::items;

use super::model::{Items, Model};
use super::*;

const FILE: u32 = 0o100_644;
const DIRECTORY: u32 = 0o040_755;
const WHITEOUT: u32 = 0o020_000;

/// A tree with some of everything, committed.
fn sample() -> (Model, u64) {
    let mut model = Model::new();
    let upper = model.make(TOP, b"upper", DIRECTORY);
    let etc = model.make(upper, b"etc", DIRECTORY);
    let below = model.make(etc, b"below", DIRECTORY);
    model.make(etc, b"a", FILE);
    let linked = model.make(below, b"b", FILE);
    model.link(linked, upper, b"c");
    model.make(below, b"gone", WHITEOUT);
    model.make(upper, b"empty", DIRECTORY);
    let generation = model.commit();
    (model, generation)
}

fn between(old: &Model, new: &Model, generation: u64) -> Result<Touched, Error> {
    items_between(&old.items, &new.items, generation)
}

/// Of snapshots that nobody wrote to since they were made.
fn items_between(old: &Items, new: &Items, generation: u64) -> Result<Touched, Error> {
    touched_of((old, u64::MAX), (new, u64::MAX), generation)
}

/// Each with the transaction it was made in.
fn touched_of(old: (&Items, u64), new: (&Items, u64), generation: u64) -> Result<Touched, Error> {
    let (mut older, mut newer) = (old.0.clone(), new.0.clone());
    let (older, newer) = (
        Snapshot {
            tree: &mut older,
            made: old.1,
        },
        Snapshot {
            tree: &mut newer,
            made: new.1,
        },
    );
    touched(older, newer, generation)
}

fn names(touched: &Touched) -> Vec<String> {
    let all = touched.paths.keys();
    all.map(|path| String::from_utf8_lossy(path).into_owned())
        .collect()
}

fn at(model: &Model, path: &str) -> u64 {
    model.paths()[path.as_bytes()]
}

#[test]
fn nothing_written_is_nothing_told() {
    let (old, generation) = sample();
    let touched = between(&old, &old, generation).unwrap();
    assert_eq!(touched, Touched::default());
}

#[test]
fn a_change_tells_of_every_name() {
    let (old, generation) = sample();
    let mut new = old.clone();
    let linked = at(&new, "upper/c");
    new.change(linked).bytes = 7;
    let alone = at(&new, "upper/etc/a");
    new.touch(alone);
    new.commit();
    let touched = between(&old, &new, generation).unwrap();
    assert_eq!(names(&touched), ["upper/c", "upper/etc/below/b"]);
    assert!(touched.paths.values().all(|touch| touch.content));
    assert_eq!(touched.only_times, [b"upper/etc/a".to_vec()].into());
}

#[test]
fn of_a_file_that_was_written_in_a_snapshot_nothing_is_concluded_from_its_extents() {
    let (old, generation) = sample();
    let mut new = old.clone();
    new.touch(at(&old, "upper/etc/a"));
    let made = new.commit();
    let told = |made| {
        let touched = touched_of((&old.items, generation), (&new.items, made), generation);
        names(&touched.unwrap())
    };
    assert_eq!(told(made), Vec::<String>::new());
    assert_eq!(told(made - 1), ["upper/etc/a"]);
}

#[test]
fn what_was_removed_is_missed_by_name_and_below() {
    let (old, generation) = sample();
    let mut new = old.clone();
    let upper = at(&new, "upper");
    new.unlink(upper, b"etc");
    new.commit();
    let touched = between(&old, &new, generation).unwrap();
    assert_eq!(
        names(&touched),
        [
            "upper/etc",
            "upper/etc/a",
            "upper/etc/below",
            "upper/etc/below/b",
            "upper/etc/below/gone"
        ]
    );
    // The other way round all of it comes; what it is must be known.
    let touched = between(&new, &old, generation).unwrap();
    let created = |path: &str| touched.paths[path.as_bytes()].created;
    assert_eq!(created("upper/etc"), Some(Created::Directory));
    assert_eq!(created("upper/etc/a"), Some(Created::File));
    assert_eq!(created("upper/etc/below/gone"), Some(Created::Whiteout));
    assert_eq!(created("upper/etc/below/b"), Some(Created::Link));
}

#[test]
fn a_renamed_directory_covers_what_is_in_it() {
    let (old, generation) = sample();
    let mut new = old.clone();
    let (upper, etc) = (at(&new, "upper"), at(&new, "upper/etc"));
    new.rename((etc, b"below"), (upper, b"up"));
    new.commit();
    let touched = between(&old, &new, generation).unwrap();
    assert_eq!(names(&touched), ["upper/etc/below", "upper/up"]);
    assert_eq!(touched.renamed.len(), 1);
    assert_eq!(touched.renamed[0].directory, Some(true));
}

#[test]
fn a_number_that_is_used_again_is_another_inode() {
    let (mut old, _) = sample();
    let upper = at(&old, "upper");
    let first = old.make(upper, b"one", FILE);
    let generation = old.commit();
    let mut new = old.clone();
    new.unlink(upper, b"one");
    new.count_anew();
    let second = new.make(upper, b"one", FILE);
    new.commit();
    assert_eq!(first, second, "the number is used again");
    let touched = between(&old, &new, generation).unwrap();
    assert_eq!(names(&touched), ["upper/one"]);
    let touch = &touched.paths[&b"upper/one"[..]];
    assert!(touch.before && touch.after);
    assert_eq!(touch.created, Some(Created::File));
}

#[test]
fn marks_of_overlayfs_are_told_apart() {
    let (old, generation) = sample();
    let mut new = old.clone();
    let set = |model: &mut Model, path: &str, name: &str| {
        let number = at(model, path);
        let attributes = &mut model.change(number).attributes;
        attributes.insert(name.as_bytes().to_vec(), b"y".to_vec());
    };
    set(&mut new, "upper/etc", "trusted.overlay.opaque");
    set(&mut new, "upper/etc/below", "trusted.overlay.impure");
    set(&mut new, "upper/etc/a", "user.note");
    new.commit();
    let touched = between(&old, &new, generation).unwrap();
    assert_eq!(names(&touched), ["upper/etc", "upper/etc/a"]);
    assert_eq!(touched.paths[&b"upper/etc"[..]].opaque, Some(true));
    assert!(touched.paths[&b"upper/etc/a"[..]].xattrs);
    let back = between(&new, &old, generation).unwrap();
    assert_eq!(back.paths[&b"upper/etc"[..]].opaque, Some(false));
}

#[test]
fn what_is_not_understood_is_said() {
    let (old, generation) = sample();
    let mut new = old.clone();
    let below = at(&new, "upper/etc/below");
    new.change(below).mode = 0o040_700;
    new.commit();
    let why = |items: &Items| {
        let outcome = items_between(&old.items, items, generation);
        outcome.unwrap_err().to_string()
    };
    // A key that no tree of ours has: the digest of a file that is signed.
    let mut signed = new.items.clone();
    signed.insert((below, 36, 0), (9, vec![0; 8]));
    assert_eq!(why(&signed), "a tree has an item of an unknown kind");
    let mut nested = new.items.clone();
    let key = nested
        .range((below, items::ENTRY, 0)..)
        .next()
        .map(|(key, _)| *key);
    let (_, data) = nested.get_mut(&key.unwrap()).unwrap();
    data[8] = 132;
    assert_eq!(why(&nested), "a tree has a nested subvolume");
    let mut nameless = new.items.clone();
    nameless.retain(|key, _| key.0 != at(&new, "upper/etc") || key.1 != items::NAMES);
    assert_eq!(why(&nameless), "a tree has a directory without a name");
    let mut cut = new.items;
    cut.get_mut(&(below, items::INODE, 0)).unwrap().1.pop();
    assert_eq!(why(&cut), "a tree has a damaged inode");
}

#[test]
fn directories_that_go_round_have_an_end() {
    let (old, generation) = sample();
    let mut new = old.clone();
    let (etc, below) = (at(&new, "upper/etc"), at(&new, "upper/etc/below"));
    new.change(at(&old, "upper/etc/a")).bytes = 1;
    new.commit();
    let key = (etc, items::NAMES, at(&new, "upper"));
    let (written, data) = new.items.remove(&key).unwrap();
    new.items
        .insert((etc, items::NAMES, below), (written, data));
    let outcome = between(&old, &new, generation).unwrap_err();
    assert_eq!(outcome.to_string(), "a tree has directories without an end");
}

/// One step that numbers pick; none where the tree has no such.
fn step(model: &mut Model, kind: u8, first: usize, second: usize) {
    let paths: Vec<(Vec<u8>, u64)> = model.paths().into_iter().collect();
    let directories: Vec<u64> = paths
        .iter()
        .map(|(_, number)| *number)
        .chain([TOP])
        .filter(|number| model.is_directory(*number))
        .collect();
    let directory = directories[second % directories.len()];
    let name = [b"abcdefg"[second % 7]];
    let is_free = !paths.iter().any(|(_, number)| {
        model
            .names(*number)
            .iter()
            .any(|one| one.0 == directory && one.2 == name)
    });
    let Some((path, number)) = paths.get(first % paths.len().max(1)).cloned() else {
        return;
    };
    let own = path.rsplit(|byte| *byte == b'/').next().unwrap().to_vec();
    let above = path.len().checked_sub(own.len() + 1);
    let parent = above.map_or(TOP, |length| model.paths()[&path[..length]]);
    match kind {
        0 | 1 if is_free => {
            model.make(directory, &name, if kind == 0 { FILE } else { DIRECTORY });
        }
        2 if is_free => drop(model.make(directory, &name, WHITEOUT)),
        3 if is_free && !model.is_directory(number) => model.link(number, directory, &name),
        4 | 5 => model.unlink(parent, &own),
        6 | 7 if is_free && !is_below(model, directory, number) => {
            model.rename((parent, &own), (directory, &name));
        }
        8 if model.inodes[&number].mode & 0o170_000 == 0o100_000 => {
            model.change(number).bytes = 1 + second as u64 % 3;
        }
        9 => model.change(number).mode ^= 0o022,
        10 => model.touch(number),
        11 => {
            let value = vec![second as u8 % 3];
            let attributes = &mut model.change(number).attributes;
            attributes.insert(b"user.note".to_vec(), value);
        }
        12 => model.change(number).attributes.clear(),
        13 => {
            model.commit();
            model.count_anew();
        }
        _ => {}
    }
}

fn is_below(model: &Model, mut directory: u64, above: u64) -> bool {
    loop {
        if directory == above {
            return true;
        }
        match model.names(directory).first() {
            Some((next, ..)) => directory = *next,
            None => return false,
        }
    }
}

fn covered(touched: &Touched, path: &[u8]) -> bool {
    touched.renamed.iter().any(|renamed| {
        [&renamed.from, &renamed.to].iter().any(|end| {
            let rest = path.strip_prefix(end.as_slice());
            rest.is_some_and(|rest| rest.starts_with(b"/"))
        })
    })
}

type Steps = Vec<(u8, usize, usize)>;

fn steps() -> impl Strategy<Value = Steps> {
    prop::collection::vec((0..14u8, 0..64usize, 0..64usize), 0..30)
}

/// A tree in which some happened, and two that some more happened to since.
fn three(before: Steps, left: Steps, right: Steps) -> (Model, Model, u64) {
    let (mut model, _) = sample();
    before
        .into_iter()
        .for_each(|(kind, first, second)| step(&mut model, kind, first, second));
    let generation = model.commit();
    let grown = |steps: Steps| {
        let mut grown = model.clone();
        steps
            .into_iter()
            .for_each(|(kind, first, second)| step(&mut grown, kind, first, second));
        grown.commit();
        grown
    };
    (grown(left), grown(right), generation)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn agrees_with_a_walk_of_both_trees(before in steps(), left in steps(), right in steps()) {
        let (old, new, generation) = three(before, left, right);
        let touched = between(&old, &new, generation).unwrap();
        let (mut a, mut b) = (old.paths(), new.paths());
        // The top has no name, and is in both.
        a.insert(Vec::new(), TOP);
        b.insert(Vec::new(), TOP);
        let all: BTreeSet<&Vec<u8>> = a.keys().chain(b.keys()).collect();
        for path in &all {
            let look = |model: &Model, paths: &std::collections::BTreeMap<Vec<u8>, u64>| {
                let number = *paths.get(*path)?;
                let inode = &model.inodes[&number];
                Some((number, inode.created, inode.mode, inode.bytes, inode.attributes.clone()))
            };
            let (before, after) = (look(&old, &a), look(&new, &b));
            let shown = String::from_utf8_lossy(path);
            match touched.paths.get(*path) {
                Some(touch) if !covered(&touched, path) => {
                    prop_assert_ne!(&before, &after, "{} is the same", shown);
                    prop_assert_eq!(touch.before, before.is_some(), "{} before", shown);
                    prop_assert_eq!(touch.after, after.is_some(), "{} after", shown);
                }
                Some(_) => {}
                None => prop_assert!(before == after || covered(&touched, path), "{} differs", shown),
            }
        }
        prop_assert!(touched.paths.keys().all(|path| all.contains(path)));
        prop_assert!(touched.only_times.iter().all(|path| b.contains_key(path)));
    }

    #[test]
    fn damage_makes_no_panic_and_no_path_that_leads_away(
        left in steps(),
        right in steps(),
        damage in prop::collection::vec((any::<bool>(), 0..500usize, 0..200usize, any::<u8>()), 1..8),
        moved in prop::collection::vec((0..500usize, 250..280u64, 0..110u32), 0..3),
    ) {
        let (old, new, generation) = three(Vec::new(), left, right);
        let (mut old, mut new) = (old.items, new.items);
        for (which, item, at, byte) in damage {
            let items = if which { &mut old } else { &mut new };
            let count = items.len();
            let (_, data) = items.values_mut().nth(item % count).unwrap();
            let length = data.len();
            data[at % length] = byte;
        }
        for (item, inode, kind) in moved {
            let key = *new.keys().nth(item % new.len()).unwrap();
            let value = new.remove(&key).unwrap();
            new.insert((inode, kind, key.2), value);
        }
        if let Ok(touched) = items_between(&old, &new, generation) {
            for path in touched.paths.keys().chain(&touched.only_times) {
                prop_assert!(path.len() <= 4096);
                prop_assert!(path.is_empty() || path.split(|byte| *byte == b'/').all(
                    |name| !matches!(name, b"" | b"." | b"..") && !name.contains(&0)));
            }
        }
    }
}
