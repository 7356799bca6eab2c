//! What every parser must keep to, whatever it is given: for the tests here and for the fuzzer in `tests/fuzz`.

#![allow(dead_code, missing_docs)]

use conffile_diff::attribution::{Attribution, Change, ChangedPath, PackageFacts};
use conffile_diff::dpkg::changes::{Side, compare_versions};
use conffile_diff::dpkg::info as lists;
use conffile_diff::dpkg::{
    AutoMarks, Hints, Status, changes, edit as editing, history_log, notices,
};
use conffile_diff::merge::{self, Kind, Merged, Sides};
use conffile_diff::text;

pub fn two_states(old: &[u8], new: &[u8]) {
    let (Ok(old_status), Ok(new_status)) = (Status::parse(old), Status::parse(new)) else {
        return;
    };
    let auto = AutoMarks::default();
    let side = |status, bytes| Side {
        status,
        bytes,
        auto: &auto,
    };
    let (old, new) = (side(&old_status, old), side(&new_status, new));
    assert!(changes(old, new, &Hints::default()).len() <= notices(old, new).len());
    assert!(notices(new, new).is_empty());
}

pub fn marks(bytes: &[u8]) {
    if let Ok(marks) = AutoMarks::parse(bytes) {
        assert!(
            marks
                .iter()
                .all(|(name, architecture)| marks.is_auto(name, architecture))
        );
    }
}

pub fn history(bytes: &[u8]) {
    assert_eq!(history_log::last(bytes), history_log::entries(bytes).pop());
}

pub fn info(bytes: &[u8]) {
    assert!(lists::parse_list(bytes).iter().all(|path| path[0] == b'/'));
    lists::parse_conffiles(bytes);
    lists::parse_ucf_registry(bytes);
    lists::parse_name(bytes);
}

pub fn edit(stanza: &[u8]) {
    if let Ok(edited) = editing::set_field(stanza, "Status", "install ok installed") {
        assert!(!edited.is_empty());
    }
}

pub fn texts(old: &[u8], new: &[u8]) {
    let same = text::difference(old, new, "a", "b") == text::Difference::Same;
    assert_eq!(same, old == new);
}

pub fn versions(a: &str, b: &str) {
    assert_eq!(compare_versions(a, b), compare_versions(b, a).reverse());
}

pub fn attribution(bytes: &[u8]) {
    let facts = PackageFacts {
        name: "x".into(),
        paths: lists::parse_list(bytes),
        texts: vec![bytes.to_vec()],
        ..PackageFacts::default()
    };
    let attribution = Attribution::new(vec![facts], [bytes]);
    let changed: Vec<ChangedPath<'_>> = bytes
        .split(|&byte| byte == b' ')
        .map(|path| ChangedPath {
            path,
            change: Change::Added,
            directory: path.len() % 2 == 0,
        })
        .collect();
    assert_eq!(attribution.judge(&changed).len(), changed.len());
}

/// Every kind of file that has a merge of its own.
pub const KINDS: [Kind; 16] = [
    Kind::DpkgStatus,
    Kind::ExtendedStates,
    Kind::DebconfDatabase,
    Kind::Diversions,
    Kind::StatOverrides,
    Kind::LineSet,
    Kind::UcfHashes,
    Kind::UcfRegistry,
    Kind::SubordinateIds,
    Kind::Passwd,
    Kind::Shadow,
    Kind::Group,
    Kind::GroupShadow,
    Kind::Alternative,
    Kind::Copy,
    Kind::File,
];

/// Between the three sides of a merge in one input.
pub const SIDES_END: u8 = 0x1e;

/// A kind, then the three sides.
pub fn merges(bytes: &[u8]) {
    let Some((kind, rest)) = bytes.split_first() else {
        return;
    };
    let kind = KINDS[usize::from(*kind) % KINDS.len()];
    let mut sides = rest.splitn(3, |&byte| byte == SIDES_END);
    let mut next = || sides.next().filter(|side| !side.is_empty());
    let sides = Sides {
        ancestor: next(),
        mine: next(),
        other: next(),
    };
    merge_laws(kind, sides);
}

