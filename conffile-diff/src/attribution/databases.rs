//! Files that many packages change and none owns: the databases of the system's own tools.
//!
//! Data, not code: a pattern, what it is, and why it is here. `*` stands for any part of one
//! component; a pattern that ends in `/**` also means everything below the directory.

/// One database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Database {
    /// Absolute pattern.
    pub pattern: &'static str,
    /// What it is, for people.
    pub name: &'static str,
}

const fn row(pattern: &'static str, name: &'static str) -> Database {
    Database { pattern, name }
}

/// The table. Every row says who writes it.
#[rustfmt::skip]
pub const DATABASES: &[Database] = &[
    // dpkg itself: status, file lists, alternatives, diversions, stat overrides, triggers.
    row("/var/lib/dpkg/**", "dpkg's database"),
    // apt: automatic marks; the lists and archives are no part of a profile's history.
    row("/var/lib/apt/extended_states*", "apt's marks"),
    row("/var/lib/apt/listchanges*", "apt-listchanges"),
    row("/var/lib/apt/periodic/**", "apt's time stamps"),
    row("/var/cache/apt/**", "apt's caches"),
    // Front ends note what they did.
    row("/var/lib/aptitude/**", "aptitude's marks"),
    row("/var/lib/PackageKit/**", "PackageKit's history"),
    row("/var/lib/unattended-upgrades/**", "unattended-upgrades"),
    // update-alternatives: the links that every program is started by.
    row("/etc/alternatives/**", "alternatives"),
    // systemctl enable and deb-systemd-helper: links and the record of them.
    row("/etc/systemd/*/*.wants/**", "systemd enablement"),
    row("/etc/systemd/*/*.requires/**", "systemd enablement"),
    row("/etc/systemd/*/*.upholds/**", "systemd enablement"),
    row("/etc/systemd/system/default.target", "systemd enablement"),
    row("/etc/systemd/system/dbus-*.service", "systemd enablement"),
    row("/var/lib/systemd/deb-systemd-helper-*/**", "deb-systemd-helper"),
    row("/var/lib/systemd/deb-systemd-user-helper-*/**", "deb-systemd-helper"),
    // systemd's own derived files: message catalog, hardware database, "updated" stamps.
    row("/var/lib/systemd/catalog/**", "systemd's catalog"),
    row("/etc/udev/hwdb.bin", "hardware database"),
    row("/etc/.updated", "systemd's update stamp"),
    row("/var/.updated", "systemd's update stamp"),
    // System V links: update-rc.d and insserv.
    row("/etc/rc?.d/**", "System V start links"),
    row("/etc/init.d/.depend.*", "System V start order"),
    // Accounts: adduser, sysusers, useradd, with the backups (`passwd-`) and locks they leave.
    row("/etc/passwd*", "accounts"),
    row("/etc/group*", "accounts"),
    row("/etc/shadow*", "accounts"),
    row("/etc/gshadow*", "accounts"),
    row("/etc/subuid*", "accounts"),
    row("/etc/subgid*", "accounts"),
    row("/etc/.pwd.lock", "accounts"),
    // update-shells and add-shell.
    row("/etc/shells*", "login shells"),
    row("/var/lib/shells.state", "login shells"),
    // ldconfig.
    row("/etc/ld.so.cache*", "linker cache"),
    row("/var/cache/ldconfig/**", "linker cache"),
    // debconf: questions and answers.
    row("/var/cache/debconf/**", "debconf"),
    // ucf: hashes of generated configuration, and whose it is.
    row("/var/lib/ucf/**", "ucf"),
    // update-ca-certificates and certificates made by ssl-cert.
    row("/etc/ssl/certs/**", "certificates"),
    row("/etc/ca-certificates.conf*", "certificates"),
    row("/etc/ssl/private/ssl-cert-snakeoil.key", "certificates"),
    // locale-gen and update-locale; the archive itself is below /usr.
    row("/etc/locale.gen", "locales"),
    row("/etc/locale.conf", "locales"),
    row("/etc/default/locale", "locales"),
    row("/var/lib/locales/**", "locales"),
    // pam-auth-update.
    row("/etc/pam.d/common-*", "PAM profiles"),
    row("/var/lib/pam/**", "PAM profiles"),
    // Name services that libnss packages enter.
    row("/etc/nsswitch.conf*", "name services"),
    // update-inetd.
    row("/etc/inetd.conf*", "inetd services"),
    // update-mime: the desktop's share is below /usr.
    row("/etc/mailcap", "mail capabilities"),
    // update-xmlcatalog and update-catalog.
    row("/etc/xml/**", "XML catalogs"),
    row("/etc/sgml/**", "SGML catalogs"),
    row("/var/lib/xml-core/**", "XML catalogs"),
    row("/var/lib/sgml-base/**", "SGML catalogs"),
    // mandb, fontconfig, dictionaries, AppArmor: derived, written by triggers.
    row("/var/cache/man/**", "manual index"),
    row("/var/cache/fontconfig/**", "font cache"),
    row("/etc/fonts/conf.d/**", "font configuration links"),
    row("/var/lib/fontconfig/**", "font configuration links"),
    row("/etc/X11/fonts/**", "X fonts"),
    row("/etc/dictionaries-common/**", "dictionaries"),
    row("/var/cache/dictionaries-common/**", "dictionaries"),
    row("/var/lib/dictionaries-common/**", "dictionaries"),
    row("/var/lib/aspell/**", "dictionaries"),
    row("/var/lib/ispell/**", "dictionaries"),
    row("/var/cache/apparmor/**", "AppArmor cache"),
    row("/var/cache/app-info/**", "software catalog"),
    row("/var/cache/swcatalog/**", "software catalog"),
    row("/var/cache/private/**", "caches of services"),
    // Languages whose packages register modules through a helper.
    row("/var/lib/python/**", "Python's register"),
    row("/var/lib/emacsen-common/**", "Emacs' register"),
    row("/var/lib/ghc/**", "GHC's register"),
    row("/var/lib/texmf/**", "TeX's register"),
    row("/etc/texmf/**", "TeX's configuration"),
    row("/etc/php/*/*/conf.d/**", "PHP modules"),
    row("/var/lib/php/modules/**", "PHP modules"),
    row("/etc/apache2/*-enabled/**", "Apache modules"),
    row("/var/lib/apache2/**", "Apache modules"),
    // Kernels: packages of kernels, initramfs-tools, dracut, boot loaders and DKMS.
    row("/boot/**", "kernels and initramfs"),
    row("/initrd.img", "kernel links"),
    row("/initrd.img.old", "kernel links"),
    row("/vmlinuz", "kernel links"),
    row("/vmlinuz.old", "kernel links"),
    row("/var/lib/initramfs-tools/**", "initramfs"),
    row("/var/lib/dkms/**", "DKMS modules"),
    row("/var/lib/shim-signed/**", "module keys"),
    row("/etc/kernel-img.conf", "kernel links"),
    row("/var/lib/grub/**", "boot loader"),
    row("/etc/kernel/entry-token", "boot entries"),
    // The machine's identity, made once by the first package that needs it.
    row("/etc/machine-id", "machine identity"),
    row("/var/lib/dbus/machine-id", "machine identity"),
    // newaliases of the mail servers.
    row("/etc/aliases*", "mail aliases"),
    row("/etc/mailname", "mail name"),
];

