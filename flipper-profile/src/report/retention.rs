//! Transactions whose snapshots retention deletes, in `pool gc`, `recover` and `status`.

use std::collections::BTreeMap;

use profile_store::retention::{self, Victim};
use serde::Serialize;

use crate::output::units;

/// One transaction whose snapshots went or would go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pruned {
    /// Id of its profile.
    pub profile: String,
    /// The profile's name.
    pub profile_name: String,
    /// Its number.
    pub transaction: i64,
    /// The policy that it goes by: "keep-most", "keep-days", "keep-free".
    pub rule: &'static str,
}

impl From<&Victim> for Pruned {
    fn from(victim: &Victim) -> Self {
        Self {
            profile: victim.profile.to_string(),
            profile_name: victim.profile_name.clone(),
            transaction: victim.number.get(),
            rule: victim.why.as_str(),
        }
    }
}

/// About how much the snapshots of some transactions hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Sizes {
    /// How many transactions have snapshots.
    pub transactions: u64,
    /// Bytes that come free when they are deleted, the oldest first, as far as it is known.
    pub bytes: u64,
    /// Transactions of which it is not known.
    pub unknown: u64,
}

impl From<retention::Sizes> for Sizes {
    fn from(sizes: retention::Sizes) -> Self {
        Self {
            transactions: sizes.transactions as u64,
            bytes: sizes.bytes,
            unknown: sizes.unknown as u64,
        }
    }
}

impl Sizes {
    /// "12 transactions, about 1.5 GiB", or what is known of it.
    pub fn words(&self) -> String {
        let transactions = units::count(self.transactions, "transaction", "transactions");
        let bytes = units::size(self.bytes);
        match self.unknown {
            _ if self.transactions == 0 => "none".into(),
            0 => format!("{transactions}, about {bytes}"),
            all if all == self.transactions => format!("{transactions}, not measured"),
            some => format!("{transactions}, about {bytes} without {some} not measured"),
        }
    }
}

/// One line for each profile and rule: "the snapshots of transactions 1 to 12 and 14 of tv (keep-most)".
pub fn lines(pruned: &[Pruned]) -> Vec<String> {
    let mut groups: BTreeMap<(&str, &str), Vec<i64>> = BTreeMap::new();
    for one in pruned {
        let group = groups.entry((one.profile_name.as_str(), one.rule));
        group.or_default().push(one.transaction);
    }
    groups
        .into_iter()
        .map(|((profile, rule), mut numbers)| {
            numbers.sort_unstable();
            let noun = match numbers.len() {
                1 => "transaction",
                _ => "transactions",
            };
            format!(
                "the snapshots of {noun} {} of {profile} ({rule})",
                ranges(&numbers)
            )
        })
        .collect()
}

/// Numbers in ascending order in words: "1 to 3, 5 and 6".
fn ranges(numbers: &[i64]) -> String {
    let mut parts: Vec<(i64, i64)> = Vec::new();
    for number in numbers {
        match parts.last_mut() {
            Some((_, last)) if *last + 1 == *number => *last = *number,
            _ => parts.push((*number, *number)),
        }
    }
    let words: Vec<String> = parts
        .into_iter()
        .flat_map(|(first, last)| match last - first {
            0 => vec![first.to_string()],
            1 => vec![first.to_string(), last.to_string()],
            _ => vec![format!("{first} to {last}")],
        })
        .collect();
    match words.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn numbers_are_told_as_ranges() {
        for (numbers, words) in [
            (vec![7], "7"),
            (vec![7, 8], "7 and 8"),
            (vec![1, 2, 3], "1 to 3"),
            (vec![1, 2, 3, 5, 6, 9, 10, 11], "1 to 3, 5, 6 and 9 to 11"),
            (vec![], ""),
        ] {
            assert_eq!(ranges(&numbers), words);
        }
    }

    #[test]
    fn what_is_not_measured_is_said() {
        let sizes = |transactions, bytes, unknown| Sizes {
            transactions,
            bytes,
            unknown,
        };
        assert_eq!(sizes(0, 0, 0).words(), "none");
        assert_eq!(sizes(1, 1 << 20, 0).words(), "1 transaction, about 1.0 MiB");
        assert_eq!(sizes(3, 0, 3).words(), "3 transactions, not measured");
        assert_eq!(
            sizes(3, 512, 1).words(),
            "3 transactions, about 512 B without 1 not measured"
        );
    }

    #[test]
    fn each_profile_and_rule_is_one_line() {
        let mut pruned = samples::pruned();
        pruned.push(Pruned {
            transaction: 4,
            ..pruned[0].clone()
        });
        pruned.push(Pruned {
            rule: "keep-free",
            ..pruned[0].clone()
        });
        assert_eq!(
            lines(&pruned),
            [
                "the snapshots of transaction 3 of tv (keep-free)",
                "the snapshots of transactions 3 and 4 of tv (keep-most)",
            ]
        );
    }
}
