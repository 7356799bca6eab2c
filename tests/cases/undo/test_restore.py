"""restore: one path as it was in a snapshot, as a transaction of its own."""

import json
import os

from lib import crash, expect, pools, roundtrip, session, toy
from oracle import tree

CONF = "/etc/fpt/main.conf"
# Beside the path that was restored: entries came and went in them.
TIMES = ("mtime",)


def _restore(pool, path, from_, *flags):
    return pool.ok("-p", "dev", "restore", path, "--from", str(from_), *flags)


def _installed(t, *packages):
    """A pool in which these were installed, each by itself, and the numbers of that."""
    pool = t.pool("mini")
    numbers = []
    for package in packages:
        expect.status(pool.install(package), 0)
        numbers.append(pool.newest()["number"])
    return pool, *numbers


def _below(path, reading):
    """The part of a reading that is `path` and what is below it."""
    def inside(name):
        return name == path or name.startswith(path + b"/")
    part = tree.Reading()
    part.entries = {name: entry for name, entry in reading.entries.items() if inside(name)}
    part.links = {group for group in reading.links if all(inside(name) for name in group)}
    return part


def _mess(say):
    """Changes of every kind in it."""
    say("cd /opt/tree && echo edited > a/file && rm -r b && echo new > a/new && ln -sfn other link && chmod 0700 a && "
        "rm c && mkdir c && echo deep > c/deep && rm -r d && echo flat > d && rm hard2 && echo own > hard2")


def _make(say):
    say("mkdir -p /opt/tree/a /opt/tree/b/deep /opt/tree/d/e && cd /opt/tree && echo one > a/file && echo two > b/deep/f && "
        "ln -s target link && echo file > c && echo x > d/e/f && echo hard > hard1 && ln hard1 hard2 && "
        "printf odd > \"$(printf 'n\\377me')\"")


def test_a_file_comes_back_and_the_edit_is_kept(t):
    pool, number = _installed(t, "fpt-conf=1")
    clean = pool.run_ok("dev", "cat", CONF).text
    pool.shell("dev", f"echo mine >> {CONF}; chmod 0600 {CONF}; echo later > /etc/later")
    edited = pool.reading()
    checked = _restore(pool, CONF, f"{number}:post", "--check")
    expect.equal((checked["transaction"], [i["path"] for i in checked["replaced"]]), (None, [CONF]))
    roundtrip.equal(pool, edited, "after restore --check")
    done = _restore(pool, CONF, f"{number}:post")
    row = pool.newest()
    expect.equal((row["kind"], row["state"], row["number"]), ("restore", "done", done["transaction"]))
    expect.equal((done["mode"], done["snapshot"]), ("staged", f"{number}-post"))
    expect.equal(pool.run_ok("dev", "cat", CONF).text, clean)
    found = {d.path for d in tree.compare(edited, pool.reading(), TIMES)}
    expect.equal(found, {CONF.encode()}, "paths that the restore changed")
    told = [c["path"] for c in pool.ok("-p", "dev", "show", str(row["number"]))["changes"]]
    expect.equal(told, [CONF])
    restored = pool.reading()
    roundtrip.undo_outside(pool)
    expect.nothing(tree.compare(edited, pool.reading(), TIMES), "differences after the undo")
    pool.ok("--yes", "-p", "dev", "redo")
    expect.nothing(tree.compare(restored, pool.reading(), TIMES), "differences after the redo")
    roundtrip.clean(pool)


def test_a_directory_comes_back_whole(t):
    """Everything below it, and without what came since; outside of it nothing changes."""
    pool = t.pool("mini")
    _make(lambda script: pool.shell("dev", script))
    before = pool.reading()
    expect.status(pool.install("fpt-hello=1"), 0)
    number = pool.newest()["number"]
    _mess(lambda script: pool.shell("dev", script))
    after = pool.reading()
    result = _restore(pool, "/opt/tree", number)
    expect.contains([i["path"] for i in result["removed"]], "/opt/tree/a/new")
    now = pool.reading()
    wanted = _below(b"/opt/tree", before)
    expect.that(len(wanted.entries) > 10 and wanted.links, f"only {sorted(wanted.entries)}")
    expect.nothing(tree.compare(wanted, _below(b"/opt/tree", now)), "differences of the directory")
    rest = [d for d in tree.compare(after, now) if not d.path.startswith(b"/opt/tree")]
    expect.nothing(rest, "differences elsewhere")
    again = _restore(pool, "/opt/tree", number)
    expect.equal((again["nothing"], again["transaction"]), (True, None))


