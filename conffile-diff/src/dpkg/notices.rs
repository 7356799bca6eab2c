//! What changed between two transactions without one.
//!
//! `apt-mark`, `dpkg --set-selections` and a dpkg run past our hooks start no hook. The next
//! transaction compares what it finds with what the last one left, and says so.

use super::changes::{Hints, PackageChange, Side, changes, pairs};
use super::status::Want;

/// One thing that happened outside every transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The mark "installed automatically" was set or taken away.
    Mark {
        /// Name.
        name: String,
        /// Architecture.
        architecture: String,
        /// Whether it is marked as automatic now.
        automatic: bool,
    },
    /// The selection (hold, install, …) is another.
    Selection {
        /// Name.
        name: String,
        /// Architecture.
        architecture: String,
        /// Selection before.
        from: Want,
        /// Selection now.
        to: Want,
    },
    /// A package was changed past our hooks.
    Package(PackageChange),
}

/// What differs between the state the last transaction left (`old`) and the present one (`new`).
///
/// The same comparison between the two ends of one transaction tells which marks it changed on
/// packages that it left alone.
pub fn notices(old: Side<'_>, new: Side<'_>) -> Vec<Notice> {
    let changed = changes(old, new, &Hints::default());
    let mut found = Vec::new();
    for (before, after) in pairs(old.status, new.status) {
        let (Some(before), Some(after)) = (before, after) else {
            continue;
        };
        let same_package = |change: &PackageChange| {
            change.name == after.name && change.architecture == after.architecture
        };
        // A package that came or went changes its marks as a matter of course.
        if changed.iter().any(same_package) || !after.state.is_present() {
            continue;
        }
        let name = || after.name.clone();
        let architecture = || after.architecture.clone();
        let automatic = new.auto.is_auto(&after.name, &after.architecture);
        if automatic != old.auto.is_auto(&before.name, &before.architecture) {
            found.push(Notice::Mark {
                name: name(),
                architecture: architecture(),
                automatic,
            });
        }
        if before.want != after.want {
            found.push(Notice::Selection {
                name: name(),
                architecture: architecture(),
                from: before.want,
                to: after.want,
            });
        }
    }
    found.extend(changed.into_iter().map(Notice::Package));
    found
}

impl std::fmt::Display for Notice {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Notice::Mark {
                name,
                architecture,
                automatic: true,
            } => write!(formatter, "{name}:{architecture} was marked as automatic"),
            Notice::Mark {
                name, architecture, ..
            } => write!(formatter, "{name}:{architecture} was marked as manual"),
            Notice::Selection {
                name,
                architecture,
                from,
                to,
            } => write!(
                formatter,
                "the selection of {name}:{architecture} went from {from} to {to}"
            ),
            Notice::Package(change) => write!(
                formatter,
                "{}:{} was changed from {} to {}",
                change.name,
                change.architecture,
                change.old_version.as_deref().unwrap_or("not installed"),
                change.new_version.as_deref().unwrap_or("not installed"),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{AutoMarks, Status};
    use super::*;

    #[test]
    fn tells_marks_selections_and_packages_changed_past_the_hooks() {
        let old_bytes = b"Package: a\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n\nPackage: b\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\nPackage: c\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n";
        let new_bytes = b"Package: a\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n\nPackage: b\nStatus: hold ok installed\nArchitecture: amd64\nVersion: 1\n\nPackage: c\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2\n";
        let (old, new) = (
            Status::parse(old_bytes).unwrap(),
            Status::parse(new_bytes).unwrap(),
        );
        let marks =
            AutoMarks::parse(b"Package: a\nArchitecture: amd64\nAuto-Installed: 1\n").unwrap();
        let none = AutoMarks::default();
        let found = notices(
            Side {
                status: &old,
                bytes: old_bytes,
                auto: &marks,
            },
            Side {
                status: &new,
                bytes: new_bytes,
                auto: &none,
            },
        );
        let texts: Vec<_> = found.iter().map(Notice::to_string).collect();
        assert_eq!(
            texts,
            [
                "a:all was marked as manual",
                "the selection of b:amd64 went from install to hold",
                "c:amd64 was changed from 1 to 2"
            ]
        );
        let side = Side {
            status: &old,
            bytes: old_bytes,
            auto: &marks,
        };
        assert_eq!(notices(side, side), []);
    }
}
