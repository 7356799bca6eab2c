"""Package changes and their undo, cut at every effect, in the hooks and in the command."""

import contextlib
import os
import sqlite3

from lib import crash, expect, session
from oracle import tree

UNDO = ("--yes", "-p", "dev", "undo")
UNDO_INSIDE = "flipper-profile --json --yes undo"


def _installed(t, *packages):
    """A pool with one transaction: (pool, tree before, tree after)."""
    pool = t.pool("mini")
    before = pool.reading()
    expect.status(pool.install(*packages), 0)
    return pool, before, pool.reading()


def _newest_state(top):
    """What stands in the journal, before any command of ours has seen it."""
    with contextlib.closing(sqlite3.connect(f"{top}/@flipper/journal.db")) as journal:
        state, = journal.execute("SELECT state FROM transactions ORDER BY number DESC LIMIT 1").fetchone()
    return state


def _reading_is_one_of(pool, readings, where):
    now = pool.reading()
    found = {name: tree.compare(reading, now) for name, reading in readings.items()}
    expect.that(any(not d for d in found.values()),
                f"{where}: " + "; ".join(f"{name}: {len(d)} differences, first {d[0]}" for name, d in found.items() if d))
    return next(name for name, d in found.items() if not d)


def test_a_staged_undo_killed_anywhere(t):
    pool, before, after = _installed(t, "fpt-conf=1", "fpt-links", "fpt-odd")
    done = pool.copy("done.img")
    points = crash.effects(done, "--yes", "-p", "dev", "undo")
    os.unlink(done.image)
    sides = set()
    for number, name, _ in t.sample(points, 4):
        copy = pool.copy("crash.img")
        crash.at(copy, UNDO, (number, name))
        where = f"undo killed at effect {number}, {name}"
        expect.status(copy.fp("recover"), 0)
        sides.add(_reading_is_one_of(copy, {"old": after, "new": before}, where))
        expect.nothing(copy.ok("recover")["actions"], f"{where}: actions of a second recover")
        expect.status(copy.fp("pool", "check"), 0)
        os.unlink(copy.image)
    t.note(f"{len(points)} effects, ended {sorted(sides)}")


def _live_points(pool, before):
    """The effects of the live undo, on a copy."""
    done = pool.copy("done.img")
    with session.inside(done) as inside:
        points = crash.effects_inside(inside, UNDO_INSIDE)
        expect.nothing(tree.compare(before, done.reading()), "after the whole live undo")
    os.unlink(done.image)
    return points


def test_a_live_undo_killed_anywhere_is_finished_or_taken_back_in_place(t):
    pool, before, after = _installed(t, "fpt-conf=1", "fpt-links", "fpt-modes")
    points = _live_points(pool, before)
    for point in t.sample(points, 3):
        copy = pool.copy("crash.img")
        with session.inside(copy) as inside:
            crash.at_inside(inside, UNDO_INSIDE, point)
            said = inside.say("flipper-profile --json recover")
            expect.contains(said, '"ok":true')
            _reading_is_one_of(copy, {"old": after, "new": before}, f"live undo killed at effect {point}, recovered inside")
        os.unlink(copy.image)
    t.note(f"{len(points)} effects of the live undo")


def test_a_live_undo_cut_by_power_is_finished_or_taken_back_outside(t):
    pool, before, after = _installed(t, "fpt-conf=1", "fpt-links", "fpt-modes")
    points = _live_points(pool, before)
    for point in t.sample(points, 3):
        copy = pool.copy("crash.img")
        with session.inside(copy) as inside:
            crash.at_inside(inside, UNDO_INSIDE, point)
        where = f"live undo cut at effect {point}, recovered outside"
        expect.status(copy.fp("recover"), 0)
        _reading_is_one_of(copy, {"old": after, "new": before}, where)
        expect.nothing(copy.ok("recover")["actions"], f"{where}: actions of a second recover")
        os.unlink(copy.image)


def test_run_finishes_a_live_undo_that_was_cut(t):
    pool, before, after = _installed(t, "fpt-conf=1", "fpt-links")
    cut = session.cut_undo(pool)
    for left in (True, False):
        copy = pool.copy("crash.img")
        with session.inside(copy) as inside:
            inside.say(cut)
            expect.that(tree.compare(before, copy.reading()) and tree.compare(after, copy.reading()), "nothing was cut")
            if not left:
                # Somebody else comes while the first one is inside.
                answer = copy.run_ok("dev", "sh", "-c", "test ! -e /etc/fpt/main.conf")
        if left:
            answer = copy.run_ok("dev", "sh", "-c", "test ! -e /etc/fpt/main.conf")
        expect.contains(answer.errors, "an interrupted change was finished: replay")
        expect.nothing(tree.compare(before, copy.reading()), "after the run")
        expect.absent([a["done"] for a in copy.ok("recover")["actions"]], "finished", "left to recover")
        expect.equal(copy.install("fpt-hello=1").status, 0)
        expect.equal(copy.newest()["state"], "done")
        os.unlink(copy.image)


