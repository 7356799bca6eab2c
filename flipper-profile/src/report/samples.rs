//! One sample of each report, for the tests of rendering and of the schemas.

use serde_json::json;

use super::base::{Added, Base, Bases, Removed};
use super::blame::{self, Blame};
use super::change::{Change, Diff, TextDiff};
use super::forget::Forgotten;
use super::pool::{Checked, Collected, Created, Format, Info, Problem, Tool, Upgraded};
use super::profile::{Done, Profile, Profiles, Row, Unreadable};
use super::recover::{Action, Recovered};
use super::restore::Restored;
use super::retention::{Pruned, Sizes};
use super::status::{Space, Status, Waiting};
use super::transaction::{Acknowledged, Package, Pinned, Shown, Transaction};
use super::undo::{Item, Services, Undone};
use crate::output::encode::JsonPath;

const STARTED: &str = "2026-11-21T09:03:01Z";
const LATER: &str = "2026-11-21T10:00:00Z";

pub fn pool_info() -> Info {
    Info {
        path: JsonPath::new(b"demo.img"),
        device: "/dev/loop0".into(),
        pool: "7d1a4c1e-0000-4000-8000-000000000001".into(),
        filesystem: "7d1a4c1e-0000-4000-8000-000000000002".into(),
        created: STARTED.into(),
        inode_floor: 1 << 20,
        size: 8 << 30,
        free: 13 << 29,
        bases: 1,
        current_base: Some("13.2".into()),
        profiles: 2,
        transactions: 14,
        snapshots: sizes(),
        format: Format {
            version: 1,
            compatible: vec!["a".into()],
            read_only_compatible: vec!["b".into()],
            incompatible: vec!["c".into()],
        },
        read_only_because: Vec::new(),
        shown: "demo.img".into(),
    }
}

pub fn pool_created() -> Created {
    Created {
        path: JsonPath::new(b"demo\xff.img"),
        pool: "7d1a4c1e-0000-4000-8000-000000000001".into(),
        filesystem: "7d1a4c1e-0000-4000-8000-000000000002".into(),
        inode_floor: 1 << 20,
        shown: "demo.img".into(),
    }
}

pub fn upgraded() -> Upgraded {
    let base = Tool {
        place: "base 13.2".into(),
        version: Some("0.1.0".into()),
    };
    let profile = Tool {
        place: "profile tv".into(),
        version: None,
    };
    Upgraded {
        features: vec!["a".into()],
        readers: vec![base.clone()],
        tools: vec![base, profile],
        changed: true,
    }
}

pub fn collected() -> Collected {
    Collected {
        collected: vec!["what transaction 5 deleted or replaced".into()],
        kept: vec!["trash x".into()],
        dry_run: true,
        pruned: pruned(),
        until_free: vec![Pruned {
            transaction: 4,
            rule: "keep-free",
            ..pruned().remove(0)
        }],
        frees: Some(Sizes {
            transactions: 2,
            bytes: 12 << 20,
            unknown: 0,
        }),
        free: 1 << 29,
        to_stay_free: (8 << 30) / 10,
    }
}

fn sizes() -> Sizes {
    Sizes {
        transactions: 3,
        bytes: 40 << 20,
        unknown: 1,
    }
}

pub fn pruned() -> Vec<Pruned> {
    vec![Pruned {
        profile: "k3j2h1g0".into(),
        profile_name: "tv".into(),
        transaction: 3,
        rule: "keep-most",
    }]
}

pub fn pool_check() -> Checked {
    Checked {
        what: "the pool demo.img".into(),
        problems: vec![Problem {
            situation: "inode-floor".into(),
            message: "@profiles/k3j2h1g0 has inode 300 below the floor".into(),
            path: Some(JsonPath::new(b"@profiles/k3j2h1g0")),
            hint: Some("clone the profile".into()),
        }],
    }
}

pub fn base() -> Base {
    Base {
        version: "13.2".into(),
        uuid: "7d1a4c1e-0000-4000-8000-000000000003".into(),
        tree_hash: "sha256:00ff".into(),
        highest_inode: 30_000,
        architecture: "amd64".into(),
        release: "trixie".into(),
        added: STARTED.into(),
        source: json!({"how": "bootstrap", "suite": "trixie", "include": ["ssh", "vim"], "mirror": null}),
        entries: 31_000,
        size: 402 << 20,
        current: true,
        needed_by: vec!["profile tv".into()],
    }
}

pub fn bases() -> Bases {
    Bases {
        bases: vec![base()],
    }
}

pub fn base_added() -> Added {
    Added { base: base() }
}

pub fn base_removed() -> Removed {
    Removed {
        version: "13.1".into(),
    }
}

pub fn done() -> Done {
    Done {
        id: "k3j2h1g0".into(),
        name: "tv".into(),
        base: "13.2".into(),
        transaction: Some(14),
        sentence: "Created the profile 'tv'.".into(),
    }
}

