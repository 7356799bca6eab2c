//! What the machine's configuration file and the environment say.
//!
//! `/etc/flipper-profile/config`, lines of `key = value`, `#` begins a comment:
//!
//! | key | values | without it |
//! |---|---|---|
//! | `hook` | `on`, `off` | on |
//! | `hook-policy` | `report`, `stop` | report |
//! | `hook-time-limit` | seconds, 1 to 3600 | 30 |
//!
//! In the environment, for one run: `FLIPPER_PROFILE_HOOK=off` or `FLIPPER_PROFILE_SKIP=1`.

use std::time::Duration;

use crate::policy::Policy;

/// Where the file is.
pub const PATH: &str = "/etc/flipper-profile/config";
/// Largest configuration file that is read, in bytes.
pub const LIMIT_BYTES: u64 = 64 * 1024;
/// How long a hook may take at most.
const TIME_LIMIT_SECS: u64 = 30;
/// Longest limit that can be set, in seconds.
const TIME_LIMIT_MOST_SECS: u64 = 3600;

/// The settings of the hooks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Whether hooks work at all.
    pub on: bool,
    /// What a failure means for apt.
    pub policy: Policy,
    /// How long a hook may take.
    pub time_limit: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            on: true,
            policy: Policy::Report,
            time_limit: Duration::from_secs(TIME_LIMIT_SECS),
        }
    }
}

/// Reads the file's text. What cannot be read keeps its default and is told, one sentence each.
pub fn parse(text: &str) -> (Settings, Vec<String>) {
    let mut settings = Settings::default();
    let mut complaints = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        if let Err(complaint) = parse_line(&mut settings, line) {
            complaints.push(format!("line {number}: {complaint}"));
        }
    }
    (settings, complaints)
}

fn parse_line(settings: &mut Settings, line: &str) -> Result<(), String> {
    let (key, value) = line
        .split_once('=')
        .ok_or_else(|| format!("`{line}` is no `key = value`"))?;
    let (key, value) = (key.trim(), value.trim().trim_matches('"'));
    let wrong = |values: &str| Err(format!("{key} can be {values}, not `{value}`"));
    match key {
        "hook" => match value {
            "on" => settings.on = true,
            "off" => settings.on = false,
            _ => return wrong("on or off"),
        },
        "hook-policy" => match value {
            "report" => settings.policy = Policy::Report,
            "stop" => settings.policy = Policy::Stop,
            _ => return wrong("report or stop"),
        },
        "hook-time-limit" => match value.parse() {
            Ok(seconds @ 1..=TIME_LIMIT_MOST_SECS) => {
                settings.time_limit = Duration::from_secs(seconds)
            }
            Ok(_) | Err(_) => return wrong("1 to 3600 seconds"),
        },
        _ => return Err(format!("there is no setting `{key}`")),
    }
    Ok(())
}

/// Why the user does not want this run protected, if so; `variable` looks into the environment.
pub fn switched_off(
    settings: &Settings,
    variable: impl Fn(&str) -> Option<String>,
) -> Option<String> {
    let off = profile_store::transaction::finish::SWITCHED_OFF;
    let hook = variable("FLIPPER_PROFILE_HOOK").unwrap_or_default();
    if ["off", "0", "no", "false"].contains(&hook.to_ascii_lowercase().as_str()) {
        return Some(format!("{off}: FLIPPER_PROFILE_HOOK={hook}"));
    }
    let skip = variable("FLIPPER_PROFILE_SKIP").unwrap_or_default();
    if !["", "0", "no", "off", "false"].contains(&skip.to_ascii_lowercase().as_str()) {
        return Some(format!("{off}: FLIPPER_PROFILE_SKIP={skip}"));
    }
    (!settings.on).then(|| format!("{off}: hook = off in {PATH}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_is_the_default() {
        assert_eq!(parse(""), (Settings::default(), Vec::new()));
        assert_eq!(
            parse("# hook = off\n\n  # x"),
            (Settings::default(), Vec::new())
        );
    }

    #[test]
    fn every_key_is_read() {
        let (settings, complaints) =
            parse("hook=off\nhook-policy = stop # never without\nhook-time-limit=\"5\"\n");
        assert!(complaints.is_empty());
        assert_eq!(
            settings,
            Settings {
                on: false,
                policy: Policy::Stop,
                time_limit: Duration::from_secs(5)
            }
        );
    }

    #[test]
    fn what_is_wrong_is_told_and_keeps_its_default() {
        let (settings, complaints) =
            parse("hook = maybe\nhok = off\nhook-time-limit = 0\nnothing\n");
        assert_eq!(settings, Settings::default());
        assert_eq!(
            complaints,
            [
                "line 1: hook can be on or off, not `maybe`",
                "line 2: there is no setting `hok`",
                "line 3: hook-time-limit can be 1 to 3600 seconds, not `0`",
                "line 4: `nothing` is no `key = value`",
            ]
        );
    }

    #[test]
    fn one_run_can_be_left_out() {
        let of = |name: &'static str, value: &'static str| {
            switched_off(&Settings::default(), move |asked| {
                (asked == name).then(|| value.to_owned())
            })
        };
        assert!(
            of("FLIPPER_PROFILE_HOOK", "off")
                .unwrap()
                .contains("FLIPPER_PROFILE_HOOK=off")
        );
        assert!(of("FLIPPER_PROFILE_SKIP", "1").is_some());
        for (name, value) in [
            ("FLIPPER_PROFILE_HOOK", "on"),
            ("FLIPPER_PROFILE_SKIP", "0"),
            ("FLIPPER_PROFILE_SKIP", ""),
            ("X", "off"),
        ] {
            assert_eq!(of(name, value), None, "{name}={value}");
        }
        assert!(
            switched_off(
                &Settings {
                    on: false,
                    ..Settings::default()
                },
                |_| None
            )
            .is_some()
        );
    }
}
