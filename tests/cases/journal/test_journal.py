"""The journal as a file: its form, its safety settings, two commands at once."""

import fcntl
import os
import sqlite3

from lib import command, expect


def test_it_is_sqlite_in_wal_mode_with_our_application_id(t):
    pool = t.pool("toy")
    with pool.top() as top:
        journal = sqlite3.connect(f"{top}/@flipper/journal.db")
        expect.equal(journal.execute("PRAGMA journal_mode").fetchone()[0], "wal")
        expect.equal(journal.execute("PRAGMA integrity_check").fetchone()[0], "ok")
        expect.that(journal.execute("PRAGMA application_id").fetchone()[0] != 0, "no application id")
        journal.close()


def test_it_stands_outside_every_upper(t):
    pool = t.pool("toy")
    with pool.top() as top:
        directory, _ = pool.profile_file(top, "dev")
        expect.equal(sorted(n for n in os.listdir(directory) if not n.startswith(".")), ["profile.json", "upper", "work"])


def test_a_damaged_page_is_found_by_the_check(t):
    pool = t.pool("toy")
    for number in range(12):
        pool.ok("clone", "dev", f"copy{number}")
    with pool.top() as top:
        path = f"{top}/@flipper/journal.db"
        journal = sqlite3.connect(path)
        journal.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        journal.close()
        size = os.path.getsize(path)
        with open(path, "r+b") as f:
            for offset in range(4096 * 2, size, 4096):
                f.seek(offset)
                f.write(b"\xde\xad\xbe\xef" * 16)
    expect.status(pool.fp("pool", "check"), 4)


def test_several_commands_at_once_all_succeed_or_say_locked(t):
    pool = t.pool("toy")
    children = [command.start(t.program(), "--pool", pool.image, "--json", "create", f"p{n}") for n in range(6)]
    answers = [command.finish(c) for c in children]
    expect.that(all(a.status in (0, 75) for a in answers), "\n".join(str(a) for a in answers if a.status not in (0, 75)))
    made = {f"p{n}" for n, a in enumerate(answers) if a.status == 0}
    expect.equal({p["name"] for p in pool.ok("list")["profiles"]}, made | {"dev"})
    expect.status(pool.fp("pool", "check"), 0)


def test_the_same_name_at_once_is_given_once(t):
    pool = t.pool("toy")
    children = [command.start(t.program(), "--pool", pool.image, "--json", "create", "same") for _ in range(4)]
    statuses = sorted(command.finish(c).status for c in children)
    expect.equal(statuses.count(0), 1, f"successes among {statuses}")


def test_a_held_lock_is_status_75(t):
    pool = t.pool("toy")
    with pool.top() as top:
        with open(f"{top}/@flipper/lock", "a", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            answer = expect.status(pool.fp("create", "other"), 75)
            expect.equal(answer.error["situation"], "locked")
            expect.status(pool.fp("list"), 0, 75)
    expect.status(pool.fp("create", "other"), 0)


def test_numbers_are_never_used_again(t):
    pool = t.pool("toy")
    first = pool.ok("clone", "dev", "copy")["transaction"]
    pool.ok("--yes", "delete", "copy")
    pool.ok("clone", "dev", "copy")
    expect.that(pool.newest("copy")["number"] > first + 1, "a transaction number was used twice")


def test_an_upgrade_of_the_newest_form_changes_nothing(t):
    pool = t.pool("toy")
    pool.ok("clone", "dev", "copy")
    expect.nothing(pool.ok("pool", "check")["problems"], "problems")
    upgraded = pool.ok("--yes", "pool", "upgrade")
    expect.equal(upgraded["changed"], False)
