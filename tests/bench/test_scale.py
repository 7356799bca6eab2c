"""Costs that must not grow: clone with the profile's size, history with its length."""

import os
import sqlite3
import subprocess

from bench import timing
from lib import expect


def _fill(pool, profile, megabytes):
    with pool.top() as top:
        directory, _ = pool.profile_file(top, profile)
        block = os.urandom(1 << 20)
        for number in range(megabytes // 10):
            with open(f"{directory}/upper/file{number}", "wb") as f:
                for _ in range(10):
                    f.write(block)


def test_clone_is_flat_from_10_megabytes_up(t):
    """To 10 GB in the long tier; else to 200 MB."""
    large = 10_000 if t.long else 200
    t.use_packaged_program()
    pool = t.pool("toy")
    if t.long:
        os.truncate(pool.image, 24 << 30)
        with pool.top() as top:
            subprocess.run(["btrfs", "-q", "filesystem", "resize", "max", top], check=True)
    pool.ok("create", "large")
    _fill(pool, "dev", 10)
    _fill(pool, "large", large)
    counter = iter(range(1000))

    def clone(source):
        return lambda: timing.seconds(lambda: pool.ok("clone", source, f"copy{next(counter)}"))
    measured = timing.interleaved({"10 MB": clone("dev"), f"{large} MB": clone("large")}, timing.rounds(t, 9))
    timing.tell(t, "clone", measured)
    middle = timing.medians(measured)
    ratio = middle[f"{large} MB"] / middle["10 MB"]
    t.note(f"ratio {ratio:.2f}")
    timing.want(t, ratio < 1.5, f"a large clone takes {ratio:.2f} times as long")


def _multiply(journal, total):
    """Copies the newest transaction row until there are `total`, whatever columns it has."""
    connection = sqlite3.connect(journal)
    columns = [row[1] for row in connection.execute("PRAGMA table_info(transactions)") if row[1] != "number"]
    listed = ", ".join(columns)
    last = connection.execute("SELECT max(number) FROM transactions").fetchone()[0]
    for _ in range(total):
        connection.execute(f"INSERT INTO transactions ({listed}) SELECT {listed} FROM transactions WHERE number = ?", (last,))
    connection.commit()
    connection.close()


def test_history_over_100000_transactions_is_instant_and_flat_in_memory(t):
    t.use_packaged_program()
    pool = t.pool("toy")
    pool.ok("clone", "dev", "copy")
    arguments = ("--pool", pool.image, "--json", "-p", "copy", "history")
    few = [timing.cost(t.program(), *arguments) for _ in range(timing.rounds(t, 5))]
    with pool.top() as top:
        _multiply(f"{top}/@flipper/journal.db", 100_000)
    many = [timing.cost(t.program(), *arguments) for _ in range(timing.rounds(t, 5))]
    timing.tell(t, "history", {"1 row": [s for s, _ in few], "100,000 rows": [s for s, _ in many]})
    peak_few, peak_many = min(p for _, p in few), min(p for _, p in many)
    t.note(f"peak memory {peak_few} KiB and {peak_many} KiB")
    middle = timing.medians({"few": [s for s, _ in few], "many": [s for s, _ in many]})
    timing.want(t, middle["many"] < 2 * middle["few"] + 0.02, f"{middle['many']:.3f} s against {middle['few']:.3f} s")
    expect.that(peak_many < 1.5 * peak_few, f"{peak_many} KiB against {peak_few} KiB")
    all_rows = timing.cost(t.program(), *arguments, "--limit", "0")
    t.note(f"all 100,000 rows as JSON: {all_rows[0]:.2f} s, {all_rows[1]} KiB")
