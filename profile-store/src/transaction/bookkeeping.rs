//! Which paths a package manager writes though it changes nothing.
//!
//! A run that did nothing (aptitude's upgrade with nothing to upgrade, a hook that was interrupted
//! before dpkg) leaves new lock files, logs and copies of databases. A transaction whose whole
//! change is of these is no transaction.

/// Single paths, from the root of the merged tree.
const FILES: &[&str] = &[
    "var/lib/apt/extended_states",
    "var/lib/dpkg/available",
    "var/lib/dpkg/available-old",
    "var/lib/dpkg/diversions-old",
    "var/lib/dpkg/lock",
    "var/lib/dpkg/lock-frontend",
    "var/lib/dpkg/statoverride-old",
    "var/lib/dpkg/status",
    "var/lib/dpkg/status-old",
    "var/lib/dpkg/triggers/Lock",
    "var/lib/dpkg/triggers/Unincorp",
    "var/lib/dpkg/updates",
];

/// Paths with everything below them.
const TREES: &[&str] = &[
    "run",
    "tmp",
    "var/cache/apt",
    "var/lib/PackageKit",
    "var/lib/apt/lists",
    "var/lib/apt/periodic",
    "var/lib/dpkg/updates",
    "var/lib/unattended-upgrades",
    "var/log",
    "var/tmp",
];

/// Whether a change of this path (no leading slash) alone makes no transaction. Whether what dpkg's
/// status file says changed is asked elsewhere, by its content.
pub fn is_bookkeeping(path: &[u8]) -> bool {
    let below = |tree: &&str| {
        path.strip_prefix(tree.as_bytes())
            .is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
    };
    FILES.iter().any(|file| file.as_bytes() == path)
        || TREES.iter().any(below)
        || is_new_file_of_aptitude(path)
}

/// aptitude writes its own package states on every commit.
fn is_new_file_of_aptitude(path: &[u8]) -> bool {
    path.starts_with(b"var/lib/aptitude/pkgstates")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_every_run_writes() {
        for path in [
            "var/lib/dpkg/status",
            "var/log",
            "var/log/apt/history.log",
            "tmp/x",
            "var/lib/aptitude/pkgstates.old",
        ] {
            assert!(is_bookkeeping(path.as_bytes()), "{path}");
        }
        for path in [
            "",
            "etc/passwd",
            "var/logs",
            "var/lib/dpkg/info/jq.list",
            "var/lib/dpkg/diversions",
            "var/lib/dpkg/arch",
            "tmpfiles",
        ] {
            assert!(!is_bookkeeping(path.as_bytes()), "{path}");
        }
    }
}
