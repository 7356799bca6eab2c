"""Which transaction undo takes, what it refuses, what it keeps."""

import os

from lib import command, expect, handmade, roundtrip, session
from oracle import collisions


def test_said_again_it_walks_further_back(t):
    pool = t.pool("mini")
    states = [pool.reading()]
    for package in ("fpt-hello=1", "fpt-conf=1", "fpt-links"):
        expect.status(pool.install(package), 0)
        states.append(pool.reading())
    for wanted in reversed(states[:-1]):
        roundtrip.undo_outside(pool)
        roundtrip.equal(pool, wanted, "after one more undo")
    expect.status(pool.fp("--yes", "-p", "dev", "undo"), 1)


def test_an_undo_is_itself_a_transaction(t):
    pool = t.pool("mini")
    pool.install("fpt-hello=1")
    number = pool.newest()["number"]
    result = roundtrip.undo_outside(pool)
    rows = pool.history()
    expect.equal([(r["kind"], r["state"]) for r in rows], [("undo", "done"), ("apt", "undone")])
    expect.equal((rows[0]["undoes"], rows[1]["undone_by"]), (number, rows[0]["number"]))
    expect.equal((result["undoes"], result["transaction"]), (number, rows[0]["number"]))


def test_undo_of_an_undo_is_a_redo(t):
    pool = t.pool("mini")
    pool.install("fpt-hello=1")
    after = pool.reading()
    number = roundtrip.undo_outside(pool)["transaction"]
    roundtrip.undo_outside(pool, str(number))
    roundtrip.equal(pool, after, "after the undo of the undo")
    expect.equal(pool.history()[-1]["state"], "done")


def test_an_older_one_when_the_later_ones_are_taken_back(t):
    pool = t.pool("mini")
    before = pool.reading()
    pool.install("fpt-links")
    number = pool.newest()["number"]
    pool.install("fpt-modes")
    roundtrip.undo_outside(pool)
    roundtrip.undo_outside(pool, str(number))
    roundtrip.equal(pool, before, "after both undos")
    roundtrip.clean(pool)


def test_an_older_one_that_a_later_one_touched_is_refused_with_the_list(t):
    pool = t.pool("mini")
    pool.install("fpt-conf=1")
    number = pool.newest()["number"]
    pool.install("fpt-conf=2")
    before = pool.reading()
    answer = expect.status(pool.fp("--yes", "-p", "dev", "undo", str(number)), 3)
    expect.contains(answer.text, "/etc/fpt/main.conf")
    roundtrip.equal(pool, before, "after the refusal")


def test_check_changes_nothing(t):
    pool = t.pool("mini")
    pool.install("fpt-conf=1")
    before, rows = pool.reading(), pool.history()
    expect.status(pool.fp("-p", "dev", "undo", "--check"), 0)
    roundtrip.equal(pool, before, "after undo --check")
    expect.equal(pool.history(), rows, "history")


def test_what_others_changed_meanwhile_is_listed_and_kept(t):
    """While apt runs another process writes a file that belongs to no package."""
    pool = t.pool("mini")
    with session.inside(pool) as inside:
        inside.say("apt-get -q -y install fpt-slow >/dev/null 2>&1 & while [ ! -e /var/tmp/fpt-slow.started ]; do "
                   "sleep 0.05; done; mkdir -p /opt/other; echo mine > /opt/other/file; touch /var/tmp/fpt-slow.go; wait")
        expect.equal(inside.say("cat /opt/other/file"), "mine\n")
    result = roundtrip.undo_outside(pool)
    expect.contains([command.path_of(r) for r in result["meanwhile"]], b"/opt/other/file")
    expect.equal(pool.run_ok("dev", "cat", "/opt/other/file").text, "mine\n")
    expect.absent(pool.run("dev", "dpkg", "-l").text, "ii  fpt-slow")


def test_exact_takes_that_back_too(t):
    pool = t.pool("mini")
    before = pool.reading()
    with session.inside(pool) as inside:
        inside.say("apt-get -q -y install fpt-slow >/dev/null 2>&1 & while [ ! -e /var/tmp/fpt-slow.started ]; do "
                   "sleep 0.05; done; mkdir -p /opt/other; echo mine > /opt/other/file; touch /var/tmp/fpt-slow.go; wait")
    roundtrip.undo_outside(pool, "--exact")
    roundtrip.equal(pool, before, "after undo --exact")


