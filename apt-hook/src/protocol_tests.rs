//! The fixtures were recorded from apt 3.0 of Debian 13; `whole.v3` has nearly its whole
//! configuration, the others the part without lists of keys and addresses.

use proptest::prelude::*;

use super::*;

const INSTALL: &[u8] = include_bytes!("../fixtures/pre-install-pkgs/install.v3");
const WHOLE: &[u8] = include_bytes!("../fixtures/pre-install-pkgs/whole.v3");
const REINSTALL: &[u8] = include_bytes!("../fixtures/pre-install-pkgs/reinstall.v3");
const LOCAL: &[u8] = include_bytes!("../fixtures/pre-install-pkgs/local.v3");
const DOWNGRADE: &[u8] = include_bytes!("../fixtures/pre-install-pkgs/downgrade.v3");
const FOREIGN: &[u8] = include_bytes!("../fixtures/pre-install-pkgs/foreign.v3");
const REMOVE: &[u8] = include_bytes!("../fixtures/pre-install-pkgs/remove.v3");
const PURGE: &[u8] = include_bytes!("../fixtures/pre-install-pkgs/purge.v3");
const CONFIGURE: &[u8] = include_bytes!("../fixtures/pre-install-pkgs/configure.v3");
const UPGRADE_2: &[u8] = include_bytes!("../fixtures/pre-install-pkgs/upgrade.v2");
const REMOVE_2: &[u8] = include_bytes!("../fixtures/pre-install-pkgs/remove.v2");
const INSTALL_1: &[u8] = include_bytes!("../fixtures/pre-install-pkgs/install.v1");
const LOCAL_1: &[u8] = include_bytes!("../fixtures/pre-install-pkgs/local.v1");

const ALL: [&[u8]; 13] = [
    INSTALL, WHOLE, REINSTALL, LOCAL, DOWNGRADE, FOREIGN, REMOVE, PURGE, CONFIGURE, UPGRADE_2,
    REMOVE_2, INSTALL_1, LOCAL_1,
];

/// `name old direction new step`, for comparing at a glance.
fn lines(input: &[u8]) -> Vec<String> {
    let version = |side: &Option<Version>| match side {
        Some(Version {
            version,
            architecture: Some(architecture),
            ..
        }) => format!("{version}/{architecture}"),
        Some(side) => side.version.clone(),
        None => "none".to_owned(),
    };
    let plan = Plan::parse(input).unwrap();
    plan.steps
        .iter()
        .map(|planned| {
            let step = match &planned.step {
                Step::Unpack { archive } => archive.display().to_string(),
                other => format!("{other:?}"),
            };
            let name = planned.name.as_deref().unwrap_or("?");
            let (old, new) = (version(&planned.old), version(&planned.new));
            match planned.direction {
                Some(direction) => format!("{name} {old} {direction:?} {new} {step}"),
                None => format!("{name} {step}"),
            }
        })
        .collect()
}

fn archives(plan: &Plan) -> usize {
    let unpacks = |planned: &&Planned| matches!(planned.step, Step::Unpack { .. });
    plan.steps.iter().filter(unpacks).count()
}

#[test]
fn reads_an_installation() {
    let found = lines(INSTALL);
    assert_eq!(found.len(), 6);
    assert_eq!(
        found[2],
        "jq none Forward 1.7.1-6+deb13u3/amd64 /var/cache/apt/archives/jq_1.7.1-6+deb13u3_amd64.deb"
    );
    assert_eq!(found[5], "jq none Forward 1.7.1-6+deb13u3/amd64 Configure");
    let plan = Plan::parse(INSTALL).unwrap();
    assert_eq!(archives(&plan), 3);
    let multi_arch = |index: usize| plan.steps[index].new.as_ref()?.multi_arch.as_deref();
    assert_eq!(
        (multi_arch(0), multi_arch(2)),
        (Some("same"), Some("foreign"))
    );
}

