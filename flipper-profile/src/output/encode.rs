//! Names that are no UTF-8, in JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

/// A path in JSON: `path`, and `path_b64` beside it when the name is not UTF-8.
///
/// Meant to be flattened into the object that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JsonPath {
    /// The name; bytes that are no UTF-8 are replaced.
    path: String,
    /// The exact bytes, base64, when `path` is not exact.
    #[serde(skip_serializing_if = "Option::is_none")]
    path_b64: Option<String>,
}

impl JsonPath {
    /// From the exact bytes.
    pub fn new(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self {
                path: text.to_owned(),
                path_b64: None,
            },
            Err(_) => Self {
                path: String::from_utf8_lossy(bytes).into_owned(),
                path_b64: Some(base64(bytes)),
            },
        }
    }
}

/// Base64 with padding (RFC 4648, section 4).
pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_follows_the_rfc() {
        // The test vectors of RFC 4648, section 10.
        for (plain, encoded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
        assert_eq!(base64(&[0xff, 0xfe]), "//4=");
    }

    #[test]
    fn only_a_name_that_is_no_utf8_has_the_second_field() {
        let json = |bytes: &[u8]| serde_json::to_string(&JsonPath::new(bytes)).unwrap();
        assert_eq!(json(b"/etc/a\nb"), r#"{"path":"/etc/a\nb"}"#);
        assert_eq!(
            json(b"/caf\xe9"),
            "{\"path\":\"/caf\u{fffd}\",\"path_b64\":\"L2NhZuk=\"}"
        );
    }
}