def test_a_file_edited_after_the_transaction_is_never_overwritten_silently(t):
    pool = t.pool("mini")
    pool.install("fpt-conf=1")
    pool.shell("dev", "echo edited later >> /etc/fpt/main.conf")
    answer = pool.fp("--yes", "-p", "dev", "undo")
    if answer.status == 0:
        expect.contains(pool.run("dev", "cat", "/etc/fpt/main.conf").text, "edited later")
    else:
        expect.status(answer, 3)
        expect.contains(answer.text, "/etc/fpt/main.conf")
        expect.contains(pool.run("dev", "cat", "/etc/fpt/main.conf").text, "edited later")


def test_a_file_made_after_the_transaction_stays(t):
    pool = t.pool("mini")
    pool.install("fpt-hello=1")
    pool.shell("dev", "echo mine > /etc/mine.conf; mkdir -p /usr/local/mine/empty")
    roundtrip.undo_outside(pool)
    expect.equal(pool.run_ok("dev", "cat", "/etc/mine.conf").text, "mine\n")
    expect.status(pool.run("dev", "test", "-d", "/usr/local/mine/empty"), 0)
    expect.absent(pool.run("dev", "dpkg", "-l").text, "ii  fpt-hello")


def test_state_and_data_are_not_rewound(t):
    pool = t.pool("mini")
    pool.install("fpt-hello=1")
    pool.shell("dev", "echo x > /root/note; echo x > /data/note; echo x > /var/log/note")
    roundtrip.undo_outside(pool)
    expect.equal(pool.shell("dev", "cat /root/note /data/note /var/log/note").text, "x\nx\nx\n")


def test_an_unknown_number_and_another_profiles_number_are_refused(t):
    pool = t.pool("mini")
    pool.install("fpt-hello=1")
    number = pool.newest()["number"]
    pool.ok("create", "other")
    expect.status(pool.fp("--yes", "-p", "dev", "undo", "99999"), 1)
    expect.status(pool.fp("--yes", "-p", "other", "undo", str(number)), 1)


def test_nothing_to_undo_is_said(t):
    answer = expect.status(t.pool("mini").fp("--yes", "-p", "dev", "undo"), 1)
    expect.equal(answer.error["situation"], "nothing-to-do")


def test_while_apt_runs_it_is_refused(t):
    pool = t.pool("mini")
    pool.install("fpt-hello=1")
    with session.inside(pool) as inside:
        inside.say("apt-get -q -y install fpt-slow >/dev/null 2>&1 & "
                   "while [ ! -e /var/tmp/fpt-slow.started ]; do sleep 0.05; done")
        expect.status(pool.fp("--yes", "-p", "dev", "undo"), 75)
        inside.say("touch /var/tmp/fpt-slow.go; wait")


def test_outside_while_entered_it_is_done_live(t):
    pool = t.pool("mini")
    before = pool.reading()
    with session.inside(pool) as inside:
        inside.say("apt-get -q -y install fpt-conf=1 fpt-links >/dev/null 2>&1")
        result = roundtrip.undo_outside(pool)
        expect.equal(result["mode"], "live")
        expect.equal(inside.say("test -e /etc/fpt/main.conf && echo there"), "")
        roundtrip.equal(pool, before, "after the live undo from outside")


def _live_effects(inside):
    """The effects of a live undo, which is taken back again: (number, name, path)."""
    inside.say("rm -f /var/tmp/trace; FLIPPER_FAULT_TRACE=/var/tmp/trace flipper-profile --json --yes undo")
    effects = [line.split(" ", 2) for line in inside.say("cat /var/tmp/trace").splitlines()]
    inside.say("flipper-profile --json --yes redo")
    return effects


