use proptest::prelude::*;

use super::*;

const SAMPLE: &[u8] = b"Package: nginx-common
Status: install ok installed
Source: nginx (1.26.3-3)
Architecture: all
Version: 1.26.3-3+deb13u1
Conffiles:
 /etc/default/nginx 1111aaaa2222bbbb3333cccc4444dddd
 /etc/with blank/x y 1111aaaa2222bbbb3333cccc4444dddd obsolete
 /etc/gone newconffile remove-on-upgrade
 /etc/\xff\xfe - obsolete remove-on-upgrade
Description: small, powerful
 A long
 .
 text with \xe9 in it

Package: libc6
Status: hold reinstreq half-configured
Architecture: amd64
Multi-Arch: same
Version: 2.41-12
Config-Version: 2.36-9

Package: libc6
Status: install ok unpacked
Architecture: i386
Version: 2.41-12
";

#[test]
fn reads_states_versions_and_ranges() {
    let status = Status::parse(SAMPLE).unwrap();
    let names: Vec<_> = status.packages().iter().map(Package::full_name).collect();
    assert_eq!(names, ["libc6:amd64", "libc6:i386", "nginx-common:all"]);
    let libc = status.get("libc6", "amd64").unwrap();
    assert_eq!(
        (libc.want, libc.flag, libc.state),
        (Want::Hold, Flag::Reinstreq, State::HalfConfigured)
    );
    assert_eq!(libc.config_version.as_deref(), Some("2.36-9"));
    assert!(libc.multi_arch_same);
    assert!(libc.stanza(SAMPLE).starts_with(b"Package: libc6\n"));
    assert!(libc.stanza(SAMPLE).ends_with(b"Config-Version: 2.36-9\n"));
    let nginx = status.get("nginx-common", "all").unwrap();
    assert_eq!(nginx.source.as_deref(), Some("nginx"));
    assert_eq!(nginx.field(SAMPLE, "architecture"), Some(&b"all"[..]));
    assert_eq!(status.named("libc6").len(), 2);
    assert_eq!(status.named("libc").len(), 0);
}

#[test]
fn names_packages_that_a_cut_run_left() {
    let status = Status::parse(SAMPLE).unwrap();
    let broken: Vec<_> = status
        .broken()
        .map(|package| (package.full_name(), package.state.as_str()))
        .collect();
    assert_eq!(
        broken,
        [
            ("libc6:amd64".to_owned(), "half-configured"),
            ("libc6:i386".to_owned(), "unpacked")
        ]
    );
}

#[test]
fn reads_conffiles_from_the_end_of_the_line() {
    let status = Status::parse(SAMPLE).unwrap();
    let conffiles = &status.get("nginx-common", "all").unwrap().conffiles;
    assert_eq!(conffiles.len(), 4);
    assert_eq!(
        conffiles[0].hash,
        ConffileHash::Digest("1111aaaa2222bbbb3333cccc4444dddd".into())
    );
    assert_eq!(conffiles[1].path, b"/etc/with blank/x y");
    assert!(conffiles[1].obsolete && !conffiles[1].remove_on_upgrade);
    assert_eq!(conffiles[2].hash, ConffileHash::New);
    assert!(conffiles[2].remove_on_upgrade);
    assert_eq!(conffiles[3].path, b"/etc/\xff\xfe");
    assert!(conffiles[3].obsolete && conffiles[3].remove_on_upgrade);
}

#[test]
fn refuses_what_it_would_have_to_guess() {
    let error = |text: &str| Status::parse(text.as_bytes()).unwrap_err().to_string();
    assert_eq!(
        error("Package: a\nStatus: install ok splendid\n"),
        "cannot parse dpkg's status: package a has the unknown status `install ok splendid`"
    );
    assert_eq!(
        error("Package: a\n\nVersion: 1\n"),
        "cannot parse dpkg's status: the stanza at line 3 names no package"
    );
    assert_eq!(
        error("Package: a\n\nPackage: b\nnonsense\n"),
        "cannot parse dpkg's status: line 4 is neither a field nor its continuation: `nonsense`"
    );
    assert_eq!(
        error("Package: a\nConffiles:\n relative 00\n"),
        "cannot parse dpkg's status: package a has the malformed conffile `relative 00`"
    );
}

#[test]
fn takes_the_later_of_two_stanzas_of_one_package() {
    let text =
        b"Package: a\nArchitecture: all\nVersion: 1\n\nPackage: a\nArchitecture: all\nVersion: 2\n";
    let status = Status::parse(text).unwrap();
    assert_eq!(status.packages().len(), 1);
    assert_eq!(status.packages()[0].version, "2");
}

#[test]
fn an_empty_file_has_no_packages() {
    assert_eq!(Status::parse(b"").unwrap(), Status::default());
    assert_eq!(Status::parse(b"\n\n").unwrap(), Status::default());
}

/// Another reader of the same format as the oracle, on text that it accepts.
fn oracle(text: &str) -> Vec<(String, String, String)> {
    let parsed: deb822_lossless::Deb822 = text.parse().expect("generated text is valid");
    let mut found: Vec<_> = parsed
        .paragraphs()
        .map(|paragraph| {
            let get = |name: &str| paragraph.get(name).unwrap_or_default();
            (get("Package"), get("Architecture"), get("Version"))
        })
        .collect();
    found.sort();
    found
}

fn stanza_text() -> impl Strategy<Value = String> {
    (
        "[a-z][a-z0-9.+-]{1,12}",
        "(amd64|all|i386)",
        "[0-9][A-Za-z0-9.+~-]{0,8}",
        prop::collection::vec("[!-9;-~][ -~]{0,30}", 0..4),
    )
        .prop_map(|(name, architecture, version, description)| {
            let mut text = format!(
                "Package: {name}\nStatus: install ok installed\nArchitecture: {architecture}\nVersion: {version}\nDescription: x\n"
            );
            for line in description {
                text.push_str(&format!(" {line}\n"));
            }
            text
        })
}

proptest! {
    #[test]
    fn agrees_with_another_reader(stanzas in prop::collection::vec(stanza_text(), 0..12)) {
        let text = stanzas.join("\n");
        let status = Status::parse(text.as_bytes()).unwrap();
        let mut expected = oracle(&text);
        // Of two stanzas of one package only the later counts; the oracle has both.
        expected.dedup_by(|b, a| (&a.0, &a.1) == (&b.0, &b.1));
        let keys: Vec<_> = status.packages().iter().map(|p| (p.name.clone(), p.architecture.clone())).collect();
        let expected: Vec<_> = expected.into_iter().map(|(name, architecture, _)| (name, architecture)).collect();
        prop_assert_eq!(keys, expected);
    }

    #[test]
    fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _outcome = Status::parse(&bytes);
    }

    #[test]
    fn never_panics_on_a_damaged_file(at in 0..SAMPLE.len(), byte in any::<u8>(), cut in 0..SAMPLE.len()) {
        let mut bytes = SAMPLE.to_vec();
        bytes[at] = byte;
        let _outcome = Status::parse(&bytes);
        bytes.truncate(cut);
        if let Ok(status) = Status::parse(&bytes) {
            for package in status.packages() {
                prop_assert!(package.range.end <= bytes.len());
            }
        }
    }
}
