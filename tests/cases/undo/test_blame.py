"""blame and history --path: who changed a path, with and without the snapshots."""

import os

from lib import command, expect, session

CONF = "/etc/fpt/main.conf"
ODD = b"/usr/share/fpt-odd"


def _blame(pool, path, profile="dev"):
    return pool.ok("-p", profile, "blame", path)


def _numbers(pool, path):
    return [row["number"] for row in pool.history("dev", "--path", path)]


def _without_snapshots(pool, work):
    """Does something while no snapshot of the profile can be made: a file stands where they go."""
    with pool.top() as top:
        place = f"@snapshots/{pool.profile_file(top, 'dev')[1]['id']}"
        os.rename(f"{top}/{place}", f"{top}/{place}.aside")
        open(f"{top}/{place}", "w", encoding="ascii").close()
    work()
    with pool.top() as top:
        os.unlink(f"{top}/{place}")
        os.rename(f"{top}/{place}.aside", f"{top}/{place}")


def test_the_transaction_the_package_and_the_user_are_told(t):
    pool = t.pool("mini")
    expect.status(pool.install("fpt-conf=1"), 0)
    expect.status(pool.install("fpt-conf=2"), 0)
    row = pool.newest()
    found = _blame(pool, CONF)
    expect.equal((found["source"], found["kind"], found["path"]), ("transaction", "file", CONF))
    expect.equal(found["owners"], [{"name": "fpt-conf", "architecture": None, "version": "2"}])
    last = found["last"]
    expect.equal((last["transaction"], last["change"]["change"]), (row, "modified"))
    expect.equal([(p["name"], p["action"], p["old_version"]) for p in last["packages"]], [("fpt-conf", "upgrade", "1")])
    text = pool.plain("-p", "dev", "blame", CONF).text
    for words in (f"{CONF} (file): last changed by transaction {row['number']}", "fpt-conf 2", row["command"]):
        expect.contains(text, words)


def test_after_an_undo_it_is_the_undo(t):
    pool = t.pool("mini")
    expect.status(pool.install("fpt-conf=1"), 0)
    installed = pool.newest()["number"]
    expect.status(pool.install("fpt-conf=2"), 0)
    undo = pool.ok("--yes", "-p", "dev", "undo")["transaction"]
    found = _blame(pool, CONF)
    expect.equal((found["source"], found["last"]["transaction"]["number"]), ("transaction", undo))
    removed = pool.ok("--yes", "-p", "dev", "undo", str(installed))["transaction"]
    found = _blame(pool, CONF)
    expect.equal((found["kind"], found["owners"], found["last"]["transaction"]["number"]), (None, [], removed))
    expect.contains(pool.plain("-p", "dev", "blame", CONF).text, f"{CONF}: removed by transaction {removed}")


def test_what_changed_between_transactions_is_told_as_that(t):
    pool = t.pool("mini")
    expect.status(pool.install("fpt-conf=1"), 0)
    first = pool.newest()["number"]
    pool.shell("dev", f"echo mine >> {CONF}; echo mine > /etc/mine")
    for path in (CONF, "/etc/mine"):
        found = _blame(pool, path)
        expect.equal((found["source"], found["after"], found["before"]), ("outside", first, None), path)
    expect.equal(_blame(pool, CONF)["last"]["transaction"]["number"], first)
    expect.status(pool.install("fpt-links"), 0)
    second = pool.newest()["number"]
    for path in (CONF, "/etc/mine"):
        found = _blame(pool, path)
        expect.equal((found["source"], found["after"], found["before"]), ("outside", first, second), path)
    expect.contains(pool.plain("-p", "dev", "blame", CONF).text,
                    f"changed outside of transactions, after transaction {first} and before transaction {second}")
    pool.shell("dev", "rm /etc/mine")
    expect.equal([_blame(pool, "/etc/mine")[key] for key in ("source", "kind", "after")], ["outside", None, second])


def test_what_no_transaction_changed(t):
    pool = t.pool("mini")
    expect.status(pool.install("fpt-hello=1"), 0)
    expect.equal([_blame(pool, "/etc/os-release")[key] for key in ("source", "last")], ["base", None])
    expect.equal(_blame(pool, "/etc/none")["source"], "nothing")
    state = _blame(pool, "/var/log/apt/history.log")
    expect.equal((state["source"], state["state_path"]), ("state", "/var/log"))
    pool.shell("dev", "echo mine > /etc/mine")
    pool.ok("clone", "dev", "copy")
    expect.equal(_blame(pool, "/etc/mine", "copy")["source"], "origin")
    expect.contains(pool.plain("-p", "dev", "blame", "/etc/os-release").text, "as the base v1 has it")


def test_an_unprotected_transaction_is_named_as_possible(t):
    pool = t.pool("mini")
    expect.status(pool.install("fpt-conf=1"), 0)
    first = pool.newest()["number"]
    _without_snapshots(pool, lambda: expect.status(pool.install("fpt-conf=2"), 0))
    rows = pool.history()
    expect.equal([row["state"] for row in rows], ["skipped", "done"])
    found = _blame(pool, CONF)
    expect.equal((found["source"], found["after"], found["unprotected"]), ("outside", first, [rows[0]["number"]]))


def test_names_stay_findable_when_the_snapshots_are_gone(t):
    pool = t.pool("mini")
    expect.status(pool.install("fpt-odd"), 0)
    expect.status(pool.install("fpt-conf=1"), 0)
    rows = pool.history()
    listed = [command.path_of(c) for c in pool.ok("-p", "dev", "show", str(rows[1]["number"]))["changes"]]
    odd = next(path for path in listed if path.startswith(ODD + b"/") and not _is_text(path))
    pool.ok("-p", "dev", "show", str(rows[0]["number"]))
    pool.delete_snapshots(*rows)
    expect.equal(_numbers(pool, odd), [rows[1]["number"]])
    expect.equal(_numbers(pool, ODD.decode()), [rows[1]["number"]])
    expect.equal(_numbers(pool, "/usr/share"), [rows[0]["number"], rows[1]["number"]])
    expect.equal(_numbers(pool, CONF), [rows[0]["number"]])
    found = _blame(pool, odd)
    expect.equal((found["source"], found["last"]["transaction"]["number"]), ("transaction", rows[1]["number"]))
    expect.equal(command.path_of(found), odd)


def _is_text(path):
    try:
        path.decode()
    except UnicodeDecodeError:
        return False
    return True


def test_paths_are_those_of_the_profiles_tree(t):
    """Symlinks on the way are the profile's, a relative path is one only inside."""
    pool = t.pool("mini")
    pool.shell("dev", "ln -s /etc/fpt /opt/way")
    expect.status(pool.install("fpt-conf=1"), 0)
    number = pool.newest()["number"]
    for path in ("/opt/way/main.conf", "/opt/way/../fpt/main.conf", "/etc/./fpt/main.conf/"):
        expect.equal(_numbers(pool, path), [number], path)
        expect.equal(_blame(pool, path)["path"], CONF)
    told = pool.ok("-p", "dev", "diff", str(number), "/opt/way/main.conf")["changes"]
    expect.equal([c["path"] for c in told], [CONF])
    for verb in (("blame",), ("history", "--path")):
        refused = expect.status(pool.fp("-p", "dev", *verb, "etc/fpt/main.conf"), 2)
        expect.contains(refused.error["hint"], "from the root of the profile")
    with session.inside(pool) as inside:
        expect.contains(inside.say("cd /etc && flipper-profile blame fpt/main.conf"), f"{CONF} (file): last changed")
        expect.contains(inside.say("cd /opt/way && flipper-profile history --path main.conf"), "fpt-conf")