pub fn acknowledged() -> Acknowledged {
    Acknowledged {
        acknowledged: vec![12, 13],
    }
}

pub fn blame() -> Blame {
    let mut packages = shown().packages;
    packages.truncate(1);
    Blame {
        path: JsonPath::new(b"/etc/nginx/nginx.conf"),
        kind: Some("file"),
        source: "transaction",
        owners: vec![blame::Owner {
            name: "nginx".into(),
            architecture: None,
            version: Some("1.26.3-3".into()),
        }],
        last: Some(blame::Last {
            transaction: transaction(),
            change: change(b"/etc/nginx/nginx.conf", "added"),
            packages,
        }),
        after: None,
        before: None,
        unprotected: Vec::new(),
        state_path: None,
        going_on: Vec::new(),
        base: "13.2".into(),
        name: b"/etc/nginx/nginx.conf".to_vec(),
    }
}

pub fn unsettled_blame() -> Blame {
    Blame {
        path: JsonPath::new(b"/etc/x\xff"),
        kind: None,
        source: "outside",
        owners: Vec::new(),
        last: None,
        after: Some(12),
        before: Some(14),
        unprotected: vec![13],
        state_path: Some("/var/log".into()),
        going_on: vec![15],
        base: "13.2".into(),
        name: b"/etc/x\xff".to_vec(),
    }
}

pub fn restored() -> Restored {
    Restored {
        transaction: Some(14),
        path: JsonPath::new(b"/etc/nginx"),
        from: 12,
        snapshot: "12-pre".into(),
        mode: "staged",
        check: false,
        nothing: false,
        brought: 1,
        replaced: vec![item(b"/etc/nginx/nginx.conf", "content")],
        removed: vec![item(b"/etc/nginx/mine\xff", "file")],
        kept: Vec::new(),
        not_live: Vec::new(),
        services: Services {
            restarted: vec!["nginx.service".into()],
            ..Services::default()
        },
        notes: vec!["/etc/nginx/nginx.conf of nginx: from its version 1, while 2 is installed; dpkg does not know".into()],
        name: b"/etc/nginx".to_vec(),
    }
}

pub fn forgotten() -> Forgotten {
    Forgotten {
        path: JsonPath::new(b"/etc/secret"),
        snapshots: vec!["12-post".into(), "13-pre".into()],
        linked: vec!["12-post".into()],
        transaction: Some(14),
        name: b"/etc/secret".to_vec(),
    }
}

pub fn pinned() -> Pinned {
    Pinned {
        transaction: 12,
        command: "apt install nginx".into(),
        pinned: true,
        changed: true,
    }
}

pub fn profile() -> Profile {
    Profile {
        id: "k3j2h1g0".into(),
        name: "tv".into(),
        kind: "user".into(),
        base: "13.2".into(),
        origin: json!({"how": "cloned", "from": "a1b2c3d4", "name": "router"}),
        created: STARTED.into(),
        modified: LATER.into(),
        description: "the box below the screen".into(),
        policies: [("home".to_owned(), json!("shared"))].into(),
        size: 3 << 29,
        state_size: 12 << 20,
        snapshots: sizes(),
        transactions: 3,
        last_command: Some("apt install nginx".into()),
        in_use: Some("it is entered".into()),
    }
}

pub fn profiles() -> Profiles {
    Profiles {
        profiles: vec![Row {
            id: "k3j2h1g0".into(),
            name: "tv".into(),
            kind: "user".into(),
            base: "13.2".into(),
            created: STARTED.into(),
            description: String::new(),
            transactions: 3,
            last_command: Some("apt install nginx".into()),
        }],
        unreadable: vec![Unreadable {
            id: "zzzzzzzz".into(),
            message: "profile.json ends too early".into(),
        }],
    }
}

pub fn transaction() -> Transaction {
    Transaction {
        number: 12,
        state: "done".into(),
        kind: "apt".into(),
        command: "apt install nginx".into(),
        user: Some("alice".into()),
        uid: Some(1000),
        front_end: "apt".into(),
        profile: "k3j2h1g0".into(),
        base: "13.2".into(),
        started: STARTED.into(),
        ended: Some("2026-11-21T09:03:09Z".into()),
        pre: Some("12-pre".into()),
        post: Some("12-post".into()),
        undoes: None,
        undone_by: None,
        problem: None,
        reason: None,
        attention: false,
        noticed: vec!["vim was marked manual".into()],
        packages_changed: 2,
        pinned: false,
        files_gone: None,
    }
}

pub fn failed_transaction() -> Transaction {
    Transaction {
        number: 13,
        state: "failed".into(),
        kind: "dpkg".into(),
        command: "dpkg -i bad.deb".into(),
        user: None,
        uid: None,
        front_end: "dpkg".into(),
        started: LATER.into(),
        ended: None,
        pre: None,
        post: None,
        undoes: Some(1),
        undone_by: Some(2),
        problem: Some("bad:all is half-configured".into()),
        reason: Some("the journal was locked".into()),
        attention: true,
        noticed: Vec::new(),
        packages_changed: 0,
        ..transaction()
    }
}

