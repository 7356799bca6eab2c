"""An undo that waits for the next start of its profile: work done until then is there afterwards, or it is dropped."""

import os

from lib import crash, expect, roundtrip, session
from oracle import tree

MAIN = "/etc/fpt/main.conf"
NEXT = "flipper-profile --json --yes undo {} --next-start"


def _older(pool):
    """Two transactions; the number of the first."""
    expect.status(pool.install("fpt-conf=1"), 0)
    number = pool.newest()["number"]
    expect.status(pool.install("fpt-links"), 0)
    return number


def _content(pool, path=MAIN):
    answer = pool.run("dev", "cat", path)
    return answer.text if answer.status == 0 else None


def _state(pool, number):
    return next(row["state"] for row in pool.history() if row["number"] == number)


def _waits(pool):
    return pool.ok("-p", "dev", "status")["waiting"]


def test_work_done_until_the_start_is_there_afterwards(t):
    pool = t.pool("mini")
    number = _older(pool)
    with session.inside(pool) as inside:
        said = inside.say(NEXT.format(number))
        expect.contains(said, '"mode":"waiting"')
        expect.equal(inside.say(f"test -e {MAIN} && echo there").strip(), "there")
        inside.say("echo work >/home/work; echo line >>/etc/hosts")
        waits = _waits(pool)
        expect.equal((waits["transactions"], waits["dropped"]), ([number], None))
        # Nothing of it happens while somebody is in the profile.
        expect.nothing(pool.ok("recover")["actions"], "actions of recover")
        expect.equal(pool.run_ok("dev", "test", "-e", MAIN).status, 0)
    expect.equal(_state(pool, number), "done")
    started = pool.run("dev", "cat", "/home/work")
    expect.equal((started.status, started.text), (0, "work\n"))
    expect.contains(started.stderr.decode(), f"the undo of transaction {number} that waited is done")
    expect.equal((_state(pool, number), _content(pool)), ("undone", None))
    expect.contains(_content(pool, "/etc/hosts"), "line\n")
    row = pool.newest()
    expect.equal((row["kind"], row["undoes"]), ("undo", number))
    expect.contains(row["command"], "--next-start")
    expect.equal(_waits(pool), None)
    roundtrip.clean(pool)
    pool.ok("--yes", "-p", "dev", "redo")
    expect.that(_content(pool), "the redo brings the file back")


def test_what_came_in_its_way_is_told_and_nothing_is_changed(t):
    pool = t.pool("mini")
    number = _older(pool)
    with session.inside(pool) as inside:
        inside.say(NEXT.format(number))
        inside.say(f"echo mine >>{MAIN}")
    before = pool.reading()
    action, = pool.ok("recover")["actions"]
    expect.contains(str(action), f"{MAIN}: changed again since")
    expect.equal(_state(pool, number), "done")
    expect.contains(_waits(pool)["dropped"], MAIN)
    expect.contains(pool.plain("-p", "dev", "status").text, "not carried out: flipper-profile")
    expect.nothing(pool.ok("recover")["actions"], "told again")
    roundtrip.equal(pool, before, "after it was dropped")
    pool.ok("-p", "dev", "acknowledge")
    expect.equal(_waits(pool), None)


def test_packages_that_came_since_are_seen(t):
    """A later transaction that does not stand in the way stays; one that needs what would go does not lose it."""
    pool = t.pool("mini")
    expect.status(pool.install("fpt-lib"), 0)
    number = pool.newest()["number"]
    pool.ok("clone", "dev", "other")
    for install, dropped in (("fpt-app", True), ("fpt-links", False)):
        copy = pool.copy(f"{install}.img")
        with session.inside(copy) as inside:
            inside.say(NEXT.format(number))
            inside.say(f"apt-get -q -y install {install} >/dev/null 2>&1")
        copy.ok("recover")
        expect.equal(bool(_waits(copy)), dropped)
        expect.equal(_state(copy, number), "done" if dropped else "undone")
        expect.equal(copy.run("dev", "dpkg", "-s", install).status, 0)
        roundtrip.clean(copy)
        os.unlink(copy.image)


def test_several_wait_together_and_later_ones_are_none_of_them(t):
    pool = t.pool("mini")
    first = _older(pool)
    with session.inside(pool) as inside:
        expect.contains(inside.say(f"flipper-profile --json --yes undo --to {first - 1} --next-start"), '"waiting"')
        inside.say("apt-get -q -y install fpt-modes >/dev/null 2>&1")
    expect.equal(_waits(pool)["transactions"], [first + 1, first])
    pool.run_ok("dev", "true")
    expect.equal([_state(pool, n) for n in (first, first + 1, first + 2)], ["undone", "undone", "done"])
    roundtrip.clean(pool)