def test_what_is_written_after_an_interrupted_live_undo_is_kept(t):
    """Whoever finds the undo half done and goes on working must not lose that to recover."""
    pool = t.pool("mini")
    expect.status(pool.install("fpt-conf=1", "fpt-links"), 0)
    traced = pool.copy("traced.img")
    with session.inside(traced) as inside:
        effects = _live_effects(inside)
    removals = [number for number, name, path in effects if name == "remove" and path.endswith("/etc/fpt/main.conf")]
    with session.inside(pool) as inside:
        inside.say(f"FLIPPER_FAULT_AT={removals[-1]} flipper-profile --json --yes undo")
        # Backwards: what is below /usr goes before what is below /etc.
        mine = "/usr/lib/fpt-links/a/one"
        expect.equal(inside.say(f"test -e {mine} || echo gone").strip(), "gone", "the cut came too early")
        inside.say(f"mkdir -p {os.path.dirname(mine)}; echo mine > {mine}")
        said = inside.say("flipper-profile --json recover")
        expect.contains(said, f"{mine} was changed since")
        expect.equal(inside.say(f"cat {mine}").strip(), "mine")
        expect.equal(inside.say("test -e /etc/fpt || echo gone").strip(), "gone", "the rest of the undo")
    expect.absent(pool.run("dev", "dpkg", "-l").text, "ii  fpt-links")
    expect.nothing(pool.ok("recover")["actions"], "actions of a second recover")


def test_a_live_undo_is_refused_while_something_is_mounted_on_what_it_removes(t):
    """The kernel would refuse it half-way. A mount on a directory that stays is in nobody's way."""
    pool = t.pool("mini")
    with session.inside(pool) as inside:
        inside.say("apt-get -q -y install fpt-conf=1 fpt-links >/dev/null 2>&1")
        inside.say("mount -t tmpfs none /etc/fpt; mount --bind /usr/lib/fpt-links /mnt; "
                   "mount --bind /etc/hostname /mnt/a/one; mount -t tmpfs none /usr/share; mount -t tmpfs none /opt")
        before = pool.reading()
        for where in (inside.say, lambda words: pool.fp("-p", "dev", *words.split()[2:]).text):
            for words in ("flipper-profile --json undo --check", "flipper-profile --json --yes undo"):
                said = where(words)
                expect.contains(said, '"situation":"mounted-on"')
                expect.contains(said, "removed or replaced: /etc/fpt, /mnt/a/one")
                expect.contains(said, "umount /etc/fpt")
        roundtrip.equal(pool, before, "after the refusals")
        expect.equal([(r["kind"], r["state"]) for r in pool.history()], [("apt", "done")])
        inside.say("umount /mnt/a/one /etc/fpt")
        expect.equal(roundtrip.undo_inside(inside)["mode"], "live")
    expect.absent(pool.run("dev", "dpkg", "-l").text, "ii  fpt-conf")
    expect.nothing(pool.ok("recover")["actions"], "left to recover")


def test_what_is_written_while_a_live_undo_is_planned_stops_it(t):
    """Between the snapshot that the plan is made of and the first path that changes."""
    pool = t.pool("mini")
    with session.inside(pool) as inside:
        inside.say("apt-get -q -y install fpt-conf=1 >/dev/null 2>&1")
        effects = _live_effects(inside)
        after_now = next(int(number) + 1 for number, _, path in effects if path.endswith("/now"))
        inside.say(f"FLIPPER_FAULT_AT={after_now} FLIPPER_FAULT_ACTION=stop flipper-profile --json --yes undo > /var/tmp/out 2>&1 & pid=$!; "
                   "while ! grep -q 'State:.T' /proc/$pid/status; do sleep 0.05; done; "
                   "echo mine > /etc/fpt/main.conf; kill -CONT $pid; wait $pid; echo $? >> /var/tmp/out")
        expect.equal(inside.say("tail -n 1 /var/tmp/out").strip(), "75")
        expect.equal(inside.say("cat /etc/fpt/main.conf").strip(), "mine")
        # The next one sees it, and says so.
        expect.contains(inside.say("flipper-profile --json --yes undo"), "changed again since")
    expect.absent([r["state"] for r in pool.history()], "open")


def test_a_live_undo_can_be_redone(t):
    pool = t.pool("mini")
    with session.inside(pool) as inside:
        inside.say("apt-get -q -y install fpt-conf=1 fpt-links fpt-odd >/dev/null 2>&1")
        after = pool.reading()
        roundtrip.undo_inside(inside)
        inside.say("flipper-profile --json --yes redo")
        roundtrip.equal(pool, after, "after the redo of a live undo")