#[test]
fn decodes_the_configuration() {
    let plan = Plan::parse(WHOLE).unwrap();
    assert_eq!(plan.version, 3);
    assert_eq!(plan.setting("test::value"), Some(&b"a b%c"[..]));
    assert_eq!(
        String::from_utf8_lossy(plan.setting("CommandLine::AsString").unwrap()),
        "apt-get install -y --no-install-recommends -o Test::Value='a b%c' jq"
    );
    assert_eq!(plan.setting("Dir"), Some(&b"/"[..]));
    assert_eq!(plan.setting("Not::There"), None);
    assert_eq!(plan.steps, Plan::parse(INSTALL).unwrap().steps);
}

#[test]
fn keeps_blanks_in_the_path_of_an_archive() {
    assert_eq!(
        lines(LOCAL),
        [
            "fixture-one none Forward 1:2.0~rc1-1/all /rec/with blank/one.deb",
            "fixture-one none Forward 1:2.0~rc1-1/all Configure"
        ]
    );
    assert_eq!(lines(LOCAL_1), ["? /rec/with blank/one.deb"]);
}

#[test]
fn tells_directions_and_steps() {
    assert_eq!(
        lines(DOWNGRADE)[0],
        "fixture-one 1:2.0~rc1-1/all Backward 1:1.0-1/all /rec/with blank/older.deb"
    );
    assert!(lines(REINSTALL)[0].starts_with(
        "jq 1.7.1-6+deb13u3/amd64 Same 1.7.1-6+deb13u3/amd64 /var/cache/apt/archives/jq_"
    ));
    assert_eq!(
        lines(REMOVE),
        [
            "fixture-one 1:2.0~rc1-1/all Backward none Remove",
            "jq 1.7.1-6+deb13u3/amd64 Backward none Remove"
        ]
    );
    assert_eq!(
        lines(PURGE)[1],
        "zlib1g 1:1.3.dfsg+really1.3.1-1+b1/i386 Backward none Remove"
    );
    assert_eq!(
        lines(CONFIGURE),
        ["fixture-two 1:1.0-1/all Same 1:1.0-1/all Configure"]
    );
    assert_eq!(lines(FOREIGN).len(), 8);
}

#[test]
fn reads_older_versions() {
    assert_eq!(
        lines(UPGRADE_2),
        [
            "fixture-one 1:1.0-1 Forward 1:2.0~rc1-1 /rec/with blank/one.deb",
            "fixture-one 1:1.0-1 Forward 1:2.0~rc1-1 Configure"
        ]
    );
    assert_eq!(
        lines(REMOVE_2)[0],
        "fixture-one 1:2.0~rc1-1 Backward none Remove"
    );
    assert_eq!(lines(INSTALL_1).len(), 3);
    let nothing = Plan::parse(b"").unwrap();
    assert_eq!((nothing.version, nothing.steps.len()), (1, 0));
}

#[test]
fn refuses_what_it_would_have_to_guess() {
    let message = |input: &[u8]| Plan::parse(input).unwrap_err().to_string();
    assert_eq!(
        message(b"VERSION 4\n\n"),
        "apt's plan has version `4`; versions 1 to 3 are known"
    );
    assert_eq!(
        message(b"VERSION 3\n\njq - - none < 1 amd64 none **ERROR**\n"),
        "line 3 of apt's plan is malformed: `jq - - none < 1 amd64 none **ERROR**`"
    );
    assert_eq!(
        message(b"VERSION 3\nno setting\n\n"),
        "line 2 of apt's plan is malformed: `no setting`"
    );
    assert_eq!(
        message(b"relative.deb\n"),
        "line 1 of apt's plan is malformed: `relative.deb`"
    );
    assert_eq!(
        message(b"VERSION 3\nA=1\n"),
        "apt's plan ends in the middle of line 3"
    );
}

#[test]
fn a_plan_cut_anywhere_never_has_half_a_step() {
    for whole in [INSTALL, LOCAL, UPGRADE_2] {
        let plan = Plan::parse(whole).unwrap();
        for length in 1..whole.len() {
            // Cut at the end of a line it reads like a shorter plan: only apt's exit tells.
            if let Ok(shorter) = Plan::parse(&whole[..length]) {
                assert!(plan.steps.starts_with(&shorter.steps), "cut at {length}");
            }
        }
    }
}

