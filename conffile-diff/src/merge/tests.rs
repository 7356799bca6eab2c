//! The rules of every merge, and each kind's own.

use super::*;

fn sides<'a>(ancestor: &'a str, mine: &'a str, other: &'a str) -> Sides<'a> {
    // In these tests an empty text is a file that does not exist.
    let side = |text: &'a str| (!text.is_empty()).then_some(text.as_bytes());
    Sides {
        ancestor: side(ancestor),
        mine: side(mine),
        other: side(other),
    }
}

fn clean(kind: Kind, ancestor: &str, mine: &str, other: &str) -> Option<String> {
    let merged = merge(kind, sides(ancestor, mine, other)).unwrap();
    assert_eq!(merged.conflicts, [], "{merged:?}");
    merged
        .content
        .map(|content| String::from_utf8(content).unwrap())
}

fn conflicts(kind: Kind, ancestor: &str, mine: &str, other: &str) -> Vec<String> {
    let merged = merge(kind, sides(ancestor, mine, other)).unwrap();
    assert_eq!(
        merged.content.unwrap_or_default(),
        mine.as_bytes(),
        "a conflict keeps mine"
    );
    merged
        .conflicts
        .into_iter()
        .map(|conflict| format!("{}: {} / {}", conflict.what, conflict.mine, conflict.other))
        .collect()
}

#[test]
fn knows_what_a_path_is() {
    for (path, kind) in [
        ("/var/lib/dpkg/status", Kind::DpkgStatus),
        ("/var/lib/dpkg/status-old", Kind::Copy),
        ("/var/lib/dpkg/triggers/Lock", Kind::Copy),
        ("/var/lib/apt/extended_states.1", Kind::Copy),
        ("/var/lib/apt/extended_states.d", Kind::File),
        ("/etc/ld.so.cache", Kind::Derived(Maker::Ldconfig)),
        ("/var/cache/man/de/index.db", Kind::Derived(Maker::NextUse)),
        (
            "/usr/share/icons/hicolor/icon-theme.cache",
            Kind::Derived(Maker::Icons),
        ),
        ("/usr/share/icons/icon-theme.cache", Kind::File),
        ("/usr/share/mime/mime.cache", Kind::Derived(Maker::Mime)),
        ("/usr/share/mime/image/png.xml", Kind::Derived(Maker::Mime)),
        ("/usr/share/mime/packages/feh.xml", Kind::File),
        ("/usr/share/mime/image", Kind::File),
        ("/usr/share/mime/", Kind::File),
        (
            "/usr/lib/x86_64-linux-gnu/gio/modules/giomodule.cache",
            Kind::Derived(Maker::GioModules),
        ),
        (
            "/usr/lib/x86_64-linux-gnu/gdk-pixbuf-2.0/2.10.0/loaders.cache",
            Kind::Derived(Maker::PixbufLoaders),
        ),
        (
            "/usr/share/glib-2.0/schemas/gschemas.compiled",
            Kind::Derived(Maker::Schemas),
        ),
        ("/usr/share/glib-2.0/schemas/org.gtk.xml", Kind::File),
        ("/var/lib/dpkg/triggers/File", Kind::LineSet),
        ("/var/lib/dpkg/alternatives/editor", Kind::Alternative),
        ("/var/lib/dpkg/alternatives/", Kind::File),
        ("/var/lib/dpkg/alternatives/a/b", Kind::File),
        ("/etc/gshadow", Kind::GroupShadow),
        ("/etc/motd", Kind::File),
    ] {
        assert_eq!(kind_of(path.as_bytes()), kind, "{path}");
    }
}

fn package(name: &str, status: &str, version: &str) -> String {
    format!("Package: {name}\nStatus: {status}\nArchitecture: amd64\nVersion: {version}\n\n")
}