def test_a_clone_can_undo_nothing_of_its_parent(t):
    pool = t.pool("mini")
    pool.install("fpt-hello=1")
    pool.ok("clone", "dev", "copy")
    expect.status(pool.fp("--yes", "-p", "copy", "undo"), 1)
    expect.contains(pool.run("copy", "dpkg", "-l").text, "ii  fpt-hello")


def test_the_upper_of_an_undone_profile_still_keeps_the_floor(t):
    pool = t.pool("mini")
    pool.install("fpt-links")
    roundtrip.undo_outside(pool)
    pool.install("fpt-libs")
    with pool.merged() as view:
        expect.nothing(collisions.pairs(view), "colliding pairs after undo and install")


def test_offline_writes_carry_no_origin_of_another_tree(t):
    """trusted.overlay.origin, .impure and .uuid never travel into a rebuilt upper."""
    pool = t.pool("mini")
    pool.install("fpt-conf=1")
    pool.shell("dev", "echo later > /etc/later.conf")
    roundtrip.undo_outside(pool)
    with pool.top() as top:
        directory, _ = pool.profile_file(top, "dev")
        restored = f"{directory}/upper/var/lib/dpkg/status"
        if os.path.exists(restored):
            expect.absent(os.listxattr(restored), "trusted.overlay.origin")
    with pool.merged() as view:
        expect.nothing(collisions.pairs(view), "colliding pairs")


def test_the_loader_is_not_replaced_under_an_entered_profile(t):
    """Only from outside, or when asked for; systemd's library can go where systemd does not run."""
    pool = t.pool("mini")
    loader = handmade.build(pool, "fpt-loader", "1", {"/usr/lib/fpt/ld-linux-fpt.so.2": ("x", 0o755)})
    library = handmade.build(pool, "fpt-library", "1", {"/usr/lib/fpt/libsystemd-shared-1.so": ("x", 0o644)})
    with session.inside(pool) as inside:
        before = pool.reading()
        inside.say(f"dpkg -i {library} >/dev/null 2>&1")
        roundtrip.undo_inside(inside)
        roundtrip.equal(pool, before, "after the undo of systemd's library")
        inside.say(f"dpkg -i {loader} >/dev/null 2>&1")
        installed = pool.reading()
        answer = expect.status(pool.fp("--yes", "-p", "dev", "undo"), 3)
        expect.equal([command.path_of(item) for item in answer.result["not_live"]], [b"/usr/lib/fpt/ld-linux-fpt.so.2"])
        roundtrip.equal(pool, installed, "after the refusal")
        roundtrip.undo_inside(inside, "--live")
        roundtrip.equal(pool, before, "after undo --live")
        roundtrip.undo_outside(pool, "--live", str(pool.newest()["number"]))
    roundtrip.undo_outside(pool)
    roundtrip.equal(pool, before, "after the undo from outside")


def test_a_password_changed_later_is_never_revived(t):
    """Whatever is undone, and done again, and wherever: passwords and locks are those of now."""
    pool = t.pool("mini")
    pool.shell("dev", "echo root:first | chpasswd; useradd -m ann; echo ann:first | chpasswd")
    expect.status(pool.install("fpt-user"), 0)
    pool.shell("dev", "echo root:second | chpasswd; usermod -L ann; useradd eve; echo eve:second | chpasswd")

    def secrets():
        rows = pool.shell("dev", "cat /etc/shadow").text.splitlines()
        return {row.split(":")[0]: row.split(":")[1] for row in rows if row.split(":")[0] in ("root", "ann", "eve")}
    wanted = secrets()
    expect.that(wanted["ann"].startswith("!$") and len(wanted) == 3, wanted)
    with session.inside(pool) as inside:
        roundtrip.undo_inside(inside)
        expect.equal(inside.say("getent passwd fpt-user fptuser || echo none"), "none\n")
    expect.equal(secrets(), wanted, "after the live undo")
    pool.ok("--yes", "-p", "dev", "redo")
    expect.equal(secrets(), wanted, "after the redo")
    roundtrip.undo_outside(pool)
    expect.equal(secrets(), wanted, "after the undo from outside")
    expect.status(pool.run("dev", "pwck", "-r", "-q"), 0)
