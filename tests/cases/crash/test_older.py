"""The undo of an older transaction beside later ones, cut or without space at its effects: the old tree, or the new one.

What is new is the oracle's word, not the product's: see `oracle/undo.py`.
"""

import os

from lib import crash, expect, played, pools, session
from oracle import tree

INSTALL = "apt-get -q -y install"
STEPS = (
    f"{INSTALL} fpt-acc-two fpt-line-c",
    f"{INSTALL} fpt-conf=1 fpt-acc-one fpt-alt-a fpt-shlib-a fpt-line-a fpt-over-a",
    "echo 10.0.0.1 mine >> /etc/hosts; useradd --no-create-home later; sed -i 's/line 30/mine/' /etc/fpt-lines",
    f"{INSTALL} fpt-links fpt-line-b fpt-shlib-b",
    "usermod -a -G fptgroup later; echo later:secret | chpasswd",
)


class Older:
    """A pool in which the second of three transactions has something to be taken back from beside what came later."""

    def __init__(self, t, pool=None):
        self.pool = pool or t.pool("mini")
        self.history = played.play(self.pool, "none", STEPS, played.base_of(self.pool))
        expect.equal(len(self.history.made), 3, "transactions")
        self.case = self.history.case(self.history.made[1])
        expect.that(self.case.joined and not self.case.refused(), f"not a history to be undone: {self.case.conflicts}")
        self.number = str(self.history.made[1].number)
        self.args = ("--yes", "-p", "dev", "undo", self.number)
        self.words = f"flipper-profile --json --yes undo {self.number}"

    def side(self, pool, where):
        """"old" or "new"; anything else fails."""
        now = self.history.reading(pool)
        old, new = tree.compare(self.history.now, now), self.case.judge(now)
        expect.that(not old or not new, f"{where}: neither old ({_first(old)}) nor new ({_first(new)})")
        return "new" if old else "old"

    def recovered(self, pool, where):
        """What recover outside makes of it, and that it is all done then."""
        expect.status(pool.fp("recover"), 0)
        side = self.side(pool, where)
        expect.nothing(pool.ok("recover")["actions"], f"{where}: actions of a second recover")
        expect.status(pool.fp("pool", "check"), 0)
        states = {row["number"]: row["state"] for row in pool.history()}
        expect.absent(list(states.values()), "open", f"{where}: states")
        expect.equal(states[int(self.number)], "undone" if side == "new" else "done", f"{where}: {side}, and its row")
        return side

    def effects(self):
        """Those of the undo from outside."""
        copy = self.pool.copy("traced.img")
        points = crash.effects(copy, *self.args)
        expect.equal(self.side(copy, "the whole undo"), "new")
        os.unlink(copy.image)
        return points

    def effects_inside(self):
        """Those of the live undo."""
        copy = self.pool.copy("traced.img")
        with session.inside(copy) as inside:
            points = crash.effects_inside(inside, self.words)
            expect.equal(self.side(copy, "the whole live undo"), "new")
        os.unlink(copy.image)
        return points


def _first(differences):
    return f"{len(differences)} differences, first {differences[0]}" if differences else "nothing"


def _each(t, older, points, count, one):
    sides = []
    for point in t.sample(points, count):
        copy = older.pool.copy("crash.img")
        sides.append(one(copy, point))
        os.unlink(copy.image)
    t.note(f"{len(points)} effects, {len(sides)} tried: {sides.count('old')} old, {sides.count('new')} new")
    return sides


def test_a_staged_undo_killed_anywhere(t):
    older = Older(t)

    def one(copy, point):
        crash.at(copy, older.args, point)
        return older.recovered(copy, f"killed at effect {point}")
    expect.contains(_each(t, older, older.effects(), 3, one), "old")


def test_a_staged_undo_without_space_anywhere(t):
    older = Older(t)

    def one(copy, point):
        answer = crash.at(copy, older.args, point, "enospc")
        where = f"no space at effect {point}: exit {answer.status}"
        expect.that(answer.status in (0, 1, 4), f"{where}\n{answer}")
        if answer.status == 1:
            expect.equal(older.side(copy, f"{where} says that nothing changed"), "old")
        return older.recovered(copy, where)
    _each(t, older, older.effects(), 3, one)


def test_power_cut_during_a_staged_undo(t):
    older = Older(t)
    points = older.effects()
    os.rename(older.pool.image, older.pool.image + ".whole")
    sides = []
    for point in t.sample(points, 2):
        pools.copy_sparse(older.pool.image + ".whole", older.pool.image)
        cut = crash.power_cut(older.pool, older.args, point[0], "cut.img")
        os.unlink(older.pool.image)
        sides.append(older.recovered(cut, f"power cut before effect {point}"))
        os.unlink(cut.image)
    t.note(f"{len(points)} effects, {len(sides)} cut: {sides.count('old')} old, {sides.count('new')} new")


def test_a_live_undo_killed_anywhere_and_recovered_in_place(t):
    older = Older(t)

    def one(copy, point):
        with session.inside(copy) as inside:
            crash.at_inside(inside, older.words, point)
            expect.contains(inside.say("flipper-profile --json recover"), '"ok":true')
            side = older.side(copy, f"live, killed at effect {point}")
        expect.equal(older.recovered(copy, f"live, killed at effect {point}"), side)
        return side
    _each(t, older, older.effects_inside(), 3, one)


def test_a_live_undo_killed_anywhere_and_recovered_outside(t):
    older = Older(t)

    def one(copy, point):
        with session.inside(copy) as inside:
            crash.at_inside(inside, older.words, point)
        return older.recovered(copy, f"live, cut at effect {point}")
    _each(t, older, older.effects_inside(), 3, one)


def test_a_live_undo_without_space_anywhere(t):
    older = Older(t)

    def one(copy, point):
        with session.inside(copy) as inside:
            crash.at_inside(inside, older.words, point, "enospc")
        return older.recovered(copy, f"live, no space at effect {point}")
    _each(t, older, older.effects_inside(), 3, one)


def test_an_undo_in_a_full_pool_is_done_or_changes_nothing(t):
    """And is done once there is space again."""
    older = Older(t, pools.small(t, "1536M", "mini"))
    older.pool.fill()
    answer = older.pool.fp(*older.args)
    expect.that(answer.status in (0, 1, 4), answer)
    side = older.recovered(older.pool, f"in a full pool: exit {answer.status}")
    expect.equal(side, "new" if answer.status == 0 else "old", answer)
    older.pool.drain()
    if side == "old":
        expect.status(older.pool.fp(*older.args), 0)
        expect.equal(older.side(older.pool, "with space again"), "new")
    t.note(f"in a full pool: exit {answer.status}")
