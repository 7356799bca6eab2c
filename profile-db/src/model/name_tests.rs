use super::*;
use proptest::prelude::*;

fn error(text: &str) -> NameError {
    text.parse::<ProfileName>().unwrap_err()
}

#[test]
fn accepts_ordinary_names() {
    for text in [
        "a",
        "router",
        "TV-box",
        "9",
        "x.y_z+1",
        "desktop1",
        &"n".repeat(64),
    ] {
        assert_eq!(text.parse::<ProfileName>().unwrap().as_str(), text);
    }
    for text in ["13.2", "13~rc1", "trixie-2026.11.21+1"] {
        assert_eq!(text.parse::<BaseVersion>().unwrap().as_str(), text);
    }
}

#[test]
fn each_situation_has_its_error_and_message() {
    let what = "profile name";
    let cases: Vec<(String, &str)> = vec![
        ("".into(), "a profile name must not be empty"),
        (".".into(), "'.' is a directory, not a profile name"),
        ("..".into(), "'..' is a directory, not a profile name"),
        ("a/b".into(), "profile name 'a/b' has a slash"),
        ("/".into(), "profile name '/' has a slash"),
        ("../x".into(), "profile name '../x' has a slash"),
        (
            "n".repeat(300),
            "profile name 'nnnnnnnnnnnnnnnn…' has 300 characters, at most 64 are allowed",
        ),
        (
            "a\nb".into(),
            r"profile name 'a\nb' has the control character \u{a}",
        ),
        (
            "a\u{0}".into(),
            r"profile name 'a\0' has the control character \u{0}",
        ),
        (
            "a\u{7f}".into(),
            r"profile name 'a\u{7f}' has the control character \u{7f}",
        ),
        (
            "é".into(),
            "profile name 'é' has 'é': only ASCII letters, digits and . _ + - are allowed",
        ),
        (
            "a\u{202e}b".into(),
            r"profile name 'a\u{202e}b' has '\u{202e}': only ASCII letters, digits and . _ + - are allowed",
        ),
        ("-x".into(), "profile name '-x' must not start with a dash"),
        (".x".into(), "profile name '.x' must not start with a dot"),
        (
            "_x".into(),
            "profile name '_x' must start with a letter or a digit",
        ),
        (
            "a b".into(),
            "profile name 'a b' has ' ': only letters, digits and . _ + - are allowed",
        ),
        (
            "a~b".into(),
            "profile name 'a~b' has '~': only letters, digits and . _ + - are allowed",
        ),
        (
            "rescue".into(),
            "'rescue' is a reserved word, not a profile name",
        ),
        (
            "Base".into(),
            "'Base' is a reserved word, not a profile name",
        ),
    ];
    for (text, message) in cases {
        assert_eq!(error(&text).to_string(), message);
    }
    assert_eq!(error(""), NameError::Empty { what });
    assert!(matches!(error(".."), NameError::Dots { .. }));
    assert!(matches!(error("a/"), NameError::Slash { .. }));
    assert!(matches!(
        error(&"x".repeat(65)),
        NameError::TooLong { length: 65, .. }
    ));
    assert!(matches!(
        error("\u{1b}[2J"),
        NameError::ControlCharacter { .. }
    ));
    assert!(matches!(error("ß"), NameError::NotAscii { .. }));
    assert!(matches!(error("--yes"), NameError::LeadingDash { .. }));
    assert!(matches!(error(".template"), NameError::LeadingDot { .. }));
    assert!(matches!(error("+x"), NameError::LeadingSign { .. }));
    assert!(matches!(error("a:b"), NameError::Character { .. }));
    for word in RESERVED {
        assert!(matches!(error(word), NameError::Reserved { .. }));
        assert!(word.parse::<BaseVersion>().is_err());
    }
}

#[test]
fn a_refused_name_is_refused_in_json_too() {
    assert!(serde_json::from_str::<ProfileName>("\"../x\"").is_err());
    assert!(serde_json::from_str::<BaseVersion>("\"current\"").is_err());
}

proptest! {
    #[test]
    fn valid_names_round_trip(text in "[A-Za-z0-9][A-Za-z0-9._+-]{0,63}") {
        match text.parse::<ProfileName>() {
            Ok(name) => {
                prop_assert_eq!(name.as_str(), &text);
                let json = serde_json::to_string(&name).unwrap();
                prop_assert_eq!(serde_json::from_str::<ProfileName>(&json).unwrap(), name);
            }
            Err(error) => prop_assert!(matches!(error, NameError::Reserved { .. }), "{}", error),
        }
    }

    #[test]
    fn what_is_accepted_is_one_harmless_part_of_a_path(text in any::<String>()) {
        for accepted in [
            text.parse::<ProfileName>().ok().map(|name| name.to_string()),
            text.parse::<BaseVersion>().ok().map(|name| name.to_string()),
        ].into_iter().flatten() {
            prop_assert_eq!(&accepted, &text);
            prop_assert!(text.is_ascii() && !text.is_empty() && text.len() <= NAME_LENGTH_MAX);
            prop_assert!(text.starts_with(|c: char| c.is_ascii_alphanumeric()));
            prop_assert!(!text.contains(['/', '\\', ':', ' ', '\n', '\0']));
        }
    }

    #[test]
    fn a_message_never_carries_control_characters(text in "\\PC{0,5}[\\x00-\\x1f\\x7f]\\PC{0,5}") {
        prop_assert!(!error(&text).to_string().chars().any(char::is_control));
    }

    #[test]
    fn a_bad_character_anywhere_is_refused(before in "[a-z]{1,8}", bad in "[^A-Za-z0-9._+~-]", after in "[a-z]{0,8}") {
        let text = format!("{before}{bad}{after}");
        prop_assert!(text.parse::<ProfileName>().is_err());
        prop_assert!(text.parse::<BaseVersion>().is_err());
    }
}
