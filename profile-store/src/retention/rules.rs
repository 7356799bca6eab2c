//! How long snapshots are kept: the four policies of a profile, and what they mean without one.
//!
//! | policy | value | without it |
//! |---|---|---|
//! | `keep-newest` | transactions whose snapshots stay whatever the others say, at least 1 | 20 |
//! | `keep-most` | transactions that have snapshots, the older ones go; `all` | 100 |
//! | `keep-days` | days, older ones go when the clock is synchronised; `all` | 90 |
//! | `keep-free` | what is to stay free: bytes, a share, or both and the smaller counts; `none` | `10%,4G` |

use profile_db::ProfileFile;
use serde_json::Value;

/// Policies of this module, as `set` knows them.
pub const POLICIES: [&str; 4] = [NEWEST, MOST, DAYS, FREE];
const NEWEST: &str = "keep-newest";
const MOST: &str = "keep-most";
const DAYS: &str = "keep-days";
const FREE: &str = "keep-free";

const NEWEST_DEFAULT: u32 = 20;
const MOST_DEFAULT: u32 = 100;
const DAYS_DEFAULT: u32 = 90;
const FREE_DEFAULT: Free = Free {
    percent: Some(10),
    bytes: Some(4 << 30),
};
/// Longest number in a policy; so that no sum of them overflows.
const LARGEST: u32 = 1_000_000;
/// Largest share of a pool that can be kept free: a higher one would have every snapshot go at once.
const PERCENT_MOST: u8 = 50;

/// What one profile keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// The snapshots of so many of the newest transactions stay: without the newest one nobody could tell
    /// what was changed past our hooks, so it is never 0.
    pub newest: u32,
    /// At most so many transactions have snapshots; none: any number.
    pub most: Option<u32>,
    /// Snapshots older than so many days go; none: they stay.
    pub days: Option<u32>,
    /// What is to stay free; while it is not, the oldest go.
    pub free: Free,
}

/// What is to stay free of a pool: the smaller of both where both are given, nothing where none is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Free {
    /// Per cent of its size.
    pub percent: Option<u8>,
    /// Bytes.
    pub bytes: Option<u64>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            newest: NEWEST_DEFAULT,
            most: Some(MOST_DEFAULT),
            days: Some(DAYS_DEFAULT),
            free: FREE_DEFAULT,
        }
    }
}

impl Free {
    /// What is to stay free of `total` bytes; never more than half, or a size that was set for a larger pool would
    /// have every snapshot go at once.
    pub fn of(self, total: u64) -> u64 {
        let share = self.percent.map(|percent| total / 100 * u64::from(percent));
        let wanted = match (share, self.bytes) {
            (Some(share), Some(bytes)) => share.min(bytes),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => 0,
        };
        wanted.min(total / 2)
    }

    fn parse(value: &str) -> Result<Self, String> {
        let nothing = Self {
            percent: None,
            bytes: None,
        };
        if value == "none" {
            return Ok(nothing);
        }
        let mut free = nothing;
        for part in value.split(',').map(str::trim) {
            let twice = match part.strip_suffix('%') {
                Some(share) => match share.parse() {
                    Ok(percent @ 0..=PERCENT_MOST) => free.percent.replace(percent).is_some(),
                    _ => return Err(format!("a share is 0% to {PERCENT_MOST}%")),
                },
                None => match bytes(part) {
                    Some(bytes) => free.bytes.replace(bytes).is_some(),
                    None => {
                        return Err(format!(
                            "'{}' is neither a share (10%) nor a size (4G) nor `none`",
                            part.escape_debug()
                        ));
                    }
                },
            };
            if twice {
                return Err("it has two shares or two sizes".into());
            }
        }
        Ok(free)
    }
}

/// A size: a number of bytes, or one with K, M, G or T after it.
fn bytes(text: &str) -> Option<u64> {
    let (digits, unit) = match text.char_indices().next_back()? {
        (at, 'K') => (&text[..at], 10),
        (at, 'M') => (&text[..at], 20),
        (at, 'G') => (&text[..at], 30),
        (at, 'T') => (&text[..at], 40),
        _ => (text, 0),
    };
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    digits.parse::<u64>().ok()?.checked_mul(1 << unit)
}

