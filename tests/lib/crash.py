"""Stops a command dead at each of its effects and looks at what `recover` makes of it."""

import glob
import json
import os
import signal
import time

from lib import command, expect, pools
from lib.mounts import loops_of
from lib.process import descendants, kill_descendants
from oracle import tree

KILLED = 128 + signal.SIGKILL


# Where a command inside a profile tells its effects: not a part of the profile.
INSIDE = "/run/fpt-trace"


def _points(text):
    """The effects that a trace tells, in order: (number, name, path)."""
    found = [line.split(" ", 2) for line in text.splitlines()]
    return [(int(number), name, path) for number, name, path in found]


def _traced(trace):
    with open(trace, encoding="utf-8", errors="replace") as f:
        return _points(f.read())


def effects(pool, *args, **options):
    """The effects of a command that runs to its end, in order: (number, name, path)."""
    trace = pool.context.path(f"trace-{time.monotonic_ns()}")
    expect.status(pool.fp(*args, env={"FLIPPER_FAULT_TRACE": trace}, **options), 0)
    found = _traced(trace)
    expect.that(found, "the command has no effects")
    return found


def effects_inside(inside, words):
    """The same of a command inside a profile."""
    inside.say(f"rm -f {INSIDE}; FLIPPER_FAULT_TRACE={INSIDE} {words}")
    found = _points(inside.say(f"cat {INSIDE}"))
    expect.that(found, f"{words} has no effects")
    return found


def at(pool, args, point, action="kill"):
    """Has the fault befall a command at one of its effects, and returns the answer.

    A run that does something else there, or ends before it, proves nothing about that effect: it fails.
    """
    trace = pool.context.path(f"trace-{time.monotonic_ns()}")
    answer = pool.fp(*args, env={"FLIPPER_FAULT_AT": str(point[0]), "FLIPPER_FAULT_ACTION": action,
                                 "FLIPPER_FAULT_TRACE": trace})
    _same(_traced(trace), point, answer)
    if action == "kill":
        expect.status(answer, KILLED)
    return answer


def at_inside(inside, words, point, action="kill"):
    """The same of a command inside a profile; returns what it printed."""
    said = inside.say(f"rm -f {INSIDE}; FLIPPER_FAULT_TRACE={INSIDE} FLIPPER_FAULT_AT={point[0]}"
                      f" FLIPPER_FAULT_ACTION={action} {words}; echo status $?")
    _same(_points(inside.say(f"cat {INSIDE}")), point, said)
    if action == "kill":
        expect.contains(said, f"status {KILLED}")
    return said


def _same(reached, point, answer):
    there = [name for number, name, _ in reached if number == point[0]]
    expect.contains(there, point[1], f"effect {point[0]} of {len(reached)} in this run\n{answer}")


def world(pool):
    """What the pool holds, read by the oracle: bases, and each profile's settings and merged tree by name."""
    with pool.top() as top:
        bases = sorted(n for n in os.listdir(f"{top}/@base") if not os.path.islink(f"{top}/@base/{n}"))
        settings = _settings(top)
    return {"bases": bases, "settings": settings, "profiles": {name: pool.reading(name) for name in sorted(settings)}}


def _settings(top):
    found = {}
    for path in glob.glob(f"{top}/@profiles/*/profile.json"):
        with open(path, encoding="utf-8") as f:
            content = json.load(f)
        found[content["name"]] = (content.get("description", ""), content.get("policies", {}))
    return found


def difference(one, other):
    """Why two worlds are not the same, or nothing."""
    if one["bases"] != other["bases"]:
        return f"bases {one['bases']} and {other['bases']}"
    if one["profiles"].keys() != other["profiles"].keys():
        return f"profiles {sorted(one['profiles'])} and {sorted(other['profiles'])}"
    if one["settings"] != other["settings"]:
        return f"settings {one['settings']} and {other['settings']}"
    for name, reading in one["profiles"].items():
        found = tree.compare(reading, other["profiles"][name])
        if found:
            return f"{name}: {len(found)} differences, first {found[0]}"
    return None