/// What holds for whatever is merged. What came of it, and of merging that once more, where all sides differ and are
/// of the kind.
pub fn merge_laws(kind: Kind, sides: Sides<'_>) -> Option<(Merged, Merged)> {
    nothing_to_merge(kind, sides);
    let (a, b, c) = (sides.ancestor, sides.mine, sides.other);
    if a == b || b == c || a == c {
        return None;
    }
    let merged = merge::merge(kind, sides).ok()?;
    assert!(merged.content.is_some() || merged.conflicts.is_empty() || b.is_none());
    // As the programs write them: whole lines, and no record twice.
    let unique = |side: Option<&[u8]>| {
        let whole = side.is_none_or(|side| side.is_empty() || side.ends_with(b"\n"));
        whole
            && keys(kind).into_iter().all(|key| {
                let mut keys = key(side.unwrap_or_default());
                let all = keys.len();
                keys.sort_unstable();
                keys.dedup();
                keys.len() == all
            })
    };
    let content = merged.content.as_deref();
    // Of its kind, and nothing is left to merge: what could be taken is there, and the rest is mine.
    let again = Sides {
        mine: content,
        ..sides
    };
    let again =
        merge::merge(kind, again).unwrap_or_else(|error| panic!("{kind:?}: {error}: {merged:?}"));
    if !keys(kind).is_empty() && [a, b, c].into_iter().all(unique) {
        assert_eq!(again.content, merged.content, "{kind:?} again: {sides:?}");
        assert!(unique(content), "{kind:?} twice: {merged:?} of {sides:?}");
    }
    Some((merged, again))
}

/// Where one side alone changed, or both alike, there is nothing to merge, whatever the bytes are.
fn nothing_to_merge(kind: Kind, sides: Sides<'_>) {
    let (a, b) = (sides.ancestor, sides.mine);
    for (ancestor, mine, other) in [(a, a, b), (a, b, a), (a, b, b)] {
        let alike = Sides {
            ancestor,
            mine,
            other,
        };
        let merged = merge::merge(kind, alike).expect("nothing is parsed");
        assert_eq!(merged.content.as_deref(), b);
        assert!(merged.conflicts.is_empty());
    }
}

type Keys = fn(&[u8]) -> Vec<Vec<u8>>;

/// What no two records of a file have in common.
fn keys(kind: Kind) -> Vec<Keys> {
    fn lines(content: &[u8]) -> impl Iterator<Item = &[u8]> {
        let content = content.strip_suffix(b"\n").unwrap_or(content);
        let lines = content.split(|&byte| byte == b'\n');
        lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line))
    }
    fn column(content: &[u8], number: usize) -> Vec<Vec<u8>> {
        let fields = lines(content).filter_map(|line| line.split(|&byte| byte == b':').nth(number));
        // An empty line has an empty name; an empty id is none.
        let fields = fields.filter(|field| number == 0 || !field.is_empty());
        fields.map(<[u8]>::to_vec).collect()
    }
    match kind {
        Kind::Passwd | Kind::Group => vec![|c| column(c, 0), |c| column(c, 2)],
        Kind::Shadow | Kind::GroupShadow => vec![|c| column(c, 0)],
        Kind::LineSet => vec![|c| lines(c).map(<[u8]>::to_vec).collect()],
        Kind::Diversions => vec![|c| lines(c).step_by(3).map(<[u8]>::to_vec).collect()],
        Kind::DebconfDatabase => vec![|c| {
            let (mut names, mut named, mut after_name) = (Vec::new(), false, false);
            for line in c.split(|&byte| byte == b'\n') {
                let name = line.starts_with(b"Name:");
                let more = line.starts_with(b" ") || line.starts_with(b"\t");
                // A stanza has a name, has it first, and in one line.
                match (name, named, line.is_empty()) {
                    _ if more && after_name => names.extend([vec![], vec![]]),
                    (true, false, _) => names.push(line.to_vec()),
                    (true, true, _) | (false, false, false) => names.extend([vec![], vec![]]),
                    _ => {}
                }
                named = !line.is_empty() && (named || name);
                after_name = name;
            }
            names
        }],
        Kind::StatOverrides => vec![|c| {
            // A line of fewer words than there are is a key as a whole, and so may be twice what another ends in.
            let words = lines(c).flat_map(|l| {
                match l.splitn(4, |&byte| byte == b' ').collect::<Vec<_>>()[..] {
                    [_, _, _, path] => vec![path.to_vec()],
                    _ => vec![Vec::new(); 2],
                }
            });
            words.collect()
        }],
        _ => Vec::new(),
    }
}
