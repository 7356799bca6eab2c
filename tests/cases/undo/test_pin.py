"""pin and unpin: told in the history, and only where there is something to keep."""

from lib import expect, session


def test_a_pin_is_told_and_taken_away(t):
    pool = t.pool("mini")
    expect.status(pool.install("fpt-hello=1"), 0)
    number = str(pool.newest()["number"])
    expect.equal(pool.newest()["pinned"], False)
    expect.equal(pool.ok("-p", "dev", "pin", number)["changed"], True)
    expect.equal(pool.ok("-p", "dev", "pin", number), {
        "transaction": int(number), "command": pool.newest()["command"], "pinned": True, "changed": False})
    expect.equal(pool.newest()["pinned"], True)
    expect.equal(pool.ok("-p", "dev", "show", number)["transaction"]["pinned"], True)
    expect.contains(pool.plain("-p", "dev", "history").text, "done, pinned")
    expect.contains(pool.plain("-p", "dev", "show", number).text, "its snapshots are kept")
    expect.equal(pool.ok("-p", "dev", "unpin", number)["changed"], True)
    expect.equal(pool.ok("-p", "dev", "unpin", number)["changed"], False)
    expect.equal(pool.newest()["pinned"], False)


def test_inside_it_is_the_profiles_own(t):
    pool = t.pool("mini")
    expect.status(pool.install("fpt-hello=1"), 0)
    with session.inside(pool) as inside:
        inside.say(f"flipper-profile pin {pool.newest()['number']}")
    expect.equal(pool.newest()["pinned"], True)


def test_what_has_nothing_to_keep_is_refused(t):
    pool = t.pool("mini")
    expect.status(pool.install("fpt-hello=1"), 0)
    row = pool.newest()
    created = pool.ok("-p", "dev", "history")["transactions"][-1]["number"]
    pool.ok("create", "other")
    expect.equal(expect.status(pool.fp("-p", "dev", "pin", str(created)), 1).error["situation"], "nothing-to-pin")
    refused = expect.status(pool.fp("-p", "other", "pin", str(row["number"])), 1)
    expect.equal(refused.error["situation"], "no-such-transaction")
    expect.status(pool.fp("-p", "dev", "pin", "99999"), 1)
    pool.ok("-p", "dev", "pin", str(row["number"]))
    pool.delete_snapshots(row)
    pool.ok("-p", "dev", "unpin", str(row["number"]))
    refused = expect.status(pool.fp("-p", "dev", "pin", str(row["number"])), 1)
    expect.equal(refused.error["situation"], "nothing-to-pin")
    expect.contains(refused.error["message"], "none any more")