def test_run_refuses_a_profile_whose_cut_undo_cannot_be_finished(t):
    pool, before, _ = _installed(t, "fpt-conf=1", "fpt-links")
    cut = session.cut_undo(pool)
    with session.inside(pool) as inside:
        inside.say(cut)
    with pool.top() as top:
        _, content = pool.profile_file(top, "dev")
        snapshots = f"{top}/@snapshots/{content['id']}"
        os.rename(snapshots, snapshots + ".aside")
    for words in (("clone", "dev", "copy"), ("rename", "dev", "other"), ("set", "dev", "description=x")):
        expect.status(pool.fp(*words), 4)
    answer = expect.status(pool.run("dev", "touch", "/root/inside"), 125)
    expect.contains(answer.errors, "was interrupted: replay")
    expect.contains(answer.errors, "run `flipper-profile recover`")
    with pool.top() as top:
        snapshots = f"{top}/@snapshots/{content['id']}"
        if os.path.exists(snapshots):
            os.rmdir(snapshots)
        os.rename(snapshots + ".aside", snapshots)
    expect.that(pool.run("dev", "test", "-e", "/root/inside").status == 1, "it was entered")
    expect.nothing(tree.compare(before, pool.reading()), "after the run")


# A package with a directory below a state path, which dpkg removes with it.
_PURGED = """mkdir -p /root/p/DEBIAN /root/p/var/log/fpt-state/deep
printf 'Package: fpt-state\\nVersion: 1\\nArchitecture: all\\nMaintainer: x <x@example>\\nDescription: x\\n' > /root/p/DEBIAN/control
dpkg-deb -b /root/p /root/p.deb >/dev/null && dpkg -i /root/p.deb >/dev/null && dpkg --purge fpt-state >/dev/null
test ! -e /var/log/fpt-state && echo purged"""
_RETURNED = "/var/log/fpt-state/deep"


def _effects_on_state(text):
    effects = [line.split(" ", 2) for line in text.splitlines()]
    made = ("fpt-state", "deep")
    return [int(number) for number, name, path in effects
            if name == "create-directory" and os.path.basename(path) in made]


def test_directories_of_state_come_back_with_their_package_after_a_cut(t):
    """They are no part of the upper: the undo is not done before they are there."""
    pool = t.pool("mini")
    expect.contains(pool.shell("dev", _PURGED).text, "purged")
    done = pool.copy("done.img")
    trace = t.path("trace")
    done.ok("--yes", "-p", "dev", "undo", env={"FLIPPER_FAULT_TRACE": trace})
    with open(trace, encoding="utf-8") as f:
        numbers = _effects_on_state(f.read())
    expect.that(numbers, "no directory of the package is made")
    os.unlink(done.image)
    for action, status in (("kill", 137), ("enospc", 4)):
        copy = pool.copy("crash.img")
        answer = copy.fp("--yes", "-p", "dev", "undo", env={"FLIPPER_FAULT_AT": str(numbers[-1]),
                                                            "FLIPPER_FAULT_ACTION": action})
        expect.equal(answer.status, status, f"{action}: {answer}")
        if status == 4:
            expect.equal(answer.error["situation"], "interrupted")
            expect.contains(answer.error["state"], "recover")
        expect.equal(len(copy.ok("recover")["actions"]), 1)
        expect.status(copy.run("dev", "test", "-d", _RETURNED), 0)
        expect.equal(copy.newest()["state"], "done")
        expect.nothing(copy.ok("recover")["actions"], "actions of a second recover")
        os.unlink(copy.image)


def test_directories_of_state_come_back_with_their_package_after_a_cut_of_a_live_undo(t):
    pool = t.pool("mini")
    with session.inside(pool) as inside:
        expect.contains(inside.say(_PURGED), "purged")
        inside.say("FLIPPER_FAULT_TRACE=/var/tmp/trace flipper-profile --json --yes undo")
        numbers = _effects_on_state(inside.say("cat /var/tmp/trace"))
        expect.that(numbers, "no directory of the package is made")
        inside.say("flipper-profile --json --yes redo; rm -r /var/log/fpt-state")
        for action in ("kill", "enospc"):
            said = inside.say(f"FLIPPER_FAULT_AT={numbers[-1]} FLIPPER_FAULT_ACTION={action} "
                              "flipper-profile --json --yes undo")
            if action == "enospc":
                expect.contains(said, '"situation":"interrupted"')
            expect.contains(inside.say("flipper-profile --json recover"), '"ok":true')
            expect.equal(inside.say(f"test -d {_RETURNED} && echo there").strip(), "there", action)
            inside.say("flipper-profile --json --yes redo; rm -r /var/log/fpt-state")


