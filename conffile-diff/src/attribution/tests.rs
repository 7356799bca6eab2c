//! Each case is what a real installation on Debian 13 does, cut down to what decides it;
//! `examples/attribute.rs` judges whole ones.

use proptest::prelude::*;

use super::*;

fn package(name: &str, source: &str, paths: &[&str], text: &str) -> PackageFacts {
    PackageFacts {
        name: name.into(),
        source: (!source.is_empty()).then(|| source.into()),
        paths: paths.iter().map(|path| path.as_bytes().to_vec()).collect(),
        texts: vec![text.as_bytes().to_vec()],
        ..PackageFacts::default()
    }
}

/// Judges lines of `A`, `R` or `M`, `d` or `-`, and the path.
fn judge(attribution: &Attribution, lines: &[&str]) -> Vec<Verdict> {
    let changed: Vec<ChangedPath<'_>> = lines
        .iter()
        .map(|line| ChangedPath {
            path: &line.as_bytes()[3..],
            change: match line.as_bytes()[0] {
                b'A' => Change::Added,
                b'R' => Change::Removed,
                _ => Change::Modified,
            },
            directory: line.as_bytes()[1] == b'd',
        })
        .collect();
    attribution.judge(&changed)
}

#[track_caller]
fn all_attributed(attribution: &Attribution, lines: &[&str]) {
    for (line, verdict) in lines.iter().zip(judge(attribution, lines)) {
        assert!(verdict.is_attributed(), "{line} is not attributed");
    }
}

#[track_caller]
fn none_attributed(attribution: &Attribution, lines: &[&str]) {
    for (line, verdict) in lines.iter().zip(judge(attribution, lines)) {
        assert_eq!(verdict, Verdict::ChangedMeanwhile, "{line}");
    }
}

fn alone(packages: Vec<PackageFacts>) -> Attribution {
    // Every machine has packages that share the hierarchy's directories.
    let hierarchy = "/.\n/etc\n/etc/default\n/etc/systemd\n/etc/systemd/system\n/usr\n/usr/bin\n/var\n/var/lib\n/var/cache\n/var/spool\n";
    Attribution::new(packages, [hierarchy])
}

#[test]
fn a_web_server_with_the_sites_it_enables() {
    let nginx = package(
        "nginx-common",
        "nginx",
        &[
            "/.",
            "/etc",
            "/etc/nginx",
            "/etc/nginx/sites-enabled",
            "/lib/systemd/system/nginx.service",
            "/var/lib/nginx",
        ],
        "ln -s ../sites-available/default /etc/nginx/sites-enabled/default\ncp /usr/share/nginx/html/index.html /var/www/html/index.nginx-debian.html\n",
    );
    let attribution = alone(vec![nginx]);
    all_attributed(
        &attribution,
        &[
            "Ad /etc/nginx",
            "Ad /etc/nginx/sites-enabled",
            "A- /etc/nginx/sites-enabled/default",
            "A- /usr/lib/systemd/system/nginx.service",
            "Ad /var/www",
            "Ad /var/www/html",
            "A- /var/www/html/index.nginx-debian.html",
            "Ad /var/lib/nginx",
            "Ad /var/lib/nginx/body",
            "A- /etc/systemd/system/multi-user.target.wants/nginx.service",
            "A- /var/lib/systemd/deb-systemd-helper-enabled/nginx.service.dsh-also",
            "A- /etc/rc2.d/S01nginx",
        ],
    );
    // At an upgrade the directories were there, and still only nginx owns them.
    all_attributed(&attribution, &["M- /etc/nginx/sites-enabled/default"]);
}

