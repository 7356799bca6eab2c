//! `/var/log/apt/history.log`: what apt says it did. A second source only.
//!
//! apt writes values raw, so a command line with a line end in it makes lines of its own. A line
//! that begins no known tag is therefore taken as the rest of the value before it, and an entry
//! begins only at `Start-Date:`, which apt always writes first.
//!
//! Tags: apt, `apt-pkg/deb/dpkgpm.cc`, `pkgDPkgPM::OpenLog` and `CloseLog`.

use super::stanza::lossy;

/// A package of one of the lists of an entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistoryPackage {
    /// Name.
    pub name: String,
    /// Architecture; apt writes the native one for `all`.
    pub architecture: String,
    /// Versions, old before new; apt writes none when it purges what was removed before.
    pub versions: Vec<String>,
    /// Installed only because something else needs it.
    pub automatic: bool,
}

/// One entry, from `Start-Date` to `End-Date`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistoryEntry {
    /// When dpkg was about to start, in local time, one second exact: never an order.
    pub start_date: String,
    /// The command line, options included.
    pub command_line: Option<String>,
    /// Who ran sudo or pkexec, with the number in brackets.
    pub requested_by: Option<String>,
    /// What `--comment` said.
    pub comment: Option<String>,
    /// Packages that were not there before.
    pub install: Vec<HistoryPackage>,
    /// Packages with a newer version.
    pub upgrade: Vec<HistoryPackage>,
    /// Packages with an older version.
    pub downgrade: Vec<HistoryPackage>,
    /// Packages removed, configuration kept.
    pub remove: Vec<HistoryPackage>,
    /// Packages removed with their configuration.
    pub purge: Vec<HistoryPackage>,
    /// Packages unpacked again in the same version.
    pub reinstall: Vec<HistoryPackage>,
    /// What went wrong, in apt's words.
    pub error: Option<String>,
    /// When dpkg had ended; missing when apt was killed.
    pub end_date: Option<String>,
}

/// The newest entry of a history log.
pub fn last(log: &[u8]) -> Option<HistoryEntry> {
    let lines = lines_of(log);
    let start = lines.iter().rposition(|line| starts_entry(line))?;
    Some(parse_entry(&lines[start..]))
}

/// Every entry of a history log, oldest first.
pub fn entries(log: &[u8]) -> Vec<HistoryEntry> {
    let lines = lines_of(log);
    let starts: Vec<usize> = (0..lines.len())
        .filter(|&index| starts_entry(lines[index]))
        .collect();
    let ends = starts.iter().skip(1).copied().chain([lines.len()]);
    starts
        .iter()
        .zip(ends)
        .map(|(&start, end)| parse_entry(&lines[start..end]))
        .collect()
}

fn lines_of(log: &[u8]) -> Vec<&[u8]> {
    log.split(|&byte| byte == b'\n').collect()
}

fn starts_entry(line: &[u8]) -> bool {
    line.starts_with(b"Start-Date:")
}

const TAGS: [&str; 12] = [
    "Start-Date",
    "Commandline",
    "Requested-By",
    "Comment",
    "Install",
    "Upgrade",
    "Downgrade",
    "Remove",
    "Purge",
    "Reinstall",
    "Error",
    "End-Date",
];

/// Splits a line into a known tag and its value.
fn tag_of(line: &[u8]) -> Option<(&'static str, &[u8])> {
    TAGS.iter().find_map(|tag| {
        let value = line.strip_prefix(tag.as_bytes())?.strip_prefix(b":")?;
        Some((*tag, value))
    })
}

