"""When the hook cannot work apt goes on, the user sees one line, and `status` says it until acknowledged."""

import os
import shutil
import sqlite3

from lib import expect, session
from lib.process import run_ok


def _installs_and_says_one_line(pool, **options):
    answer = pool.install("fpt-hello=1", **options)
    expect.status(answer, 0)
    # What `run` itself says of the journal comes before apt starts, as with every other command.
    said = [line for line in (answer.text + answer.errors).splitlines()
            if "flipper-profile" in line
            and not line.startswith(("Processing triggers", "note: the journal may not be up to date"))]
    expect.that(said, f"not a word about the missing protection\n{answer}")
    expect.equal(len(said), 1, f"lines of warning {said}")
    expect.contains(pool.run("dev", "dpkg", "-l", "fpt-hello").text, "ii  fpt-hello")


def _journal(top):
    return f"{top}/@flipper/journal.db"


def _edit_journal(pool, *statements):
    with pool.top() as top:
        other = sqlite3.connect(_journal(top))
        for statement in statements:
            other.execute(statement)
        other.commit()
        other.close()


def _recorded_later(pool):
    """When the journal works again, what the hook could not write is a row that `status` tells of."""
    expect.status(pool.fp("recover"), 0)
    row = pool.newest()
    expect.equal(row["state"], "skipped")
    expect.that(row["reason"], "no reason recorded")
    expect.contains(row["command"], "install fpt-hello=1")
    expect.contains([r["number"] for r in pool.ok("-p", "dev", "status")["unprotected"]], row["number"])
    packages = {p["name"] for p in pool.ok("-p", "dev", "show", str(row["number"]))["packages"]}
    expect.equal(packages, {"fpt-hello"})


def _without_snapshots(pool):
    """Makes every snapshot of the profile impossible: a file stands where its snapshots go."""
    with pool.top() as top:
        _, content = pool.profile_file(top, "dev")
        place = f"{top}/@snapshots/{content['id']}"
        os.rename(place, place + ".aside")
        open(place, "w", encoding="ascii").close()


def _with_snapshots_again(pool):
    with pool.top() as top:
        _, content = pool.profile_file(top, "dev")
        place = f"{top}/@snapshots/{content['id']}"
        os.unlink(place)
        os.rename(place + ".aside", place)


def test_a_corrupt_journal(t):
    pool = t.pool("mini")
    with pool.top() as top:
        os.mkdir(f"{top}/@flipper/aside")
        for name in os.listdir(f"{top}/@flipper"):
            if name.startswith("journal.db"):
                shutil.copy2(f"{top}/@flipper/{name}", f"{top}/@flipper/aside/{name}")
            if name.startswith("journal.db-"):
                os.unlink(f"{top}/@flipper/{name}")
        with open(_journal(top), "r+b") as f:
            f.write(b"this is no database\n" * 400)
    _installs_and_says_one_line(pool)
    with pool.top() as top:
        for name in os.listdir(f"{top}/@flipper/aside"):
            os.rename(f"{top}/@flipper/aside/{name}", f"{top}/@flipper/{name}")
        os.rmdir(f"{top}/@flipper/aside")
    _recorded_later(pool)


def test_a_missing_journal(t):
    pool = t.pool("mini")
    with pool.top() as top:
        os.rename(_journal(top), f"{top}/@flipper/aside.db")
    _installs_and_says_one_line(pool)
    with pool.top() as top:
        os.rename(f"{top}/@flipper/aside.db", _journal(top))
    _recorded_later(pool)


def test_a_locked_journal(t):
    """Another program holds SQLite's write lock for longer than the hook may wait."""
    pool = t.pool("mini")
    with pool.top() as top:
        other = sqlite3.connect(_journal(top), isolation_level=None)
        try:
            other.execute("BEGIN EXCLUSIVE")
            _installs_and_says_one_line(pool)
        finally:
            other.close()
    _recorded_later(pool)


def test_a_journal_from_the_future(t):
    pool = t.pool("mini")
    _edit_journal(pool, "INSERT INTO features (name, class) VALUES ('from-the-future', 'incompatible')")
    _installs_and_says_one_line(pool)
    _edit_journal(pool, "DELETE FROM features")
    _recorded_later(pool)


def test_an_older_tool_still_records_into_a_newer_compatible_journal(t):
    pool = t.pool("mini")
    _edit_journal(pool, "INSERT INTO features (name, class) VALUES ('nicer-colours', 'compatible')", "PRAGMA user_version = 999")
    expect.status(pool.install("fpt-hello=1"), 0)
    expect.equal(pool.newest()["state"], "done")


