//! What the search by generation stands on: which transaction of btrfs a change belongs to, and what else than a change
//! writes a tree anew.

use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use profile_store::delta;
use profile_sys::btrfs;

use crate::act;
use crate::place::{Place, Snapshot};

/// Both ways must be able to tell, and tell what a walk finds, in both directions.
fn agree(place: &Place, one: &Snapshot, other: &Snapshot, what: &str) {
    let before = place.searched.get();
    for (older, newer) in [(one, other), (other, one)] {
        if let Some(disagreement) = place.disagreement(older, newer) {
            panic!("{what}: {disagreement}");
        }
    }
    assert_eq!(place.searched.get(), before + 2, "{what}: not searched");
}

/// Changes the tree at `top` until it is told to stop, and counts.
fn scribble(top: &Path, stop: &AtomicBool, done: &AtomicUsize) {
    while !stop.load(Ordering::Relaxed) {
        let number = done.fetch_add(1, Ordering::Relaxed);
        let at = |number: usize| top.join(format!("opt/{}", number % 50));
        let outcome = match number % 7 {
            0 => act::replace(&at(number), number % 5000, number),
            1 => act::append(&at(number / 3), number),
            2 => fs::rename(at(number / 2), at(number / 5)),
            3 => act::remove(&at(number / 4)),
            4 => act::set_mode(&at(number / 3), 0o600 + number as u32 % 64),
            5 => fs::hard_link(at(number / 2), at(number)),
            _ => act::write(&at(number), number % 3000, number),
        };
        // What is not there, or in the way, is as good as another change.
        drop(outcome);
    }
}

#[test]
fn loop_a_change_around_the_moment_of_a_snapshot_is_on_one_side_of_it() {
    let place = Place::new();
    let profile = place.profile("busy", None);
    let (top, stop, done) = (&profile.merged, AtomicBool::new(false), AtomicUsize::new(0));
    let mut snapshots = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| scribble(top, &stop, &done));
        for number in 0..25 {
            let before = done.load(Ordering::Relaxed);
            while done.load(Ordering::Relaxed) < before + 30 {
                std::thread::yield_now();
            }
            snapshots.push(place.snapshot(&profile, &format!("busy-{number}")));
        }
        stop.store(true, Ordering::Relaxed);
    });
    for pair in snapshots.windows(2) {
        agree(&place, &pair[0], &pair[1], "busy");
        assert!(!place.delta(&pair[0], &pair[1]).is_empty(), "idle");
    }
    agree(&place, &snapshots[0], &snapshots[24], "all of it");
}

#[test]
fn loop_a_snapshot_that_was_changed_afterwards_is_compared_as_it_is() {
    let place = Place::new();
    let profile = place.profile("early", None);
    for name in ["one", "two", "three"] {
        let directory = profile.merged.join("opt").join(name);
        fs::create_dir_all(&directory).expect("made");
        act::write(&directory.join("file"), 5000, 1).expect("written");
    }
    let mut older = place.snapshot(&profile, "early-pre");
    act::append(&profile.merged.join("opt/two/file"), 3).expect("written");
    let newer = place.snapshot(&profile, "early-post");
    // As `forget` does with a path in every snapshot.
    btrfs::set_read_only(&older.path, false).expect("writable");
    fs::remove_dir_all(older.path.join("upper/opt/one")).expect("removed");
    act::write(&older.path.join("upper/opt/more"), 9, 1).expect("written");
    // These bytes are nowhere but in memory when the snapshot is read-only again, and the time says nothing of them.
    act::overwrite(&older.path.join("upper/opt/three/file"), 9, true).expect("written");
    btrfs::set_read_only(&older.path, true).expect("read-only");
    older.reading = place.reading(&older.path);
    agree(&place, &older, &newer, "changed afterwards");
    let told = place.delta(&older, &newer);
    let rewritten = Path::new("opt/three/file");
    assert!(
        told.iter()
            .any(|(path, how, ..)| path == rewritten && *how == "content")
    );
}

