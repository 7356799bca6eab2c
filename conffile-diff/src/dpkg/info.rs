//! Files of `/var/lib/dpkg/info`: which paths belong to a package, and whose file it is.

use std::borrow::Cow;

use super::stanza::lossy;
use crate::attribution::paths::canonical;

/// Paths of a `<package>.list` file, absolute, in the file's order; the root is `/`.
pub fn parse_list(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes
        .split(|&byte| byte == b'\n')
        .filter(|line| line.starts_with(b"/"))
        .map(|line| match line {
            // dpkg writes the root as it stands in the archive: `./`.
            b"/." => b"/".to_vec(),
            path => path.to_vec(),
        })
        .collect()
}

/// The lines of a `<package>.list` file as the paths are called where `/usr` is merged.
pub fn listed(bytes: &[u8]) -> impl Iterator<Item = Cow<'_, [u8]>> {
    bytes
        .split(|&byte| byte == b'\n')
        .filter(|line| line.starts_with(b"/"))
        .map(canonical)
}

/// Paths of a `<package>.conffiles` file; the flag `remove-on-upgrade` may stand before one.
pub fn parse_conffiles(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes
        .split(|&byte| byte == b'\n')
        .map(|line| line.strip_prefix(b"remove-on-upgrade ").unwrap_or(line))
        .map(<[u8]>::trim_ascii)
        .filter(|line| line.starts_with(b"/"))
        .map(<[u8]>::to_vec)
        .collect()
}

/// Pairs of package and path in ucf's registry (`/var/lib/ucf/registry`).
pub fn parse_ucf_registry(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    bytes
        .split(|&byte| byte == b'\n')
        .filter_map(|line| {
            let blank = line.iter().position(u8::is_ascii_whitespace)?;
            let path = line[blank..].trim_ascii();
            path.starts_with(b"/")
                .then(|| (lossy(&line[..blank]), path.to_vec()))
        })
        .collect()
}

/// What a name in the info directory means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InfoName {
    /// The package.
    pub package: String,
    /// Architecture, which dpkg adds only to packages with `Multi-Arch: same`.
    pub architecture: Option<String>,
    /// `list`, `postinst`, `conffiles`, …
    pub kind: String,
}

/// Takes the name of a file in the info directory apart; `None` for `format` and the like.
pub fn parse_name(name: &[u8]) -> Option<InfoName> {
    let name = std::str::from_utf8(name).ok()?;
    // Package names contain dots, kinds do not.
    let (stem, kind) = name.rsplit_once('.')?;
    let (package, architecture) = match stem.split_once(':') {
        Some((package, architecture)) => (package, Some(architecture.to_owned())),
        None => (stem, None),
    };
    (!package.is_empty() && !kind.is_empty()).then(|| InfoName {
        package: package.to_owned(),
        architecture,
        kind: kind.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_lists_as_bytes() {
        assert_eq!(
            parse_list(b"/.\n/etc\n/etc/with blank\n/etc/\xff\n\nrelative\n"),
            [&b"/"[..], b"/etc", b"/etc/with blank", b"/etc/\xff"]
        );
    }

    #[test]
    fn a_list_has_its_paths_under_their_present_names() {
        let found: Vec<_> = listed(b"/.\n/lib\n/lib/udev\n/etc/with blank\n").collect();
        assert_eq!(
            found,
            [
                &b"/."[..],
                b"/usr/lib",
                b"/usr/lib/udev",
                b"/etc/with blank"
            ]
        );
    }

    #[test]
    fn reads_conffile_lists_with_flags() {
        assert_eq!(
            parse_conffiles(b"/etc/a\nremove-on-upgrade /etc/b\n"),
            [&b"/etc/a"[..], b"/etc/b"]
        );
    }

    #[test]
    fn reads_the_registry_of_ucf() {
        assert_eq!(
            parse_ucf_registry(b"grub-pc /etc/default/grub\nbroken\n"),
            [("grub-pc".to_owned(), b"/etc/default/grub".to_vec())]
        );
    }

    #[test]
    fn takes_names_apart_at_the_last_dot() {
        let name = parse_name(b"libpython3.13-stdlib:amd64.list").unwrap();
        assert_eq!(name.package, "libpython3.13-stdlib");
        assert_eq!(name.architecture.as_deref(), Some("amd64"));
        assert_eq!(name.kind, "list");
        assert_eq!(
            parse_name(b"docker.io.postinst").unwrap().package,
            "docker.io"
        );
        assert_eq!(parse_name(b"format"), None);
        assert_eq!(parse_name(b".list"), None);
    }
}