#[test]
fn status_takes_a_package_back_and_keeps_a_later_one() {
    let libc = package("libc6", "install ok installed", "2.41");
    let nginx = package("nginx", "install ok installed", "1.26");
    let later = package("curl", "install ok installed", "8.14");
    let now = [libc.as_str(), &later, &nginx].concat();
    let merged = clean(
        Kind::DpkgStatus,
        &[libc.as_str(), &nginx].concat(),
        &now,
        &libc,
    );
    assert_eq!(merged.unwrap(), [libc, later].concat());
}

#[test]
fn status_brings_back_what_was_removed_where_it_was() {
    let all: Vec<String> = ["a", "b", "c"]
        .map(|name| package(name, "install ok installed", "1"))
        .into();
    let without = [all[0].as_str(), &all[2]].concat();
    let later = format!("{without}{}", package("d", "install ok installed", "1"));
    let merged = clean(Kind::DpkgStatus, &without, &later, &all.concat()).unwrap();
    assert_eq!(
        merged,
        format!(
            "{}{}",
            all.concat(),
            package("d", "install ok installed", "1")
        )
    );
}

#[test]
fn a_hold_stays_on_the_version_that_comes_back() {
    let (one, two) = (
        package("x", "install ok installed", "1"),
        package("x", "install ok installed", "2"),
    );
    let held = package("x", "hold ok installed", "2");
    let merged = clean(Kind::DpkgStatus, &two, &held, &one).unwrap();
    assert_eq!(merged, package("x", "hold ok installed", "1"));
    // Held by the undo, and no more since: done again, the newer version is not held either.
    let held = package("x", "hold ok installed", "1");
    let merged = clean(Kind::DpkgStatus, &held, &one, &two).unwrap();
    assert_eq!(merged, two);
    // Selected for removal since: that is neither.
    let removed = package("x", "deinstall ok installed", "1");
    assert_eq!(conflicts(Kind::DpkgStatus, &held, &removed, &two).len(), 1);
}

#[test]
fn a_package_upgraded_again_is_a_conflict() {
    let version = |number| package("x", "install ok installed", number);
    assert_eq!(
        conflicts(
            Kind::DpkgStatus,
            &version("2"),
            &version("3"),
            &version("1")
        ),
        ["package x: version 3, install ok installed / version 1, install ok installed"]
    );
    // Held and gone: the hold has nothing to stand on.
    let held = package("x", "hold ok installed", "2");
    assert_eq!(
        conflicts(Kind::DpkgStatus, &version("2"), &held, "").len(),
        1
    );
}

#[test]
fn several_architectures_of_a_package_are_several() {
    let of = |architecture: &str, version: &str| {
        package("libx", "install ok installed", version).replace("amd64", architecture)
    };
    let both = |a: &str, b: &str| format!("{}{}", of("amd64", a), of("i386", b));
    let merged = clean(
        Kind::DpkgStatus,
        &both("2", "2"),
        &both("2", "3"),
        &both("1", "2"),
    );
    assert_eq!(merged.unwrap(), both("1", "3"));
    // dpkg changes the architecture of a package with its version.
    let merged = clean(
        Kind::DpkgStatus,
        &of("all", "2"),
        &of("all", "2"),
        &of("amd64", "1"),
    );
    assert_eq!(merged.unwrap(), of("amd64", "1"));
}

#[test]
fn a_status_without_names_is_refused() {
    let error = merge(Kind::DpkgStatus, sides("A: 1\n", "A: 2\n", "A: 3\n")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot merge dpkg's status: a stanza has no name"
    );
}

#[test]
fn marks_never_conflict() {
    let mark =
        |value: &str| format!("Package: x\nArchitecture: amd64\nAuto-Installed: {value}\n\n");
    // N installed it as a dependency, the user marked it manual, the undo takes the package away.
    assert_eq!(
        clean(Kind::ExtendedStates, &mark("1"), &mark("0"), ""),
        Some(mark("0"))
    );
    assert_eq!(
        clean(Kind::ExtendedStates, &mark("0"), "", &mark("1")),
        Some(mark("1"))
    );
    assert_eq!(
        clean(Kind::ExtendedStates, &mark("1"), &mark("1"), ""),
        None
    );
}