/// A number of a policy, at least `least`.
fn number(value: &str, least: u32) -> Result<u32, String> {
    match value.parse() {
        Ok(number) if (least..=LARGEST).contains(&number) => Ok(number),
        _ => Err(format!("it is a number of {least} to {LARGEST}")),
    }
}

fn limit(value: &str) -> Result<Option<u32>, String> {
    match value {
        "all" => Ok(None),
        value => number(value, 1)
            .map(Some)
            .map_err(|error| format!("{error}, or `all`")),
    }
}

impl Rules {
    /// The rules of a profile.
    ///
    /// # Errors
    ///
    /// A policy cannot be understood, because a newer version or an editor wrote it: then nothing of this
    /// profile may go.
    pub fn of(profile: &ProfileFile) -> Result<Self, String> {
        let mut rules = Self::default();
        for key in POLICIES {
            match profile.policies.get(key) {
                None => {}
                Some(Value::String(value)) => rules
                    .take(key, value)
                    .map_err(|detail| format!("its policy {key}: {detail}"))?,
                Some(_) => return Err(format!("its policy {key}: it is no text")),
            }
        }
        Ok(rules)
    }

    /// Says why a policy cannot have a value, when it cannot.
    ///
    /// # Errors
    ///
    /// The reason.
    pub fn check(key: &str, value: &str) -> Result<(), String> {
        Self::default().take(key, value)
    }

    fn take(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            NEWEST => self.newest = number(value, 1)?,
            MOST => self.most = limit(value)?,
            DAYS => self.days = limit(value)?,
            FREE => self.free = Free::parse(value)?,
            _ => return Err("there is no such policy".into()),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(policies: &[(&str, Value)]) -> Result<Rules, String> {
        let mut profile = ProfileFile::new(
            "k3j2h1g0".parse().unwrap(),
            "tv".parse().unwrap(),
            profile_db::profile_file::Origin::Created,
            profile_db::profile_file::BaseRef {
                version: "13.2".parse().unwrap(),
                tree_hash: format!("sha256:{}", "0".repeat(64)).parse().unwrap(),
            },
            "2026-11-22T08:00:00Z".parse().unwrap(),
        );
        for (key, value) in policies {
            profile.policies.insert((*key).to_owned(), value.clone());
        }
        Rules::of(&profile)
    }

    #[test]
    fn a_profile_without_policies_has_the_defaults() {
        assert_eq!(rules(&[]), Ok(Rules::default()));
    }

    #[test]
    fn every_policy_is_taken() {
        let found = rules(&[
            (NEWEST, "5".into()),
            (MOST, "all".into()),
            (DAYS, "7".into()),
            (FREE, "512M".into()),
        ]);
        let expected = Rules {
            newest: 5,
            most: None,
            days: Some(7),
            free: Free {
                percent: None,
                bytes: Some(512 << 20),
            },
        };
        assert_eq!(found, Ok(expected));
    }

    #[test]
    fn what_cannot_be_understood_is_no_rule() {
        for (key, value) in [
            (NEWEST, Value::from("0")),
            (NEWEST, Value::from("all")),
            (NEWEST, Value::from("-1")),
            (MOST, Value::from("0")),
            (MOST, Value::from("1000001")),
            (DAYS, Value::from("")),
            (FREE, Value::from("51%")),
            (FREE, Value::from("10%,20%")),
            (FREE, Value::from("1G,2G")),
            (FREE, Value::from("4g")),
            (FREE, Value::from("G")),
            (FREE, Value::from("+4")),
            (FREE, Value::from("99999999999T")),
            (FREE, Value::from(",")),
            (FREE, Value::from("ä")),
            (DAYS, Value::from(90)),
        ] {
            let error = rules(&[(key, value.clone())]).unwrap_err();
            assert!(error.contains(key), "{key}={value}: {error}");
        }
    }

    #[test]
    fn the_smaller_of_share_and_size_stays_free() {
        let free = |text| Free::parse(text).unwrap().of(100 << 30);
        assert_eq!(free("10%,4G"), 4 << 30);
        assert_eq!(free("1%, 4G"), 1 << 30);
        assert_eq!(free("10%"), 10 << 30);
        assert_eq!(free("4096"), 4096);
        assert_eq!(free("1T"), 50 << 30);
        assert_eq!(free("0%"), 0);
        assert_eq!(free("none"), 0);
        assert_eq!(FREE_DEFAULT.of(8 << 30), (8 << 30) / 100 * 10);
    }
}
