"""Room is made before apt works, told, and never in its way."""

from lib import expect, retained
from lib.process import run_ok

FAILING = {"FLIPPER_FAULT_AT": "delete-subvolume", "FLIPPER_FAULT_ACTION": "enospc"}


def _short_of_space(t, **rules):
    """A pool with four transactions in which less than half is free, and the numbers, oldest first."""
    pool = t.pool("mini")
    for version in ("1", "2", "1", "2"):
        expect.status(pool.apt("--allow-downgrades", "install", f"fpt-hello={version}"), 0)
    for key, value in rules.items():
        pool.ok("set", "dev", f"keep-{key}={value}")
    with pool.top() as top:
        # Set aside and never written: the image stays as small as it is.
        run_ok("fallocate", "-l", "5G", f"{top}/@data/fill")
    return pool, sorted(row["number"] for row in pool.history() if row["kind"] == "apt")


def test_the_oldest_go_before_apt_begins_and_it_is_told(t):
    pool, numbers = _short_of_space(t, newest=2, free="50%")
    answer = expect.status(pool.install("fpt-conf"), 0)
    expect.contains(answer.text + answer.errors, "N: flipper-profile: space was short: the snapshots of 2 transactions "
                    f"({numbers[0]} to {numbers[1]}) are deleted, their history stays")
    # What they held is not enough, and that is said too.
    expect.contains(answer.text + answer.errors, "which is still short: `flipper-profile status` tells more")
    found = retained.check(pool)
    expect.equal([number for number, (_, _, gone, _) in found.items() if gone], numbers[:2])
    newest = pool.newest()
    expect.equal((newest["state"], newest["reason"]), ("done", None))
    pool.ok("--yes", "-p", "dev", "undo", str(newest["number"]))
    # Where nothing more may go, apt is not bothered with it.
    pool.ok("set", "dev", "keep-newest=20")
    again = expect.status(pool.install("fpt-conf"), 0)
    expect.absent(again.text + again.errors, "flipper-profile: space")
    told = pool.ok("-p", "dev", "status")["space"]
    expect.equal((told["short"], told["old_snapshots"]), (True, 0))
    pool.ok("set", "dev", "keep-newest=3")
    told = pool.ok("-p", "dev", "status")["space"]
    expect.that(told["old_snapshots"] > 0, told)
    expect.contains(pool.plain("-p", "dev", "status").text, "`flipper-profile pool gc` deletes the oldest until it is")


def test_with_enough_space_nothing_goes(t):
    pool, _ = _short_of_space(t, newest=1, free="1G")
    answer = expect.status(pool.install("fpt-conf"), 0)
    expect.absent(answer.text + answer.errors, "space was short")
    expect.nothing([n for n, row in retained.check(pool).items() if row[2]], "transactions whose files are gone")


def test_a_failure_to_make_room_is_told_and_apt_goes_on(t):
    pool, numbers = _short_of_space(t, newest=2, free="50%")
    answer = expect.status(pool.install("fpt-conf", inside=FAILING), 0)
    expect.contains(answer.text + answer.errors, "W: flipper-profile: old snapshots could not be deleted: ")
    expect.equal(pool.newest()["state"], "done")
    # The row says that the files are gone, and the sweep of the next look takes what is left of them.
    retained.check(pool, leftovers=True)
    pool.ok("recover")
    found = retained.check(pool)
    expect.equal(sorted(number for number, row in found.items() if row[2])[:2], numbers[:2])