def test_live_it_is_the_same(t):
    pool = t.pool("mini")
    with session.inside(pool) as inside:
        _make(inside.say)
        before = pool.reading()
        inside.say("apt-get -q -y install fpt-hello=1 >/dev/null 2>&1")
        number = pool.newest()["number"]
        _mess(inside.say)
        messed = pool.reading()
        said = inside.say(f"cd /opt && flipper-profile --json restore tree --from {number} 2>/dev/null")
        said = json.loads(said)
        expect.equal((said["ok"], said["result"]["mode"]), (True, "live"), said)
        expect.nothing(tree.compare(_below(b"/opt/tree", before), _below(b"/opt/tree", pool.reading())),
                       "differences of the directory")
        expect.equal(inside.say("cat /opt/tree/a/file"), "one\n")
        # And taken back, from outside.
        expect.equal(roundtrip.undo_outside(pool)["mode"], "live")
        expect.nothing(tree.compare(messed, pool.reading(), TIMES), "differences after the undo")
    expect.nothing(pool.ok("recover")["actions"], "actions of recover")


def test_what_is_gone_comes_back_with_its_directories(t):
    pool = t.pool("mini")
    pool.shell("dev", "mkdir -p /opt/one/two; chmod 0711 /opt/one/two; echo x > /opt/one/two/file; echo y > /opt/one/other")
    expect.status(pool.install("fpt-hello=1"), 0)
    number = pool.newest()["number"]
    pool.shell("dev", "rm -r /opt/one")
    expect.equal(_restore(pool, "/opt/one/two/file", number)["brought"], 3)
    found = pool.run_ok("dev", "find", "/opt/one", "-printf", "%P %m %y\n").text.splitlines()
    expect.equal(sorted(found), sorted([" 755 d", "two 711 d", "two/file 644 f"]))


def test_what_is_no_path_of_a_snapshot_is_refused(t):
    pool, number = _installed(t, "fpt-conf=1")
    pool.shell("dev", "mkdir /opt/d; echo x > /opt/d/f")
    expect.status(pool.install("fpt-hello=1"), 0)
    second = pool.newest()["number"]
    pool.shell("dev", "rm -r /opt/d; echo file > /opt/d")
    pool.ok("create", "other")
    before, rows = pool.reading(), pool.history()
    for path, from_, words in (
            ("/var/log/apt", second, "is state of the profile"), ("/home", second, "is state of the profile"),
            ("/data/x", second, "no snapshot has it"), ("/proc/1", second, "no snapshot has it"),
            ("/var/lib/dpkg/status", second, "dpkg's database"), ("/var/lib", second, "dpkg's database"),
            ("/", second, "the root of the tree"), ("/etc/none", second, "was not there"),
            (CONF, number, "was not there"), ("/opt/d/f", second, "/opt/d is no directory now")):
        answer = expect.status(pool.fp("-p", "dev", "restore", path, "--from", str(from_)), 1)
        expect.equal(answer.error["situation"], "not-restorable", path)
        expect.contains(answer.error["message"], words)
    expect.contains(pool.fp("-p", "dev", "restore", "/var/lib/dpkg", "--from", str(second)).error["hint"], "undo N")
    created = pool.ok("-p", "dev", "history")["transactions"][-1]["number"]
    expect.status(pool.fp("-p", "dev", "restore", CONF, "--from", str(created)), 1)
    expect.equal(pool.fp("-p", "other", "restore", CONF, "--from", str(number)).error["situation"], "no-such-transaction")
    expect.status(pool.fp("-p", "dev", "restore", CONF, "--from", f"{number}:origin"), 2)
    roundtrip.equal(pool, before, "after the refusals")
    expect.equal(pool.history(), rows, "history")


