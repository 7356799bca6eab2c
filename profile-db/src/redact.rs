//! Secrets leave a command line before it is recorded.
//!
//! The journal outlives passwords, is shown by `history` and goes out with
//! `--json`: so passwords in URLs are replaced before they reach it.

/// What stands in place of a secret.
const MASK: &str = "***";

/// A command line with the passwords of its URLs replaced by `***`.
///
/// `scheme://user:password@host` keeps the user; in `https://token@host`, where
/// the user itself is usually a token, the user is replaced too. Everything
/// else stays byte for byte. Doing it twice changes nothing more.
pub fn command(text: &str) -> String {
    let mut redacted = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(found) = rest.find("://") {
        redacted.push_str(&rest[..found]);
        let after = &rest[found + 3..];
        let mut end = after.find(ends_authority).unwrap_or(after.len());
        // Two URLs joined by a comma: what looks like the end of the first
        // host is the scheme of the second.
        if after[..end].ends_with(':') && after[end..].starts_with("//") {
            end -= 1;
        }
        let authority = authority_without_secret(scheme(&redacted), &after[..end]);
        redacted.push_str("://");
        redacted.push_str(&authority);
        rest = &after[end..];
    }
    redacted.push_str(rest);
    redacted
}

/// RFC 3986, section 3.2, and what ends a word of a command line.
fn ends_authority(c: char) -> bool {
    matches!(c, '/' | '?' | '#' | '\\' | '\'' | '"' | '`' | '<' | '>') || c.is_whitespace()
}

/// The scheme that ends the text.
fn scheme(text: &str) -> &str {
    let start = text
        .rfind(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')))
        .map_or(0, |at| {
            at + text[at..].chars().next().map_or(1, char::len_utf8)
        });
    &text[start..]
}

fn authority_without_secret(scheme: &str, authority: &str) -> String {
    // The last '@': a password may have others, unencoded.
    let Some((user_info, host)) = authority.rsplit_once('@') else {
        return authority.to_owned();
    };
    match user_info.split_once(':') {
        Some((user, _)) => format!("{user}:{MASK}@{host}"),
        None if is_web(scheme) && !user_info.is_empty() => format!("{MASK}@{host}"),
        None => authority.to_owned(),
    }
}

/// Where a user without a password is a token, as a rule. apt writes
/// `tor+https` and the like.
fn is_web(scheme: &str) -> bool {
    let scheme = scheme.to_ascii_lowercase();
    matches!(scheme.rsplit('+').next(), Some("http" | "https"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn takes_passwords_out_of_urls() {
        for (text, expected) in [
            ("apt install vim", "apt install vim"),
            ("", ""),
            ("http://u:secret@host/x", "http://u:***@host/x"),
            ("http://u:se@cret@host:80/x@y", "http://u:***@host:80/x@y"),
            ("http://u:@host", "http://u:***@host"),
            ("http://:p@host", "http://:***@host"),
            ("https://token@host/", "https://***@host/"),
            ("tor+https://token@host/", "tor+https://***@host/"),
            ("ssh://git@host/x", "ssh://git@host/x"),
            ("http://host:8080/a@b", "http://host:8080/a@b"),
            (
                "git+https://t@h git@github.com:a/b",
                "git+https://***@h git@github.com:a/b",
            ),
            (
                "apt-get -o Acquire::http::Proxy=http://joe:pa55@proxy:3128 -o X='ftp://a:b@c' update",
                "apt-get -o Acquire::http::Proxy=http://joe:***@proxy:3128 -o X='ftp://a:***@c' update",
            ),
            ("://a:b@c", "://a:***@c"),
            ("é://a:b@c", "é://a:***@c"),
            ("http://u:p@h,http://v:q@i", "http://u:***@h,http://v:***@i"),
        ] {
            assert_eq!(command(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_password_survives(
            user in "[a-z]{0,8}", password in "[A-Z0-9@:!$%&*+=,;.é-]{1,20}QZ", host in "[a-z]{1,8}",
            before in "[a-z:/@ ]{0,20} ", after in "(/[a-z]{0,8})?"
        ) {
            let text = format!("{before}http://{user}:{password}@{host}{after}");
            prop_assert!(!command(&text).contains("QZ"), "{}", command(&text));
        }

        #[test]
        fn twice_is_once(text in any::<String>()) {
            let once = command(&text);
            prop_assert_eq!(command(&once), once);
        }

        #[test]
        fn text_without_urls_stays(text in "[^/]*") {
            prop_assert_eq!(command(&text), text);
        }
    }
}