def test_a_hook_killed_anywhere_leaves_a_change_that_can_be_undone_or_is_told(t):
    pool = t.pool("mini")
    before = pool.reading()
    trace = "/var/tmp/trace"
    expect.status(pool.install("fpt-dirfile=2", inside={"FLIPPER_FAULT_TRACE": trace}), 0)
    numbers = [int(line.split(" ")[0]) for line in pool.run_ok("dev", "cat", trace).text.splitlines()]
    pool.ok("--yes", "-p", "dev", "undo")
    start = len(pool.history())
    for number in t.sample(range(1, max(numbers) + 1), 4):
        copy = pool.copy("crash.img")
        copy.install("fpt-dirfile=2", inside={"FLIPPER_FAULT_AT": str(number)})
        expect.status(copy.fp("recover"), 0)
        where = f"hooks killed at effect {number}"
        rows = copy.history()
        expect.absent([r["state"] for r in rows], "open", f"{where}: states")
        changed = bool(tree.compare(before, copy.reading()))
        if changed and (len(rows) <= start or not rows[0]["pre"]):
            told = copy.ok("-p", "dev", "status")["unprotected"]
            expect.that(len(rows) > start and rows[0]["number"] in [r["number"] for r in told], f"{where}: not told")
        elif changed:
            copy.ok("--yes", "-p", "dev", "undo")
            # The directory in which the hook prepared another may keep a new time.
            found = [d for d in tree.compare(before, copy.reading()) if d.aspect != "mtime"]
            expect.nothing(found, f"{where}: differences after undo")
        expect.nothing(copy.ok("recover")["actions"], f"{where}: actions of a second recover")
        os.unlink(copy.image)


def test_what_apt_said_was_done_is_done_after_a_power_cut(t):
    """When apt has returned, its transaction is on the disk, whole: nothing is left to find out."""
    pool = t.pool("mini")
    before = pool.reading()
    with session.inside(pool) as inside:
        expect.contains(inside.say("apt-get -q -y install fpt-conf=1 >/dev/null 2>&1; echo status $?"), "status 0")
        cut = crash.cut_now(pool, "cut.img")
    told = pool.newest()
    with cut.top() as top:
        expect.equal(_newest_state(top), "done", "state of the row on the disk")
    expect.nothing(cut.ok("recover")["actions"], "actions of recover")
    row = cut.newest()
    expect.equal(row, told)
    packages = [one.ok("-p", "dev", "show", str(row["number"]))["packages"] for one in (pool, cut)]
    expect.equal(packages[1], packages[0], "packages")
    expect.nothing(tree.compare(pool.reading(), cut.reading()), "the tree")
    cut.ok("--yes", "-p", "dev", "undo")
    expect.nothing(tree.compare(before, cut.reading()), "after the undo")


def test_the_intent_is_durable_before_the_first_effect(t):
    """Killed at the exchange, the journal on disk already says what was meant."""
    pool, _, _ = _installed(t, "fpt-conf=1")
    done = pool.copy("done.img")
    points = crash.effects(done, "--yes", "-p", "dev", "undo")
    os.unlink(done.image)
    exchange = next((n for n, name, _ in points if "exchange" in name), None)
    expect.that(exchange, f"no exchange among the effects {[p[1] for p in points]}")
    cut = crash.power_cut(pool, ("--yes", "-p", "dev", "undo"), exchange, "cut.img")
    with cut.top() as top:
        expect.equal(_newest_state(top), "open", "state of the undo's row at the exchange")


def test_power_cut_during_an_undo(t):
    pool, before, after = _installed(t, "fpt-conf=1", "fpt-links")
    done = pool.copy("done.img")
    points = crash.effects(done, "--yes", "-p", "dev", "undo")
    os.unlink(done.image)
    os.rename(pool.image, pool.image + ".whole")
    for number, name, _ in t.sample(points, 4):
        from lib import pools
        pools.copy_sparse(pool.image + ".whole", pool.image)
        cut = crash.power_cut(pool, ("--yes", "-p", "dev", "undo"), number, "cut.img")
        os.unlink(pool.image)
        where = f"power cut before effect {number}, {name}"
        expect.status(cut.fp("recover"), 0)
        _reading_is_one_of(cut, {"old": after, "new": before}, where)
        expect.nothing(cut.ok("recover")["actions"], f"{where}: actions of a second recover")
        os.unlink(cut.image)


def test_no_space_during_an_undo(t):
    pool, before, after = _installed(t, "fpt-conf=1", "fpt-links")
    done = pool.copy("done.img")
    points = crash.effects(done, "--yes", "-p", "dev", "undo")
    os.unlink(done.image)
    for number, name, _ in t.sample(points, 4):
        copy = pool.copy("full.img")
        answer = crash.at(copy, UNDO, (number, name), "enospc")
        where = f"no space at effect {number}, {name}: exit {answer.status}"
        if answer.status == 1:
            expect.nothing(tree.compare(after, copy.reading()), f"{where}: 1 says nothing changed")
        expect.status(copy.fp("recover"), 0)
        _reading_is_one_of(copy, {"old": after, "new": before}, where)
        os.unlink(copy.image)