def test_a_file_of_another_version_is_told(t):
    pool, first, second = _installed(t, "fpt-conf=1", "fpt-conf=2")
    notes = _restore(pool, CONF, f"{first}:post")["notes"]
    expect.equal(notes, [f"{CONF} of fpt-conf: from its version 1, while 2 is installed; dpkg does not know"])
    expect.status(pool.apt("purge", "fpt-conf"), 0)
    notes = _restore(pool, CONF, f"{second}:post")["notes"]
    expect.contains(str(notes), "from its version 2, while it is not installed")
    expect.contains(pool.run_ok("dev", "cat", CONF).text, "version = 2")


def test_it_is_read_over_the_base_of_its_time(t):
    """A snapshot from before a rebase: what the old base had comes back over the new one."""
    pool = t.pool("toy")
    with pool.top() as top:
        directory, _ = pool.profile_file(top, "dev")
        os.makedirs(f"{directory}/upper/etc/mine")
    pool.ok("--yes", "reset", "dev")
    number = pool.history()[0]["number"]
    root = t.path("root")
    os.mkdir(root)
    toy.make(root)
    with open(f"{root}/etc/hostname", "w", encoding="ascii") as f:
        f.write("of the new base\n")
    pool.ok("base", "add", "v2", "--from-directory", root)
    new = pool.ok("base", "info", "v2")
    with pool.top() as top:
        directory, _ = pool.profile_file(top, "dev")
        pools.edit_json(f"{directory}/profile.json",
                        lambda file: file["base"].update(version="v2", tree_hash=new["tree_hash"]))
    result = _restore(pool, "/etc", number)
    expect.contains(str(result["notes"]), "stood on the base v1, it stands on v2 now")
    expect.equal([i["path"] for i in result["replaced"]], ["/etc/hostname"])
    with pool.merged() as view:
        with open(f"{view}/etc/hostname", encoding="ascii") as f:
            expect.equal(f.read(), "toy\n")
        expect.equal(os.getxattr(f"{view}/etc/hostname", "user.note"), b"hello")
        expect.that(os.path.isdir(f"{view}/etc/mine"), "no /etc/mine")
    pool.ok("--yes", "-p", "dev", "undo")
    with pool.merged() as view:
        with open(f"{view}/etc/hostname", encoding="ascii") as f:
            expect.equal(f.read(), "of the new base\n")


def test_a_name_that_comes_back_without_its_others_is_told(t):
    pool = t.pool("mini")
    pool.shell("dev", "mkdir /opt/a /opt/b && echo one >/opt/a/one && ln /opt/a/one /opt/b/two && echo x >/opt/a/alone")
    expect.status(pool.install("fpt-hello=1"), 0)
    number = pool.newest()["number"]
    pool.shell("dev", "rm /opt/a/one /opt/a/alone && echo edited >/opt/b/two")
    notes = " ".join(_restore(pool, "/opt/a", number)["notes"])
    expect.contains(notes, "/opt/a/one had another name outside of what comes back")
    expect.equal(pool.run_ok("dev", "cat", "/opt/a/one", "/opt/a/alone", "/opt/b/two").text, "one\nx\nedited\n")


def test_while_apt_runs_it_is_refused(t):
    pool, number = _installed(t, "fpt-conf=1")
    with session.inside(pool) as inside:
        inside.say("apt-get -q -y install fpt-slow >/dev/null 2>&1 & "
                   "while [ ! -e /var/tmp/fpt-slow.started ]; do sleep 0.05; done; echo mine >> " + CONF)
        expect.status(pool.fp("-p", "dev", "restore", CONF, "--from", f"{number}:post"), 75)
        inside.say("touch /var/tmp/fpt-slow.go; wait")


def test_a_mount_on_what_would_go_is_refused(t):
    pool, number = _installed(t, "fpt-conf=1")
    with session.inside(pool) as inside:
        inside.say(f"echo mine >> {CONF}; mount --bind /etc/hostname {CONF}")
        answer = expect.status(pool.fp("-p", "dev", "restore", "/etc/fpt", "--from", f"{number}:post"), 1)
        expect.equal(answer.error["situation"], "mounted-on")
        inside.say(f"umount {CONF}")
        expect.equal(_restore(pool, "/etc/fpt", f"{number}:post")["mode"], "live")


