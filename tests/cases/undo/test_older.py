"""Undo of an older transaction: later work stays, and what does not fit is told first."""

import os

from lib import command, expect, roundtrip, session
from oracle import tree


# What tools keep for themselves: copies of the state before, and what they make of other files.
OWN = (b"/var/lib/dpkg/status-old", b"/var/lib/dpkg/diversions-old", b"/etc/ld.so.cache", b"/var/cache/")
STATUS = b"/var/lib/dpkg/status"


def _alike(t, one, other, what):
    """The same but for times, and the order of dpkg's stanzas."""
    found = [d for d in tree.compare(one, other, ("mtime",)) if not d.path.startswith(OWN) and d.path != STATUS]
    expect.nothing(found, what)


def _installed(pool, name):
    return pool.run("dev", "dpkg-query", "-W", "-f", "${db:Status-Status}", name).text == "installed"


def _older(pool, first, *later):
    """Installs one after the other; the number of the first."""
    expect.status(pool.install(*first.split()), 0)
    number = pool.newest()["number"]
    for package in later:
        expect.status(pool.install(*package.split()), 0)
    return str(number)


def test_it_goes_and_what_came_later_stays(t):
    pool = t.pool("mini")
    pool.ok("clone", "dev", "alone")
    expect.status(pool.apt("install", "fpt-links", profile="alone"), 0)
    number = _older(pool, "fpt-conf=1", "fpt-links")
    both = pool.reading()
    result = roundtrip.undo_outside(pool, number)
    expect.equal(result["mode"], "staged")
    roundtrip.clean(pool)
    _alike(t, pool.reading("alone"), pool.reading(), "beside a profile that never had the older one")
    packages = [pool.run_ok(name, "dpkg-query", "-W", "-f", "${Package} ${Version} ${db:Status-Status}\n").text
                for name in ("alone", "dev")]
    expect.equal(packages[1], packages[0], "packages")
    roundtrip.undo_outside(pool, str(result["transaction"]))
    _alike(t, both, pool.reading(), "after the redo")
    roundtrip.clean(pool)


def test_it_goes_live_as_well(t):
    pool = t.pool("mini")
    number = _older(pool, "fpt-conf=1", "fpt-links")
    with session.inside(pool) as inside:
        said = inside.say(f"flipper-profile --json --yes undo {number}")
        expect.contains(said, '"mode":"live"')
        expect.equal(inside.say("test -e /etc/fpt/main.conf || echo gone").strip(), "gone")
        expect.equal(inside.say("dpkg --audit; apt-get -qq check && echo content").strip(), "content")
    expect.that(_installed(pool, "fpt-links"), "the later package")
    expect.nothing(pool.ok("recover")["actions"], "actions of recover")


def test_a_later_package_that_needs_it_stands_in_the_way(t):
    pool = t.pool("mini")
    number = _older(pool, "fpt-lib", "fpt-app")
    later = pool.newest()["number"]
    before = pool.reading()
    answer = expect.status(pool.fp("-p", "dev", "undo", number, "--check"), 3)
    conflicts = answer.envelope["result"]["conflicts"]
    expect.equal([c["transactions"] for c in conflicts], [[later]])
    expect.contains(conflicts[0]["reason"], "fpt-app:all has \"Depends: fpt-lib\"")
    expect.status(pool.fp("--yes", "-p", "dev", "undo", number), 3)
    roundtrip.equal(pool, before, "after the refusal")


def test_an_upgrade_after_it_stands_in_the_way(t):
    """And it alone: what else changed dpkg's status since has nothing to do with it."""
    pool = t.pool("mini")
    number = _older(pool, "fpt-hello=1", "fpt-links", "fpt-hello=2")
    later = pool.newest()["number"]
    expect.status(pool.install("fpt-modes"), 0)
    answer = expect.status(pool.fp("--yes", "-p", "dev", "undo", number), 3)
    reasons = {command.path_of(c): (c["reason"], c["transactions"]) for c in answer.envelope["result"]["conflicts"]}
    reason, by = reasons[b"/var/lib/dpkg/status"]
    expect.contains(reason, "package fpt-hello (now version 2, install ok installed, before nothing)")
    expect.equal(by, [later])
    result = roundtrip.undo_outside(pool, number, "--cascade")
    expect.equal(result["taken_back"], [later, int(number)])
    roundtrip.clean(pool)


