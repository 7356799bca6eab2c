//! Changes one field of one stanza and keeps every other byte.
//!
//! deb822-lossless does it, with three limits measured on real files, all enforced here: it
//! refuses text that is not UTF-8, it breaks the multi-line values of `Conffiles` (an empty
//! continuation line, after which dpkg-query refuses the file), and it drops the indentation of
//! `Description`. Whole stanzas move as bytes, never through here.

/// Why a field was not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The stanza is no text.
    #[error("cannot change the field {field}: the stanza is not UTF-8")]
    NotText {
        /// The field.
        field: String,
    },
    /// The field or the value has lines of its own.
    #[error("cannot change the field {field}: only fields and values of one line are changed")]
    SeveralLines {
        /// The field.
        field: String,
    },
    /// The stanza cannot be parsed, or is not exactly one.
    #[error("cannot change the field {field}: {detail}")]
    Stanza {
        /// The field.
        field: String,
        /// What is wrong.
        detail: String,
    },
}

/// Returns `stanza` with `field` set to `value`; the field is added when it is missing.
pub fn set_field(stanza: &[u8], field: &str, value: &str) -> Result<Vec<u8>, Error> {
    let name = || field.to_owned();
    let text = std::str::from_utf8(stanza).map_err(|_| Error::NotText { field: name() })?;
    let is_multi_line = |present: &[u8]| present.contains(&b'\n');
    if value.contains(['\n', '\r'])
        || super::stanza::field(stanza, field).is_some_and(is_multi_line)
    {
        return Err(Error::SeveralLines { field: name() });
    }
    let malformed = |detail: String| Error::Stanza {
        field: name(),
        detail,
    };
    let parsed: deb822_lossless::Deb822 = text
        .parse()
        .map_err(|error: deb822_lossless::ParseError| malformed(error.to_string()))?;
    let mut paragraphs: Vec<_> = parsed.paragraphs().collect();
    match paragraphs.as_mut_slice() {
        [paragraph] => paragraph.set(field, value),
        others => {
            return Err(malformed(format!(
                "expected one stanza, found {}",
                others.len()
            )));
        }
    }
    Ok(parsed.to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STANZA: &[u8] = b"Package: a\nStatus: install ok installed\nConffiles:\n /etc/a 00\n /etc/b 11 obsolete\nDescription: x\n  indented\n .\n end\n";

    #[test]
    fn changes_one_line_and_nothing_else() {
        let edited = set_field(STANZA, "Status", "hold ok installed").unwrap();
        let expected = String::from_utf8(STANZA.to_vec())
            .unwrap()
            .replace("install ok", "hold ok");
        assert_eq!(String::from_utf8(edited).unwrap(), expected);
    }

    #[test]
    fn refuses_what_would_not_stay_whole() {
        for field in ["Conffiles", "Description"] {
            assert!(matches!(
                set_field(STANZA, field, "x"),
                Err(Error::SeveralLines { .. })
            ));
        }
        assert!(matches!(
            set_field(b"A: \xff\n", "A", "x"),
            Err(Error::NotText { .. })
        ));
        assert!(matches!(
            set_field(b"A: 1\n\nA: 2\n", "A", "x"),
            Err(Error::Stanza { .. })
        ));
        assert!(matches!(
            set_field(STANZA, "Status", "a\nb"),
            Err(Error::SeveralLines { .. })
        ));
    }
}
