//! Which changed paths of a transaction were the work of its packages.
//!
//! A snapshot before and one after tell what changed meanwhile, not what apt did: somebody may
//! have edited a file while packages were being unpacked. Undo takes back what is attributed
//! here and keeps, and lists, the rest.
//!
//! The rules, in this order, the first that applies:
//! 1. a package of the transaction owns the path, or it is one of its conffiles (also with a
//!    suffix of dpkg or ucf);
//! 2. the distribution owns the place: `/usr` except `/usr/local`;
//! 3. the path belongs to a database that packages keep ([`databases`]);
//! 4. its directory came or went with the transaction and is attributed itself;
//! 5. a maintainer script names it ([`scripts`]);
//! 6. only packages of the transaction own a directory above it;
//! 7. a part of the path below `/etc`, `/var/lib`, `/var/cache` or `/var/spool` is called after
//!    one of its packages.
//!
//! Rules 6 and 7 guess, so they stop at places where administrators put files of their own
//! ([`administrator`]): there a file stays the administrator's unless rules 1 to 5 claim it.
//! A directory that came or went and holds only attributed paths is attributed with them.

pub mod administrator;
pub mod databases;
pub(crate) mod paths;
pub mod scripts;

use std::collections::{HashMap, HashSet};

use crate::dpkg::info;
use paths::{ancestors, canonical, parent};
use scripts::Named;

/// How a path changed from before the transaction to after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// It was not there before.
    Added,
    /// It is not there afterwards.
    Removed,
    /// It was there and is, but differs.
    Modified,
}

/// A path that differs between the two snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangedPath<'a> {
    /// Absolute path in the merged tree.
    pub path: &'a [u8],
    /// How it changed.
    pub change: Change,
    /// Whether it is a directory, or was one when it is gone.
    pub directory: bool,
}

/// What is known about one package of the transaction, before and after it together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PackageFacts {
    /// Name without architecture.
    pub name: String,
    /// Source package; many name their directories after it (`exim4`).
    pub source: Option<String>,
    /// Paths of its old and new file lists.
    pub paths: Vec<Vec<u8>>,
    /// Conffiles of its old and new version, and what ucf's registry has for it.
    pub conffiles: Vec<Vec<u8>>,
    /// Texts that name paths: maintainer scripts, old and new; fragments of tmpfiles.d; the
    /// `.dsh-also` lists of deb-systemd-helper.
    pub texts: Vec<Vec<u8>>,
    /// The package was not itself changed: a trigger started its postinst. Only its texts count.
    pub triggered: bool,
}

/// Why a path belongs to the transaction.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reason {
    /// A package of the transaction ships it.
    Owned {
        /// The package.
        package: String,
    },
    /// It is a conffile of a package, or ucf keeps it for one.
    Conffile {
        /// The package.
        package: String,
    },
    /// Below `/usr`, which is the distribution's.
    Distribution,
    /// It belongs to a database that packages keep.
    Database {
        /// What the database is, in a few words.
        name: &'static str,
    },
    /// Its directory came or went with the transaction.
    WithDirectory {
        /// The directory.
        directory: Vec<u8>,
    },
    /// A maintainer script names it.
    NamedByScript {
        /// The package whose script it is.
        package: String,
    },
    /// Only packages of the transaction own the directory.
    InsideDirectory {
        /// The directory.
        directory: Vec<u8>,
    },
    /// A part of the path is called after a package.
    NamedAfterPackage {
        /// The package, or its source.
        package: String,
    },
    /// A directory that came or went and holds only attributed paths.
    HoldsOnlyAttributed,
}

/// What is decided about one path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The packages did it: undo takes it back.
    Attributed(Reason),
    /// Something else did it: undo keeps it and says so.
    ChangedMeanwhile,
}

impl Verdict {
    /// Whether undo takes the path back.
    pub fn is_attributed(&self) -> bool {
        matches!(self, Verdict::Attributed(_))
    }
}

/// The facts about the packages of one transaction, ready to be asked.
#[derive(Debug)]
pub struct Attribution {
    names: Vec<String>,
    /// How many of them were changed; those after them were triggered only.
    changed: usize,
    owned: HashMap<Vec<u8>, usize>,
    conffiles: HashMap<Vec<u8>, usize>,
    /// Owned paths that packages outside the transaction own as well.
    shared: HashSet<Vec<u8>>,
    /// Names that components are compared with: packages and their sources.
    called: HashMap<Vec<u8>, usize>,
    named: Named,
}