def old_or_new(pool, old, new, where):
    """After `recover` the world is the old one or the new one, and a second `recover` changes nothing."""
    expect.status(pool.fp("recover"), 0)
    now = world(pool)
    from_old, from_new = difference(old, now), difference(new, now)
    expect.that(not from_old or not from_new,
                f"{where}: neither old ({from_old}) nor new ({from_new})")
    again = expect.status(pool.fp("recover"), 0).result["actions"]
    expect.nothing(again, f"{where}: actions of a second recover")
    expect.equal(difference(now, world(pool)), None, f"{where}: after a second recover")
    checked = pool.fp("pool", "check")
    expect.that(checked.status == 0, f"{where}: pool check after recover\n{checked}")
    for name in now["profiles"]:
        expect.absent([r["state"] for r in pool.history(name)], "open", f"{where}: states")
    return "old" if not from_old else "new"


def at_every_effect(t, pool, args, count):
    """Kills `args` at (a sample of) its effects, each on a fresh copy of `pool`."""
    old = world(pool)
    done = pool.copy("done.img")
    points = effects(done, *args)
    new = world(done)
    os.unlink(done.image)
    sides = set()
    for number, name, path in t.sample(points, count):
        copy = pool.copy("crash.img")
        where = f"killed at effect {number}, {name} {os.path.basename(path)}"
        at(copy, args, (number, name))
        sides.add(old_or_new(copy, old, new, where))
        os.unlink(copy.image)
    t.note(f"{len(points)} effects, {min(count, len(points)) if not t.long else len(points)} stopped at, ended {sorted(sides)}")


def without_space_at_every_effect(t, pool, args, count):
    """Lets (a sample of) the effects fail for want of space: done all the same, or nothing changed."""
    old = world(pool)
    done = pool.copy("done.img")
    points = effects(done, *args)
    new = world(done)
    os.unlink(done.image)
    statuses = set()
    for number, name, _ in t.sample(points, count):
        copy = pool.copy("full.img")
        answer = at(copy, args, (number, name), "enospc")
        where = f"no space at effect {number}, {name}: exit {answer.status}"
        expect.that(answer.status in (0, 1, 4), f"{where}\n{answer}")
        if answer.status == 1:
            expect.equal(difference(old, world(copy)), None, f"{where}: 1 says nothing changed")
        statuses.add((answer.status, old_or_new(copy, old, new, where)))
        os.unlink(copy.image)
    t.note(f"{len(points)} effects, ended {sorted(statuses)}")


def power_cut(pool, args, number, name):
    """A copy of the image as it is while the command stands before effect `number`; the original is ended."""
    child = pool_start(pool, args, {"FLIPPER_FAULT_AT": str(number), "FLIPPER_FAULT_ACTION": "stop"})
    deadline = time.monotonic() + 60
    while child.poll() is None and not _stopped(child.pid):
        expect.that(time.monotonic() < deadline, "the command neither stopped nor ended")
        time.sleep(0.005)
    cut = cut_now(pool, name)
    child.kill()
    child.wait()
    _let_go(pool.image)
    return cut


def cut_now(pool, name):
    """A copy of the image of a pool that is in use: what is on the disk at this moment, and nothing else.

    The kernel writes to a mounted image by itself: a copy during which it did is of no moment at all.
    """
    target = os.path.join(os.path.dirname(pool.image), name)
    for tries in range(1, 31):
        # Longer than the clock of the filesystem takes to tell two writes apart.
        time.sleep(0.05)
        begun = os.stat(pool.image).st_mtime_ns
        pools.copy_sparse(pool.image, target)
        if os.stat(pool.image).st_mtime_ns == begun:
            return pools.Pool(pool.context, target)
        pool.context.note(f"the image changed while it was copied, try {tries}")
    raise expect.Failure("the image never stood still")


def pool_start(pool, args, env):
    return command.start(pool.context.program(), "--pool", pool.image, "--json", *args, env=env)


def _stopped(pid):
    for one in [pid, *descendants(pid)]:
        try:
            with open(f"/proc/{one}/stat", "rb") as f:
                if f.read().rpartition(b")")[2].split()[0] == b"T":
                    return True
        except OSError:
            continue
    return False


def _let_go(image):
    """Ends what the stopped command left, until nothing holds the image: two copies cannot be mounted at once."""
    deadline = time.monotonic() + 20
    while loops_of(image) and time.monotonic() < deadline:
        kill_descendants()
        time.sleep(0.05)