def test_the_undo_of_a_later_one_is_nobody_in_the_way(t):
    """An edit by hand stands in the way; the purge that removed the file since, and its undo, come to nothing."""
    pool = t.pool("mini")
    number = _older(pool, "fpt-conf=1")
    pool.run_ok("dev", "sh", "-c", "echo mine >>/etc/fpt/main.conf")
    expect.status(pool.apt("purge", "fpt-conf"), 0)
    purge = str(pool.newest()["number"])

    def culprits():
        found = pool.fp("-p", "dev", "undo", number, "--check").envelope["result"]["conflicts"]
        return {command.path_of(c): c.get("transactions", []) for c in found}.get(b"/etc/fpt/main.conf")
    roundtrip.undo_outside(pool, purge)
    expect.equal(culprits(), [], "after the undo of the purge")
    pool.ok("--yes", "-p", "dev", "redo")
    expect.equal(culprits(), None, "after its redo: it is gone as before")
    pool.ok("--yes", "-p", "dev", "undo", purge)
    expect.equal(culprits(), [], "after the purge is undone once more")


def test_a_later_one_without_its_files_is_named_by_its_list(t):
    pool = t.pool("mini")
    number = _older(pool, "fpt-conf=1", "fpt-conf=2")
    later = pool.newest()["number"]
    expect.status(pool.install("fpt-links"), 0)
    pool.ok("-p", "dev", "pin", number)
    for rule in ("keep-newest=1", "keep-most=1"):
        pool.ok("set", "dev", rule)
    pool.ok("pool", "gc")
    gone = [row["number"] for row in pool.history("dev") if row["files_gone"]]
    expect.equal(gone, [later], "transactions whose files are gone")
    answer = expect.status(pool.fp("-p", "dev", "undo", number, "--check"), 3)
    by = {command.path_of(c): c.get("transactions") for c in answer.envelope["result"]["conflicts"]}
    expect.equal(by[b"/etc/fpt/main.conf"], [later])


def test_an_alternative_keeps_what_a_later_package_needs_of_it(t):
    pool = t.pool("mini")

    def tool():
        """What the name leads to, and whether update-alternatives agrees."""
        pool.run_ok("dev", "test", "-x", "/usr/bin/fpt-tool")
        query = pool.run_ok("dev", "update-alternatives", "--query", "fpt-tool").text
        found = pool.run_ok("dev", "readlink", "-f", "/usr/bin/fpt-tool").text.strip()
        expect.contains(query, f"Value: {found}")
        expect.contains(query, "Status: auto")
        return found, query.count("Alternative:")

    number = _older(pool, "fpt-alt-a", "fpt-alt-b")
    both, of_b = pool.reading(), tool()[0]
    undone = roundtrip.undo_outside(pool, number)
    expect.equal(tool(), (of_b, 1), "the later one is the better one")
    roundtrip.clean(pool)
    roundtrip.undo_outside(pool, str(undone["transaction"]))
    _alike(t, both, pool.reading(), "after the redo")
    expect.status(pool.apt("purge", "fpt-alt-a", "fpt-alt-b"), 0)
    number = _older(pool, "fpt-alt-b", "fpt-alt-a")
    expect.equal(tool()[0], of_b)
    roundtrip.undo_outside(pool, number)
    found, choices = tool()
    expect.that(found != of_b and choices == 1, "what is left is chosen")
    roundtrip.clean(pool)


def test_an_account_goes_and_a_later_one_stays(t):
    pool = t.pool("mini")
    number = _older(pool, "fpt-user")
    pool.shell("dev", "useradd -m later && echo later:secret | chpasswd")
    kept = pool.run_ok("dev", "grep", "^later:", "/etc/passwd", "/etc/shadow", "/etc/group").text
    roundtrip.undo_outside(pool, number)
    expect.status(pool.run("dev", "getent", "passwd", "fptuser"), 2)
    expect.equal(pool.run_ok("dev", "grep", "^later:", "/etc/passwd", "/etc/shadow", "/etc/group").text, kept)
    pool.run_ok("dev", "sh", "-c", "pwck -rq && grpck -r")


def _three(pool):
    """Three installations after one another; their numbers."""
    numbers = []
    for package in ("fpt-conf=1", "fpt-links", "fpt-user"):
        expect.status(pool.install(package), 0)
        numbers.append(pool.newest()["number"])
    return numbers