def test_an_older_journal_is_brought_up_to_date_where_the_pool_is_full(t):
    """By the hook, in the middle of apt: the reserve has room for it, and no row is lost."""
    pool = t.pool("mini")
    with pool.top() as top:
        run_ok("btrfs", "filesystem", "resize", "1400M", top)
    expect.status(pool.install("fpt-hello=1"), 0)
    before = pool.history("dev", "--limit", "0")
    _edit_journal(pool, "DROP TABLE undone_sets", "DROP TABLE snapshot_sizes", "DROP INDEX transactions_with_snapshots",
                  "ALTER TABLE transactions DROP COLUMN files_gone", "PRAGMA user_version = 1")
    pool.fill()
    answer = pool.apt("purge", "fpt-hello")
    # What is left of the reserve serves dpkg as well.
    expect.equal((answer.status, "not protected" in answer.errors), (0, False), answer)
    expect.equal(len(pool.history("dev", "--limit", "0")), len(before) + 1, "rows that are told on the full pool")
    pool.drain()
    with pool.top() as top:
        journal = sqlite3.connect(_journal(top))
        version = journal.execute("PRAGMA user_version").fetchone()[0]
        journal.close()
    expect.equal(version, 3)
    expect.status(pool.fp("recover"), 0)
    after = pool.history("dev", "--limit", "0")
    expect.equal(after[-len(before):], before, "the rows from before")
    expect.that(len(after) > len(before), "the purge has no row")
    states = {row["state"] for row in after}
    expect.absent(states, "open", "states")
    pool.ok("--yes", "-p", "dev", "undo")
    expect.equal(pool.run("dev", "dpkg", "-s", "fpt-hello").status, 0)
    expect.equal(pool.fp("pool", "check").status, 0)


def test_an_unprotected_transaction_is_told_until_acknowledged(t):
    """No snapshot is possible, the journal still works."""
    pool = t.pool("mini")
    _without_snapshots(pool)
    _installs_and_says_one_line(pool)
    row = pool.newest()
    expect.equal(row["state"], "skipped")
    expect.that(row["reason"], "no reason recorded")
    for _ in range(2):
        expect.equal([r["number"] for r in pool.ok("-p", "dev", "status")["unprotected"]], [row["number"]])
    pool.ok("-p", "dev", "acknowledge", str(row["number"]))
    expect.nothing(pool.ok("-p", "dev", "status")["unprotected"], "unprotected after the acknowledgement")


def test_a_skipped_transaction_cannot_be_undone_and_says_why(t):
    pool = t.pool("mini")
    _without_snapshots(pool)
    pool.install("fpt-hello=1")
    number = pool.newest()["number"]
    answer = pool.fp("--yes", "-p", "dev", "undo", str(number))
    expect.status(answer, 1)
    expect.contains(answer.text + answer.errors, "snapshot")


def test_the_next_protected_transaction_works_after_an_unprotected_one(t):
    pool = t.pool("mini")
    _without_snapshots(pool)
    pool.install("fpt-hello=1")
    _with_snapshots_again(pool)
    expect.status(pool.install("fpt-lib"), 0)
    expect.equal([r["state"] for r in pool.history()], ["done", "skipped"])


def test_a_hook_killed_in_the_middle_does_not_stop_apt(t):
    """At its snapshot: the one effect that only hooks have, so that our trigger is not killed as well."""
    pool = t.pool("mini")
    answer = pool.install("fpt-hello=1", inside={"FLIPPER_FAULT_AT": "snapshot"})
    expect.status(answer, 0)
    expect.contains(answer.text + answer.errors, "W: flipper-profile: this change is not protected")
    _recorded_later(pool)


def test_a_hook_that_hangs_is_left_behind_when_its_time_is_over(t):
    """Stopped at its snapshot for good: what a disk that answers nothing does to it."""
    pool = t.pool("mini")
    pool.shell("dev", "echo 'hook-time-limit = 1' >> /etc/flipper-profile/config")
    answer = pool.install("fpt-hello=1", inside={"FLIPPER_FAULT_AT": "snapshot", "FLIPPER_FAULT_ACTION": "stop"})
    expect.status(answer, 0)
    expect.contains(answer.text + answer.errors, "took longer than 1 s")
    _recorded_later(pool)


def test_a_pool_that_is_not_there(t):
    """The device that the session names is gone: apt goes on, and the change is found afterwards."""
    pool = t.pool("mini")
    with session.inside(pool) as inside:
        inside.say("sed -i 's#\"device\":\"[^\"]*\"#\"device\":\"/dev/gone\"#' /run/flipper-profile/session.json")
        said = inside.say("apt-get -q -y install fpt-hello=1 2>&1; echo status $?")
        expect.contains(said, "status 0")
        lines = [line for line in said.splitlines() if line.startswith("W: flipper-profile")]
        expect.equal(len(lines), 1, f"lines of warning {lines}")
        expect.contains(lines[0], "/dev/gone")
    row = pool.newest()
    packages = {p["name"] for p in pool.ok("-p", "dev", "show", str(row["number"]))["packages"]}
    expect.equal(packages, {"fpt-hello"})