/// The name of the database that the path belongs to.
pub fn find(path: &[u8]) -> Option<&'static str> {
    DATABASES
        .iter()
        .find(|database| matches(database.pattern.as_bytes(), path))
        .map(|database| database.name)
}

/// The link below `/etc/systemd` that a state file of deb-systemd-helper records.
///
/// A unit's alias (`sshd.service`) is a link beside the administrator's own units. The helper
/// keeps a file of the same name for each link it made or masked, so a record that changed in
/// the transaction tells its links from theirs. Source: init-system-helpers,
/// `script/deb-systemd-helper` (`make_systemd_links`, `mask_service`).
pub(crate) fn recorded_unit_link(path: &[u8]) -> Option<Vec<u8>> {
    const RECORDS: [(&str, &str); 4] = [
        ("/var/lib/systemd/deb-systemd-helper-enabled/", "system"),
        ("/var/lib/systemd/deb-systemd-helper-masked/", "system"),
        ("/var/lib/systemd/deb-systemd-user-helper-enabled/", "user"),
        ("/var/lib/systemd/deb-systemd-user-helper-masked/", "user"),
    ];
    RECORDS.iter().find_map(|(records, manager)| {
        let unit = path.strip_prefix(records.as_bytes())?;
        let link = format!("/etc/systemd/{manager}/");
        Some([link.as_bytes(), unit].concat())
    })
}

fn matches(pattern: &[u8], path: &[u8]) -> bool {
    // Most rows differ from most paths before their first wildcard.
    let literal = pattern
        .iter()
        .position(|byte| matches!(byte, b'*' | b'?'))
        .unwrap_or(pattern.len());
    let directory = pattern.strip_suffix(b"/**");
    let compared = literal.min(directory.map_or(literal, <[u8]>::len));
    if !path.starts_with(&pattern[..compared]) {
        return false;
    }
    let mut parts = path.split(|&byte| byte == b'/');
    for expected in directory.unwrap_or(pattern).split(|&byte| byte == b'/') {
        match parts.next() {
            Some(part) if component_matches(expected, part) => {}
            _ => return false,
        }
    }
    directory.is_some() || parts.next().is_none()
}

/// `*` for any part, `?` for any byte of one component.
fn component_matches(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|at| component_matches(rest, &text[at..])),
        Some((b'?', rest)) => !text.is_empty() && component_matches(rest, &text[1..]),
        Some((byte, rest)) => text.first() == Some(byte) && component_matches(rest, &text[1..]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_whole_components() {
        for path in [
            "/var/lib/dpkg",
            "/var/lib/dpkg/status",
            "/etc/rc2.d/S01x",
            "/etc/passwd-",
            "/etc/systemd/system/multi-user.target.wants/x.service",
            "/etc/systemd/system/multi-user.target.wants",
            "/var/lib/systemd/deb-systemd-helper-enabled/x.dsh-also",
            "/boot/initrd.img-6.12",
        ] {
            assert!(find(path.as_bytes()).is_some(), "{path}");
        }
        for path in [
            "/var/lib/dpkg2",
            "/etc/rc.d/x",
            "/etc/rc.local",
            "/etc/passwd/x",
            "/etc/systemd/system/mine.service",
            "/vmlinuz.new",
            "/etc/systemd/system.conf",
        ] {
            assert_eq!(find(path.as_bytes()), None, "{path}");
        }
    }

    #[test]
    fn patterns_are_absolute_and_told_apart() {
        for (index, database) in DATABASES.iter().enumerate() {
            assert!(database.pattern.starts_with('/'), "{}", database.pattern);
            let again = DATABASES[..index]
                .iter()
                .any(|other| other.pattern == database.pattern);
            assert!(!again, "{} stands twice", database.pattern);
        }
    }
}
