//! The items of two subvolumes' trees, and what a search of both says of them.
//!
//! An item is a byte of flags (in which tree it is, and whether it was written since), one for the inode, one for the
//! kind, one for the offset, one for the length, and the data.

#![no_main]

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use libfuzzer_sys::fuzz_target;
use profile_store::delta::by_generation::{Snapshot, Tree, touched};
use profile_sys::btrfs::items::{self, Item};

/// The transaction after which the two trees parted.
const PARTED: u64 = 100;

/// Items by their key, each with whether it was written since.
#[derive(Debug, Default)]
struct Items(BTreeMap<(u64, u32, u64), (bool, Vec<u8>)>);

impl Items {
    fn each(
        &self,
        range: RangeInclusive<(u64, u32, u64)>,
        since: bool,
        visit: &mut dyn FnMut(Item<'_>),
    ) -> profile_sys::Result<()> {
        for ((inode, kind, offset), (written, data)) in self.0.range(range) {
            if *written || !since {
                visit(Item {
                    inode: *inode,
                    kind: *kind,
                    offset: *offset,
                    data,
                });
            }
        }
        Ok(())
    }
}

impl Tree for Items {
    fn written_after(
        &mut self,
        _: u64,
        visit: &mut dyn FnMut(Item<'_>),
    ) -> profile_sys::Result<()> {
        self.each((0, 0, 0)..=(u64::MAX, u32::MAX, u64::MAX), true, visit)
    }

    fn items(
        &mut self,
        inode: u64,
        kinds: RangeInclusive<u32>,
        visit: &mut dyn FnMut(Item<'_>),
    ) -> profile_sys::Result<()> {
        let range = (inode, *kinds.start(), 0)..=(inode, *kinds.end(), u64::MAX);
        self.each(range, false, visit)
    }
}

fuzz_target!(|bytes: &[u8]| {
    let (mut old, mut new) = (Items::default(), Items::default());
    let mut rest = bytes;
    while let [flags, inode, kind, offset, length, data @ ..] = rest {
        let (data, behind) = data.split_at(data.len().min(usize::from(*length)));
        rest = behind;
        // The numbers of inodes begin at 256; offsets are numbers of inodes for most kinds.
        let (inode, offset) = (256 + u64::from(*inode), 256 + u64::from(*offset));
        let item = Item {
            inode,
            kind: u32::from(*kind),
            offset,
            data,
        };
        check(&item);
        for (flag, tree) in [(1, &mut old), (2, &mut new)] {
            if flags & flag != 0 {
                let key = (inode, u32::from(*kind), offset);
                tree.0.insert(key, (flags & 4 != 0, data.to_vec()));
            }
        }
    }
    let older = Snapshot {
        tree: &mut old,
        made: PARTED,
    };
    let newer = Snapshot {
        tree: &mut new,
        made: PARTED + 1,
    };
    let Ok(told) = touched(older, newer, PARTED) else {
        return;
    };
    let is_safe = |path: &[u8]| {
        path.len() <= 4096
            && (path.is_empty()
                || path
                    .split(|&byte| byte == b'/')
                    .all(|name| !matches!(name, b"" | b"." | b"..") && !name.contains(&0)))
    };
    for (path, touch) in &told.paths {
        assert!(is_safe(path), "{path:?}");
        assert!(touch.before || touch.after, "{path:?} is in neither tree");
        assert!(!told.only_times.contains(path), "{path:?} is told twice");
    }
    assert!(told.only_times.iter().all(|path| is_safe(path)));
    for renamed in &told.renamed {
        assert!(told.paths.contains_key(&renamed.from));
        assert!(told.paths.contains_key(&renamed.to));
    }
});

/// No item tells more than it has bytes.
fn check(item: &Item<'_>) {
    let length = item.data.len();
    let _ = items::inode(item.data);
    if let Some(entry) = items::entry(item.data) {
        assert!(entry.name.len() < length);
    }
    let names = items::names(item).unwrap_or_default();
    assert!(names.iter().map(|(_, name)| name.len() + 10).sum::<usize>() <= length);
    let attributes = items::attributes(item.data).unwrap_or_default();
    let told = attributes
        .iter()
        .map(|(name, value)| name.len() + value.len() + 30);
    assert!(told.sum::<usize>() <= length);
    assert!(items::extent(item.data).is_none_or(|extent| extent.len() + 8 == length));
}