def test_a_range_goes_as_one_and_comes_back_as_one(t):
    pool = t.pool("mini")
    one, two, _ = _three(pool)
    all_three = pool.reading()
    result = roundtrip.undo_outside(pool, f"{one}..{two}")
    expect.equal((result["taken_back"], result["undoes"]), ([two, one], two))
    expect.equal([_installed(pool, name) for name in ("fpt-conf", "fpt-links", "fpt-user")], [False, False, True])
    expect.equal([r["state"] for r in pool.history()], ["done", "done", "undone", "undone"])
    roundtrip.clean(pool)
    redone = expect.status(pool.fp("--yes", "-p", "dev", "redo"), 0).envelope["result"]
    _alike(t, all_three, pool.reading(), "after the redo")
    expect.equal([r["state"] for r in pool.history()[-3:]], ["done"] * 3)
    roundtrip.undo_outside(pool, str(redone["transaction"]))
    expect.equal([r["state"] for r in pool.history()[-3:]], ["done", "undone", "undone"])
    expect.that(not _installed(pool, "fpt-conf"), "gone once more")


def test_back_to_the_state_after_one_keeps_what_was_made_by_hand(t):
    pool = t.pool("mini")
    expect.status(pool.install("fpt-conf=1"), 0)
    number, wanted = pool.newest()["number"], pool.reading()
    expect.status(pool.install("fpt-links"), 0)
    pool.shell("dev", "echo mine > /etc/mine")
    expect.status(pool.install("fpt-user"), 0)
    roundtrip.undo_outside(pool, "--to", str(number))
    expect.equal(pool.run_ok("dev", "cat", "/etc/mine").text, "mine\n")
    roundtrip.clean(pool)
    found = [d.path for d in tree.compare(wanted, pool.reading(), ("mtime",))
             if not d.path.startswith(OWN) and d.path != STATUS]
    expect.equal(found, [b"/etc/mine"], "what differs")
    expect.status(pool.install("fpt-modes"), 0)
    result = roundtrip.undo_outside(pool, "--to", str(number), "--exact")
    expect.equal(result["mode"], "exchange")
    roundtrip.equal(pool, wanted, "exactly")
    expect.status(pool.fp("--yes", "-p", "dev", "undo", "--to", str(number)), 1)


def test_a_cascade_takes_the_dependants_as_well(t):
    pool = t.pool("mini")
    before = pool.reading()
    number = int(_older(pool, "fpt-lib", "fpt-links", "fpt-app"))
    dependant = pool.newest()["number"]
    check = pool.fp("-p", "dev", "undo", str(number), "--cascade", "--check")
    expect.equal(expect.status(check, 0).envelope["result"]["taken_back"], [dependant, number])
    refused = expect.status(pool.fp("-p", "dev", "undo", str(number), "--cascade"), 3)
    expect.contains(refused.text, str(dependant))
    result = roundtrip.undo_outside(pool, str(number), "--cascade")
    expect.equal(result["taken_back"], [dependant, number])
    expect.equal([_installed(pool, name) for name in ("fpt-lib", "fpt-app", "fpt-links")], [False, False, True])
    roundtrip.clean(pool)
    roundtrip.undo_outside(pool)
    _alike(t, before, pool.reading(), "after everything is taken back")


def test_a_range_goes_live_as_well(t):
    pool = t.pool("mini")
    one, two, _ = _three(pool)
    with session.inside(pool) as inside:
        said = inside.say(f"flipper-profile --json --yes undo {one}..{two}")
        expect.contains(said, '"mode":"live"')
        expect.equal(inside.say("dpkg --audit; apt-get -qq check && echo content").strip(), "content")
    expect.equal([_installed(pool, name) for name in ("fpt-conf", "fpt-links", "fpt-user")], [False, False, True])
    expect.nothing(pool.ok("recover")["actions"], "actions of recover")


def _conflicts(answer):
    return {command.path_of(c) for c in answer.envelope["result"]["conflicts"]}


def test_an_upgraded_package_stays_or_goes_back_as_decided(t):
    pool = t.pool("mini")
    number = _older(pool, "fpt-conf=1 fpt-links", "fpt-conf=2", "fpt-modes")
    upgraded = pool.reading()
    expect.status(pool.fp("--yes", "-p", "dev", "undo", number), 3)
    result = roundtrip.undo_outside(pool, number, "--keep-mine")
    expect.equal([_installed(pool, name) for name in ("fpt-conf", "fpt-links", "fpt-modes")], [True, False, True])
    expect.contains([command.path_of(k) for k in result["kept"]], b"/etc/fpt/main.conf")
    expect.equal(pool.run_ok("dev", "dpkg", "--verify", "fpt-conf").text, "")
    roundtrip.clean(pool)
    roundtrip.undo_outside(pool, str(result["transaction"]))
    _alike(t, upgraded, pool.reading(), "after the redo")
    roundtrip.undo_outside(pool, number, "--take-old")
    expect.equal([_installed(pool, name) for name in ("fpt-conf", "fpt-links", "fpt-modes")], [False, False, True])
    expect.equal(pool.run("dev", "test", "-e", "/etc/fpt/main.conf").status, 1)
    roundtrip.clean(pool)


