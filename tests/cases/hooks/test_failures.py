"""Failed, killed and interrupted package changes are recorded as what they are."""

import os
import signal

from lib import expect, session
from lib.process import descendants, wait_until


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


def _kill_everything():
    for pid in descendants():
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def test_a_killed_apt_is_interrupted(t):
    pool = t.pool("mini")
    child = _started(pool)
    _kill_everything()
    child.wait(30)
    rows = _settled(pool)
    expect.equal([r["state"] for r in rows], ["interrupted"])
    status = pool.ok("-p", "dev", "status")
    expect.equal([r["number"] for r in status["interrupted"]], [rows[0]["number"]])


def test_a_killed_apt_is_found_by_the_next_hook(t):
    pool = t.pool("mini")
    child = _started(pool)
    _kill_everything()
    child.wait(30)
    pool.shell("dev", "touch /var/tmp/fpt-slow.go")
    expect.status(pool.run("dev", "dpkg", "--configure", "-a"), 0)
    expect.equal([r["state"] for r in pool.history()], ["done", "interrupted"])


def test_an_interrupted_transaction_can_be_undone(t):
    from oracle import tree
    pool = t.pool("mini")
    before = pool.reading()
    child = _started(pool)
    _kill_everything()
    child.wait(30)
    expect.status(pool.fp("recover"), 0)
    pool.ok("--yes", "-p", "dev", "undo")
    expect.nothing(tree.compare(before, pool.reading()), "differences after the undo")
    expect.equal(pool.run_ok("dev", "dpkg", "--audit").text, "")


def test_only_apt_is_killed_and_dpkg_lives_on(t):
    pool = t.pool("mini")
    with session.inside(pool) as inside:
        inside.say("apt-get -q -y install fpt-slow >/dev/null 2>&1 & echo $! > /run/apt.pid")
        inside.say("while [ ! -e /var/tmp/fpt-slow.started ]; do sleep 0.05; done")
        inside.say("kill -KILL $(cat /run/apt.pid); touch /var/tmp/fpt-slow.go; "
                   "while pgrep dpkg >/dev/null 2>&1; do sleep 0.05; done; sleep 0.2")
        expect.status(pool.fp("recover"), 0)
    states = [r["state"] for r in _settled(pool)]
    expect.that(states in (["interrupted"], ["done"]), states)


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
