//! Which merge a path is for.

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `/var/lib/dpkg/status` (and `available`): a stanza for each package.
    DpkgStatus,
    /// `/var/lib/apt/extended_states`: automatic marks.
    ExtendedStates,
    /// debconf's `config.dat`, `passwords.dat`, `templates.dat`: a stanza for each question.
    DebconfDatabase,
    /// `/var/lib/dpkg/diversions`: three lines each.
    Diversions,
    /// `/var/lib/dpkg/statoverride`: `user group mode path`.
    StatOverrides,
    /// A set of lines: dpkg's architectures and triggers, login shells.
    LineSet,
    /// `/var/lib/ucf/hashfile`: `md5  path`.
    UcfHashes,
    /// `/var/lib/ucf/registry`: `package path`.
    UcfRegistry,
    /// `/etc/subuid`, `/etc/subgid`: `name:first:count`.
    SubordinateIds,
    /// `/etc/passwd`.
    Passwd,
    /// `/etc/shadow`.
    Shadow,
    /// `/etc/group`.
    Group,
    /// `/etc/gshadow`.
    GroupShadow,
    /// `/var/lib/dpkg/alternatives/*`.
    Alternative,
    /// Anything else: text by lines, the rest as a whole.
    File,
}

/// Exact paths.
const PATHS: &[(&str, Kind)] = &[
    ("/var/lib/dpkg/status", Kind::DpkgStatus),
    ("/var/lib/dpkg/diversions", Kind::Diversions),
    ("/var/lib/dpkg/statoverride", Kind::StatOverrides),
    ("/var/lib/dpkg/arch", Kind::LineSet),
    ("/var/lib/apt/extended_states", Kind::ExtendedStates),
    ("/var/cache/debconf/config.dat", Kind::DebconfDatabase),
    ("/var/cache/debconf/passwords.dat", Kind::DebconfDatabase),
    ("/var/cache/debconf/templates.dat", Kind::DebconfDatabase),
    ("/var/lib/ucf/hashfile", Kind::UcfHashes),
    ("/var/lib/ucf/registry", Kind::UcfRegistry),
    ("/etc/shells", Kind::LineSet),
    ("/var/lib/shells.state", Kind::LineSet),
    ("/etc/passwd", Kind::Passwd),
    ("/etc/shadow", Kind::Shadow),
    ("/etc/group", Kind::Group),
    ("/etc/gshadow", Kind::GroupShadow),
    ("/etc/subuid", Kind::SubordinateIds),
    ("/etc/subgid", Kind::SubordinateIds),
];

/// Directories whose direct children are of one kind.
const DIRECTORIES: &[(&str, Kind)] = &[
    ("/var/lib/dpkg/alternatives/", Kind::Alternative),
    ("/var/lib/dpkg/triggers/", Kind::LineSet),
];

/// What the file at an absolute path is.
pub fn kind_of(path: &[u8]) -> Kind {
    let exact = PATHS.iter().find(|(known, _)| known.as_bytes() == path);
    let inside = || {
        DIRECTORIES.iter().find(|(directory, _)| {
            path.strip_prefix(directory.as_bytes())
                .is_some_and(|name| !name.is_empty() && !name.contains(&b'/'))
        })
    };
    exact.or_else(inside).map_or(Kind::File, |(_, kind)| *kind)
}