pub fn shown() -> Shown {
    let package = |name: &str, action: &str| Package {
        name: name.into(),
        architecture: "amd64".into(),
        action: action.into(),
        old_version: None,
        new_version: Some("1.26.3-3".into()),
        auto_before: None,
        auto_after: Some(false),
        status_after: None,
    };
    Shown {
        transaction: transaction(),
        profile_name: Some("tv".into()),
        packages: vec![
            package("nginx", "install"),
            Package {
                old_version: Some("2.41-11".into()),
                new_version: Some("2.41-12".into()),
                auto_before: Some(true),
                auto_after: Some(true),
                ..package("libc6", "upgrade")
            },
        ],
        frees: Some(3 << 20),
        changes: Some(vec![
            change(b"/etc/nginx/nginx.conf", "added"),
            change(b"/var/lib/dpkg/sta\ntus\xff", "modified"),
        ]),
    }
}

fn change(name: &[u8], change: &'static str) -> Change {
    Change {
        before: (change != "added").then_some("file"),
        after: (change != "removed").then_some("file"),
        attribution: Some("shipped by nginx".into()),
        ..Change::new(name.to_vec(), change, Vec::new())
    }
}

pub fn diff() -> Diff {
    let unified =
        b"--- 12-pre/etc/motd\n+++ 12-post/etc/motd\n@@ -1 +1 @@\n-caf\xe9\n+caf\xc3\xa9\x1b[2J\n";
    Diff {
        transaction: 12,
        last: 12,
        changes: vec![
            Change {
                details: vec!["mode 0644 -> 0600".into()],
                diff: Some(TextDiff::new(unified.to_vec())),
                ..change(b"/etc/motd", "modified")
            },
            change(b"/usr/lib/x", "removed"),
        ],
    }
}

pub fn recovered() -> Recovered {
    Recovered {
        actions: vec![
            Action::of_change(
                "finished",
                "replace of profile k3j2h1g0 (transaction 12)".into(),
            ),
            Action::of_transaction("recorded as interrupted", 13),
        ],
        left: Vec::new(),
        pruned: pruned(),
    }
}

pub fn quiet_status() -> Status {
    Status {
        profile: "k3j2h1g0".into(),
        profile_name: "tv".into(),
        base: "13.2".into(),
        mode: Some("entered".into()),
        in_use: Some("it is entered".into()),
        last: Some(transaction()),
        open: Vec::new(),
        unprotected: Vec::new(),
        interrupted: Vec::new(),
        failed: Vec::new(),
        pending: Vec::new(),
        waiting: None,
        size: 8 << 30,
        free: 13 << 29,
        space: Space {
            to_stay_free: (8 << 30) / 10,
            short: false,
            old_snapshots: 0,
        },
    }
}

pub fn status() -> Status {
    Status {
        unprotected: vec![failed_transaction()],
        pending: vec!["undo of transaction 9 was interrupted".into()],
        waiting: Some(Waiting {
            transactions: vec![8],
            command: "flipper-profile undo 8 --next-start".into(),
            asked: "2026-11-20 10:00:00 UTC".into(),
            dropped: None,
        }),
        ..quiet_status()
    }
}

fn item(name: &[u8], reason: &str) -> Item {
    Item {
        path: JsonPath::new(name),
        transactions: Vec::new(),
        reason: reason.into(),
        name: name.to_vec(),
    }
}

pub fn undone() -> Undone {
    Undone {
        verb: "undo",
        transaction: Some(14),
        undoes: 12,
        taken_back: vec![12],
        command: "apt install nginx".into(),
        mode: Some("live"),
        check: false,
        restored: 120,
        merged: Vec::new(),
        kept: Vec::new(),
        meanwhile: vec![item(b"/etc/mot\nd", "written by another program")],
        conflicts: Vec::new(),
        not_live: Vec::new(),
        left_behind: vec![item(b"/var/lib/mysql", "data of mariadb-server")],
        held: vec!["libnginx".into()],
        services: Services {
            stopped: vec!["nginx.service".into()],
            restarted: vec!["php8.4-fpm.service".into()],
            started: vec!["ssh.service".into()],
            by_hand: vec!["dbus.service".into()],
        },
        notes: Vec::new(),
    }
}

pub fn conflicts() -> Undone {
    Undone {
        transaction: None,
        mode: None,
        meanwhile: Vec::new(),
        conflicts: vec![
            Item {
                transactions: vec![13],
                ..item(
                    b"/etc/nginx/nginx.conf",
                    "changed again since, by transaction 13",
                )
            },
            item(b"/etc/x", "its directory is gone since"),
        ],
        left_behind: Vec::new(),
        held: Vec::new(),
        services: Services::default(),
        ..undone()
    }
}
