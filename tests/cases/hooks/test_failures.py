"""Failed, killed and interrupted package changes are recorded as what they are."""

import fcntl
import os
import sqlite3

from lib import expect, session
from lib.process import kill_descendants, wait_until


def _show(pool, row):
    return pool.ok("-p", "dev", "show", str(row["number"]))


def _settled(pool):
    """History after the next visit: nothing stays open."""
    expect.status(pool.fp("recover"), 0)
    rows = pool.history()
    expect.absent([r["state"] for r in rows], "open", "states")
    return rows


def test_a_failing_postinst_is_failed_and_named(t):
    pool = t.pool("mini")
    expect.status(pool.install("fpt-fail-postinst", "fpt-hello=1"), 100)
    row = pool.newest()
    expect.equal(row["state"], "failed")
    packages = {p["name"]: p for p in _show(pool, row)["packages"]}
    expect.contains(packages, "fpt-fail-postinst")
    expect.contains(str(packages["fpt-fail-postinst"]["status_after"]), "half-configured")
    expect.equal(packages["fpt-hello"]["new_version"], "1")


def test_status_tells_a_failure_until_it_is_acknowledged(t):
    pool = t.pool("mini")
    expect.status(pool.install("fpt-fail-postinst"), 100)
    number = pool.newest()["number"]

    def told():
        status = pool.ok("-p", "dev", "status")
        return [row["number"] for row in status["failed"]], status["interrupted"] + status["unprotected"]
    expect.equal(told(), ([number], []))
    shown = expect.status(pool.plain("-p", "dev", "status"), 0).text
    expect.contains(shown, f"failed: {number}")
    expect.contains(shown, "flipper-profile acknowledge")
    expect.equal(pool.ok("-p", "dev", "acknowledge")["acknowledged"], [number])
    expect.equal(told(), ([], []))


def test_a_failing_preinst_is_failed(t):
    pool = t.pool("mini")
    expect.status(pool.install("fpt-fail-preinst"), 100)
    rows = _settled(pool)
    expect.equal([r["state"] for r in rows], ["failed"])


def test_failing_removals_are_failed(t):
    for script in ("prerm", "postrm"):
        pool = t.pool("mini")
        name = f"fpt-fail-{script}"
        expect.status(pool.install(name), 0)
        expect.status(pool.apt("remove", name), 100)
        expect.equal(pool.newest()["state"], "failed", f"state after a failing {script}")
        os.unlink(pool.image)


def test_the_repair_of_a_failure_is_its_own_transaction(t):
    pool = t.pool("mini")
    pool.install("fpt-fail-postinst")
    pool.shell("dev", "touch /srv/fpt-fail-postinst.ok")
    expect.status(pool.apt("-f", "install"), 0)
    rows = pool.history()
    expect.equal([r["state"] for r in rows], ["done", "failed"])
    expect.contains({(p["name"], p["action"]) for p in _show(pool, rows[0])["packages"]},
                    ("fpt-fail-postinst", "configure"))


def test_an_earlier_preparation_that_cannot_be_finished_is_told(t):
    """By the row of the change when it begins one, in one line when it joins one: here with a second hook."""
    import sqlite3
    pool = t.pool("mini")
    with pool.top() as top:
        _, content = pool.profile_file(top, "dev")
        journal = sqlite3.connect(f"{top}/@flipper/journal.db")
        journal.execute("INSERT INTO operations (kind, profile, begun, payload) VALUES ('materialise', ?, "
                        "'2026-01-01T00:00:00Z', '{}')", (content["id"],))
        journal.commit()
        journal.close()
    answer = pool.install("fpt-hello=1", "-o", "DPkg::Pre-Invoke::again=/usr/libexec/flipper-profile/apt-hook pre")
    expect.status(answer, 0)
    said = [line for line in answer.errors.splitlines() if line.startswith("W: flipper-profile")]
    expect.equal(len(said), 1, f"lines of warning {said}")
    expect.contains(said[0], "an earlier change of directories could not be dealt with")
    expect.contains(said[0], "run `flipper-profile recover`")
    rows = pool.history()
    expect.equal([r["state"] for r in rows], ["done"])
    expect.contains(str(_show(pool, rows[0])), "an earlier change of directories")


def test_a_failed_bare_dpkg_is_failed(t):
    pool = t.pool("mini")
    expect.status(pool.run("dev", "dpkg", "-i", "/opt/fpt/repo/fpt-fail-postinst_1_all.deb"), 1)
    expect.equal([r["state"] for r in _settled(pool)], ["failed"])