#[test]
fn a_database_server_with_the_cluster_it_makes() {
    let common = package(
        "postgresql-common",
        "",
        &[
            "/etc/postgresql",
            "/etc/postgresql-common",
            "/var/lib/postgresql",
        ],
        "pg_createcluster",
    );
    all_attributed(
        &alone(vec![package("postgresql-17", "", &[], ""), common]),
        &[
            "Ad /etc/postgresql",
            "Ad /etc/postgresql/17",
            "Ad /etc/postgresql/17/main",
            "Ad /etc/postgresql/17/main/conf.d",
            "A- /etc/postgresql/17/main/postgresql.conf",
            "Ad /var/lib/postgresql",
            "Ad /var/lib/postgresql/17",
            "A- /var/lib/postgresql/17/main/base/1/1255",
            "A- /etc/ssl/private/ssl-cert-snakeoil.key",
            "A- /etc/ssl/certs/2e5ac55d.0",
            "M- /etc/passwd",
            "A- /etc/group-",
        ],
    );
}

#[test]
fn a_secure_shell_with_its_keys_and_its_alias() {
    let server = package(
        "openssh-server",
        "openssh",
        &["/etc/ssh", "/etc/pam.d/sshd"],
        "create_key \"Creating SSH2 RSA key\" \"$hostkeys\" /etc/ssh/ssh_host_rsa_key -t rsa",
    );
    // The client owns /etc/ssh too, and is no part of the transaction.
    let attribution = Attribution::new(vec![server], ["/etc\n/etc/ssh\n"]);
    all_attributed(
        &attribution,
        &[
            "A- /etc/ssh/ssh_host_rsa_key",
            "A- /etc/ssh/ssh_host_rsa_key.pub",
            "A- /etc/pam.d/sshd.dpkg-new",
            "A- /etc/systemd/system/sshd.service",
            "A- /var/lib/systemd/deb-systemd-helper-enabled/sshd.service",
            "M- /etc/shadow",
        ],
    );
    none_attributed(
        &attribution,
        &["A- /etc/ssh/my_key", "A- /etc/systemd/system/sshd.service"],
    );
}

#[test]
fn a_mail_server_that_generates_its_configuration() {
    let config = package(
        "exim4-config",
        "exim4",
        &["/etc/exim4", "/etc/exim4/conf.d"],
        "echo $name > /etc/mailname; touch /etc/exim4/passwd.client",
    );
    let base = package(
        "exim4-base",
        "exim4",
        &["/var/lib/exim4", "/var/spool/exim4"],
        "",
    );
    let attribution = alone(vec![config, base]);
    all_attributed(
        &attribution,
        &[
            "A- /etc/mailname",
            "A- /etc/aliases",
            "A- /etc/exim4/update-exim4.conf.conf",
            "A- /etc/exim4/passwd.client",
            "M- /var/lib/exim4/config.autogenerated",
            "Ad /var/spool/exim4/db",
            "A- /var/cache/debconf/config.dat-old",
        ],
    );
}

#[test]
fn kernels_modules_and_what_they_make() {
    let image = package(
        "linux-image-6.12.1-amd64",
        "linux-signed-amd64",
        &["/boot/vmlinuz-6.12.1-amd64", "/lib/modules/6.12.1-amd64"],
        "",
    );
    all_attributed(
        &alone(vec![image]),
        &[
            "A- /boot/vmlinuz-6.12.1-amd64",
            "A- /boot/initrd.img-6.12.1-amd64",
            "A- /vmlinuz",
            "A- /initrd.img",
            "M- /initrd.img.old",
            "A- /usr/lib/modules/6.12.1-amd64/modules.dep.bin",
            "A- /usr/lib/modules/6.12.1-amd64/updates/dkms/v4l2loopback.ko.xz",
            "Ad /var/lib/dkms/v4l2loopback/0.13",
            "A- /var/lib/initramfs-tools/6.12.1-amd64",
        ],
    );
}