def test_a_wrong_guess_of_the_last_hook_is_taken_back(t):
    """It begins the snapshot before it has asked the journal; here it is told of another transaction."""
    pool = t.pool("mini")
    expect.status(pool.install("fpt-lib"), 0)
    before = pool.newest()["number"]
    with pool.top() as top:
        _, content = pool.profile_file(top, "dev")
        snapshots = f"{top}/@snapshots/{content['id']}"
        run_ok("btrfs", "subvolume", "delete", f"{snapshots}/{before}-post")
    lie = f"cat > /dev/null; for f in /run/flipper-profile/covered/*; do echo -n {before} > $f; done"
    expect.status(pool.run("dev", "apt-get", "-q", "-y", "-o", f"DPkg::Pre-Install-Pkgs::=sh -c '{lie}'", "install",
                           "fpt-hello=1"), 0)
    row = pool.newest()
    expect.equal((row["state"], row["number"]), ("done", before + 1))
    with pool.top() as top:
        made = set(os.listdir(f"{top}/@snapshots/{content['id']}"))
    expect.absent(made, f"{before}-post", "snapshots")
    expect.contains(made, f"{row['number']}-post")
    pool.ok("--yes", "-p", "dev", "undo")
    expect.absent(pool.run("dev", "dpkg", "-l", "fpt-hello").text, "ii  fpt-hello")


def test_switched_off_for_one_run_is_recorded_with_the_reason(t):
    pool = t.pool("mini")
    expect.status(pool.install("fpt-hello=1", inside={"FLIPPER_PROFILE_SKIP": "1"}), 0)
    row = pool.newest()
    expect.equal(row["state"], "skipped")
    expect.that(row["reason"], "no reason recorded")


def test_a_full_disk_lets_apt_fail_by_itself_and_be_undone(t):
    from oracle import tree
    pool = t.pool("mini")
    with pool.top() as top:
        run_ok("btrfs", "filesystem", "resize", "1400M", top)
    before = pool.reading()
    expect.status(pool.install("fpt-grow"), 100)
    expect.status(pool.fp("recover"), 0)
    row = pool.newest()
    expect.that(row["state"] in ("failed", "interrupted"), row)
    pool.ok("--yes", "-p", "dev", "undo")
    expect.nothing(tree.compare(before, pool.reading()), "differences after the undo on a full disk")


def test_a_change_of_a_profile_that_is_half_undone_is_unprotected_and_told(t):
    """A snapshot of it would be of no state that ever was."""
    pool = t.pool("mini")
    expect.status(pool.install("fpt-conf=1", "fpt-links"), 0)
    cut = session.cut_undo(pool)
    with session.inside(pool) as inside:
        inside.say(cut)
        inside.say("echo hook-policy=stop > /etc/flipper-profile/config")
        said = inside.say("apt-get -q -y install fpt-hello=1 2>&1; echo status $?")
        expect.contains(said, "status 100")
        expect.contains(said, "run `flipper-profile recover`")
        expect.absent([r["kind"] for r in pool.history()[:1]], "apt", "the newest row")
        inside.say("rm /etc/flipper-profile/config")
        said = inside.say("apt-get -q -y install fpt-hello=1 2>&1; echo status $?")
        expect.contains(said, "status 0")
        warned = [line for line in said.splitlines() if line.startswith("W: flipper-profile")]
        expect.equal(len(warned), 1, f"lines of warning {warned}")
        expect.contains(warned[0], "is not protected")
        expect.contains(warned[0], "run `flipper-profile recover`")
        row = pool.newest()
        expect.equal((row["kind"], row["state"], row["pre"]), ("apt", "skipped", None))
        expect.contains(row["reason"], "interrupted: replay")
        # What it changed in between is kept, and told.
        expect.contains(inside.say("flipper-profile --json recover"), "/var/lib/dpkg/status was changed since")
        expect.contains(inside.say("dpkg -l fpt-hello"), "ii  fpt-hello")
        inside.say("apt-get -q -y install fpt-lib 2>&1")
    expect.equal(pool.newest()["state"], "done")


def test_policy_stop_lets_the_hook_stop_apt(t):
    pool = t.pool("mini")
    pool.shell("dev", "echo hook-policy=stop >> /etc/flipper-profile/config")
    _without_snapshots(pool)
    expect.status(pool.install("fpt-hello=1"), 100)
    expect.absent(pool.run("dev", "dpkg", "-l", "fpt-hello").text, "ii  fpt-hello")