def test_a_package_that_was_removed_since_goes_back_to_what_was_before(t):
    pool = t.pool("mini")
    expect.status(pool.install("fpt-conf=1"), 0)
    number = _older(pool, "fpt-conf=2 fpt-links")
    expect.status(pool.apt("remove", "fpt-conf"), 0)
    expect.status(pool.fp("--yes", "-p", "dev", "undo", number), 3)
    roundtrip.undo_outside(pool, number, "--resolve", "fpt-conf=old", "--take-old")
    expect.equal(pool.run_ok("dev", "dpkg-query", "-W", "-f", "${Version} ${db:Status-Status}", "fpt-conf").text,
                 "1 installed")
    expect.that(not _installed(pool, "fpt-links"), "the rest of the transaction")
    expect.equal(pool.run_ok("dev", "dpkg", "--verify", "fpt-conf").text, "")
    roundtrip.clean(pool)


def test_what_a_later_package_needs_can_stay(t):
    pool = t.pool("mini")
    number = _older(pool, "fpt-lib fpt-links", "fpt-app")
    result = roundtrip.undo_outside(pool, number, "--resolve", "fpt-app=mine")
    expect.equal([_installed(pool, name) for name in ("fpt-lib", "fpt-links", "fpt-app")], [True, False, True])
    expect.equal(result["conflicts"], [])
    roundtrip.clean(pool)
    expect.equal(pool.run_ok("dev", "dpkg", "--verify", "fpt-lib", "fpt-app").text, "")


def test_an_edited_file_is_decided_about_by_path(t):
    pool = t.pool("mini")
    for how, wanted in (("mine", "edited\n"), ("old", None), ("FILE", "given\n")):
        expect.status(pool.install("fpt-conf=1"), 0)
        number = str(pool.newest()["number"])
        pool.shell("dev", "echo edited > /etc/fpt/main.conf")
        answer = expect.status(pool.fp("--yes", "-p", "dev", "undo", number), 3)
        expect.equal(_conflicts(answer), {b"/etc/fpt/main.conf"})
        given = os.path.join(t.dir, "given")
        with open(given, "w") as file:
            file.write("given\n")
        decision = f"/etc/fpt/main.conf={given if how == 'FILE' else how}"
        before = pool.reading()
        answer = pool.fp("-p", "dev", "undo", number, "--resolve", decision, "--check")
        expect.equal(_conflicts(expect.status(answer, 0)), set())
        roundtrip.equal(pool, before, "after --check")
        roundtrip.undo_outside(pool, number, "--resolve", decision)
        found = pool.run("dev", "cat", "/etc/fpt/main.conf")
        expect.equal(found.text if found.status == 0 else None, wanted, how)
        pool.shell("dev", "rm -rf /etc/fpt")
    expect.status(pool.install("fpt-links"), 0)
    for wrong in ("/etc/hostname=mine", "nothing", "/etc/x=/no/such/file", "fpt-links=/etc/passwd"):
        expect.that(pool.fp("--yes", "-p", "dev", "undo", "--resolve", wrong).status in (1, 2), wrong)
    expect.that(_installed(pool, "fpt-links"), "after wrong decisions")


def test_an_account_that_changed_since_is_decided_about_in_all_its_files(t):
    pool = t.pool("mini")
    number = _older(pool, "fpt-user", "fpt-links")
    pool.shell("dev", "usermod -c changed fptuser")
    answer = expect.status(pool.fp("--yes", "-p", "dev", "undo", number), 3)
    expect.equal(_conflicts(answer), {b"/etc/passwd"})
    kept = roundtrip.undo_outside(pool, number, "--keep-mine")
    pool.run_ok("dev", "sh", "-c", "getent passwd fptuser && getent shadow fptuser && getent group fptuser")
    pool.run_ok("dev", "sh", "-c", "pwck -rq && grpck -r")
    roundtrip.undo_outside(pool, str(kept["transaction"]))
    roundtrip.undo_outside(pool, number, "--resolve", "/etc/passwd=old")
    expect.status(pool.run("dev", "getent", "passwd", "fptuser"), 2)
    pool.run_ok("dev", "sh", "-c", "pwck -rq && grpck -r")
    roundtrip.clean(pool)
