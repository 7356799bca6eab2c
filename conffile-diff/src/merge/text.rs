//! Any other file: text by lines, as `git merge-file` does it; the rest as a whole.

use similar::{MergeResolution, TextMerge};

use super::{Conflict, Merged, Sides};
use crate::text::{LONGEST_BYTES, is_text};

/// Merges by lines where all three sides are text; else the file is one conflict.
pub fn merge(sides: Sides<'_>) -> Merged {
    let mergeable = |content: &[u8]| content.len() <= LONGEST_BYTES && is_text(content);
    match (sides.ancestor, sides.mine, sides.other) {
        (Some(ancestor), Some(mine), Some(other))
            if [ancestor, mine, other].into_iter().all(mergeable) =>
        {
            by_lines(ancestor, mine, other)
        }
        (_, mine, other) => Merged {
            content: mine.map(<[u8]>::to_vec),
            conflicts: vec![Conflict {
                what: "the whole file".to_owned(),
                mine: size(mine),
                other: size(other),
                whose: None,
            }],
        },
    }
}

fn by_lines(ancestor: &[u8], mine: &[u8], other: &[u8]) -> Merged {
    let merge = TextMerge::from_lines(ancestor, mine, other);
    let mut content = Vec::with_capacity(mine.len());
    let mut conflicts = Vec::new();
    for region in merge.regions() {
        let from_other = match region.resolution() {
            MergeResolution::Unchanged | MergeResolution::Ours | MergeResolution::Both => false,
            MergeResolution::Theirs => true,
            // Whatever a later release of the library tells apart is no agreement.
            _ => {
                conflicts.push(Conflict {
                    what: lines(region.ours_range()),
                    mine: count(region.ours_range().len()),
                    other: count(region.theirs_range().len()),
                    whose: None,
                });
                false
            }
        };
        let lines: Vec<&[u8]> = if from_other {
            region
                .theirs_range()
                .filter_map(|index| merge.theirs_line(index))
                .collect()
        } else {
            region
                .ours_range()
                .filter_map(|index| merge.ours_line(index))
                .collect()
        };
        content.extend(lines.concat());
    }
    Merged {
        content: Some(content),
        conflicts,
    }
}

/// Lines of mine, counted from one.
fn lines(range: std::ops::Range<usize>) -> String {
    match range.len() {
        0 => format!("after line {}", range.start),
        1 => format!("line {}", range.end),
        _ => format!("lines {} to {}", range.start + 1, range.end),
    }
}

fn count(lines: usize) -> String {
    match lines {
        0 => "nothing".to_owned(),
        1 => "1 line".to_owned(),
        lines => format!("{lines} lines"),
    }
}

fn size(content: Option<&[u8]>) -> String {
    content.map_or_else(
        || "nothing".to_owned(),
        |content| format!("{} bytes", content.len()),
    )
}