#[test]
fn debconf_owners_are_a_set_and_answers_are_not() {
    let question = |owners: &str, value: &str| {
        format!("Name: x/y\nTemplate: x/y\nValue: {value}\nOwners: {owners}\n\n")
    };
    let merged = clean(
        Kind::DebconfDatabase,
        &question("a, b", "1"),
        &question("a, b, c", "1"),
        &question("a", "2"),
    );
    assert_eq!(merged.unwrap(), question("a, c", "2"));
    let told = conflicts(
        Kind::DebconfDatabase,
        &question("a", "secret1"),
        &question("a", "secret2"),
        &question("a", "secret3"),
    );
    assert_eq!(
        told,
        ["debconf question x/y: another answer / another answer"]
    );
}

#[test]
fn diversions_are_three_lines_each() {
    let one = "/bin/a\n/bin/a.dist\nx\n";
    let two = "/bin/b\n/bin/b.dist\n:\n";
    let both = format!("{one}{two}");
    assert_eq!(
        clean(Kind::Diversions, one, &both, ""),
        Some(two.to_owned())
    );
    assert_eq!(
        conflicts(
            Kind::Diversions,
            one,
            "/bin/a\n/bin/a.mine\n:\n",
            "/bin/a\n/bin/a.old\nx\n"
        ),
        ["diversion of /bin/a: /bin/a.mine by : / /bin/a.old by x"]
    );
    let cut = merge(Kind::Diversions, sides(one, &both, "/bin/a\n/bin/x\n"));
    assert!(cut.unwrap_err().to_string().contains("multiple of three"));
}

#[test]
fn lines_are_found_by_their_path() {
    let merged = clean(
        Kind::StatOverrides,
        "root adm 0640 /a\nroot root 4755 /b\n",
        "root adm 0640 /a\nroot root 4755 /b\nanna anna 0600 /with blank\n",
        "root root 4755 /b\n",
    );
    assert_eq!(
        merged.unwrap(),
        "root root 4755 /b\nanna anna 0600 /with blank\n"
    );
    // A word may be empty: the path is the fourth, as dpkg counts.
    assert_eq!(
        conflicts(
            Kind::StatOverrides,
            "root adm 0640 /b\n",
            "root adm 0640 /a\n",
            "root  0600 /a\n"
        ),
        ["stat override of /a: root adm 0640 /a / root  0600 /a"]
    );
    assert_eq!(
        conflicts(Kind::UcfHashes, "1  /etc/a\n", "2  /etc/a\n", "3  /etc/a\n"),
        ["ucf's hash of /etc/a: 2  /etc/a / 3  /etc/a"]
    );
    let shells = clean(
        Kind::LineSet,
        "# x\n/bin/sh\n/bin/zsh\n",
        "# x\n/bin/sh\n/bin/zsh\n/bin/fish\n",
        "# x\n/bin/sh\n",
    );
    assert_eq!(shells.unwrap(), "# x\n/bin/sh\n/bin/fish\n");
    // A last line without an end gets one when something follows it.
    assert_eq!(
        clean(Kind::LineSet, "a\n", "a\nb", "a\nc\n").unwrap(),
        "a\nc\nb"
    );
}

const ROOT: &str = "root:x:0:0:root:/root:/bin/bash\n";

#[test]
fn an_account_goes_and_a_later_one_stays() {
    let service = "postgres:x:105:113::/var/lib/postgresql:/bin/bash\n";
    let later = "anna:x:1000:1000:Anna:/home/anna:/bin/bash\n";
    let merged = clean(
        Kind::Passwd,
        &[ROOT, service].concat(),
        &[ROOT, service, later].concat(),
        ROOT,
    );
    assert_eq!(merged.unwrap(), [ROOT, later].concat());
}

