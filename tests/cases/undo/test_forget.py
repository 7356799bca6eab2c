"""forget: a path goes out of every snapshot, and nothing but the present keeps it."""

import glob
import os

from lib import crash, expect, roundtrip
from lib.process import run_ok

SECRET = "/etc/fpt/main.conf"
WORD = "hunter2-in-a-file"


def _prepared(t):
    """A secret in a conffile that a package brought, in the snapshots of later transactions too."""
    pool = t.pool("mini")
    expect.status(pool.install("fpt-conf=1"), 0)
    pool.shell("dev", f"echo {WORD} >> {SECRET}")
    expect.status(pool.install("fpt-hello=1"), 0)
    expect.status(pool.install("fpt-links"), 0)
    return pool


def _snapshots(pool):
    """Name to (whether the path is in its upper, whether it is sealed) of every snapshot of `dev`."""
    with pool.top() as top:
        _, content = pool.profile_file(top, "dev")
        found = {}
        for path in sorted(glob.glob(f"{top}/@snapshots/{content['id']}/*")):
            sealed = run_ok("btrfs", "property", "get", path, "ro").text.strip() == "ro=true"
            found[os.path.basename(path)] = (os.path.lexists(f"{path}/upper{SECRET}"), sealed)
        return found


def test_no_snapshot_holds_it_and_the_present_does(t):
    pool = _prepared(t)
    held = [name for name, (there, _) in _snapshots(pool).items() if there]
    expect.that(len(held) >= 5, f"snapshots that hold it: {held}")
    expect.status(pool.fp("-p", "dev", "forget", SECRET), 3)
    expect.equal([name for name, (there, _) in _snapshots(pool).items() if there], held, "after no confirmation")
    result = pool.ok("--yes", "-p", "dev", "forget", SECRET)
    expect.equal(sorted(result["snapshots"]), held)
    expect.equal(set(_snapshots(pool).values()), {(False, True)}, "path and seal of the snapshots")
    expect.contains(pool.run_ok("dev", "cat", SECRET).text, WORD)
    row = pool.newest()
    expect.equal((row["kind"], row["state"], row["number"]), ("forget", "done", result["transaction"]))
    again = pool.ok("--yes", "-p", "dev", "forget", SECRET)
    expect.equal((again["snapshots"], again["transaction"]), ([], None))
    expect.status(pool.fp("pool", "check"), 0)


def test_undoing_what_brought_it_leaves_the_present_one_alone(t):
    pool = _prepared(t)
    pool.ok("--yes", "-p", "dev", "forget", SECRET)
    for _ in ("fpt-links", "fpt-hello", "fpt-conf"):
        roundtrip.undo_outside(pool)
    expect.absent(pool.run("dev", "dpkg", "-l").text, "ii  fpt-conf")
    expect.contains(pool.run_ok("dev", "cat", SECRET).text, WORD)


def test_a_cut_anywhere_is_finished_by_recover(t):
    pool = _prepared(t)
    traced, words = pool.copy("traced.img"), ("--yes", "-p", "dev", "forget", SECRET)
    effects = crash.effects(traced, *words)
    os.unlink(traced.image)
    first = next(number for number, _, path in effects if "@snapshots" in path)
    before = _snapshots(pool)
    for number, name, _ in effects[first - 1:]:
        cut = pool.copy(f"cut-{number}.img")
        crash.at(cut, words, (number, name))
        cut.ok("recover")
        after = _snapshots(cut)
        finished = all(state == (False, True) for state in after.values())
        expect.that(finished or after == before, f"after the cut at effect {number}: {after}")
        expect.equal(cut.ok("recover")["actions"], [], f"what a second recover finds after effect {number}")
        os.unlink(cut.image)


def test_what_is_no_whole_path_is_refused(t):
    pool = t.pool("toy")
    for path in ("etc/passwd", "/", "/etc/../etc/passwd"):
        expect.status(pool.fp("--yes", "-p", "dev", "forget", path), 2)
    expect.equal(pool.history(), [])