/// Writes a plan as apt does.
fn written(plan: &Plan) -> Vec<u8> {
    let encode = |text: &[u8], bad: &[u8]| -> Vec<u8> {
        let mut out = Vec::new();
        for &byte in text {
            if bad.contains(&byte) || byte == b'%' || byte <= b' ' || byte >= 0x7f {
                out.extend(format!("%{byte:02x}").bytes());
            } else {
                out.push(byte);
            }
        }
        out
    };
    let side = |side: &Option<Version>| match side {
        None => "- - none".to_owned(),
        Some(side) => format!(
            "{} {} {}",
            side.version,
            side.architecture.as_deref().unwrap_or("-"),
            side.multi_arch.as_deref().unwrap_or("none")
        ),
    };
    let mut out = b"VERSION 3\n".to_vec();
    for (name, value) in &plan.configuration {
        out.extend(encode(name.as_bytes(), b"=\"\n"));
        out.push(b'=');
        out.extend(encode(value, b"\n"));
        out.push(b'\n');
    }
    out.push(b'\n');
    for planned in &plan.steps {
        let sign = match planned.direction {
            Some(Direction::Forward) | None => "<",
            Some(Direction::Same) => "=",
            Some(Direction::Backward) => ">",
        };
        let step = match &planned.step {
            Step::Unpack { archive } => archive.display().to_string(),
            Step::Configure => "**CONFIGURE**".to_owned(),
            Step::Remove => "**REMOVE**".to_owned(),
        };
        let name = planned.name.as_deref().unwrap_or_default();
        let (old, new) = (side(&planned.old), side(&planned.new));
        out.extend(format!("{name} {old} {sign} {new} {step}\n").bytes());
    }
    out
}

fn any_side() -> impl Strategy<Value = Option<Version>> {
    let version = ("[0-9][a-z0-9.+~:-]{0,9}", "(amd64|all)", "(none|same)");
    prop::option::of(
        version.prop_map(|(version, architecture, multi_arch)| Version {
            version,
            architecture: Some(architecture),
            multi_arch: Some(multi_arch),
        }),
    )
}

fn any_planned() -> impl Strategy<Value = Planned> {
    let step = prop_oneof![
        Just(Step::Configure),
        Just(Step::Remove),
        "/[ -~]{1,20}".prop_map(|path| Step::Unpack {
            archive: path.into()
        }),
    ];
    let direction = prop_oneof![
        Just(Direction::Forward),
        Just(Direction::Same),
        Just(Direction::Backward)
    ];
    (
        "[a-z][a-z0-9.+-]{1,9}",
        any_side(),
        any_side(),
        direction,
        step,
    )
        .prop_map(|(name, old, new, direction, step)| Planned {
            name: Some(name),
            old,
            new,
            direction: Some(direction),
            step,
        })
}

proptest! {
    #[test]
    fn reads_back_what_apt_would_write(
        configuration in prop::collection::vec(("[A-Z][ -~]{0,9}", prop::collection::vec(any::<u8>(), 0..20)), 0..6),
        steps in prop::collection::vec(any_planned(), 0..8),
    ) {
        let plan = Plan { version: 3, configuration, steps };
        prop_assert_eq!(Plan::parse(&written(&plan)), Ok(plan));
    }

    #[test]
    fn never_panics(which in 0..ALL.len(), edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6), cut in any::<prop::sample::Index>()) {
        let mut input = ALL[which].to_vec();
        for (at, byte) in edits {
            let at = at.index(input.len());
            input[at] = byte;
        }
        let _outcome = Plan::parse(&input);
        input.truncate(cut.index(input.len()));
        let _outcome = Plan::parse(&input);
    }

    #[test]
    fn never_panics_on_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _outcome = Plan::parse(&bytes);
    }
}