fn parse_entry(lines: &[&[u8]]) -> HistoryEntry {
    let mut values: Vec<(&'static str, Vec<u8>)> = Vec::new();
    for line in lines {
        match (tag_of(line), values.last_mut()) {
            (Some((tag, value)), _) => values.push((tag, value.to_vec())),
            (None, Some((_, value))) => {
                value.push(b'\n');
                value.extend_from_slice(line);
            }
            (None, None) => {}
        }
    }
    let mut entry = HistoryEntry::default();
    for (tag, value) in values {
        let text = lossy(value.trim_ascii());
        match tag {
            "Start-Date" => entry.start_date = text,
            "Commandline" => entry.command_line = Some(text),
            "Requested-By" => entry.requested_by = Some(text),
            "Comment" => entry.comment = Some(text),
            "Install" => entry.install = parse_packages(&text),
            "Upgrade" => entry.upgrade = parse_packages(&text),
            "Downgrade" => entry.downgrade = parse_packages(&text),
            "Remove" => entry.remove = parse_packages(&text),
            "Purge" => entry.purge = parse_packages(&text),
            "Reinstall" => entry.reinstall = parse_packages(&text),
            "Error" => entry.error = Some(text),
            "End-Date" => entry.end_date = Some(text),
            _ => {}
        }
    }
    entry
}

/// `name:architecture (version, version, automatic), …`
fn parse_packages(text: &str) -> Vec<HistoryPackage> {
    let mut found = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        // The list inside the brackets holds commas too, so the bracket ends a package.
        let (item, tail) = match rest.split_once(')') {
            Some((item, tail)) => (item, tail),
            None => (rest, ""),
        };
        rest = tail.trim_start_matches([',', ' ']);
        let (full_name, details) = item.split_once('(').unwrap_or((item, ""));
        let full_name = full_name.trim();
        let (name, architecture) = full_name.split_once(':').unwrap_or((full_name, ""));
        if name.is_empty() {
            continue;
        }
        let mut package = HistoryPackage {
            name: name.to_owned(),
            architecture: architecture.to_owned(),
            ..HistoryPackage::default()
        };
        for word in details.split(',').map(str::trim) {
            match word {
                "" => {}
                "automatic" => package.automatic = true,
                version => package.versions.push(version.to_owned()),
            }
        }
        found.push(package);
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LOG: &[u8] = b"
Start-Date: 2026-11-20  10:00:00
Commandline: apt-get install -y jq
Install: jq:amd64 (1.7.1-6)
End-Date: 2026-11-20  10:00:02

Start-Date: 2026-11-21  08:01:02
Commandline: apt-get -o X=a
b install nginx
Requested-By: anna (1000)
Comment: for the web
Install: nginx:amd64 (1.26.3-3), libonig5:amd64 (6.9.9-1, automatic)
Upgrade: libc6:amd64 (2.36-9, 2.41-12)
Purge: cc:amd64 ()
Reinstall: jq:amd64 (1.7.1-6)
Error: Sub-process /usr/bin/dpkg returned an error code (1)
End-Date: 2026-11-21  08:01:20
";

    #[test]
    fn reads_the_last_entry() {
        let entry = last(LOG).unwrap();
        assert_eq!(entry.start_date, "2026-11-21  08:01:02");
        assert_eq!(
            entry.command_line.as_deref(),
            Some("apt-get -o X=a\nb install nginx")
        );
        assert_eq!(entry.requested_by.as_deref(), Some("anna (1000)"));
        assert_eq!(entry.comment.as_deref(), Some("for the web"));
        assert_eq!(entry.install.len(), 2);
        assert!(entry.install[1].automatic);
        assert_eq!(entry.install[1].versions, ["6.9.9-1"]);
        assert_eq!(entry.upgrade[0].versions, ["2.36-9", "2.41-12"]);
        assert_eq!(
            (entry.purge[0].name.as_str(), entry.purge[0].versions.len()),
            ("cc", 0)
        );
        assert_eq!(entry.reinstall[0].architecture, "amd64");
        assert!(entry.error.unwrap().contains("error code (1)"));
        assert!(entry.end_date.is_some());
        assert_eq!(entries(LOG).len(), 2);
    }

    #[test]
    fn tells_a_killed_run_by_its_missing_end() {
        let entry = last(b"Start-Date: x\nInstall: a:amd64 (1").unwrap();
        assert_eq!(entry.end_date, None);
        assert_eq!(entry.install[0].versions, ["1"]);
        assert_eq!(last(b"nothing here"), None);
    }

    proptest! {
        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300), at in 0..LOG.len()) {
            let _outcome = last(&bytes);
            let mut damaged = LOG.to_vec();
            damaged.splice(at..at, bytes);
            prop_assert!(!entries(&damaged).is_empty());
        }
    }
}