#[test]
fn caches_time_zones_locales_and_python() {
    let locales = package("locales", "glibc", &["/etc/locale.alias"], "");
    let tzdata = package(
        "tzdata",
        "",
        &[],
        "echo $ZONE > /etc/timezone; ln -sf x /etc/localtime",
    );
    all_attributed(
        &alone(vec![locales, tzdata]),
        &[
            "M- /etc/ld.so.cache",
            "M- /usr/lib/locale/locale-archive",
            "M- /etc/default/locale",
            "A- /etc/locale.gen",
            "M- /etc/timezone",
            "M- /etc/localtime",
            "Ad /usr/lib/python3/dist-packages/yaml/__pycache__",
            "A- /usr/lib/python3/dist-packages/yaml/__pycache__/x.cpython-313.pyc",
            "M- /var/lib/dpkg/status",
            "M- /var/lib/apt/extended_states",
            "M- /etc/alternatives/editor",
            "M- /usr/lib/udev/hwdb.bin",
            "M- /var/lib/systemd/catalog/database",
        ],
    );
}

#[test]
fn what_people_did_meanwhile_stays_theirs() {
    let sudo = package(
        "sudo",
        "",
        &["/etc/sudoers", "/etc/sudoers.d", "/etc/sudoers.d/README"],
        "",
    );
    let apt = package(
        "apt",
        "",
        &["/etc/apt", "/etc/apt/sources.list.d", "/var/lib/apt"],
        "",
    );
    let cron = package("cron", "", &["/etc/cron.d"], "");
    let systemd = package("systemd", "", &["/etc/systemd/system", "/etc/systemd"], "");
    let files = package(
        "base-files",
        "",
        &[
            "/root",
            "/srv",
            "/opt",
            "/usr/local",
            "/var/local",
            "/etc/motd",
        ],
        "",
    );
    none_attributed(
        &alone(vec![sudo, apt, cron, systemd, files]),
        &[
            "A- /etc/sudoers.d/anna",
            "A- /etc/apt/sources.list.d/other.sources",
            "M- /etc/apt/sources.list",
            "A- /etc/cron.d/nightly",
            "A- /etc/systemd/system/mine.service",
            "M- /etc/hosts",
            "M- /etc/fstab",
            "A- /etc/myapp.conf",
            "Ad /etc/myapp",
            "A- /etc/myapp/settings",
            "A- /root/notes",
            "A- /srv/www/index.html",
            "A- /opt/tool/run",
            "A- /usr/local/bin/run",
            "A- /var/local/x",
            "A- /var/lib/myapp/data",
        ],
    );
}

#[test]
fn an_unrelated_package_claims_nothing_of_another() {
    let jq = package("jq", "", &["/usr/bin/jq", "/etc"], "");
    none_attributed(
        &alone(vec![jq]),
        &[
            "M- /etc/nginx/nginx.conf",
            "A- /etc/nginx/sites-available/shop",
            "M- /var/lib/postgresql/17/main/base/1/2",
            // `jq` is no beginning of a word here.
            "M- /etc/jqueue",
        ],
    );
}

#[test]
fn names_of_packages_end_where_words_end() {
    let attribution = alone(vec![
        package("ed", "", &[], ""),
        package("exim4-base", "exim4", &[], ""),
    ]);
    none_attributed(
        &attribution,
        &["M- /etc/editor", "M- /etc/exim", "M- /home/exim4"],
    );
    all_attributed(
        &attribution,
        &[
            "M- /etc/ed",
            "M- /etc/exim4",
            "M- /var/lib/exim4/x",
            "M- /var/cache/exim4.db",
            "M- /etc/x/exim4-lists",
        ],
    );
}

