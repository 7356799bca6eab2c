//! Paths as bytes: parents, base names, and names of a merged `/usr`.

use std::borrow::Cow;

/// The directory that holds `path`; the root holds itself.
pub(crate) fn parent(path: &[u8]) -> &[u8] {
    match path.iter().rposition(|&byte| byte == b'/') {
        Some(0) | None => b"/",
        Some(slash) => &path[..slash],
    }
}

/// The last component.
pub(crate) fn base_name(path: &[u8]) -> &[u8] {
    let slash = path.iter().rposition(|&byte| byte == b'/');
    &path[slash.map_or(0, |slash| slash + 1)..]
}

/// The directories above `path`, the nearest first, without the root.
pub(crate) fn ancestors(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = path;
    std::iter::from_fn(move || {
        rest = parent(rest);
        (rest.len() > 1).then_some(rest)
    })
}

/// The name of a path where `/usr` is merged, which it is in every base: packages still list
/// `/lib/systemd/…`, the file is `/usr/lib/systemd/…`.
pub(crate) fn canonical(path: &[u8]) -> Cow<'_, [u8]> {
    const MERGED: [&[u8]; 6] = [b"bin", b"sbin", b"lib", b"lib32", b"lib64", b"libx32"];
    let first = path
        .strip_prefix(b"/")
        .and_then(|rest| rest.split(|&byte| byte == b'/').next());
    match first {
        Some(first) if MERGED.contains(&first) => Cow::Owned([b"/usr", path].concat()),
        _ => Cow::Borrowed(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walks_up_to_the_root() {
        assert_eq!(parent(b"/etc/a"), b"/etc");
        assert_eq!(parent(b"/etc"), b"/");
        assert_eq!(parent(b"/"), b"/");
        assert_eq!(base_name(b"/etc/a"), b"a");
        let found: Vec<_> = ancestors(b"/a/b/c").collect();
        assert_eq!(found, [&b"/a/b"[..], b"/a"]);
    }

    #[test]
    fn merges_usr() {
        assert_eq!(canonical(b"/lib/x").as_ref(), b"/usr/lib/x");
        assert_eq!(canonical(b"/lib").as_ref(), b"/usr/lib");
        assert_eq!(canonical(b"/library/x").as_ref(), b"/library/x");
    }
}
