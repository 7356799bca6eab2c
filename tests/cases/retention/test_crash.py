"""Retention killed, cut from the power, or without space at any effect: a row with its files or one without."""

import os

from lib import crash, expect, pools, retained

GC = ("--yes", "pool", "gc")
DELETING = ("delete-subvolume", "clear-away-what-was-deleted-from", "commit-the-filesystem-of")


def _history(t):
    """A pool in which `pool gc` takes three of five transactions, one of which shares a snapshot with an undo."""
    pool = t.pool("toy")
    retained.resets(pool, 3, trash=True)
    pool.ok("--yes", "-p", "dev", "undo")
    retained.resets(pool, 1, trash=True)
    pool.ok("set", "dev", "keep-newest=1")
    pool.ok("set", "dev", "keep-most=2")
    return pool


def _told(pool, **options):
    """What the journal says of each transaction, without the moment."""
    found = retained.check(pool, **options)
    return {number: (pre, post, gone is not None, paths) for number, (pre, post, gone, paths) in found.items()}


def _recovered(pool, expected, old, where):
    """What is there right after the cut names nothing that is gone; `recover` ends as a run to the end does."""
    retained.check(pool, leftovers=True)
    expect.status(pool.fp("recover"), 0)
    found = _told(pool)
    expect.equal({n: row[:2] for n, row in found.items()}, {n: row[:2] for n, row in expected.items()}, where)
    expect.equal(crash.difference(old, crash.world(pool)), None, where)
    checked = pool.fp("pool", "check")
    expect.that(checked.status == 0, f"{where}: pool check\n{checked}")
    expect.nothing(pool.ok("recover")["actions"], f"{where}: actions of a second recover")
    with pool.top() as top:
        expect.nothing(os.listdir(f"{top}/@flipper/staging"), f"{where}: staging")


def _undisturbed(pool):
    """(effects, what the journal says afterwards, the world, which is the same before and after)."""
    old = crash.world(pool)
    done = pool.copy("done.img")
    points = crash.effects(done, *GC)
    expected = _told(done)
    expect.equal(sum(gone for _, _, gone, _ in expected.values()), 3, "transactions whose files are gone")
    os.unlink(done.image)
    return points, expected, old


def test_killed_at_every_effect(t):
    pool = _history(t)
    points, expected, old = _undisturbed(pool)
    for number, name, path in t.sample(points, 16):
        copy = pool.copy("crash.img")
        where = f"killed at effect {number}, {name} {os.path.basename(path)}"
        crash.at(copy, GC, (number, name))
        _recovered(copy, expected, old, where)
        os.unlink(copy.image)
    t.note(f"{len(points)} effects")


def test_without_space_at_every_effect(t):
    """The reserve helps, or it is told; nothing that is named is gone, and a second run ends it."""
    pool = _history(t)
    points, expected, old = _undisturbed(pool)
    statuses = []
    for number, name, _ in t.sample(points, 12):
        copy = pool.copy("full.img")
        where = f"no space at effect {number}, {name}"
        answer = crash.at(copy, GC, (number, name), "enospc")
        expect.that(answer.status in (0, 1), f"{where}\n{answer}")
        if answer.status == 1:
            expect.equal(answer.error["situation"], "no-space", where)
        statuses.append(answer.status)
        _recovered(copy, expected, old, where)
        os.unlink(copy.image)
    t.note(f"{len(points)} effects, ended {sorted(set(statuses))}")


def test_power_cut_at_effects(t):
    pool = _history(t)
    points, expected, old = _undisturbed(pool)
    deletions = [point for point in points if point[1] in DELETING]
    for number, name, path in t.sample(deletions, 5):
        whole = pool.copy("running.img")
        cut = crash.power_cut(whole, GC, number, "cut.img")
        os.unlink(whole.image)
        _recovered(cut, expected, old, f"power cut at effect {number}, {name} {os.path.basename(path)}")
        os.unlink(cut.image)


def test_a_full_pool_is_freed_by_its_own_rules(t):
    """At zero bytes free: the lists are stored in the reserve, the oldest go, and it stops when enough is free."""
    pool = pools.small(t, "768M")
    numbers = retained.resets(pool, 6, size=24 << 20)
    pool.ok("set", "dev", "keep-newest=1")
    pool.ok("set", "dev", "keep-free=40M")
    pool.fill()
    before = pool.ok("pool", "info")["free"]
    planned = pool.ok("pool", "gc", "--dry-run")
    expect.equal([p["transaction"] for p in planned["until_free"]], numbers[:-1])
    expect.equal((planned["pruned"], planned["to_stay_free"]), ([], 40 << 20))
    expect.contains(pool.plain("pool", "gc", "--dry-run").text, "the oldest first, until 40.0 MiB are free")
    done = pool.ok("pool", "gc")
    gone = [p["transaction"] for p in done["pruned"]]
    t.note(f"{before >> 20} MiB free before, {done['free'] >> 20} MiB after, gone: {gone}")
    expect.that(gone and gone == numbers[:len(gone)], f"the oldest first: {gone}")
    expect.that(len(gone) < 5, f"more went than had to: {gone}")
    expect.that(done["free"] >= 40 << 20, f"{done['free']} bytes are free")
    retained.check(pool)
    expect.equal(pool.fp("pool", "check").status, 0)
    expect.equal(pool.ok("pool", "gc")["pruned"], [], "when enough is free")
