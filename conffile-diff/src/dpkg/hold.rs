//! Holding packages whose version goes back, so that the next upgrade does not bring the newer one again.

use std::cmp::Ordering;

use super::changes::compare_versions;
use super::edit::set_field;
use super::status::{Error, Package, State, Status, Want};

/// Packages that are held, and the status that says so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held {
    /// Their names; with the architecture where several of a name are installed.
    pub packages: Vec<String>,
    /// What cannot be held although it goes back, and why.
    pub left: Vec<String>,
    /// The whole status file.
    pub status: Vec<u8>,
}

/// Holds in the status `then` every installed package that has a newer version in the status `now`. Every other byte
/// of it stays.
///
/// A package that is held already, or that was selected for removal, is left as it is.
///
/// # Errors
///
/// One of both cannot be parsed.
pub fn older(now: &[u8], then: &[u8]) -> Result<Held, Error> {
    let (present, wanted) = (Status::parse(now)?, Status::parse(then)?);
    let mut going_back: Vec<&Package> = wanted
        .packages()
        .iter()
        .filter(|package| package.state == State::Installed && package.want == Want::Install)
        .filter(|package| is_newer(&present, &wanted, package))
        .collect();
    going_back.sort_by_key(|package| package.range.start);
    let mut held = Held::default();
    let mut copied = 0;
    for package in going_back {
        let name = match wanted.named(&package.name) {
            [_] => package.name.clone(),
            _ => package.full_name(),
        };
        let words = format!("{} {} {}", Want::Hold, package.flag, package.state);
        match set_field(package.stanza(then), "Status", &words) {
            Ok(stanza) => {
                held.packages.push(name);
                held.status
                    .extend_from_slice(&then[copied..package.range.start]);
                held.status.extend(stanza);
                copied = package.range.end;
            }
            Err(error) => held.left.push(format!("{name} is not held: {error}")),
        }
    }
    held.status.extend_from_slice(&then[copied..]);
    held.packages.sort();
    Ok(held)
}

/// Whether a package of `wanted` is there in `present` in a newer version.
fn is_newer(present: &Status, wanted: &Status, package: &Package) -> bool {
    let same = present.get(&package.name, &package.architecture);
    // From one architecture to `all`, or back: the same package as long as there is one of the name.
    let now = same.or_else(
        || match (present.named(&package.name), wanted.named(&package.name)) {
            ([one], [_]) => Some(one),
            _ => None,
        },
    );
    now.is_some_and(|now| {
        now.state.is_present() && compare_versions(&package.version, &now.version) == Ordering::Less
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, architecture: &str, status: &str, version: &str) -> String {
        format!(
            "Package: {name}\nStatus: {status}\nArchitecture: {architecture}\nVersion: {version}\nDescription: x\n  y\n .\n z\n\n"
        )
    }

    fn installed(name: &str, version: &str) -> String {
        package(name, "amd64", "install ok installed", version)
    }

    fn held(now: &[String], then: &[String]) -> (Vec<String>, String) {
        let held = older(now.concat().as_bytes(), then.concat().as_bytes()).unwrap();
        (held.packages, String::from_utf8(held.status).unwrap())
    }

    #[test]
    fn only_what_goes_back_is_held_and_every_other_byte_stays() {
        let now = [
            installed("back", "1:10"),
            installed("later", "1"),
            installed("new", "1"),
            installed("same", "1"),
        ];
        let then = [
            installed("same", "1"),
            installed("back", "1:9"),
            installed("later", "2"),
            installed("returns", "1"),
        ];
        let (packages, status) = held(&now, &then);
        assert_eq!(packages, ["back"]);
        let expected = then.concat().replacen(
            "Package: back\nStatus: install ok",
            "Package: back\nStatus: hold ok",
            1,
        );
        assert_eq!(status, expected);
    }

    #[test]
    fn what_was_selected_otherwise_or_is_not_whole_is_left() {
        for words in [
            "hold ok installed",
            "deinstall ok installed",
            "install ok config-files",
            "install ok half-configured",
        ] {
            let then = [package("a", "amd64", words, "1")];
            let (packages, status) = held(&[installed("a", "2")], &then);
            assert_eq!((packages.len(), status), (0, then.concat()), "{words}");
        }
        let gone = package("a", "amd64", "deinstall ok config-files", "2");
        assert_eq!(held(&[gone], &[installed("a", "1")]).0.len(), 0);
    }

    #[test]
    fn of_several_architectures_each_is_named() {
        let of = |architecture: &str, version: &str| {
            package("lib", architecture, "install ok installed", version)
        };
        let (packages, status) = held(
            &[of("amd64", "2"), of("i386", "2")],
            &[of("i386", "1"), of("amd64", "1")],
        );
        assert_eq!(packages, ["lib:amd64", "lib:i386"]);
        assert_eq!(status.matches("Status: hold ok installed").count(), 2);
        // One of the name on both sides, although its architecture changed.
        assert_eq!(held(&[of("all", "2")], &[of("amd64", "1")]).0, ["lib"]);
    }

    #[test]
    fn what_cannot_be_read_is_an_error_and_what_cannot_be_changed_is_named() {
        let good = installed("a", "1");
        assert!(older(b"nonsense", good.as_bytes()).is_err());
        assert!(older(good.as_bytes(), b"nonsense").is_err());
        let other = b"Package: b\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\nMaintainer: \xe9\n";
        let now = [installed("a", "2"), installed("b", "2")].concat();
        let then = [good.as_bytes(), other].concat();
        let held = older(now.as_bytes(), &then).unwrap();
        assert_eq!(held.packages, ["a"]);
        assert!(held.left[0].starts_with("b is not held: "), "{held:?}");
        assert!(held.status.ends_with(other), "{held:?}");
    }
}
