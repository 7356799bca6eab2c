//! What of the caller's environment reaches a program in a profile.
//!
//! The caller's variables speak of the host: its paths, its agents, its session. Only what concerns the
//! terminal, the language, the way to the network, who asked, and how debconf is to talk goes along.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// root's home directory in every profile.
pub(super) const HOME: &str = "/root";
/// Where programs are looked for, as Debian's login has it for root.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Names that are kept.
const KEPT: &[&str] = &[
    "TERM",
    "COLORTERM",
    "NO_COLOR",
    "LANG",
    "LANGUAGE",
    "TZ",
    "http_proxy",
    "https_proxy",
    "ftp_proxy",
    "all_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "FTP_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "SUDO_USER",
    "SUDO_UID",
    "SUDO_GID",
    "SUDO_COMMAND",
    "PKEXEC_UID",
];
/// Beginnings of names that are kept.
const KEPT_PREFIXES: &[&str] = &["LC_", "DEBIAN_", "DEBCONF_"];

/// The environment of a program in the profile `name`, whose shell is `shell`.
pub(super) fn clean(
    caller: &[(OsString, OsString)],
    name: &str,
    shell: &OsStr,
) -> Vec<(OsString, OsString)> {
    let mut kept: Vec<_> = caller
        .iter()
        .filter(|(variable, _)| is_kept(variable))
        .cloned()
        .collect();
    let own: [(&str, &OsStr); 7] = [
        ("HOME", OsStr::new(HOME)),
        ("USER", OsStr::new("root")),
        ("LOGNAME", OsStr::new("root")),
        ("SHELL", shell),
        ("PATH", OsStr::new(PATH)),
        ("FLIPPER_PROFILE", OsStr::new(name)),
        // Debian's bash shows it in the prompt.
        ("debian_chroot", OsStr::new(name)),
    ];
    kept.extend(own.map(|(variable, value)| (variable.into(), value.into())));
    kept
}

fn is_kept(variable: &OsStr) -> bool {
    let variable = variable.as_bytes();
    KEPT.iter().any(|kept| kept.as_bytes() == variable)
        || KEPT_PREFIXES
            .iter()
            .any(|prefix| variable.starts_with(prefix.as_bytes()))
}

/// The value of a variable of the caller.
pub(super) fn value<'a>(caller: &'a [(OsString, OsString)], name: &str) -> Option<&'a OsStr> {
    caller
        .iter()
        .find(|(variable, _)| variable == name)
        .map(|(_, value)| value.as_os_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(variables: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
        variables
            .iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect()
    }

    #[test]
    fn keeps_terminal_language_proxies_and_who_asked() {
        let kept = clean(
            &caller(&[
                ("TERM", "xterm"),
                ("LC_ALL", "C"),
                ("https_proxy", "p"),
                ("SUDO_USER", "ann"),
            ]),
            "router",
            OsStr::new("/bin/sh"),
        );
        for (name, expected) in [
            ("TERM", "xterm"),
            ("LC_ALL", "C"),
            ("https_proxy", "p"),
            ("SUDO_USER", "ann"),
        ] {
            assert_eq!(value(&kept, name), Some(OsStr::new(expected)), "{name}");
        }
    }

    #[test]
    fn the_hosts_session_stays_outside() {
        let kept = clean(
            &caller(&[
                ("PATH", "/evil"),
                ("HOME", "/home/ann"),
                ("LD_PRELOAD", "/x.so"),
                ("FLIPPER_POOL", "/p"),
            ]),
            "router",
            OsStr::new("/bin/sh"),
        );
        assert_eq!(value(&kept, "PATH"), Some(OsStr::new(PATH)));
        assert_eq!(value(&kept, "HOME"), Some(OsStr::new(HOME)));
        assert_eq!(value(&kept, "LD_PRELOAD"), None);
        assert_eq!(value(&kept, "FLIPPER_POOL"), None);
    }
}