def test_a_live_restore_that_is_killed_is_finished(t):
    """At every effect (a sample of them): the old tree or, after recover, the new one."""
    pool = t.pool("mini")
    _make(lambda script: pool.shell("dev", script))
    expect.status(pool.install("fpt-hello=1"), 0)
    number = pool.newest()["number"]
    _mess(lambda script: pool.shell("dev", script))
    old = pool.reading()
    words = f"flipper-profile --json restore /opt/tree --from {number}"
    done = pool.copy("done.img")
    with session.inside(done) as inside:
        inside.say(f"FLIPPER_FAULT_TRACE=/var/tmp/trace {words}")
        effects = [line.split(" ", 2) for line in inside.say("cat /var/tmp/trace").splitlines()]
    new = done.reading()
    os.unlink(done.image)
    sides = set()
    for at, name, path in t.sample(effects, 6):
        copy = pool.copy("crash.img")
        with session.inside(copy) as inside:
            inside.say(f"FLIPPER_FAULT_AT={at} {words} >/dev/null 2>&1")
        where = f"killed at effect {at}, {name} {os.path.basename(path)}"
        expect.status(copy.fp("recover"), 0)
        now = copy.reading()
        differ = [tree.compare(one, now, TIMES) for one in (old, new)]
        expect.that(not all(differ), f"{where}: neither old {differ[0][:1]} nor new {differ[1][:1]}")
        expect.nothing(copy.ok("recover")["actions"], f"{where}: actions of a second recover")
        expect.absent([r["state"] for r in copy.history()], "open", where)
        sides.add("new" if differ[0] else "old")
        os.unlink(copy.image)
    t.note(f"{len(effects)} effects, ended {sorted(sides)}")
    expect.equal(sides, {"old", "new"}, "ends")


def test_a_staged_restore_that_is_killed_is_finished_or_taken_back(t):
    pool = t.pool("toy")
    with pool.top() as top:
        directory, _ = pool.profile_file(top, "dev")
        os.makedirs(f"{directory}/upper/etc/mine")
        with open(f"{directory}/upper/etc/mine/file", "w", encoding="ascii") as f:
            f.write("mine\n")
    number = pool.ok("--yes", "reset", "dev")["transaction"]
    crash.at_every_effect(t, pool, ("-p", "dev", "restore", "/etc", "--from", str(number)), 12)


def _inside(session_, words):
    """The answer of a command inside, behind what it says of its progress."""
    return json.loads(session_.say(f"flipper-profile --json --yes {words}").strip().splitlines()[-1])


def test_a_library_that_comes_back_is_found_by_the_linker(t):
    """Its cache is made anew in the same step, beside the profile and live; an undo takes both back."""
    pool = t.pool("mini")
    library = "/usr/local/lib/libz.so.1"
    cached = f"ldconfig -p | grep -c {library} || true"
    pool.shell("dev", f"cp $(ldconfig -p | sed -n 's/.*libz.so.1 .*=> //p' | head -n 1) {library}; ldconfig")
    expect.status(pool.install("fpt-links"), 0)
    number = pool.newest()["number"]
    pool.shell("dev", f"rm {library}; ldconfig")
    without = pool.reading()
    expect.equal(_restore(pool, library, number)["mode"], "staged")
    expect.equal(pool.shell("dev", cached).text, "1\n", "beside the profile")
    roundtrip.undo_outside(pool)
    roundtrip.equal(pool, without, "after the undo")
    with session.inside(pool) as inside:
        answer = _inside(inside, f"restore {library} --from {number}")
        expect.equal(answer["result"]["mode"], "live")
        expect.equal(inside.say(cached), "1\n", "live")


def test_what_programs_run_from_is_not_replaced_under_them(t):
    pool = t.pool("mini")
    loader = "/usr/lib/fpt/ld-linux-fpt.so.2"
    pool.shell("dev", f"mkdir /usr/lib/fpt; echo old > {loader}")
    expect.status(pool.install("fpt-links"), 0)
    number = pool.newest()["number"]
    pool.shell("dev", f"echo new > {loader}")
    with session.inside(pool) as inside:
        answer = _inside(inside, f"restore {loader} --from {number}")
        expect.equal((answer["error"]["code"], answer["error"]["situation"]), (3, "not-live"))
        expect.equal([item["path"] for item in answer["result"]["not_live"]], [loader])
        expect.equal(inside.say(f"cat {loader}"), "new\n")
        answer = _inside(inside, f"restore {loader} --from {number} --live")
        expect.equal(answer["ok"], True)
        expect.equal(inside.say(f"cat {loader}"), "old\n")
