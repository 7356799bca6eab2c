//! What man pages say that `--help` does not: examples, files, exit statuses, references.

/// Examples of each verb: what one wants, and the command line that does it. Each is parsed by a test.
pub const EXAMPLES: &[(&str, &[(&str, &str)])] = &[
    (
        "",
        &[
            (
                "Make a pool, a base and a profile, and enter it",
                "flipper-profile pool create demo.img --size 16G",
            ),
            (
                "",
                "flipper-profile --pool demo.img base add 13 --bootstrap trixie",
            ),
            ("", "flipper-profile --pool demo.img create tv"),
            ("", "flipper-profile --pool demo.img run tv"),
            (
                "Inside, after apt did something unwanted",
                "flipper-profile undo",
            ),
        ],
    ),
    (
        "pool",
        &[(
            "See how full the pool is",
            "flipper-profile --pool demo.img pool info",
        )],
    ),
    (
        "pool-create",
        &[
            (
                "On an image file of at most 16 GiB",
                "flipper-profile pool create demo.img --size 16G",
            ),
            ("On a partition", "flipper-profile pool create /dev/sdb2"),
        ],
    ),
    (
        "pool-info",
        &[(
            "As JSON",
            "flipper-profile --pool demo.img --json pool info",
        )],
    ),
    (
        "pool-check",
        &[(
            "Exit with 4 when something is damaged, bases included",
            "flipper-profile --pool demo.img pool check --deep",
        )],
    ),
    (
        "pool-upgrade",
        &[(
            "See who could not read the result",
            "flipper-profile pool upgrade --dry-run",
        )],
    ),
    (
        "pool-gc",
        &[
            (
                "See what would be collected",
                "flipper-profile pool gc --dry-run",
            ),
            ("Without a question", "flipper-profile --yes pool gc"),
        ],
    ),
    ("base", &[("See the bases", "flipper-profile base list")]),
    (
        "base-add",
        &[
            (
                "From the Debian archive",
                "flipper-profile base add 13.2 --bootstrap trixie --include openssh-server,vim",
            ),
            (
                "From a tar archive, for all new profiles",
                "flipper-profile base add 13.3 --from-tar rootfs.tar.zst --current",
            ),
        ],
    ),
    (
        "base-list",
        &[("See the bases", "flipper-profile base list")],
    ),
    (
        "base-info",
        &[("See who needs a base", "flipper-profile base info 13.2")],
    ),
    (
        "base-verify",
        &[(
            "Exit with 4 when the base is not what it was",
            "flipper-profile base verify 13.2",
        )],
    ),
    (
        "base-remove",
        &[(
            "Without a question",
            "flipper-profile --yes base remove 13.1",
        )],
    ),
    (
        "create",
        &[(
            "Over a base that is not the current one",
            "flipper-profile create router --base 13.1",
        )],
    ),
    ("list", &[("See the profiles", "flipper-profile list")]),
    (
        "info",
        &[
            ("Of the profile one is in", "flipper-profile info"),
            ("Of another one", "flipper-profile info tv"),
        ],
    ),
    (
        "clone",
        &[(
            "Try something on a copy",
            "flipper-profile clone tv tv-test",
        )],
    ),
    (
        "rename",
        &[(
            "Give a profile another name",
            "flipper-profile rename tv-test tv-2",
        )],
    ),
    (
        "delete",
        &[("Without a question", "flipper-profile --yes delete tv-test")],
    ),
    (
        "reset",
        &[("Home directories too", "flipper-profile reset tv --all")],
    ),
    (
        "set",
        &[
            (
                "Say what a profile is for",
                "flipper-profile set tv 'description=the box below the screen'",
            ),
            (
                "Share the home directories of all profiles",
                "flipper-profile set tv home=shared",
            ),
            (
                "Keep the snapshots of at most 30 transactions",
                "flipper-profile set tv keep-most=30",
            ),
            (
                "Let old snapshots go when less than 2 GiB are free",
                "flipper-profile set tv keep-free=2G",
            ),
        ],
    ),
    (
        "run",
        &[
            ("A shell", "flipper-profile run tv"),
            ("One command", "flipper-profile run tv -- apt install kodi"),
        ],
    ),
    (
        "history",
        &[
            (
                "What happened to a package",
                "flipper-profile history --package nginx",
            ),
            (
                "Who changed a file",
                "flipper-profile -p tv history --path /etc/nginx/nginx.conf",
            ),
            (
                "Everything, for a program",
                "flipper-profile -p tv --json history --limit 0",
            ),
        ],
    ),
    (
        "show",
        &[(
            "One transaction with its packages",
            "flipper-profile show 12",
        )],
    ),
    (
        "diff",
        &[
            (
                "Everything that transaction 12 changed",
                "flipper-profile diff 12",
            ),
            (
                "Only one directory",
                "flipper-profile -p tv diff 12 /etc/nginx",
            ),
            (
                "What several transactions came to together",
                "flipper-profile -p tv diff 12..15",
            ),
        ],
    ),
    (
        "blame",
        &[(
            "Who changed a file",
            "flipper-profile -p tv blame /etc/nginx/nginx.conf",
        )],
    ),
    (
        "undo",
        &[
            ("Take back what apt did last", "flipper-profile undo"),
            (
                "See what taking back transaction 12 would do",
                "flipper-profile undo 12 --check",
            ),
        ],
    ),
    (
        "redo",
        &[("Take back the last undo", "flipper-profile redo")],
    ),
    (
        "restore",
        &[
            (
                "A configuration file as it was before transaction 12",
                "flipper-profile restore /etc/nginx/nginx.conf --from 12",
            ),
            (
                "See what bringing back a directory would do",
                "flipper-profile -p tv restore /etc/nginx --from 12:post --check",
            ),
        ],
    ),
    (
        "forget",
        &[(
            "Take a password out of all snapshots",
            "flipper-profile forget /etc/wpa_supplicant/home.conf",
        )],
    ),
    (
        "pin",
        &[(
            "Keep the state before transaction 12 for good",
            "flipper-profile pin 12",
        )],
    ),
    (
        "unpin",
        &[(
            "Leave it to the rules again",
            "flipper-profile -p tv unpin 12",
        )],
    ),
    (
        "status",
        &[
            ("Of the profile one is in", "flipper-profile status"),
            ("Of another one", "flipper-profile -p tv status"),
        ],
    ),
    (
        "acknowledge",
        &[
            ("All messages of status", "flipper-profile acknowledge"),
            ("One of them", "flipper-profile acknowledge 12"),
        ],
    ),
    (
        "recover",
        &[(
            "After a power cut",
            "flipper-profile --pool demo.img recover",
        )],
    ),
];

