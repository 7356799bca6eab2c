"""Which snapshots go by the rules of their profile, and what stays of their transactions."""

import os

from lib import clock, expect, pools, retained
from lib.process import run_ok


def _set(pool, profile="dev", **rules):
    for key, value in rules.items():
        pool.ok("set", profile, f"keep-{key}={value}")


def _gone(pool, profile="dev"):
    """Numbers of the transactions whose files are gone, oldest first."""
    return sorted(row["number"] for row in pool.history(profile, "--limit", "0") if row["files_gone"])


def test_more_than_the_most_go_and_their_history_stays(t):
    pool = t.pool("toy")
    numbers = retained.resets(pool, 5)
    _set(pool, newest=1, most=2)
    planned = pool.ok("pool", "gc", "--dry-run")
    expect.equal([(p["transaction"], p["rule"], p["profile_name"]) for p in planned["pruned"]],
                 [(n, "keep-most", "dev") for n in numbers[:3]])
    expect.equal(_gone(pool), [], "after a dry run")
    # Nobody is asked: without a terminal and without --yes.
    done = pool.ok("pool", "gc")
    expect.equal(done["pruned"], planned["pruned"])
    expect.equal(_gone(pool), numbers[:3])
    found = retained.check(pool)
    expect.equal([n for n, (pre, *_) in found.items() if pre], numbers[3:])
    first = str(numbers[0])
    shown = pool.ok("-p", "dev", "show", first)
    expect.equal([c["path"] for c in shown["changes"] if c["path"] == "/etc/mine/file0"], ["/etc/mine/file0"])
    expect.contains(pool.plain("-p", "dev", "show", first).text, "deleted by retention on ")
    by_path = [row["number"] for row in pool.history("dev", "--path", "/etc/mine/file0")]
    expect.equal(by_path, numbers[:1])
    for verb in ("undo", "diff"):
        refused = expect.status(pool.fp("-p", "dev", verb, first), 1).error
        expect.contains(refused["message"], "deleted by retention on ")
        expect.contains(refused["message"], f"`flipper-profile show {first}`")
    expect.status(pool.fp("--yes", "-p", "dev", "undo", str(numbers[3])), 0)
    expect.equal(pool.fp("pool", "check").status, 0)
    expect.equal(pool.ok("pool", "gc", "--dry-run")["pruned"], [{**planned["pruned"][0], "transaction": numbers[3]}])


def test_a_profile_without_settings_keeps_twenty(t):
    pool = t.pool("toy")
    retained.resets(pool, 3)
    expect.equal(pool.ok("pool", "gc")["pruned"], [])
    expect.equal(_gone(pool), [])


def test_what_is_pinned_stays_until_it_is_not(t):
    pool = t.pool("toy")
    numbers = retained.resets(pool, 4)
    _set(pool, newest=1, most=1)
    pool.ok("-p", "dev", "pin", str(numbers[1]))
    pool.ok("pool", "gc")
    expect.equal(_gone(pool), [numbers[0], numbers[2]])
    retained.check(pool)
    pool.ok("-p", "dev", "unpin", str(numbers[1]))
    pool.ok("pool", "gc")
    expect.equal(_gone(pool), numbers[:3])
    retained.check(pool)


def test_a_state_that_an_undo_brought_back_keeps_its_snapshot(t):
    """The undo of a reset has the snapshot before the reset as its own after it: only one of the two rows goes."""
    pool = t.pool("toy")
    number, = retained.resets(pool, 1)
    undo = pool.ok("--yes", "-p", "dev", "undo")["transaction"]
    before = pool.reading()
    _set(pool, newest=1, most=1)
    pool.ok("pool", "gc")
    found = retained.check(pool)
    expect.equal(found[number][:2], [None, None])
    expect.equal(found[undo][1], f"{number}-pre")
    redo = pool.ok("--yes", "-p", "dev", "redo")["transaction"]
    pool.ok("--yes", "-p", "dev", "undo", str(redo))
    expect.equal(pool.reading(), before)
    # What nobody names any more has gone with the last that did.
    pool.ok("pool", "gc")
    retained.check(pool)
    expect.equal(pool.fp("pool", "check").status, 0)


