//! What the packages of a status file need of one another, and what of it they do not have.
//!
//! The rules are Debian Policy 7.1 to 7.5 and dpkg's `lib/dpkg/depcon.c`: `Pre-Depends` and `Depends` are met by
//! an installed package of the name, or by one that provides it; a version by the package's own, or by that of
//! the provision; `Conflicts` and `Breaks` by nobody but the package itself. Of foreign architectures only a
//! package with `Multi-Arch: foreign`, or one that is `allowed` and asked for as `:any`, counts.

use std::collections::{BTreeSet, HashMap};

use debian_control::lossy::{Relation, Relations};
use debian_control::relations::VersionConstraint;
use debversion::Version;

use super::stanza::{field, lossy};
use super::status::{Package, State, Status};

/// A relation that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Broken {
    /// The package that asks for it, with its architecture.
    pub package: String,
    /// The field it stands in.
    pub field: &'static str,
    /// One group of alternatives as it is written: `libx (>= 2) | libx-compat`.
    pub relation: String,
}

/// Fields that ask for something.
const NEEDS: [&str; 2] = ["Pre-Depends", "Depends"];
/// Fields that ask for an absence.
const REFUSES: [&str; 2] = ["Conflicts", "Breaks"];

/// Every relation of installed packages that does not hold, in order.
///
/// A field that cannot be parsed asks for nothing: dpkg has accepted it, so it is the parser that is wrong, and a
/// refusal without a reason helps nobody.
pub fn broken(status: &Status, bytes: &[u8]) -> BTreeSet<Broken> {
    let world = World::new(status, bytes);
    let mut found = BTreeSet::new();
    for installed in &world.installed {
        for name in NEEDS {
            for group in relations(installed.package, bytes, name).0 {
                if !group.iter().any(|one| world.meets(installed, one)) {
                    found.insert(installed.broken(name, &group));
                }
            }
        }
        for name in REFUSES {
            for group in relations(installed.package, bytes, name).0 {
                if group.iter().any(|one| world.has_other(installed, one)) {
                    found.insert(installed.broken(name, &group));
                }
            }
        }
    }
    found
}

/// Names of the packages which two states do not have alike and which a broken relation is about: it is theirs, or
/// it names them or something that they provide.
pub fn behind(broken: &Broken, states: [(&Status, &[u8]); 2]) -> BTreeSet<String> {
    let asked: Relations = broken.relation.parse().unwrap_or_default();
    let asked: BTreeSet<&str> = asked
        .0
        .iter()
        .flatten()
        .map(|one| one.name.as_str())
        .collect();
    let mut found = BTreeSet::new();
    for (number, (status, bytes)) in states.into_iter().enumerate() {
        let (others, other_bytes) = states[1 - number];
        for package in status.packages() {
            let same = others
                .get(&package.name, &package.architecture)
                .is_some_and(|other| other.stanza(other_bytes) == package.stanza(bytes));
            let provides = relations(package, bytes, "Provides");
            let mut names = provides.0.iter().flatten().map(|one| one.name.as_str());
            let is_about = package.full_name() == broken.package
                || asked.contains(package.name.as_str())
                || names.any(|name| asked.contains(name));
            if is_about && !same {
                found.insert(package.name.clone());
            }
        }
    }
    found
}

/// A package that is there for others.
struct Installed<'a> {
    package: &'a Package,
    version: Option<Version>,
    /// `all` counts as the machine's own.
    architecture: &'a str,
    multi_arch: String,
}

impl Installed<'_> {
    fn broken(&self, field: &'static str, group: &[Relation]) -> Broken {
        let words: Vec<String> = group.iter().map(ToString::to_string).collect();
        Broken {
            package: self.package.full_name(),
            field,
            relation: words.join(" | "),
        }
    }
}

/// Who answers to a name.
struct Answer<'a> {
    by: &'a Installed<'a>,
    /// Its own version, or that of the provision.
    version: Option<&'a Version>,
    provided: bool,
}

struct World<'a> {
    installed: Vec<Installed<'a>>,
    /// Places in `installed`, and the version of a provision.
    names: HashMap<String, Vec<(usize, Provision)>>,
}

enum Provision {
    Own,
    Virtual(Option<Version>),
}