#[test]
fn fields_of_an_account_are_merged_one_by_one() {
    let user = |gecos: &str, shell: &str| format!("anna:x:1000:1000:{gecos}:/home/anna:{shell}\n");
    let merged = clean(
        Kind::Passwd,
        &user("Anna", "/bin/bash"),
        &user("Anna B", "/bin/bash"),
        &user("Anna", "/bin/sh"),
    );
    assert_eq!(merged.unwrap(), user("Anna B", "/bin/sh"));
    assert_eq!(
        conflicts(
            Kind::Passwd,
            &user("Anna", "/bin/bash"),
            &user("Anna", "/bin/zsh"),
            &user("Anna", "/bin/sh"),
        ),
        [
            "user anna: anna:***:1000:1000:Anna:/home/anna:/bin/zsh / anna:***:1000:1000:Anna:/home/anna:/bin/sh"
        ]
    );
}

#[test]
fn an_old_password_never_comes_back() {
    let entry = |password: &str, change: &str| format!("anna:{password}:{change}:0:99999:7:::\n");
    let merged = clean(
        Kind::Shadow,
        &entry("$y$two", "20000"),
        &entry("!$y$three", "20010"),
        &entry("$y$one", "19000"),
    );
    assert_eq!(merged.unwrap(), entry("!$y$three", "20010"));
}

#[test]
fn members_are_a_set() {
    let group = |members: &str| format!("docker:x:990:{members}\n");
    let merged = clean(Kind::Group, &group("a,b"), &group("a,b,c"), &group("b,d"));
    assert_eq!(merged.unwrap(), group("b,c,d"));
    let shadow = |admins: &str, members: &str| format!("docker:!:{admins}:{members}\n");
    let merged = clean(
        Kind::GroupShadow,
        &shadow("", "a"),
        &shadow("x", "a"),
        &shadow("", ""),
    );
    assert_eq!(merged.unwrap(), shadow("x", ""));
}

#[test]
fn an_id_is_never_given_to_a_second_name() {
    let service = "gone:x:105:105::/:/bin/false\n";
    let taker = "taker:x:105:106::/:/bin/false\n";
    assert_eq!(
        conflicts(
            Kind::Passwd,
            ROOT,
            &[ROOT, taker].concat(),
            &[ROOT, service].concat()
        ),
        ["user gone: taker has its id 105 / id 105"]
    );
    assert_eq!(
        conflicts(
            Kind::SubordinateIds,
            "a:100000:65536\n",
            "a:100000:65536\nc:165536:65536\n",
            "a:100000:65536\nb:200000:65536\n",
        ),
        ["range b:200000:65536: c:165536:65536 overlaps / b:200000:65536"]
    );
}

#[test]
fn a_renamed_account_gets_its_name_back() {
    let user = |name: &str| format!("{name}:x:105:105::/:/bin/false\n");
    let later = format!("{ROOT}{}anna:x:1000:1000::/:/bin/sh\n", user("new"));
    let merged = clean(
        Kind::Passwd,
        &[ROOT, &user("new")].concat(),
        &later,
        &[ROOT, &user("old")].concat(),
    );
    assert_eq!(
        merged.unwrap(),
        format!("{ROOT}{}anna:x:1000:1000::/:/bin/sh\n", user("old"))
    );
}

#[test]
fn what_is_no_account_is_refused() {
    let error = merge(Kind::Passwd, sides(ROOT, "root\n", "x:x:1:1:::\n")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot merge accounts: `root` is no entry"
    );
    assert!(merge(Kind::SubordinateIds, sides("a:1:1\n", "a:1:2\n", "a:x:1\n")).is_err());
}

fn alternative(mode: &str, choices: &[(&str, u32)]) -> String {
    let mut text =
        format!("{mode}\n/usr/bin/editor\neditor.1.gz\n/usr/share/man/man1/editor.1.gz\n\n");
    for (path, priority) in choices {
        text.push_str(&format!("{path}\n{priority}\n\n"));
    }
    text.push('\n');
    text
}

