"""What the journal says of snapshots, held against what is on the disk: read by SQLite and by listing."""

import os
import sqlite3

from lib import expect
from lib.process import run_ok


def journal(top):
    """A connection to the journal of a pool that nobody else uses."""
    return sqlite3.connect(f"file:{top}/@flipper/journal.db", uri=True)


def rows(top, profile):
    """{number: (pre, post, files gone since, paths in the stored list or None)} of a profile's transactions."""
    connection = journal(top)
    try:
        found = connection.execute(
            "SELECT number, pre, post, files_gone, (SELECT entries FROM path_lists WHERE txn = number) "
            "FROM transactions WHERE profile = ? ORDER BY number", (profile,)).fetchall()
    finally:
        connection.close()
    return {number: rest for number, *rest in found}


def snapshots(top, profile):
    """The names of the snapshots on the disk."""
    return set(os.listdir(f"{top}/@snapshots/{profile}"))


def check(pool, profile="dev", leftovers=False):
    """Every row that names snapshots has them, every other says what it changed, and nothing else is on the disk
    (but, with `leftovers`, what a kill has left)."""
    with pool.top() as top:
        _, content = pool.profile_file(top, profile)
        found, present = rows(top, content["id"]), snapshots(top, content["id"])
    named = {"origin"} | {name for pre, post, *_ in found.values() for name in (pre, post) if name}
    expect.nothing(sorted(named - present), "named and not on the disk")
    if not leftovers:
        expect.nothing(sorted(present - named), "on the disk and not named")
    for number, (pre, post, gone, paths) in found.items():
        if gone:
            expect.equal((pre, post), (None, None), f"snapshots of {number}, whose files are gone")
            expect.that(paths is not None, f"nothing tells what {number} changed")
    return found


def resets(pool, count, profile="dev", size=0, trash=False):
    """`count` transactions with snapshots: each takes away a file of its own that was made before it.

    Without `trash` the state that each replaced is taken out of the trash: nobody is asked about snapshots, and
    about that somebody would be.
    """
    numbers = []
    for index in range(count):
        with pool.top() as top:
            directory, _ = pool.profile_file(top, profile)
            os.makedirs(f"{directory}/upper/etc/mine", exist_ok=True)
            with open(f"{directory}/upper/etc/mine/file{index}", "wb") as f:
                f.write(os.urandom(size) if size else b"%d\n" % index)
        numbers.append(pool.ok("--yes", "reset", profile)["transaction"])
    if not trash:
        with pool.top() as top:
            for number in numbers:
                run_ok("btrfs", "-q", "subvolume", "delete", f"{top}/@flipper/trash/{number}/state")
                os.rmdir(f"{top}/@flipper/trash/{number}")
    return numbers
