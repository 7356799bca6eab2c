//! What a person decides about what stands in the way of an undo.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use conffile_diff::merge::{Conflict, Owner, Side};

/// One decision about one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It stays as it is now, or becomes what it was before.
    Side(Side),
    /// It becomes a file of these bytes.
    Content(Vec<u8>),
}

/// All decisions of one call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decisions {
    /// About everything that is not named.
    pub all: Option<Side>,
    /// About paths of the merged tree, without leading slash.
    pub paths: BTreeMap<PathBuf, Decision>,
    /// About packages, by name.
    pub packages: BTreeMap<String, Side>,
}

impl Decisions {
    /// What is decided about a path, as far as it is one of two sides.
    pub fn side(&self, path: &Path) -> Option<Side> {
        match self.paths.get(path) {
            Some(Decision::Side(side)) => Some(*side),
            Some(Decision::Content(_)) => None,
            None => self.all,
        }
    }

    /// The content that was given for a path.
    pub fn content(&self, path: &Path) -> Option<&[u8]> {
        match self.paths.get(path) {
            Some(Decision::Content(content)) => Some(content),
            _ => None,
        }
    }

    /// What is decided about a path that is named.
    pub fn named(&self, path: &Path) -> Option<&Decision> {
        self.paths.get(path)
    }

    /// What is decided about a package.
    pub fn package(&self, name: &str) -> Option<Side> {
        self.packages.get(name).copied().or(self.all)
    }

    /// What is decided about the owner of a record that stands in the way in the file `path`.
    pub fn owner(&self, path: &Path, conflict: &Conflict) -> Option<(Owner, Side)> {
        let owner = conflict.whose.clone()?;
        let named = match &owner {
            Owner::Package(name) => self.packages.get(name).copied(),
            Owner::Account(_) => None,
        };
        Some((owner, named.or_else(|| self.side(path))?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_decision_counts() {
        let status = Path::new("var/lib/dpkg/status");
        let mut decisions = Decisions {
            all: Some(Side::Mine),
            ..Decisions::default()
        };
        decisions
            .paths
            .insert("etc/a".into(), Decision::Side(Side::Other));
        decisions
            .paths
            .insert("etc/b".into(), Decision::Content(b"b".to_vec()));
        decisions.packages.insert("x".into(), Side::Other);
        assert_eq!(decisions.side(Path::new("etc/a")), Some(Side::Other));
        assert_eq!(decisions.side(Path::new("etc/b")), None);
        assert_eq!(decisions.side(Path::new("etc/c")), Some(Side::Mine));
        assert_eq!(decisions.content(Path::new("etc/b")), Some(b"b".as_slice()));
        assert_eq!(decisions.package("x"), Some(Side::Other));
        assert_eq!(decisions.package("y"), Some(Side::Mine));
        let conflict = |whose| Conflict {
            what: String::new(),
            mine: String::new(),
            other: String::new(),
            whose,
        };
        let x = Owner::Package("x".into());
        assert_eq!(
            decisions.owner(status, &conflict(Some(x.clone()))),
            Some((x, Side::Other))
        );
        let y = Owner::Account("y".into());
        assert_eq!(
            decisions.owner(status, &conflict(Some(y.clone()))),
            Some((y, Side::Mine))
        );
        assert_eq!(decisions.owner(status, &conflict(None)), None);
        assert_eq!(
            Decisions::default().owner(status, &conflict(Some(Owner::Package("x".into())))),
            None
        );
    }
}