impl Attribution {
    /// Takes the packages of the transaction, and the file lists (`<package>.list`, old and new)
    /// of all packages that are not part of it: what those own too is not the transaction's alone.
    pub fn new<L: AsRef<[u8]>>(
        packages: Vec<PackageFacts>,
        other_lists: impl IntoIterator<Item = L>,
    ) -> Attribution {
        let mut attribution = Attribution {
            names: Vec::with_capacity(packages.len()),
            changed: 0,
            owned: HashMap::new(),
            conffiles: HashMap::new(),
            shared: HashSet::new(),
            called: HashMap::new(),
            named: Named::default(),
        };
        // Texts of packages that were changed come first: of two that name a path, the first is
        // taken for its author.
        let (triggered, changed): (Vec<_>, Vec<_>) =
            packages.into_iter().partition(|package| package.triggered);
        attribution.changed = changed.len();
        for package in changed.into_iter().chain(triggered) {
            attribution.add(package);
        }
        for list in other_lists {
            attribution.share(list.as_ref());
        }
        attribution
    }

    fn add(&mut self, package: PackageFacts) {
        let index = self.names.len();
        for text in &package.texts {
            self.named.add(index, text);
        }
        if !package.triggered {
            for path in &package.paths {
                self.owned.insert(canonical(path).into_owned(), index);
            }
            for path in &package.conffiles {
                self.conffiles.insert(canonical(path).into_owned(), index);
            }
            for name in package.source.iter().chain([&package.name]) {
                self.called.insert(name.as_bytes().to_vec(), index);
            }
        }
        self.names.push(package.name);
    }

    fn share(&mut self, list: &[u8]) {
        for path in info::parse_list(list) {
            let path = canonical(&path);
            if self.owned.contains_key(path.as_ref()) {
                self.shared.insert(path.into_owned());
            }
        }
    }

    /// Decides about every changed path; the answers stand in the order of the paths.
    pub fn judge(&self, changed: &[ChangedPath<'_>]) -> Vec<Verdict> {
        let mut order: Vec<usize> = (0..changed.len()).collect();
        // A directory comes before what is in it: rule 4 needs its verdict.
        order.sort_by(|&a, &b| changed[a].path.cmp(changed[b].path));
        let mut verdicts = vec![Verdict::ChangedMeanwhile; changed.len()];
        let mut came_or_went: HashSet<&[u8]> = HashSet::new();
        let enabled: HashSet<Vec<u8>> = changed
            .iter()
            .filter_map(|changed| databases::recorded_unit_link(changed.path))
            .collect();
        for &index in &order {
            let path = &changed[index];
            let reason = if enabled.contains(path.path) {
                Some(Reason::Database {
                    name: "systemd enablement",
                })
            } else {
                self.reason(path, &came_or_went)
            };
            let Some(reason) = reason else { continue };
            if path.directory && path.change != Change::Modified {
                came_or_went.insert(path.path);
            }
            verdicts[index] = Verdict::Attributed(reason);
        }
        attribute_holders(changed, &order, &mut verdicts);
        verdicts
    }

    fn reason(&self, changed: &ChangedPath<'_>, came_or_went: &HashSet<&[u8]>) -> Option<Reason> {
        let real = canonical(changed.path);
        let path = real.as_ref();
        if let Some(reason) = self.owner(path) {
            return Some(reason);
        }
        if is_distribution(path) {
            return Some(Reason::Distribution);
        }
        if let Some(name) = databases::find(path) {
            return Some(Reason::Database { name });
        }
        let directory = parent(changed.path);
        if came_or_went.contains(directory) {
            return Some(Reason::WithDirectory {
                directory: directory.to_vec(),
            });
        }
        let at_place = administrator::is_place(path);
        let whole_directory = changed.directory && changed.change != Change::Modified;
        let read_only =
            changed.change == Change::Modified && administrator::is_read_by_scripts(path);
        // A trigger's script names what it would do at its own installation too.
        let author = self
            .named
            .find(path, whole_directory)
            .filter(|&index| !read_only && (index < self.changed || !at_place));
        if let Some(index) = author {
            return Some(Reason::NamedByScript {
                package: self.names[index].clone(),
            });
        }
        if at_place {
            return None;
        }
        self.inside(path).or_else(|| self.called_after(path))
    }

    fn owner(&self, path: &[u8]) -> Option<Reason> {
        [path, without_suffix(path)].into_iter().find_map(|path| {
            let package = |index: &usize| self.names[*index].clone();
            if let Some(index) = self.conffiles.get(path) {
                return Some(Reason::Conffile {
                    package: package(index),
                });
            }
            self.owned.get(path).map(|index| Reason::Owned {
                package: package(index),
            })
        })
    }

    fn inside(&self, path: &[u8]) -> Option<Reason> {
        for directory in ancestors(path) {
            if administrator::is_common(directory) || administrator::is_drop_in(directory) {
                return None;
            }
            if self.owned.contains_key(directory) {
                // A directory above is shared at least as widely.
                return (!self.shared.contains(directory)).then(|| Reason::InsideDirectory {
                    directory: directory.to_vec(),
                });
            }
        }
        None
    }

    fn called_after(&self, path: &[u8]) -> Option<Reason> {
        const PLACES: [&[u8]; 4] = [b"/etc/", b"/var/lib/", b"/var/cache/", b"/var/spool/"];
        let below = PLACES.iter().find_map(|place| path.strip_prefix(*place))?;
        // What stands in a drop-in directory is called by its own name, not by the directory's.
        let components: Vec<&[u8]> = below.split(|&byte| byte == b'/').collect();
        let last = components.len() - 1;
        let first = components[..last]
            .iter()
            .rposition(|component| component.ends_with(b".d"))
            .map_or(0, |index| index + 1);
        components[first..].iter().find_map(|component| {
            let index = name_ends(component).find_map(|end| self.called.get(&component[..end]))?;
            Some(Reason::NamedAfterPackage {
                package: self.names[*index].clone(),
            })
        })
    }
}

/// Lengths of the beginnings of a component that may be a package's name: the whole, and every
/// part before a character that could not go on in the same word (`exim4` in `exim4.conf`).
fn name_ends(component: &[u8]) -> impl Iterator<Item = usize> + '_ {
    // A hidden file (`.java`) is called by what follows the dot; the dot is no part of a name.
    (2..=component.len()).rev().filter(|&end| {
        component
            .get(end)
            .is_none_or(|next| !next.is_ascii_alphanumeric())
    })
}

