use super::*;
use profile_db::model::{NAME_LENGTH_MAX, ProfileName};

#[test]
fn a_missing_program_is_told_with_its_package() {
    for (program, package) in [("mmdebstrap", "mmdebstrap"), ("mkfs.btrfs", "btrfs-progs")] {
        let missing = profile_sys::Error::CommandMissing {
            program: program.into(),
        };
        let expected = format!("install it with `apt install {package}`");
        assert_eq!(Error::from(missing).hint(), Some(expected));
    }
}

#[test]
fn a_refused_name_is_told_with_the_rule() {
    for name in ["", "-x", "a/b", "current", "\u{e9}"] {
        let refused = name.parse::<ProfileName>().unwrap_err();
        let rule = Error::from(refused).hint().unwrap();
        assert!(
            rule.contains(&format!("at most {NAME_LENGTH_MAX} ")),
            "{name}"
        );
    }
}
