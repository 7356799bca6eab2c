"""No space at any effect of a command: done all the same, or failed with nothing changed."""

from lib import crash, expect, pools


def test_create(t):
    crash.without_space_at_every_effect(t, t.pool("toy"), ("create", "new"), 8)


def test_clone(t):
    crash.without_space_at_every_effect(t, t.pool("toy"), ("clone", "dev", "copy"), 8)


def test_reset(t):
    crash.without_space_at_every_effect(t, t.pool("toy"), ("--yes", "reset", "dev"), 8)


def test_delete(t):
    crash.without_space_at_every_effect(t, t.pool("toy"), ("--yes", "delete", "dev"), 8)


def test_undo_of_a_delete(t):
    pool = t.pool("toy")
    profile = pool.ok("info", "dev")["id"]
    number = pool.ok("--yes", "delete", "dev")["transaction"]
    crash.without_space_at_every_effect(t, pool, ("--yes", "-p", profile, "undo", str(number)), 8)


def test_rename(t):
    crash.without_space_at_every_effect(t, t.pool("toy"), ("rename", "dev", "router"), 8)


def test_set(t):
    crash.without_space_at_every_effect(t, t.pool("toy"), ("set", "dev", "description=new"), 8)


def test_delete_works_on_a_full_pool(t):
    pool = pools.small(t, "768M")
    pool.ok("create", "other")
    pool.fill()
    expect.status(pool.fp("--yes", "delete", "other"), 0)
    expect.equal([p["name"] for p in pool.ok("list")["profiles"]], ["dev"])


def test_reading_works_on_a_full_pool(t):
    pool = pools.small(t, "768M")
    pool.fill()
    for verb in (("list",), ("info", "dev"), ("pool", "info"), ("-p", "dev", "history"), ("pool", "check")):
        expect.status(pool.fp(*verb), 0)


def test_create_on_a_full_pool_says_so_or_works(t):
    pool = pools.small(t, "768M")
    pool.fill()
    answer = pool.fp("create", "other")
    expect.that(answer.status in (0, 1), answer)
    if answer.status == 1:
        expect.equal(answer.error["situation"], "no-space")
        expect.equal([p["name"] for p in pool.ok("list")["profiles"]], ["dev"])