/// Exit statuses of every verb.
pub const EXIT_STATUS: &[(&str, &str)] = &[
    ("0", "Done, or it was so already."),
    ("1", "Failed; nothing was changed."),
    ("2", "The command line makes no sense."),
    (
        "3",
        "Conflicts, or a decision is needed; nothing was changed.",
    ),
    (
        "4",
        "Interrupted, damaged, or flipper\\-profile recover is needed.",
    ),
    ("75", "Locked by another command; try again later."),
];

/// Exit statuses of `run`, which has its own.
pub const RUN_STATUS: &[(&str, &str)] = &[
    ("1", "Not root."),
    ("2", "The command line makes no sense."),
    (
        "125",
        "flipper\\-profile itself failed; nothing was changed.",
    ),
    ("126", "The command was found but could not be started."),
    ("127", "The command was not found."),
    (
        "other",
        "The status of the command; 128 and the number of the signal when a signal ended it.",
    ),
];

/// Files that a user may meet.
pub const FILES: &[(&str, &str)] = &[
    (
        "/etc/flipper\\-profile/config",
        "Settings of this machine. It may be absent.",
    ),
    (
        "/etc/apt/apt.conf.d/05flipper\\-profile, /etc/dpkg/dpkg.cfg.d/flipper\\-profile",
        "They let apt and dpkg start the hooks. Without the package's programs they do nothing.",
    ),
    (
        "/run/flipper\\-profile/session.json",
        "Inside a profile: which profile of which pool this is.",
    ),
    (
        "/usr/share/flipper\\-profile/schemas/",
        "JSON schemas of the output with \\-\\-json.",
    ),
];

/// The examples of a verb.
pub fn examples(verb: &str) -> &'static [(&'static str, &'static str)] {
    EXAMPLES
        .iter()
        .find(|(name, _)| *name == verb)
        .map_or(&[], |(_, examples)| examples)
}
