"""A thousand snapshots: listing them and planning what goes stays quick, and takes no more memory than ten."""

import os
import sqlite3
import subprocess

from bench import timing
from lib import command, expect, retained
from lib.process import run_ok

SNAPSHOTS = 1000
VERBS = {
    "list": ("list",),
    "history": ("-p", "dev", "history"),
    "whole history": ("-p", "dev", "history", "--limit", "0"),
    "status": ("-p", "dev", "status"),
    "gc --dry-run": ("pool", "gc", "--dry-run"),
}


def _multiply(top, profile, total):
    """Copies the newest transaction with its two snapshots until there are `total` snapshots."""
    here = f"{top}/@snapshots/{profile}"
    connection = sqlite3.connect(f"{top}/@flipper/journal.db")
    columns = [row[1] for row in connection.execute("PRAGMA table_info(transactions)") if row[1] != "number"]
    last, pre = connection.execute("SELECT number, pre FROM transactions WHERE pre IS NOT NULL "
                                   "ORDER BY number DESC LIMIT 1").fetchone()
    listed = ", ".join(columns)
    for _ in range(total // 2):
        cursor = connection.execute(f"INSERT INTO transactions ({listed}) SELECT {listed} FROM transactions WHERE number = ?",
                                    (last,))
        number = cursor.lastrowid
        names = [f"{number}-pre", f"{number}-post"]
        connection.execute("UPDATE transactions SET pre = ?, post = ? WHERE number = ?", (*names, number))
        connection.execute("INSERT INTO path_lists (txn, entries, meanwhile, encoding, list) "
                           "SELECT ?, entries, meanwhile, encoding, list FROM path_lists WHERE txn = ?", (number, last))
        for name in names:
            run_ok("btrfs", "-q", "subvolume", "snapshot", "-r", f"{here}/{pre}", f"{here}/{name}")
    connection.commit()
    connection.close()


def _cost(program, *args):
    """(seconds, peak memory in KiB) of one call.

    Started by a shell that ends at once: what a process had when it was forked counts to its peak, and this one has
    more than the program. Orphans come to this process.
    """
    peaks = []

    def call():
        started = subprocess.run(["sh", "-c", '"$@" >/dev/null 2>&1 </dev/null & echo $!', "sh", program, *args],
                                 env=command.environment(), stdout=subprocess.PIPE, check=True)
        _, status, usage = os.wait4(int(started.stdout), 0)
        expect.equal(os.waitstatus_to_exitcode(status), 0, "exit status")
        peaks.append(usage.ru_maxrss)
    return timing.seconds(call), peaks[0]


def _costs(t, pool):
    """{verb: (median seconds, least peak memory)}."""
    found = {}
    for name, args in VERBS.items():
        calls = [_cost(t.program(), "--pool", pool.image, "--json", *args) for _ in range(timing.rounds(t, 5))]
        found[name] = (sorted(seconds for seconds, _ in calls)[len(calls) // 2], min(peak for _, peak in calls))
    return found


def test_a_thousand_snapshots_are_listed_and_planned_at_once(t):
    t.use_packaged_program()
    pool = t.pool("toy")
    retained.resets(pool, 5)
    # Every one of them is looked at by every rule, and a hundred stay.
    pool.ok("set", "dev", "keep-newest=100")
    pool.ok("set", "dev", "keep-most=200")
    pool.ok("-p", "dev", "show", str(pool.newest()["number"] - 2))
    few = _costs(t, pool)
    with pool.top() as top:
        _, content = pool.profile_file(top, "dev")
        _multiply(top, content["id"], SNAPSHOTS)
    many = _costs(t, pool)
    for name in VERBS:
        (few_seconds, few_peak), (seconds, peak) = few[name], many[name]
        t.note(f"{name}: {few_seconds * 1000:.0f} ms and {few_peak} KiB with 5, "
               f"{seconds * 1000:.0f} ms and {peak} KiB with {SNAPSHOTS}")
        timing.want(t, seconds < 1, f"{name} takes {seconds:.2f} s")
        expect.that(peak < 1.5 * few_peak, f"{name}: {peak} KiB against {few_peak} KiB")
    planned = pool.ok("pool", "gc", "--dry-run")["pruned"]
    expect.equal(len(planned), SNAPSHOTS // 2 + 5 - 200)


def test_deleting_a_thousand_snapshots_ends_soon(t):
    """Told, and held against what deleting them by hand takes."""
    t.use_packaged_program()
    pool = t.pool("toy")
    retained.resets(pool, 1)
    pool.ok("-p", "dev", "show", str(pool.newest()["number"]))
    with pool.top() as top:
        _, content = pool.profile_file(top, "dev")
        _multiply(top, content["id"], SNAPSHOTS)
    by_hand = pool.copy("by-hand.img")
    with by_hand.top() as top:
        here = f"{top}/@snapshots/{content['id']}"
        names = sorted(name for name in os.listdir(here) if name != "origin")
        raw = timing.seconds(lambda: (run_ok("btrfs", "-q", "subvolume", "delete", *(f"{here}/{n}" for n in names)),
                                      run_ok("btrfs", "-q", "subvolume", "sync", top)))
    os.unlink(by_hand.image)
    pool.ok("set", "dev", "keep-newest=1")
    pool.ok("set", "dev", "keep-most=1")
    ours = timing.seconds(lambda: pool.ok("pool", "gc", timeout=600))
    t.note(f"{len(names)} snapshots: {ours:.1f} s, by hand {raw:.1f} s")
    retained.check(pool)
