"""An undone upgrade whose packages are held in the same step."""

import json

from lib import command, expect, roundtrip, session
from lib.session import Terminal
from oracle import tree

STATUS = b"/var/lib/dpkg/status"


def _upgraded(pool, *later):
    """fpt-conf in version 1, then in version 2, then other packages; the number of the upgrade."""
    for package in ("fpt-conf=1", "fpt-conf=2"):
        expect.status(pool.install(package), 0)
    number = pool.newest()["number"]
    for package in later:
        expect.status(pool.install(package), 0)
    return number


def _held(pool):
    """fpt-conf is what it was, and stays so."""
    expect.equal(pool.run_ok("dev", "apt-mark", "showhold").text, "fpt-conf\n", "what apt-mark shows")
    expect.equal(_state(pool), "hold ok installed 1")
    upgrade = expect.status(pool.run("dev", "apt-get", "-s", "upgrade"), 0).text
    expect.contains(upgrade, "kept back")
    expect.absent(upgrade, "Inst fpt-conf")
    roundtrip.clean(pool)


def _state(pool):
    return pool.run_ok("dev", "dpkg-query", "-W", "-f", "${Status} ${Version}", "fpt-conf").text


def test_the_version_that_comes_back_is_held_until_a_redo(t):
    pool = t.pool("mini")
    expect.status(pool.install("fpt-conf=1"), 0)
    before = pool.reading()
    expect.status(pool.install("fpt-conf=2"), 0)
    after = pool.reading()
    checked = roundtrip.undo_outside(pool, "--check", "--hold")
    expect.equal(checked["held"], ["fpt-conf"], "what --check says")
    expect.contains(" ".join(roundtrip.undo_outside(pool, "--check")["notes"]), "`--hold`")
    roundtrip.equal(pool, after, "after --check")
    result = roundtrip.undo_outside(pool, "--hold")
    expect.equal((result["mode"], result["held"], result["notes"]), ("exchange", ["fpt-conf"], []))
    expect.equal([d.path for d in tree.compare(before, pool.reading(), ("mtime",))], [STATUS], "what differs")
    _held(pool)
    pool.ok("--yes", "-p", "dev", "redo")
    roundtrip.equal(pool, after, "after the redo")
    told = roundtrip.undo_outside(pool)
    expect.equal(told["held"], [])
    expect.contains(" ".join(told["notes"]), "`apt-mark hold fpt-conf`")
    roundtrip.equal(pool, before, "after an undo without --hold")


def test_where_nothing_goes_back_that_is_said(t):
    pool = t.pool("mini")
    expect.status(pool.install("fpt-conf=1"), 0)
    result = roundtrip.undo_outside(pool, "--hold")
    expect.equal(result["held"], [])
    expect.contains(" ".join(result["notes"]), "Nothing is held")
    pool.ok("--yes", "-p", "dev", "redo")
    expect.status(pool.install("fpt-conf=2"), 0)
    pool.run_ok("dev", "apt-mark", "hold", "fpt-conf")
    result = roundtrip.undo_outside(pool, "--hold")
    expect.contains(" ".join(result["notes"]), "held already")
    _held(pool)


def test_it_is_held_live_beside_later_work_and_a_redo_ends_it(t):
    """The status has later packages as well: both changes, and the hold."""
    pool = t.pool("mini")
    number = _upgraded(pool, "fpt-links")
    with session.inside(pool) as inside:
        said = inside.say(f"flipper-profile --json --yes undo {number} --hold")
        result = json.loads(said.strip().splitlines()[-1])["result"]
        expect.equal((result["mode"], result["held"]), ("live", ["fpt-conf"]))
        expect.equal(inside.say("apt-mark showhold").strip(), "fpt-conf")
    _held(pool)
    # What the user does about it is no conflict.
    pool.run_ok("dev", "apt-mark", "unhold", "fpt-conf")
    pool.ok("--yes", "-p", "dev", "redo", str(result["transaction"]))
    expect.equal(_state(pool), "install ok installed 2")
    result = roundtrip.undo_outside(pool, str(number), "--hold")
    expect.equal((result["mode"], result["held"]), ("staged", ["fpt-conf"]))
    _held(pool)
    expect.equal(pool.run_ok("dev", "dpkg-query", "-W", "-f", "${Status}", "fpt-links").text, "install ok installed")


def test_what_goes_back_of_several_is_held(t):
    pool = t.pool("mini")
    number = _upgraded(pool, "fpt-links")
    for flags in ((f"{number}..{number + 1}",), ("--to", str(number - 1)), ("--to", str(number - 1), "--exact")):
        result = roundtrip.undo_outside(pool, *flags, "--hold")
        expect.equal(result["held"], ["fpt-conf"], " ".join(flags))
        _held(pool)
        pool.ok("--yes", "-p", "dev", "redo")
        expect.equal(_state(pool), "install ok installed 2", " ".join(flags))
    with session.inside(pool) as inside:
        for exact in ("", "--exact"):
            said = inside.say(f"flipper-profile --json --yes undo --to {number - 1} {exact} --hold")
            expect.equal(json.loads(said.strip().splitlines()[-1])["result"]["held"], ["fpt-conf"])
            expect.equal(inside.say("apt-mark showhold").strip(), "fpt-conf")
            inside.say("flipper-profile --json --yes redo")
            expect.equal(inside.say("apt-mark showhold").strip(), "")


def test_what_stays_as_decided_is_not_held(t):
    pool = t.pool("mini")
    expect.status(pool.install("fpt-conf=1", "fpt-hello=1"), 0)
    expect.status(pool.install("fpt-conf=2", "fpt-hello=2"), 0)
    number = str(pool.newest()["number"])
    expect.status(pool.apt("remove", "fpt-conf"), 0)
    result = roundtrip.undo_outside(pool, number, "--hold", "--keep-mine")
    expect.equal(result["held"], ["fpt-hello"])
    expect.equal(pool.run_ok("dev", "apt-mark", "showhold").text, "fpt-hello\n")
    roundtrip.clean(pool)


def test_on_a_terminal_it_is_offered(t):
    pool = t.pool("mini")
    _upgraded(pool)
    for answer, state in ((b"\n", "install ok installed 1"), (b"y\n", "hold ok installed 1")):
        terminal = Terminal([t.program(), "--pool", pool.image, "-p", "dev", "undo"], command.environment({"TERM": "dumb"}))
        terminal.wait_for("Hold the versions that come back? [y/N]")
        terminal.type(answer)
        expect.equal(terminal.finish(), 0)
        expect.equal(_state(pool), state)
        pool.ok("--yes", "-p", "dev", "redo")
    terminal = Terminal([t.program(), "--pool", pool.image, "--yes", "-p", "dev", "undo"], command.environment({"TERM": "dumb"}))
    expect.equal(terminal.finish(), 0)
    expect.contains(terminal.text.decode(), "apt-mark hold fpt-conf")