def _started(pool):
    """apt installing fpt-slow, stopped in its postinst."""
    child = pool.start("dev", "apt-get", "-q", "-y", "install", "fpt-slow")
    with pool.top() as top:
        _, content = pool.profile_file(top, "dev")
        marker = f"{top}/@state/{content['id']}/var/tmp/fpt-slow.started"
        wait_until(lambda: os.path.exists(marker), 60, "start of the slow postinst")
    return child


def _started_inside(inside):
    """The same in a session that stays; its apt is the process that /run/apt.pid names."""
    inside.say("apt-get -q -y install fpt-slow >/dev/null 2>&1 & echo $! > /run/apt.pid")
    inside.say("while [ ! -e /var/tmp/fpt-slow.started ]; do sleep 0.05; done")


def test_a_killed_apt_is_interrupted(t):
    pool = t.pool("mini")
    child = _started(pool)
    kill_descendants()
    child.wait(30)
    rows = _settled(pool)
    expect.equal([r["state"] for r in rows], ["interrupted"])
    status = pool.ok("-p", "dev", "status")
    expect.equal([r["number"] for r in status["interrupted"]], [rows[0]["number"]])


def test_a_killed_apt_is_found_by_the_next_hook(t):
    pool = t.pool("mini")
    child = _started(pool)
    kill_descendants()
    child.wait(30)
    pool.shell("dev", "touch /var/tmp/fpt-slow.go")
    expect.status(pool.run("dev", "dpkg", "--configure", "-a"), 0)
    expect.equal([r["state"] for r in pool.history()], ["done", "interrupted"])


def test_what_was_interrupted_and_is_closed_late_keeps_to_what_it_did(t):
    """The next hook could not close it: another command had the pool's lock."""
    pool = t.pool("mini")
    with session.inside(pool) as inside:
        _started_inside(inside)
        inside.say("kill -KILL $(cat /run/apt.pid); for p in $(grep -ls '^Name:.dpkg$' /proc/[0-9]*/status); do "
                   "kill -KILL $(echo $p | cut -d/ -f3); done; touch /var/tmp/fpt-slow.go; sleep 0.5")
        with pool.top() as top, open(f"{top}/@flipper/lock", "rb+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            expect.contains(inside.say("dpkg -i /opt/fpt/repo/fpt-conf_1_all.deb 2>&1; echo status $?"), "status 0")
            journal = sqlite3.connect(f"file:{top}/@flipper/journal.db?mode=ro", uri=True)
            states = [state for state, in journal.execute("SELECT state FROM transactions ORDER BY number DESC LIMIT 2")]
            journal.close()
    expect.equal(states, ["done", "open"], "states while the lock was taken")
    rows = _settled(pool)
    expect.equal([r["state"] for r in rows], ["done", "interrupted"])
    # Our own package has its trigger pending in both.
    names = [{p["name"] for p in _show(pool, row)["packages"]} - {"flipper-profile"} for row in rows]
    expect.equal(names, [{"fpt-conf"}, {"fpt-slow"}])


def test_an_interrupted_transaction_can_be_undone(t):
    from oracle import tree
    pool = t.pool("mini")
    before = pool.reading()
    child = _started(pool)
    kill_descendants()
    child.wait(30)
    expect.status(pool.fp("recover"), 0)
    pool.ok("--yes", "-p", "dev", "undo")
    expect.nothing(tree.compare(before, pool.reading()), "differences after the undo")
    expect.equal(pool.run_ok("dev", "dpkg", "--audit").text, "")


def test_only_apt_is_killed_and_dpkg_lives_on(t):
    pool = t.pool("mini")
    with session.inside(pool) as inside:
        _started_inside(inside)
        inside.say("kill -KILL $(cat /run/apt.pid); touch /var/tmp/fpt-slow.go; "
                   "while grep -qs '^Name:.dpkg$' /proc/[0-9]*/status; do sleep 0.05; done")
        expect.status(pool.fp("recover"), 0)
    # dpkg has nobody left to talk to and gives up; whatever it did, nobody said that all of it is done.
    expect.equal([r["state"] for r in _settled(pool)], ["interrupted"])


def test_a_dropped_terminal_does_not_lose_the_transaction(t):
    """SIGHUP: apt goes on to the end."""
    pool = t.pool("mini")
    terminal = pool.terminal("dev", "apt-get", "-q", "-y", "install", "fpt-slow")
    terminal.wait_for("fpt-slow: waiting")
    os.close(terminal.master)
    with pool.top() as top:
        _, content = pool.profile_file(top, "dev")
        open(f"{top}/@state/{content['id']}/var/tmp/fpt-slow.go", "w", encoding="ascii").close()
    wait_until(terminal.ended, 60, "end of apt after the terminal was dropped")
    states = [r["state"] for r in _settled(pool)]
    expect.that(states in (["done"], ["failed"], ["interrupted"]), states)
