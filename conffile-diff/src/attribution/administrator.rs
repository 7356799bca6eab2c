//! Places where administrators put files of their own.
//!
//! An upgrade of `sudo` must not claim `/etc/sudoers.d/anna` because only sudo owns that
//! directory, nor one of apt a source list because its path begins with `apt`. A file here is
//! the transaction's only when a package ships it or a maintainer script names it.

use super::is_below;

/// Directories, or files, that hold the administrator's own settings.
const PLACES: &[&str] = &[
    // Sources, keys and pins of apt.
    "/etc/apt/sources.list",
    "/etc/apt/keyrings",
    "/etc/apt/preferences",
    // Units of the administrator; enablement links are a database.
    "/etc/systemd/network",
    "/etc/systemd/system",
    "/etc/systemd/user",
    "/etc/systemd/nspawn",
    // Networks and their secrets.
    "/etc/NetworkManager/system-connections",
    "/etc/network/interfaces",
    "/etc/wireguard",
    "/etc/openvpn",
    "/etc/wpa_supplicant",
    // Files every machine has one of, whoever owns them.
    "/etc/crypttab",
    "/etc/fstab",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/resolv.conf",
    "/etc/sudoers",
    // Settings of the whole machine that its first packages made once and people edit.
    "/etc/environment",
    "/etc/issue",
    "/etc/issue.net",
    "/etc/modules",
    "/etc/motd",
    "/etc/profile",
    "/etc/sysctl.conf",
    // What running services write down by themselves, whatever package is at work.
    "/var/lib/systemd/backlight",
    "/var/lib/systemd/coredump",
    "/var/lib/systemd/linger",
    "/var/lib/systemd/random-seed",
    "/var/lib/systemd/rfkill",
    "/var/lib/systemd/timers",
    "/var/lib/systemd/timesync",
    // Jobs of people.
    "/etc/crontab",
    "/var/spool/cron",
    // Private keys and certificates that were brought here.
    "/etc/letsencrypt",
    "/etc/ssl/private",
    // Settings that the desktop's programs write for a person.
    "/etc/cups/ppd",
    "/etc/skel",
    // Mail of people.
    "/var/mail",
    "/var/spool/mail",
];

/// Directories of the file hierarchy that one package owns by chance of the archive.
///
/// base-files alone ships `/root`, `/srv` or `/var/local`: its upgrade owns nothing in them.
const COMMON: [&str; 30] = [
    "/",
    "/boot",
    "/dev",
    "/etc",
    "/home",
    "/media",
    "/mnt",
    "/opt",
    "/proc",
    "/root",
    "/run",
    "/srv",
    "/sys",
    "/tmp",
    "/usr",
    "/usr/local",
    "/var",
    "/var/backups",
    "/var/cache",
    "/var/lib",
    "/var/local",
    "/var/lock",
    "/var/log",
    "/var/mail",
    "/var/opt",
    "/var/run",
    "/var/spool",
    "/var/tmp",
    "/var/www",
    "/etc/default",
];

/// Whether the path is, or is in, a place of the administrator.
pub fn is_place(path: &[u8]) -> bool {
    PLACES.iter().any(|place| is_below(path, place.as_bytes())) || is_personal(path)
}

/// Whether the file is one that many maintainer scripts read and none writes.
///
/// postfix looks into `/etc/hostname` to guess its mail name; that it names the file is no sign
/// that it changed it.
pub fn is_read_by_scripts(path: &[u8]) -> bool {
    const READ: [&[u8]; 4] = [
        b"/etc/crypttab",
        b"/etc/fstab",
        b"/etc/hostname",
        b"/etc/hosts",
    ];
    READ.contains(&path)
}

/// Whether the path is below a directory that holds no packages' files.
fn is_personal(path: &[u8]) -> bool {
    const PERSONAL: [&str; 6] = ["/home", "/root", "/srv", "/usr/local", "/mnt", "/media"];
    PERSONAL
        .iter()
        .any(|place| is_below(path, place.as_bytes()))
}

/// Whether the directory belongs to the hierarchy rather than to a package.
pub fn is_common(directory: &[u8]) -> bool {
    COMMON.iter().any(|common| common.as_bytes() == directory)
}

/// Whether the directory is one into which anybody drops files: `sudoers.d`, `cron.d`, ….
pub fn is_drop_in(directory: &[u8]) -> bool {
    directory.ends_with(b".d")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_places_by_whole_components() {
        assert!(is_place(b"/etc/systemd/system/mine.service"));
        assert!(is_place(b"/etc/fstab"));
        assert!(is_place(b"/root/.bashrc"));
        assert!(!is_place(b"/etc/systemd/systemctl.conf"));
        assert!(!is_place(b"/etc/nginx/nginx.conf"));
        assert!(is_common(b"/var/lib") && !is_common(b"/var/lib/nginx"));
    }
}