#[test]
fn choices_of_an_alternative_come_and_go() {
    let merged = clean(
        Kind::Alternative,
        &alternative("auto", &[("/bin/nano", 40), ("/usr/bin/vim", 30)]),
        &alternative(
            "manual",
            &[
                ("/bin/nano", 40),
                ("/usr/bin/emacs", 0),
                ("/usr/bin/vim", 30),
            ],
        ),
        &alternative("auto", &[("/bin/nano", 40)]),
    );
    assert_eq!(
        merged.unwrap(),
        alternative("manual", &[("/bin/nano", 40), ("/usr/bin/emacs", 0)])
    );
    let vim = |priority| alternative("auto", &[("/usr/bin/vim", priority)]);
    assert_eq!(
        conflicts(Kind::Alternative, &vim(30), &vim(31), &vim(32)),
        ["choice /usr/bin/vim: priority 31 / priority 32"]
    );
    let error = merge(
        Kind::Alternative,
        sides(&vim(1), &vim(2), "auto\n/usr/bin/x\n"),
    );
    assert!(error.unwrap_err().to_string().contains("it ends before"));
}

#[test]
fn text_is_merged_by_lines() {
    let merged = clean(
        Kind::File,
        "a\nb\nc\nd\ne\n",
        "a\nb\nc\nd\nE\n",
        "A\nb\nc\nd\ne\n",
    );
    assert_eq!(merged.unwrap(), "A\nb\nc\nd\nE\n");
    let told = conflicts(Kind::File, "a\nb\nc\n", "a\nmine\nc\n", "a\nother\nc\n");
    assert_eq!(told, ["line 2: 1 line / 1 line"]);
    let binary = merge(
        Kind::File,
        Sides {
            ancestor: Some(b"\0a"),
            mine: Some(b"\0b"),
            other: Some(b"\0cc"),
        },
    );
    let binary = binary.unwrap();
    assert_eq!(binary.content.unwrap(), b"\0b");
    assert_eq!(binary.conflicts[0].what, "the whole file");
}

#[test]
fn an_id_that_one_side_moved_to_and_the_other_gives_anew_is_a_conflict() {
    let (moved, shell) = ("a:x:7:5::/:/bin/sh\n", "a:x:5:5::/:/bin/bash\n");
    assert_eq!(
        conflicts(
            Kind::Passwd,
            "a:x:5:5::/:/bin/sh\n",
            moved,
            &format!("{shell}b:x:7:7::/:/bin/sh\n"),
        ),
        ["user a: b has its id 7 / id 7"]
    );
}

#[test]
fn a_name_that_one_side_did_not_know_stays_linked_for_what_came_later() {
    let (one, both) = (
        alternative("auto", &[("/bin/a", 1)]),
        alternative("manual", &[("/bin/a", 1), ("/bin/b", 2)]),
    );
    assert_eq!(
        clean(Kind::Alternative, &one, &both, "").unwrap(),
        alternative("manual", &[("/bin/b", 2)])
    );
    // Gone now: what comes back comes back whole.
    assert_eq!(
        clean(Kind::Alternative, &one, "", &both).unwrap(),
        alternative("manual", &[("/bin/b", 2)])
    );
}

#[test]
fn a_slave_goes_with_the_last_choice_that_has_it() {
    let head = "auto\n/usr/bin/x\nx.1\n/usr/share/x.1\n\n";
    let (with, without) = ("/bin/a\n1\n/share/a.1\n", "/bin/b\n2\n");
    let mine = format!("{head}{with}{without}\n\n");
    assert_eq!(
        clean(Kind::Alternative, &format!("{head}{with}\n"), &mine, "").unwrap(),
        format!("auto\n/usr/bin/x\n\n{without}\n")
    );
}
