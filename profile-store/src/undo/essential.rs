//! What is not replaced file by file under a running profile, and what a change of needs a reboot. Plain data.
//!
//! Every program of a profile runs from its C library, and starts with it and the loader that belongs to it:
//! while one of the two is the old and the other the new, nothing starts. dpkg is what mends a profile. Where
//! systemd runs the profile, its programs and libraries are those that it starts itself and its helpers from,
//! and the message bus cannot be restarted without its clients. Where it does not, nothing runs from the files
//! of either: an entered profile has no services of its own.

use std::path::Path;

use serde::{Deserialize, Serialize};

/// What a path is a part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Essential {
    /// The C library, with the loader.
    CLibrary,
    /// dpkg.
    PackageManager,
    /// systemd.
    ServiceManager,
    /// The message bus.
    MessageBus,
}

impl Essential {
    /// What it is, in the user's words.
    pub fn words(self) -> &'static str {
        match self {
            Self::CLibrary => "the C library",
            Self::PackageManager => "dpkg",
            Self::ServiceManager => "systemd",
            Self::MessageBus => "the message bus",
        }
    }

    /// Whether something of the profile runs from it, when systemd runs the profile or does not.
    pub fn is_in_use(self, systemd_runs: bool) -> bool {
        match self {
            Self::CLibrary | Self::PackageManager => true,
            Self::ServiceManager | Self::MessageBus => systemd_runs,
        }
    }
}

/// The packages whose programs and libraries count.
const PACKAGES: &[(&str, Essential)] = &[
    ("dbus", Essential::MessageBus),
    ("dbus-broker", Essential::MessageBus),
    ("dbus-daemon", Essential::MessageBus),
    ("dpkg", Essential::PackageManager),
    ("libc6", Essential::CLibrary),
    ("libdbus-1-3", Essential::MessageBus),
    ("libsystemd-shared", Essential::ServiceManager),
    ("libsystemd0", Essential::ServiceManager),
    ("systemd", Essential::ServiceManager),
    ("systemd-sysv", Essential::ServiceManager),
];

/// The packages that own what counts.
pub fn packages() -> impl Iterator<Item = (&'static str, Essential)> {
    PACKAGES.iter().copied()
}

/// Directories of programs and libraries. What a package has elsewhere (documents, settings, its part of dpkg's
/// database) is read when it is asked for, and can be replaced under whatever runs.
const RUN_FROM: &[&str] = &[
    "bin",
    "lib",
    "lib32",
    "lib64",
    "libx32",
    "sbin",
    "usr/bin",
    "usr/lib",
    "usr/lib32",
    "usr/lib64",
    "usr/libexec",
    "usr/libx32",
    "usr/sbin",
];

/// Whether programs run from a path, relative to the root.
pub fn is_run_from(path: &Path) -> bool {
    RUN_FROM.iter().any(|directory| path.starts_with(directory))
}

/// What a path is a part of by its name alone, whichever package it came with.
pub fn by_name(path: &Path) -> Option<Essential> {
    if !is_run_from(path) {
        return None;
    }
    let name = path.file_name()?.to_str()?;
    let is_loader =
        name.starts_with("ld-linux") || name.starts_with("ld-musl") || name == "ld.so.1";
    Some(match name {
        "libc.so.6" => Essential::CLibrary,
        _ if is_loader && name.contains(".so") => Essential::CLibrary,
        "dpkg" if path.ends_with("bin/dpkg") => Essential::PackageManager,
        "systemd" if path.ends_with("systemd/systemd") => Essential::ServiceManager,
        _ if name.starts_with("libsystemd-shared-") => Essential::ServiceManager,
        "dbus-daemon" | "dbus-broker" | "dbus-broker-launch"
            if path.ends_with(Path::new("bin").join(name)) =>
        {
            Essential::MessageBus
        }
        _ => return None,
    })
}

/// A part of the system that is in force from the next boot on only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Booted {
    /// The kernel, its modules or its first root.
    Kernel,
    /// What is loaded into devices.
    Firmware,
}

impl Booted {
    /// What it is, in the user's words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Kernel => "the kernel",
            Self::Firmware => "firmware",
        }
    }
}

/// Whether a path is used by the machine when it boots.
pub fn booted(path: &Path) -> Option<Booted> {
    let below = |directory: &str| path.starts_with(directory) && path != Path::new(directory);
    if below("usr/lib/firmware") || below("lib/firmware") {
        return Some(Booted::Firmware);
    }
    if below("usr/lib/modules") || below("lib/modules") {
        return Some(Booted::Kernel);
    }
    let name = path.strip_prefix("boot").ok()?.to_str()?;
    let is_kernel = ["vmlinu", "initrd.img", "System.map", "config-", "dtb"]
        .iter()
        .any(|start| name.starts_with(start));
    is_kernel.then_some(Booted::Kernel)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loader_and_the_c_library_are_known_wherever_they_stand() {
        for path in [
            "usr/lib/x86_64-linux-gnu/libc.so.6",
            "usr/lib64/ld-linux-x86-64.so.2",
            "lib/ld-linux-aarch64.so.1",
            "usr/lib/aarch64-linux-gnu/ld-linux-aarch64.so.1",
        ] {
            assert_eq!(
                by_name(Path::new(path)),
                Some(Essential::CLibrary),
                "{path}"
            );
        }
    }

    #[test]
    fn programs_are_known_by_their_place() {
        for (path, what) in [
            ("usr/bin/dpkg", Some(Essential::PackageManager)),
            ("usr/lib/systemd/systemd", Some(Essential::ServiceManager)),
            (
                "usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-257.so",
                Some(Essential::ServiceManager),
            ),
            ("usr/bin/dbus-daemon", Some(Essential::MessageBus)),
            // What only has such a name.
            ("usr/share/bash-completion/completions/dpkg", None),
            ("etc/default/libc.so.6", None),
            ("usr/lib/dpkg", None),
            ("usr/lib/x86_64-linux-gnu/libcurl.so.4", None),
        ] {
            assert_eq!(by_name(Path::new(path)), what, "{path}");
        }
    }

    #[test]
    fn systemd_and_the_bus_matter_only_where_systemd_runs() {
        for what in [Essential::ServiceManager, Essential::MessageBus] {
            assert!(what.is_in_use(true) && !what.is_in_use(false), "{what:?}");
        }
        for what in [Essential::CLibrary, Essential::PackageManager] {
            assert!(what.is_in_use(true) && what.is_in_use(false), "{what:?}");
        }
    }

    #[test]
    fn documents_and_settings_can_always_be_replaced() {
        for path in [
            "usr/share/doc/libc6/copyright",
            "etc/dbus-1/system.conf",
            "var/lib/dpkg/status",
        ] {
            assert!(!is_run_from(Path::new(path)), "{path}");
        }
        assert!(is_run_from(Path::new("usr/sbin/nginx")));
        assert!(!is_run_from(Path::new("usr/library/x")));
    }

    #[test]
    fn what_a_boot_uses_is_told() {
        for (path, what) in [
            ("boot/vmlinuz-6.12.48", Some(Booted::Kernel)),
            ("boot/initrd.img-6.12.48", Some(Booted::Kernel)),
            ("usr/lib/modules/6.12.48/modules.dep", Some(Booted::Kernel)),
            ("usr/lib/firmware/rtl/x.bin", Some(Booted::Firmware)),
            ("boot", None),
            ("boot/grub/grub.cfg", None),
            ("usr/lib/modules", None),
            ("usr/lib/modules-load.d/x.conf", None),
        ] {
            assert_eq!(booted(Path::new(path)), what, "{path}");
        }
    }
}
