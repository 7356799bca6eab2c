//! The laws of every merge, for files of records as programs write them, and for any bytes.

mod targets;

use conffile_diff::merge::{Kind, Sides, merge};
use proptest::prelude::*;

/// A file of a kind, of records that are there or not and have one of three contents.
fn file(kind: Kind, records: &[u8]) -> String {
    let present = records.iter().enumerate().filter(|(_, value)| **value > 0);
    let text = present.map(|(number, value)| match kind {
        Kind::DpkgStatus => format!(
            "Package: p{number}\nStatus: install ok installed\nArchitecture: all\nVersion: {value}\n\n"
        ),
        Kind::ExtendedStates => {
            format!(
                "Package: p{number}\nArchitecture: all\nAuto-Installed: {}\n\n",
                value % 2
            )
        }
        Kind::DebconfDatabase => format!("Name: q/{number}\nValue: {value}\nOwners: o{value}\n\n"),
        Kind::Diversions => format!("/d{number}\n/d{number}.{value}\n:\n"),
        Kind::StatOverrides => format!("root root 060{value} /s{number}\n"),
        Kind::UcfHashes => format!("{value}  /u{number}\n"),
        Kind::UcfRegistry => format!("p{value} /u{number}\n"),
        Kind::SubordinateIds => format!("s{number}:{}:{value}\n", 1000 * number),
        Kind::Passwd => format!("u{number}:x:{number}:{number}:{value}:/:/bin/sh\n"),
        Kind::Shadow => format!("u{number}:h{value}:{value}:0:9:7:::\n"),
        Kind::Group => format!("g{number}:x:{number}:m{value}\n"),
        Kind::GroupShadow => format!("g{number}:!::m{value}\n"),
        Kind::LineSet | Kind::File | Kind::Copy | Kind::Derived(_) => format!("line {number}\n"),
        Kind::Alternative => format!("/bin/c{number}\n{value}\n"),
    });
    let text: String = text.collect();
    match kind {
        Kind::Alternative if !text.is_empty() => format!("auto\n/usr/bin/x\n\n{text}\n"),
        _ => text,
    }
}

/// An empty text is a file that does not exist.
fn sides<'a>(ancestor: &'a str, mine: &'a str, other: &'a str) -> Sides<'a> {
    let side = |text: &'a str| (!text.is_empty()).then_some(text.as_bytes());
    Sides {
        ancestor: side(ancestor),
        mine: side(mine),
        other: side(other),
    }
}

fn kinds() -> impl Strategy<Value = Kind> {
    let copies_are_not_merged = |kind: &Kind| *kind != Kind::Copy;
    let kinds = targets::KINDS.into_iter().filter(copies_are_not_merged);
    prop::sample::select(kinds.collect::<Vec<_>>())
}

fn records() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(0_u8..4, 6)
}

proptest! {
    #[test]
    fn merged_again_a_file_of_records_is_the_same(kind in kinds(), a in records(), b in records(), c in records()) {
        let [a, b, c] = [a, b, c].map(|records| file(kind, &records));
        if let Some((merged, again)) = targets::merge_laws(kind, sides(&a, &b, &c)) {
            prop_assert_eq!(again.content, merged.content);
        }
    }

    #[test]
    fn no_bytes_break_a_law(kind in kinds(), a in any::<Vec<u8>>(), b in any::<Vec<u8>>(), c in any::<Vec<u8>>()) {
        targets::merge_laws(kind, Sides { ancestor: Some(&a), mine: Some(&b), other: Some(&c) });
    }

    #[test]
    fn changes_of_different_records_are_both_there(
        kind in kinds(), a in records(), changes in prop::collection::vec((0_u8..3, 0_u8..4), 6),
    ) {
        // Neighbouring lines of a text conflict, as with git.
        prop_assume!(kind != Kind::File);
        let (mut mine, mut other, mut both) = (a.clone(), a.clone(), a.clone());
        for (place, (who, value)) in changes.iter().enumerate() {
            match who {
                0 => mine[place] = *value,
                1 => other[place] = *value,
                _ => continue,
            }
            both[place] = *value;
        }
        let [a, mine, other] = [a, mine, other].map(|records| file(kind, &records));
        let merged = merge(kind, sides(&a, &mine, &other)).unwrap();
        prop_assert_eq!(merged.conflicts, []);
        let merged = String::from_utf8(merged.content.unwrap_or_default()).unwrap();
        let sorted = |text: &str| -> Vec<String> {
            let mut parts: Vec<String> = text.split('\n').map(str::to_owned).collect();
            parts.sort();
            parts
        };
        // The order of what came from the other side is the other side's, and not counted here.
        prop_assert_eq!(sorted(&merged), sorted(&file(kind, &both)));
    }
}
