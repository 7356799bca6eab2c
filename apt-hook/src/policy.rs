//! The exit status of every hook, in one table.
//!
//! | hook | protected, or nothing to protect | switched off by the user | failed, `report` | failed, `stop` |
//! |---|---|---|---|---|
//! | pre | 0 | 0 | 0 | 100 |
//! | plan, post, dpkg-pre, dpkg-post | 0 | 0 | 0 | 0 |
//!
//! A post that failed apt would only hide that the packages did change; a plan that is not known
//! costs a convenience, not the protection; and a dpkg that is stopped by a hook leaves packages
//! half-configured. So the beginning is the one place where "not without protection" can be said.

use crate::mode::Mode;

/// What `hook-policy` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// apt goes on, the user is told.
    #[default]
    Report,
    /// apt is stopped before it changes anything.
    Stop,
}

/// How a hook went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As it should, or there is nothing to protect here.
    Fine,
    /// It did not, and the user was told.
    Failed,
}

/// The status that stops apt. Our lines in apt's configuration let this one through, and no other.
const STOP: u8 = 100;

/// The exit status.
pub fn exit_status(mode: Mode, verdict: Verdict, policy: Policy) -> u8 {
    match (mode, verdict, policy) {
        (Mode::Pre, Verdict::Failed, Policy::Stop) => STOP,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_failed_pre_stops_apt_and_only_when_told_to() {
        let modes = [
            Mode::Pre,
            Mode::Plan,
            Mode::Post,
            Mode::DpkgPre,
            Mode::DpkgPost,
        ];
        for mode in modes {
            for verdict in [Verdict::Fine, Verdict::Failed] {
                for policy in [Policy::Report, Policy::Stop] {
                    let stops =
                        (mode, verdict, policy) == (Mode::Pre, Verdict::Failed, Policy::Stop);
                    let expected = if stops { 100 } else { 0 };
                    assert_eq!(
                        exit_status(mode, verdict, policy),
                        expected,
                        "{mode:?} {verdict:?} {policy:?}"
                    );
                }
            }
        }
    }
}
