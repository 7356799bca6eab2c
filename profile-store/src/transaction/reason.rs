//! Errors as reasons: what the journal keeps of why a change is unprotected.

/// An error with its causes, each said once.
pub fn whole(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(found) = cause {
        let more = found.to_string();
        if !text.ends_with(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = found.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn causes_are_said_once() {
        let error = profile_sys::Error::Io {
            verb: "snapshot",
            path: "/a".into(),
            source: io::Error::from_raw_os_error(28),
        };
        let text = whole(&crate::Error::from(error));
        assert_eq!(text.matches("No space left").count(), 1, "{text}");
        assert!(text.contains("/a"), "{text}");
    }
}