def test_what_cannot_be_understood_is_kept_and_told(t):
    pool = t.pool("toy")
    retained.resets(pool, 3)
    _set(pool, newest=1, most=1)
    with pool.top() as top:
        directory, content = pool.profile_file(top, "dev")
        # A setting of a newer version, a snapshot with a name of no transaction, a row that names one.
        pools.edit_json(f"{directory}/profile.json", lambda file: file["policies"].update({"keep-days": {"nights": 3}}))
        here = f"{top}/@snapshots/{content['id']}"
        run_ok("btrfs", "-q", "subvolume", "snapshot", "-r", f"{here}/origin", f"{here}/by-hand")
    answer = pool.ok("pool", "gc")
    expect.equal(answer["pruned"], [])
    expect.contains(" ".join(answer["kept"]), "keep-days")
    with pool.top() as top:
        directory, content = pool.profile_file(top, "dev")
        pools.edit_json(f"{directory}/profile.json", lambda file: file["policies"].pop("keep-days"))
        connection = retained.journal(top)
        connection.execute("UPDATE transactions SET post = 'by-hand' WHERE number = (SELECT min(number) FROM transactions "
                           "WHERE post IS NOT NULL)")
        connection.commit()
        connection.close()
    expect.equal(len(pool.ok("pool", "gc")["pruned"]), 1)
    with pool.top() as top:
        # While a row names what cannot be told, no snapshot is swept: it may be any of them.
        expect.that("by-hand" in retained.snapshots(top, content["id"]), "by-hand is gone")


def test_the_state_that_a_reset_replaced_goes_with_its_snapshots(t):
    """Undo could not bring it back any more, so nobody is asked; for the newest, it could."""
    pool = t.pool("toy")
    numbers = retained.resets(pool, 2, trash=True)
    _set(pool, newest=1, most=1)
    pool.ok("recover")
    with pool.top() as top:
        expect.equal(os.listdir(f"{top}/@flipper/trash"), [str(numbers[1])])
    expect.status(pool.fp("pool", "gc"), 3)
    retained.check(pool)


def test_settings_are_checked(t):
    pool = t.pool("toy")
    for setting in ("keep-newest=0", "keep-most=-1", "keep-days=soon", "keep-free=80%", "keep-free=1G,2G", "keep-all=1"):
        refused = expect.status(pool.fp("set", "dev", setting), 2).error
        expect.equal(refused["situation"], "setting")
    for setting in ("keep-newest=3", "keep-most=all", "keep-days=all", "keep-free=none", "keep-free=5%,1G", "keep-free="):
        pool.ok("set", "dev", setting)
    expect.equal(pool.ok("info", "dev")["policies"], {"keep-newest": "3", "keep-most": "all", "keep-days": "all"})


def _planned(pool):
    return [(p["transaction"], p["rule"]) for p in pool.ok("pool", "gc", "--dry-run")["pruned"]]


def test_age_counts_while_the_clock_is_synchronised(t):
    pool = t.pool("toy")
    numbers = retained.resets(pool, 3)
    _set(pool, newest=1, days=30)
    with pool.top() as top:
        connection = retained.journal(top)
        connection.execute("UPDATE transactions SET started = '2020-01-01T00:00:00Z', ended = '2020-01-01T00:00:01Z' "
                           "WHERE number <= ?", (numbers[0],))
        connection.commit()
        connection.close()
    by_age = [(numbers[0], "keep-days")]
    believed = clock.is_synchronised()
    t.note(f"the machine's clock is {'' if believed else 'not '}synchronised")
    expect.equal(_planned(pool), by_age if believed else [])
    clock.believe()
    expect.that(clock.is_synchronised(), "the clock is believed")
    expect.equal(_planned(pool), by_age)
    pool.ok("pool", "gc")
    expect.equal(_gone(pool), numbers[:1])
    retained.check(pool)


def test_recover_prunes_as_the_timer_does(t):
    pool = t.pool("toy")
    numbers = retained.resets(pool, 3)
    _set(pool, newest=1, most=1)
    answer = pool.ok("recover")
    expect.equal([p["transaction"] for p in answer["pruned"]], numbers[:2])
    retained.check(pool)
    expect.nothing(pool.ok("recover")["actions"], "actions of a second recover")


def test_profiles_keep_their_own_and_numbers_decide_who_is_older(t):
    pool = t.pool("toy")
    pool.ok("create", "other")
    ours = retained.resets(pool, 2)
    theirs = retained.resets(pool, 2, "other")
    _set(pool, newest=1, most=1)
    expect.equal([p["transaction"] for p in pool.ok("pool", "gc")["pruned"]], ours[:1])
    _set(pool, "other", newest=1, most=1)
    expect.equal([p["transaction"] for p in pool.ok("pool", "gc")["pruned"]], theirs[:1])
    for profile in ("dev", "other"):
        retained.check(pool, profile)