#[test]
fn a_directory_that_holds_only_attributed_paths_goes_with_them() {
    let tool = package(
        "tool",
        "",
        &[],
        "tool-setup --state=/var/opt/acme/state/x --more=/var/opt/acme/log",
    );
    let attribution = alone(vec![tool]);
    let verdicts = judge(
        &attribution,
        &[
            "Ad /etc/acme",
            "A- /etc/acme/tool.conf",
            "Ad /etc/mixed",
            "A- /etc/mixed/tool.conf",
            "A- /etc/mixed/mine",
        ],
    );
    assert_eq!(
        verdicts[0],
        Verdict::Attributed(Reason::HoldsOnlyAttributed)
    );
    assert!(verdicts[1].is_attributed());
    assert_eq!(verdicts[2], Verdict::ChangedMeanwhile);
    assert!(verdicts[3].is_attributed());
    assert_eq!(verdicts[4], Verdict::ChangedMeanwhile);
}

#[test]
fn a_triggered_package_lends_its_scripts_only() {
    let mut triggered = package(
        "fancy-index",
        "",
        &["/etc/fancy"],
        "update /var/lib/fancy-db/index",
    );
    triggered.triggered = true;
    let attribution = alone(vec![triggered]);
    all_attributed(&attribution, &["M- /var/lib/fancy-db/index"]);
    none_attributed(&attribution, &["M- /etc/fancy", "M- /etc/fancy-index.conf"]);
    let mut files = package("base-files", "", &[], "update_profile /etc/profile");
    files.triggered = true;
    none_attributed(&alone(vec![files.clone()]), &["M- /etc/profile"]);
    files.triggered = false;
    all_attributed(&alone(vec![files]), &["M- /etc/profile"]);
}

#[test]
fn reading_a_file_is_not_writing_it() {
    let postfix = package(
        "postfix",
        "",
        &[],
        "name=$(cat /etc/hostname); grep -q x /etc/hosts",
    );
    let attribution = alone(vec![postfix]);
    none_attributed(&attribution, &["M- /etc/hostname", "M- /etc/hosts"]);
    all_attributed(&attribution, &["A- /etc/hosts"]);
}

#[test]
fn conffiles_and_reasons_are_named() {
    let mut conf = package("tp", "", &["/etc/tp.conf"], "");
    conf.conffiles = vec![b"/etc/tp.conf".to_vec()];
    let attribution = alone(vec![conf]);
    let reason = |line: &str| judge(&attribution, &[line]).remove(0);
    let conffile = Verdict::Attributed(Reason::Conffile {
        package: "tp".into(),
    });
    assert_eq!(reason("M- /etc/tp.conf"), conffile);
    assert_eq!(reason("A- /etc/tp.conf.dpkg-old"), conffile);
    assert_eq!(
        reason("M- /usr/share/x"),
        Verdict::Attributed(Reason::Distribution)
    );
}

proptest! {
    #[test]
    fn never_panics(paths in prop::collection::vec("(/(etc|usr|var|lib|systemd|system|a|\\.d|b\\.d|tool)){1,5}/?", 0..20), text in prop::collection::vec(any::<u8>(), 0..100), kinds in prop::collection::vec((0..3u8, any::<bool>()), 20)) {
        let mut tool = package("tool", "t", &["/etc/a", "/var/lib/tool"], "");
        tool.texts.push(text);
        let attribution = alone(vec![tool]);
        let changed: Vec<ChangedPath<'_>> = paths.iter().zip(&kinds).map(|(path, (kind, directory))| ChangedPath {
            path: path.as_bytes(),
            change: [Change::Added, Change::Removed, Change::Modified][usize::from(*kind)],
            directory: *directory,
        }).collect();
        let verdicts = attribution.judge(&changed);
        prop_assert_eq!(verdicts.len(), changed.len());
        // The order in which paths are given decides nothing.
        let mut backwards = changed.clone();
        backwards.reverse();
        let mut again = attribution.judge(&backwards);
        again.reverse();
        let same: Vec<bool> = again.iter().map(Verdict::is_attributed).collect();
        let distinct = paths.iter().collect::<std::collections::HashSet<_>>().len() == paths.len();
        if distinct {
            prop_assert_eq!(verdicts.iter().map(Verdict::is_attributed).collect::<Vec<_>>(), same);
        }
    }
}
