"""The undo of several transactions as one, cut at its effects: all of them are taken back, or none."""

import os

from lib import crash, expect, session
from oracle import tree

# Remade or touched by programs at another time in each run.
IGNORED = ("mtime",)
REMADE = (b"/etc/ld.so.cache", b"/var/cache/ldconfig/")


class Several:
    """Three installations, the first two of which are taken back as one; the tree before that and after it."""

    def __init__(self, t):
        self.pool = t.pool("mini")
        numbers = []
        for package in ("fpt-conf=1", "fpt-links", "fpt-user"):
            expect.status(self.pool.install(package), 0)
            numbers.append(self.pool.newest()["number"])
        self.numbers = numbers[:2]
        span = f"{numbers[0]}..{numbers[1]}"
        self.args = ("--yes", "-p", "dev", "undo", span)
        self.words = f"flipper-profile --json --yes undo {span}"
        self.old = self.pool.reading()
        whole = self.pool.copy("whole.img")
        expect.status(whole.fp(*self.args), 0)
        self.new = whole.reading()
        os.unlink(whole.image)
        expect.that(self.differences(self.old, self.new), "the whole undo changes nothing")

    @staticmethod
    def differences(one, other):
        return [d for d in tree.compare(one, other, IGNORED) if not d.path.startswith(REMADE)]

    def recovered(self, pool, where):
        """What recover makes of it, and that rows and tree agree."""
        expect.status(pool.fp("recover"), 0)
        now = pool.reading()
        old, new = self.differences(self.old, now), self.differences(self.new, now)
        expect.that(not old or not new, f"{where}: neither old ({old[:2]}) nor new ({new[:2]})")
        side = "new" if old else "old"
        expect.nothing(pool.ok("recover")["actions"], f"{where}: actions of a second recover")
        expect.status(pool.fp("pool", "check"), 0)
        states = {row["number"]: row["state"] for row in pool.history()}
        wanted = "undone" if side == "new" else "done"
        expect.equal([states[number] for number in self.numbers], [wanted] * 2, f"{where}: {side}, and its rows")
        expect.absent(list(states.values()), "open", f"{where}: states")
        return side


def _note(t, total, sides):
    t.note(f"{total} effects, {len(sides)} tried: {sides.count('old')} old, {sides.count('new')} new")


def test_beside_the_profile(t):
    several = Several(t)
    traced = several.pool.copy("traced.img")
    numbers = [number for number, _, _ in crash.effects(traced, *several.args)]
    os.unlink(traced.image)
    sides = []
    for number in t.sample(numbers, 4):
        copy = several.pool.copy("crash.img")
        copy.fp(*several.args, env={"FLIPPER_FAULT_AT": str(number)})
        sides.append(several.recovered(copy, f"killed at effect {number}"))
        os.unlink(copy.image)
    _note(t, len(numbers), sides)


def test_live(t):
    several = Several(t)
    traced = several.pool.copy("traced.img")
    with session.inside(traced) as inside:
        inside.say(f"FLIPPER_FAULT_TRACE=/var/tmp/trace {several.words}")
        total = len(inside.say("cat /var/tmp/trace").splitlines())
    os.unlink(traced.image)
    expect.that(total, "the live undo has no effects")
    sides = []
    for number in t.sample(range(1, total + 1), 4):
        copy = several.pool.copy("crash.img")
        with session.inside(copy) as inside:
            inside.say(f"FLIPPER_FAULT_AT={number} {several.words}")
        sides.append(several.recovered(copy, f"live, cut at effect {number}"))
        os.unlink(copy.image)
    _note(t, total, sides)
