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
    /// A tool's copy of its file as it was before, or its lock: worth nothing of its own.
    Copy,
    /// Made from other files by a program: made anew, never merged.
    Derived(Maker),
    /// Anything else: text by lines, the rest as a whole.
    File,
}

/// The program that makes a derived file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Maker {
    /// `ldconfig`: the linker's cache.
    Ldconfig,
    /// Whoever needs it the next time: apt, man, fontconfig.
    NextUse,
    /// `gtk-update-icon-cache`: the icons of a theme.
    Icons,
    /// `update-desktop-database`: which application opens what.
    Desktop,
    /// `update-mime-database`: the types of files.
    Mime,
    /// `glib-compile-schemas`: the settings of programs.
    Schemas,
    /// `gio-querymodules`: GIO's modules.
    GioModules,
    /// `gdk-pixbuf-query-loaders`: what reads images.
    PixbufLoaders,
    /// `journalctl --update-catalog`: the journal's messages.
    Catalog,
    /// `systemd-hwdb`: what is known of hardware.
    Hardware,
    /// `update-info-dir`: the manuals of info.
    InfoDirectory,
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
    ("/var/lib/dpkg/status-old", Kind::Copy),
    ("/var/lib/dpkg/diversions-old", Kind::Copy),
    ("/var/lib/dpkg/statoverride-old", Kind::Copy),
    ("/var/lib/dpkg/lock", Kind::Copy),
    ("/var/lib/dpkg/lock-frontend", Kind::Copy),
    ("/var/lib/dpkg/triggers/Lock", Kind::Copy),
    ("/var/cache/debconf/config.dat-old", Kind::Copy),
    ("/var/cache/debconf/passwords.dat-old", Kind::Copy),
    ("/var/cache/debconf/templates.dat-old", Kind::Copy),
    ("/etc/passwd-", Kind::Copy),
    ("/etc/shadow-", Kind::Copy),
    ("/etc/group-", Kind::Copy),
    ("/etc/gshadow-", Kind::Copy),
    ("/etc/subuid-", Kind::Copy),
    ("/etc/subgid-", Kind::Copy),
    ("/etc/.pwd.lock", Kind::Copy),
    ("/etc/ld.so.cache", Kind::Derived(Maker::Ldconfig)),
    (
        "/var/cache/ldconfig/aux-cache",
        Kind::Derived(Maker::Ldconfig),
    ),
    ("/var/cache/apt/pkgcache.bin", Kind::Derived(Maker::NextUse)),
    (
        "/var/cache/apt/srcpkgcache.bin",
        Kind::Derived(Maker::NextUse),
    ),
    (
        "/usr/share/applications/mimeinfo.cache",
        Kind::Derived(Maker::Desktop),
    ),
    (
        "/usr/share/glib-2.0/schemas/gschemas.compiled",
        Kind::Derived(Maker::Schemas),
    ),
    (
        "/var/lib/systemd/catalog/database",
        Kind::Derived(Maker::Catalog),
    ),
    ("/etc/udev/hwdb.bin", Kind::Derived(Maker::Hardware)),
    ("/usr/lib/udev/hwdb.bin", Kind::Derived(Maker::Hardware)),
    ("/usr/share/info/dir", Kind::Derived(Maker::InfoDirectory)),
    (
        "/usr/share/info/dir.old",
        Kind::Derived(Maker::InfoDirectory),
    ),
];

/// Files that are made from others, by the beginning and the end of their paths.
const DERIVED: &[(&str, &str, Maker)] = &[
    ("/var/cache/man/", "", Maker::NextUse),
    ("/var/cache/fontconfig/", "", Maker::NextUse),
    ("/usr/share/icons/", "/icon-theme.cache", Maker::Icons),
    (
        "/usr/lib/",
        "/gio/modules/giomodule.cache",
        Maker::GioModules,
    ),
    ("/usr/lib/", "/loaders.cache", Maker::PixbufLoaders),
];

/// What update-mime-database makes, below its directory; each type has a file in a directory of its own besides. What it
/// reads is in `packages`.
const MIME: &str = "/usr/share/mime/";
/// Where that comes from.
const MIME_SOURCES: &str = "/usr/share/mime/packages/";

/// The program that makes the file, when one does; by where it is.
fn derived(path: &[u8]) -> Option<Maker> {
    let is = |start: &str, end: &str| {
        path.len() > start.len() + end.len()
            && path.starts_with(start.as_bytes())
            && path.ends_with(end.as_bytes())
    };
    if is(MIME, "") && !path.starts_with(MIME_SOURCES.as_bytes()) {
        let rest = &path[MIME.len()..];
        let is_type = rest.contains(&b'/') && rest.ends_with(b".xml");
        let is_index = MIME_INDEXES.iter().any(|name| name.as_bytes() == rest);
        return (is_type || is_index).then_some(Maker::Mime);
    }
    let found = DERIVED.iter().find(|(start, end, _)| is(start, end));
    found.map(|(_, _, maker)| *maker)
}

/// The files of update-mime-database about all types.
const MIME_INDEXES: &[&str] = &[
    "XMLnamespaces",
    "aliases",
    "generic-icons",
    "globs",
    "globs2",
    "icons",
    "magic",
    "mime.cache",
    "subclasses",
    "treemagic",
    "types",
    "version",
];

/// Rotated copies: the path and a dot, then digits.
const ROTATED: &[&str] = &[
    "/var/lib/apt/extended_states",
    "/var/lib/ucf/hashfile",
    "/var/lib/ucf/registry",
];

/// Directories whose direct children are of one kind.
const DIRECTORIES: &[(&str, Kind)] = &[
    ("/var/lib/dpkg/alternatives/", Kind::Alternative),
    ("/var/lib/dpkg/triggers/", Kind::LineSet),
];

/// What the file at an absolute path is.
pub fn kind_of(path: &[u8]) -> Kind {
    let rotated = ROTATED.iter().any(|known| {
        path.strip_prefix(known.as_bytes())
            .and_then(|rest| rest.strip_prefix(b"."))
            .is_some_and(|digits| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit))
    });
    if rotated {
        return Kind::Copy;
    }
    let exact = PATHS.iter().find(|(known, _)| known.as_bytes() == path);
    let inside = || {
        DIRECTORIES.iter().find(|(directory, _)| {
            path.strip_prefix(directory.as_bytes())
                .is_some_and(|name| !name.is_empty() && !name.contains(&b'/'))
        })
    };
    let known = exact.or_else(inside).map(|(_, kind)| *kind);
    let derived = || derived(path).map(Kind::Derived);
    known.or_else(derived).unwrap_or(Kind::File)
}
