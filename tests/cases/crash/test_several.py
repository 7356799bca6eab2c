"""Undos of more than one change, cut at their effects: all of it happens, or nothing.

Several transactions as one; an upgrade whose package is held in the same step.
"""

import os

from lib import crash, expect, session
from oracle import tree

# Remade or touched by programs at another time in each run.
IGNORED = ("mtime",)
REMADE = (b"/etc/ld.so.cache", b"/var/cache/ldconfig/")


class Cut:
    """Installations, some of which are taken back as one; the tree before that and after it."""

    def __init__(self, t, packages, undone, flags=()):
        self.pool = t.pool("mini")
        numbers = []
        for package in packages:
            expect.status(self.pool.install(package), 0)
            numbers.append(self.pool.newest()["number"])
        self.numbers = numbers[undone]
        words = ("undo", f"{self.numbers[0]}..{self.numbers[-1]}", *flags)
        self.args = ("--yes", "-p", "dev", *words)
        self.words = f"flipper-profile --json --yes {' '.join(words)}"
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
        expect.equal([states[number] for number in self.numbers], [wanted] * len(self.numbers), f"{where}: {side}, and its rows")
        expect.absent(list(states.values()), "open", f"{where}: states")
        return side


def _note(t, total, sides):
    t.note(f"{total} effects, {len(sides)} tried: {sides.count('old')} old, {sides.count('new')} new")


def _several(t):
    return Cut(t, ("fpt-conf=1", "fpt-links", "fpt-user"), slice(0, 2))


def _held(t):
    return Cut(t, ("fpt-conf=1", "fpt-conf=2"), slice(1, 2), ("--hold",))


def test_beside_the_profile(t):
    _beside(t, _several(t))


def test_live(t):
    _live(t, _several(t))


def test_a_held_upgrade_beside_the_profile(t):
    _beside(t, _held(t))


def test_a_held_upgrade_live(t):
    _live(t, _held(t))


def _beside(t, cut):
    traced = cut.pool.copy("traced.img")
    points = crash.effects(traced, *cut.args)
    os.unlink(traced.image)
    sides = []
    for point in t.sample(points, 3):
        copy = cut.pool.copy("crash.img")
        crash.at(copy, cut.args, point)
        sides.append(cut.recovered(copy, f"killed at effect {point}"))
        os.unlink(copy.image)
    _note(t, len(points), sides)


def _live(t, cut):
    traced = cut.pool.copy("traced.img")
    with session.inside(traced) as inside:
        points = crash.effects_inside(inside, cut.words)
    os.unlink(traced.image)
    sides = []
    for point in t.sample(points, 3):
        copy = cut.pool.copy("crash.img")
        with session.inside(copy) as inside:
            crash.at_inside(inside, cut.words, point)
        sides.append(cut.recovered(copy, f"live, cut at effect {point}"))
        os.unlink(copy.image)
    _note(t, len(points), sides)
