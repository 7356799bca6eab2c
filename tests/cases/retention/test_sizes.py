"""What snapshots are said to hold is what comes free when they go."""

import os

from lib import expect, pools, retained
from lib.process import run_ok

FILE = 8 << 20
# Small files, and metadata, are left out of what is told and come into what is free.
SLACK = 2 << 20


def _near(found, wanted, what):
    expect.that(abs(found - wanted) <= SLACK, f"{what}: {found}, not about {wanted}")


def test_what_is_told_comes_free(t):
    pool = pools.small(t, "768M")
    numbers = retained.resets(pool, 4, size=FILE)
    for number in numbers[:2]:
        _near(pool.ok("-p", "dev", "show", str(number))["frees"], FILE, f"transaction {number}")
    expect.contains(pool.plain("-p", "dev", "show", str(numbers[0])).text, "8.0 MiB that nothing newer has)")
    # Two are remembered from `show`; the newest has the living profile next, so it is never remembered.
    told = pool.ok("info", "dev")["snapshots"]
    expect.equal((told["transactions"], told["unknown"]), (4, 2))
    _near(told["bytes"], 2 * FILE, "known without measuring")
    told = pool.ok("info", "dev", "--sizes")["snapshots"]
    expect.equal((told["transactions"], told["unknown"]), (4, 0))
    _near(told["bytes"], 4 * FILE, "measured")
    told = pool.ok("info", "dev")["snapshots"]
    expect.equal((told["transactions"], told["unknown"]), (4, 1))
    expect.equal(pool.ok("pool", "info")["snapshots"], told, "of the whole pool")
    pool.ok("set", "dev", "keep-newest=1")
    pool.ok("set", "dev", "keep-most=1")
    planned = pool.ok("pool", "gc", "--dry-run")
    expect.equal(planned["frees"]["transactions"], 3)
    _near(planned["frees"]["bytes"], 3 * FILE, "of a dry run")
    expect.contains(pool.plain("pool", "gc", "--dry-run").text, "the snapshots of 3 transactions, about 24.0 MiB")
    before = pool.ok("pool", "info")["free"]
    pool.ok("pool", "gc")
    _near(pool.ok("pool", "info")["free"] - before, 3 * FILE, "came free")
    expect.equal(pool.ok("info", "dev")["snapshots"]["transactions"], 1)


def test_a_state_that_was_brought_back_is_not_counted(t):
    """The snapshot before a reset stays when its undo has it as its own after it: deleting the reset frees nothing."""
    pool = pools.small(t, "768M")
    number, = retained.resets(pool, 1, size=FILE)
    _near(pool.ok("-p", "dev", "show", str(number))["frees"], FILE, "before the undo")
    pool.ok("--yes", "-p", "dev", "undo")
    expect.equal(pool.ok("-p", "dev", "show", str(number))["frees"], 0)


def test_what_the_base_has_too_is_not_counted(t):
    """A file that was copied up shares its content with the base: its own is only what was written over it."""
    pool = t.pool("toy")
    name = "usr/share/toy/deep/er/file"
    with pool.top() as top:
        directory, _ = pool.profile_file(top, "dev")
        os.makedirs(f"{directory}/upper/{os.path.dirname(name)}")
        run_ok("cp", "--reflink=always", f"{top}/@base/v1/{name}", f"{directory}/upper/{name}")
        expect.that(os.path.getsize(f"{directory}/upper/{name}") > 65536, "the file is large")
    number, = retained.resets(pool, 1)
    expect.equal(pool.ok("-p", "dev", "show", str(number))["frees"], 0)