impl<'a> World<'a> {
    fn new(status: &'a Status, bytes: &'a [u8]) -> Self {
        let native = status
            .named("dpkg")
            .first()
            .map_or("all", |dpkg| dpkg.architecture.as_str());
        let mut world = World {
            installed: Vec::new(),
            names: HashMap::new(),
        };
        for package in status.packages() {
            // Unpacked ones count for nobody, and their own needs are not met yet.
            if !matches!(
                package.state,
                State::Installed | State::TriggersAwaited | State::TriggersPending
            ) {
                continue;
            }
            let place = world.installed.len();
            let name = package.name.clone();
            world
                .names
                .entry(name)
                .or_default()
                .push((place, Provision::Own));
            for group in relations(package, bytes, "Provides").0 {
                for provided in group {
                    let version = provided.version.map(|(_, version)| version);
                    let provision = (place, Provision::Virtual(version));
                    world
                        .names
                        .entry(provided.name)
                        .or_default()
                        .push(provision);
                }
            }
            let multi_arch = field(package.stanza(bytes), "Multi-Arch").map(lossy);
            world.installed.push(Installed {
                package,
                version: package.version.parse().ok(),
                architecture: match package.architecture.as_str() {
                    "all" => native,
                    own => own,
                },
                multi_arch: multi_arch.unwrap_or_default(),
            });
        }
        world
    }

    fn answers<'b>(&'b self, name: &str) -> impl Iterator<Item = Answer<'b>> {
        let places = self.names.get(name).map(Vec::as_slice).unwrap_or_default();
        places.iter().map(|(place, provision)| {
            let by = &self.installed[*place];
            match provision {
                Provision::Own => Answer {
                    by,
                    version: by.version.as_ref(),
                    provided: false,
                },
                Provision::Virtual(version) => Answer {
                    by,
                    version: version.as_ref(),
                    provided: true,
                },
            }
        })
    }

    fn meets(&self, asks: &Installed<'_>, relation: &Relation) -> bool {
        self.answers(&relation.name).any(|answer| {
            let near = answer.by.architecture == asks.architecture;
            let fits = match relation.archqual.as_deref() {
                None => near || answer.by.multi_arch == "foreign",
                Some("any") => {
                    near || ["allowed", "foreign"].contains(&answer.by.multi_arch.as_str())
                }
                Some("native") => near,
                Some(architecture) => answer.by.architecture == architecture,
            };
            fits && is_version(relation, &answer)
        })
    }

    /// Whether somebody else answers to a name that is refused; a package may refuse what it provides itself, so
    /// that it is the only one.
    fn has_other(&self, asks: &Installed<'_>, relation: &Relation) -> bool {
        self.answers(&relation.name).any(|answer| {
            let same = answer.by.package.name == asks.package.name;
            let fits = match relation.archqual.as_deref() {
                None | Some("any") => true,
                Some("native") => answer.by.architecture == asks.architecture,
                Some(architecture) => answer.by.architecture == architecture,
            };
            !same && fits && is_version(relation, &answer)
        })
    }
}

fn is_version(relation: &Relation, answer: &Answer<'_>) -> bool {
    let Some((constraint, wanted)) = &relation.version else {
        return true;
    };
    let Some(version) = answer.version else {
        // A provision without a version meets no version; of a package's own that cannot be parsed nothing
        // is known, and nothing said.
        return !answer.provided;
    };
    match constraint {
        VersionConstraint::LessThan => version < wanted,
        VersionConstraint::LessThanEqual => version <= wanted,
        VersionConstraint::Equal => version == wanted,
        VersionConstraint::GreaterThanEqual => version >= wanted,
        VersionConstraint::GreaterThan => version > wanted,
    }
}

