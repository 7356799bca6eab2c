"""Killed at every effect, then `recover`: the old world or the new one, never a mixture."""

import os

from lib import crash, expect, toy


def _with_files(t):
    """A toy pool whose profile `dev` has something in its upper."""
    pool = t.pool("toy")
    with pool.top() as top:
        directory, _ = pool.profile_file(top, "dev")
        os.makedirs(f"{directory}/upper/etc/mine")
        with open(f"{directory}/upper/etc/mine/file", "w", encoding="ascii") as f:
            f.write("mine\n")
    return pool


def test_create(t):
    crash.at_every_effect(t, t.pool("toy"), ("create", "new"), 12)


def test_clone(t):
    crash.at_every_effect(t, _with_files(t), ("clone", "dev", "copy"), 12)


def test_rename(t):
    crash.at_every_effect(t, _with_files(t), ("rename", "dev", "other"), 12)


def test_delete(t):
    crash.at_every_effect(t, _with_files(t), ("--yes", "delete", "dev"), 12)


def test_reset(t):
    crash.at_every_effect(t, _with_files(t), ("--yes", "reset", "dev"), 16)


def test_set(t):
    crash.at_every_effect(t, _with_files(t), ("set", "dev", "description=new"), 8)


def test_undo_of_a_delete(t):
    pool = _with_files(t)
    profile = pool.ok("info", "dev")["id"]
    number = pool.ok("--yes", "delete", "dev")["transaction"]
    crash.at_every_effect(t, pool, ("--yes", "-p", profile, "undo", str(number)), 12)


def test_undo_of_a_delete_that_was_cut_loses_nothing_to_gc(t):
    """What half came back is not trash, and asking for it once more does not stand in recover's way."""
    pool = _with_files(t)
    profile = pool.ok("info", "dev")["id"]
    number = pool.ok("--yes", "delete", "dev")["transaction"]
    words = ("--yes", "-p", profile, "undo", str(number))
    done = pool.copy("done.img")
    points = crash.effects(done, *words)
    new = crash.world(done)
    os.unlink(done.image)
    held = 0
    for effect, name, _ in points:
        copy = pool.copy("crash.img")
        crash.at(copy, words, (effect, name))
        if copy.fp("--yes", "-p", profile, "undo", str(number)).status == 4:
            held += 1
            copy.ok("--yes", "pool", "gc")
        expect.status(copy.fp("recover"), 0)
        if "dev" not in crash.world(copy)["profiles"]:
            copy.ok(*words)
        expect.equal(crash.difference(new, crash.world(copy)), None, f"cut at {effect}, {name}")
        expect.nothing(copy.ok("recover")["actions"], f"cut at {effect}, {name}: left to recover")
        os.unlink(copy.image)
    expect.that(held, "no cut left an intent")


def test_undo_of_a_reset(t):
    pool = _with_files(t)
    pool.ok("--yes", "reset", "dev")
    crash.at_every_effect(t, pool, ("--yes", "-p", "dev", "undo"), 16)


def test_base_add(t):
    root = t.path("root")
    os.mkdir(root)
    toy.make(root)
    crash.at_every_effect(t, t.pool("toy"), ("base", "add", "v2", "--from-directory", root), 12)


def test_base_remove(t):
    pool = t.pool("toy")
    root = t.path("root")
    os.mkdir(root)
    toy.make(root)
    pool.ok("base", "add", "v2", "--from-directory", root)
    crash.at_every_effect(t, pool, ("--yes", "base", "remove", "v2"), 8)


def test_recover_itself(t):
    """Cut during recovery: the next recovery comes to the same end."""
    pool = _with_files(t)
    old = crash.world(pool)
    done = pool.copy("done.img")
    points = crash.effects(done, "--yes", "reset", "dev")
    new = crash.world(done)
    os.unlink(done.image)
    middle = points[len(points) // 2][0]
    for number in t.sample(range(1, 12), 5):
        copy = pool.copy("crash.img")
        copy.fp("--yes", "reset", "dev", env={"FLIPPER_FAULT_AT": str(middle)})
        copy.fp("recover", env={"FLIPPER_FAULT_AT": str(number)})
        crash.old_or_new(copy, old, new, f"recover killed at its effect {number}")
        os.unlink(copy.image)


def test_pool_create_half_way_is_told_and_can_be_forced(t):
    from lib import command
    args = ("--json", "pool", "create", t.path("new.img"), "--size", "2G", "--inode-floor", "65536")
    trace = t.path("trace")
    expect.status(command.call(t.program(), *args, env={"FLIPPER_FAULT_TRACE": trace}), 0)
    os.unlink(t.path("new.img"))
    total = len(open(trace, encoding="utf-8").read().splitlines())
    for number in t.sample(range(1, total + 1), 6):
        command.call(t.program(), *args, env={"FLIPPER_FAULT_AT": str(number)})
        if os.path.exists(t.path("new.img")):
            answer = command.call(t.program(), "--json", "--pool", t.path("new.img"), "list")
            expect.that(answer.status in (0, 1, 4), answer)
        expect.status(command.call(t.program(), *args, "--force", "--yes"), 0)
        os.unlink(t.path("new.img"))


def test_a_setting_that_was_cut_after_it_was_written_stays_in_the_history(t):
    """The next change of the profile overwrites the time by which it is known."""
    pool = t.pool("toy")
    done = pool.copy("done.img")
    last = crash.effects(done, "set", "dev", "description=new")[-1][0]
    os.unlink(done.image)
    expect.status(pool.fp("set", "dev", "description=new", env={"FLIPPER_FAULT_AT": str(last)}), crash.KILLED)
    pool.ok("rename", "dev", "other")
    expect.equal(pool.ok("info", "other")["description"], "new")
    expect.equal([(r["kind"], r["state"]) for r in pool.history("other")], [("rename", "done"), ("set", "done")])