#[test]
fn loop_a_file_without_a_name_is_no_difference() {
    let place = Place::new();
    let profile = place.profile("orphan", None);
    let held = profile.merged.join("opt/held");
    let mut file = fs::File::create(&held).expect("made");
    fs::remove_file(&held).expect("removed");
    file.write_all(&[7; 100_000]).expect("written");
    let older = place.snapshot(&profile, "orphan-pre");
    file.write_all(b"more").expect("written");
    drop(file);
    let newer = place.snapshot(&profile, "orphan-post");
    agree(&place, &older, &newer, "orphan");
    assert!(place.delta(&older, &newer).is_empty());
}

#[test]
fn loop_what_only_moves_bytes_is_no_difference() {
    let place = Place::new();
    let profile = place.profile("moved", None);
    for number in 0..300 {
        let path = profile.merged.join(format!("opt/{number}"));
        act::write(&path, 200 * number, number).expect("written");
    }
    let older = place.snapshot(&profile, "moved-pre");
    act::append(&profile.merged.join("opt/7"), 1).expect("written");
    let newer = place.snapshot(&profile, "moved-post");
    let told = place.delta(&older, &newer);
    let run = |arguments: &[&str], place: &Path| {
        let status = Command::new("btrfs").args(arguments).arg(place).output();
        assert!(status.expect("btrfs").status.success(), "{arguments:?}");
    };
    run(&["-q", "balance", "start", "--full-balance"], &older.path);
    agree(&place, &older, &newer, "after a balance");
    assert_eq!(place.delta(&older, &newer), told);
    run(
        &["-q", "filesystem", "defragment", "-r", "-czstd"],
        &profile.subvolume.join("upper/opt"),
    );
    let last = place.snapshot(&profile, "moved-last");
    agree(&place, &newer, &last, "after a defragmentation");
    assert!(place.delta(&newer, &last).is_empty());
}

#[test]
fn loop_a_number_that_is_used_again_is_another_file() {
    let place = Place::new();
    let fill = |top: &Path, seed: usize| {
        for number in 0..20 {
            let path = top.join(format!("opt/{number}"));
            act::write(&path, 3000, number + seed).expect("written");
        }
    };
    let numbers = |snapshot: &Snapshot| -> Vec<u64> {
        let number = |name: u32| snapshot.path.join(format!("upper/opt/{name}"));
        let inode = |path: std::path::PathBuf| path.symlink_metadata().expect("a file").ino();
        (0..20).map(|name| inode(number(name))).collect()
    };
    let first = place.profile("one", None);
    fs::create_dir(first.merged.join("opt/directory")).expect("made");
    let empty = place.snapshot(&first, "empty");
    fill(&first.merged, 0);
    let older = place.snapshot(&first, "first");
    // A subvolume counts from its highest number on.
    let second = place.profile("other", Some(&empty.path));
    fill(&second.merged, 1);
    let newer = place.snapshot(&second, "second");
    let used = numbers(&newer);
    assert!(
        numbers(&older).iter().any(|number| used.contains(number)),
        "no number was used again"
    );
    agree(&place, &older, &newer, "numbers used again");
}

#[test]
fn loop_what_the_search_does_not_understand_the_kernel_tells() {
    let place = Place::new();
    let profile = place.profile("nested", None);
    let opt = profile.subvolume.join("upper/opt");
    fs::create_dir_all(&opt).expect("made");
    let older = place.snapshot(&profile, "nested-pre");
    act::write(&opt.join("file"), 9, 1).expect("written");
    btrfs::create_subvolume(&opt.join("nested")).expect("a subvolume");
    let newer = place.snapshot(&profile, "nested-post");
    let searched = |one: &Path, other: &Path| delta::touched_by_search(one, other).expect("read");
    assert_eq!(searched(&older.path, &newer.path), None);
    let sent = delta::touched_by_send(&older.path, &newer.path).expect("sent");
    let touched = delta::touched_between(&older.path, &newer.path).expect("told");
    assert_eq!(touched, sent);
    assert!(touched.paths.contains_key(&b"upper/opt/file"[..]));
    // Without an origin in common, and while one of them can still be written.
    assert_eq!(searched(&older.path, &place.base), None);
    assert_eq!(searched(&older.path, &profile.subvolume), None);
}