fn relations(package: &Package, bytes: &[u8], name: &str) -> Relations {
    let value = field(package.stanza(bytes), name).unwrap_or_default();
    lossy(value).parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(packages: &[&str]) -> String {
        let text: String = packages
            .iter()
            .map(|package| {
                let (name, rest) = package.split_once(' ').unwrap();
                let (version, fields) = rest.split_once('\n').unwrap_or((rest, ""));
                let architecture = match fields.contains("Architecture:") {
                    true => "",
                    false => "Architecture: amd64\n",
                };
                format!("Package: {name}\nStatus: install ok installed\nVersion: {version}\n{architecture}{fields}\n\n")
            })
            .collect();
        format!(
            "Package: dpkg\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\n{text}"
        )
    }

    fn status(packages: &[&str]) -> Vec<String> {
        let text = text(packages);
        let parsed = Status::parse(text.as_bytes()).unwrap();
        broken(&parsed, text.as_bytes())
            .into_iter()
            .map(|broken| format!("{} {}: {}", broken.package, broken.field, broken.relation))
            .collect()
    }

    #[test]
    fn behind_a_broken_relation_are_those_that_changed() {
        let with = text(&[
            "app 1\nDepends: lib (>= 1), mail",
            "lib 1",
            "exim 1\nProvides: mail",
            "x 1",
        ]);
        let less = text(&["app 1\nDepends: lib (>= 1), mail"]);
        let (one, two) = (
            Status::parse(with.as_bytes()).unwrap(),
            Status::parse(less.as_bytes()).unwrap(),
        );
        let states = [(&one, with.as_bytes()), (&two, less.as_bytes())];
        let found: Vec<BTreeSet<String>> = broken(&two, less.as_bytes())
            .iter()
            .map(|broken| behind(broken, states))
            .collect();
        assert_eq!(
            found,
            [
                BTreeSet::from(["lib".to_owned()]),
                BTreeSet::from(["exim".to_owned()])
            ]
        );
    }

    #[test]
    fn behind_a_package_that_comes_and_refuses_is_itself() {
        let without = text(&["hello 1"]);
        let with = text(&["hello 1", "rival 1\nConflicts: hello"]);
        let (one, two) = (
            Status::parse(without.as_bytes()).unwrap(),
            Status::parse(with.as_bytes()).unwrap(),
        );
        let states = [(&one, without.as_bytes()), (&two, with.as_bytes())];
        let broken = broken(&two, with.as_bytes());
        let found: Vec<BTreeSet<String>> =
            broken.iter().map(|broken| behind(broken, states)).collect();
        assert_eq!(found, [BTreeSet::from(["rival".to_owned()])]);
    }

    #[test]
    fn what_is_needed_is_found_by_name_version_and_alternative() {
        let needs = "a 1\nDepends: b (>= 2) | c, d";
        assert_eq!(status(&[needs, "b 2", "d 1"]), [""; 0]);
        assert_eq!(status(&[needs, "b 1", "c 1", "d 1"]), [""; 0]);
        assert_eq!(
            status(&[needs, "b 1", "d 1"]),
            ["a:amd64 Depends: b (>= 2) | c"]
        );
        assert_eq!(status(&["a 1\nPre-Depends: d"]), ["a:amd64 Pre-Depends: d"]);
        assert_eq!(status(&["a 1\nDepends: b (>> 1~)", "b 1"]), [""; 0]);
    }

    #[test]
    fn a_virtual_package_meets_a_version_only_with_one() {
        let needs = "a 1\nDepends: mta (>= 2)";
        assert_eq!(
            status(&["a 1\nDepends: mta", "exim4 4\nProvides: mta"]),
            [""; 0]
        );
        assert_eq!(status(&[needs, "exim4 4\nProvides: mta"]).len(), 1);
        assert_eq!(status(&[needs, "exim4 4\nProvides: mta (= 2)"]), [""; 0]);
    }

    #[test]
    fn what_is_refused_is_refused_of_others_only() {
        let mta = "exim4 4\nProvides: mta\nConflicts: mta";
        assert_eq!(status(&[mta]), [""; 0]);
        assert_eq!(
            status(&[mta, "postfix 3\nProvides: mta"]),
            ["exim4:amd64 Conflicts: mta"]
        );
        assert_eq!(status(&["a 1\nBreaks: b (<< 2)", "b 2"]), [""; 0]);
        assert_eq!(
            status(&["a 1\nBreaks: b (<< 2)", "b 1"]),
            ["a:amd64 Breaks: b (<< 2)"]
        );
    }

    #[test]
    fn another_architecture_helps_only_where_it_may() {
        let foreign =
            |multi_arch: &str| format!("b 1\nArchitecture: i386\nMulti-Arch: {multi_arch}");
        for (relation, multi_arch, met) in [
            ("b", "no", false),
            ("b", "same", false),
            ("b", "foreign", true),
            ("b", "allowed", false),
            ("b:any", "allowed", true),
            ("b:i386", "no", true),
        ] {
            let found = status(&[&format!("a 1\nDepends: {relation}"), &foreign(multi_arch)]);
            assert_eq!(found.is_empty(), met, "{relation}, {multi_arch}");
        }
        assert_eq!(
            status(&["a 1\nDepends: b", "b 1\nArchitecture: all"]),
            [""; 0]
        );
    }

    #[test]
    fn what_is_not_installed_neither_helps_nor_needs() {
        let text = b"Package: a\nStatus: install ok installed\nArchitecture: all\nVersion: 1\nDepends: b\n\nPackage: b\nStatus: deinstall ok config-files\nArchitecture: all\nVersion: 1\nDepends: c\n\n";
        let parsed = Status::parse(text).unwrap();
        assert_eq!(broken(&parsed, text).len(), 1);
    }
}
