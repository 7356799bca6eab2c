//! `/var/lib/apt/extended_states`: which packages apt installed by itself.

use std::collections::BTreeSet;

use super::stanza::{Malformed, fields, lossy, stanzas};

/// The packages marked as installed automatically.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AutoMarks {
    marked: BTreeSet<(String, String)>,
}

impl AutoMarks {
    /// Parses the bytes of an `extended_states` file; a missing file is an empty one.
    pub fn parse(bytes: &[u8]) -> Result<AutoMarks, Malformed> {
        let mut marked = BTreeSet::new();
        for range in stanzas(bytes) {
            let mut name = String::new();
            let mut architecture = String::new();
            let mut auto = false;
            for field in fields(&bytes[range]) {
                let (field, value) = field?;
                if field.eq_ignore_ascii_case(b"Package") {
                    name = lossy(value);
                } else if field.eq_ignore_ascii_case(b"Architecture") {
                    architecture = lossy(value);
                } else if field.eq_ignore_ascii_case(b"Auto-Installed") {
                    auto = value == b"1";
                }
            }
            if auto && !name.is_empty() {
                marked.insert((name, architecture));
            }
        }
        Ok(AutoMarks { marked })
    }

    /// Whether the package is marked as installed automatically.
    ///
    /// apt files a package of `Architecture: all` under the native architecture, which this
    /// function is not told: for `all`, and for a stanza without architecture, any mark of that
    /// name counts.
    pub fn is_auto(&self, name: &str, architecture: &str) -> bool {
        if matches!(architecture, "all" | "") {
            let first = (name.to_owned(), String::new());
            return self
                .marked
                .range(first..)
                .next()
                .is_some_and(|(found, _)| found == name);
        }
        let exact = (name.to_owned(), architecture.to_owned());
        // Files of apt before multi-arch have no architecture.
        self.marked.contains(&exact) || self.marked.contains(&(exact.0, String::new()))
    }

    /// Every marked package with the architecture apt filed it under.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.marked
            .iter()
            .map(|(name, architecture)| (name.as_str(), architecture.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_architecture_all_under_the_native_one() {
        let marks = AutoMarks::parse(
            b"Package: nginx-common\nArchitecture: amd64\nAuto-Installed: 1\n\nPackage: jq\nArchitecture: amd64\nAuto-Installed: 0\n\nPackage: nginx\nArchitecture: amd64\nAuto-Installed: 1\n",
        )
        .unwrap();
        assert!(marks.is_auto("nginx-common", "all"));
        assert!(marks.is_auto("nginx", "amd64"));
        assert!(!marks.is_auto("nginx", "i386"));
        assert!(!marks.is_auto("jq", "amd64"));
        assert!(!marks.is_auto("jq", "all"));
        assert!(!marks.is_auto("nginx-commo", "all"));
        assert_eq!(marks.iter().count(), 2);
    }

    #[test]
    fn an_empty_file_marks_nothing() {
        assert_eq!(AutoMarks::parse(b"").unwrap(), AutoMarks::default());
    }
}