/// Without the suffix that dpkg or ucf adds to a name while they work, or leave beside a file.
fn without_suffix(path: &[u8]) -> &[u8] {
    const SUFFIXES: [&[u8]; 13] = [
        b".dpkg-new",
        b".dpkg-old",
        b".dpkg-dist",
        b".dpkg-tmp",
        b".dpkg-bak",
        b".dpkg-backup",
        b".dpkg-remove",
        b".dpkg-divert",
        b".distrib",
        b".ucf-new",
        b".ucf-old",
        b".ucf-dist",
        b".ucftmp",
    ];
    SUFFIXES
        .iter()
        .find_map(|suffix| path.strip_suffix(*suffix))
        .unwrap_or(path)
}

fn is_distribution(path: &[u8]) -> bool {
    path == b"/usr"
        || path.starts_with(b"/usr/") && path != b"/usr/local" && !path.starts_with(b"/usr/local/")
}

/// A directory that came or went, that nothing claimed, and whose changed contents are all
/// attributed: left behind it would be an empty directory nobody made.
fn attribute_holders(changed: &[ChangedPath<'_>], order: &[usize], verdicts: &mut [Verdict]) {
    // Directory → whether everything changed below it is attributed.
    let mut holds: HashMap<&[u8], bool> = HashMap::new();
    for &index in order.iter().rev() {
        let path = &changed[index];
        let below = holds.remove(path.path);
        let candidate = path.directory && path.change != Change::Modified;
        if candidate && below == Some(true) && !verdicts[index].is_attributed() {
            verdicts[index] = Verdict::Attributed(Reason::HoldsOnlyAttributed);
        }
        let all = verdicts[index].is_attributed() && below.unwrap_or(true);
        *holds.entry(parent(path.path)).or_insert(true) &= all;
    }
}

/// Whether `path` is `directory` or below it.
fn is_below(path: &[u8], directory: &[u8]) -> bool {
    path.strip_prefix(directory)
        .is_some_and(|rest| rest.is_empty() || rest[0] == b'/' || directory.ends_with(b"/"))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