def test_a_hold_waits_with_it(t):
    pool = t.pool("mini")
    expect.status(pool.install("fpt-hello=1"), 0)
    expect.status(pool.install("fpt-hello=2"), 0)
    upgrade = pool.newest()["number"]
    with session.inside(pool) as inside:
        expect.contains(inside.say(f"{NEXT.format(upgrade)} --hold"), '"held":["fpt-hello"]')
        expect.equal(pool.run_ok("dev", "apt-mark", "showhold").text, "", "held before the start")
    expect.equal(pool.run_ok("dev", "apt-mark", "showhold").text, "fpt-hello\n")
    expect.contains(pool.run_ok("dev", "dpkg-query", "-W", "-f", "${Version} ${Status}", "fpt-hello").text, "1 hold ok")
    roundtrip.clean(pool)


def test_it_is_withdrawn_and_only_one_waits(t):
    pool = t.pool("mini")
    number = _older(pool)
    with session.inside(pool) as inside:
        inside.say(NEXT.format(number))
        expect.contains(inside.say(NEXT.format(number)), "waits for the next start already")
        for more in ("--take-old", f"--resolve {MAIN}=old"):
            expect.contains(inside.say(f"{NEXT.format(number)} {more} 2>&1"), '"usage"')
        expect.contains(inside.say("flipper-profile --json undo --withdraw"), '"mode":"withdrawn"')
        expect.contains(inside.say("flipper-profile --json undo --withdraw 2>&1"), "nothing-waits")
        expect.equal(_waits(pool), None)
        inside.say(NEXT.format(number))
    # Taken back by hand meanwhile.
    pool.ok("--yes", "-p", "dev", "undo", str(number))
    newest = pool.newest()["number"]
    pool.ok("recover")
    expect.equal((_waits(pool), pool.newest()["number"]), (None, newest))
    # Where nothing runs there is nothing to wait for.
    pool.ok("--yes", "-p", "dev", "redo", "--next-start")
    expect.equal(_state(pool, number), "done")


def test_files_that_it_needs_are_kept_and_an_unreadable_one_is_told(t):
    pool = t.pool("mini")
    number = _older(pool)
    expect.status(pool.install("fpt-modes"), 0)
    with session.inside(pool) as inside:
        inside.say(NEXT.format(number))
        for rule in ("keep-newest=1", "keep-most=1"):
            pool.ok("set", "dev", rule)
        pool.ok("pool", "gc")
        gone = [row["number"] for row in pool.history() if row["files_gone"]]
        expect.that(gone and number not in gone, f"gone: {gone}")
    with pool.top() as top:
        name, = os.listdir(f"{top}/@flipper/waiting")
        with open(f"{top}/@flipper/waiting/{name}", "r+", encoding="utf-8") as f:
            whole = f.read()
            f.truncate(40)
    told = expect.status(pool.fp("recover"), 4)
    expect.contains(" ".join(told.envelope["result"]["left"]), "waiting undo ends in the middle")
    expect.equal(pool.run("dev", "true").status, 0)
    expect.equal(_state(pool, number), "done")
    with pool.top() as top, open(f"{top}/@flipper/waiting/{name}", "w", encoding="utf-8") as f:
        f.write(whole)
    pool.run_ok("dev", "true")
    expect.equal(_state(pool, number), "undone")


def test_killed_while_it_is_carried_out(t):
    pool = t.pool("mini")
    number = _older(pool)
    with session.inside(pool) as inside:
        inside.say(NEXT.format(number))
        inside.say("echo work >/home/work")
    done = pool.copy("done.img")
    points = crash.effects(done, "recover")
    expect.equal(_state(done, number), "undone")
    new = done.reading()
    os.unlink(done.image)
    for effect, name, _ in t.sample(points, 4):
        copy = pool.copy("crash.img")
        where = f"killed at effect {effect}, {name}"
        expect.that(copy.fp("recover", env={"FLIPPER_FAULT_AT": str(effect)}).status == crash.KILLED, where)
        # It waits on, or is done: the next start ends it once, whatever was left.
        copy.run_ok("dev", "true")
        copy.ok("recover")
        undos = [row for row in copy.history() if row["kind"] == "undo"]
        expect.equal([(row["undoes"], row["state"]) for row in undos], [(number, "done")], where)
        # A directory that lost an entry has the time of that.
        expect.nothing(tree.compare(new, copy.reading(), ("mtime",)), where)
        expect.equal(_waits(copy), None, where)
        expect.nothing(copy.ok("recover")["actions"], f"{where}: actions of another recover")
        os.unlink(copy.image)
    t.note(f"{len(points)} effects")
