"""One transaction, taken back and done again, judged by the oracle."""

import json

from lib import expect
from oracle import tree


def clean(pool, profile="dev"):
    """dpkg and apt find nothing wrong."""
    expect.equal(pool.run_ok(profile, "dpkg", "--audit").text, "", "dpkg --audit")
    expect.status(pool.run(profile, "apt-get", "-q", "check"), 0)


def undo_outside(pool, *flags):
    return pool.ok("--yes", "-p", "dev", "undo", *flags)


def undo_inside(session, *flags):
    """The same from inside the entered profile: the command finds pool and profile by itself."""
    said = session.say("flipper-profile --json --yes undo " + " ".join(flags))
    answer = json.loads(said.strip().splitlines()[-1])
    expect.that(answer["ok"], f"undo inside failed: {said}")
    return answer["result"]


def equal(pool, wanted, what, ignore=()):
    expect.nothing(tree.compare(wanted, pool.reading(), ignore), f"differences {what}")


def outside(pool, change, redo=True):
    """change(pool) is one transaction; undone and redone while the profile is mounted nowhere."""
    before = pool.reading()
    change(pool)
    after = pool.reading()
    expect.that(tree.compare(before, after), "the transaction changed nothing")
    undo_outside(pool)
    equal(pool, before, "after undo")
    if redo:
        pool.ok("--yes", "-p", "dev", "redo")
        equal(pool, after, "after redo")
        undo_outside(pool)
        equal(pool, before, "after the second undo")
    clean(pool)


def inside(pool, session, change):
    """The same in an entered profile, undone live; `change(session)` is one transaction."""
    before = pool.reading()
    change(session)
    expect.that(tree.compare(before, pool.reading()), "the transaction changed nothing")
    undo_inside(session)
    equal(pool, before, "after the live undo")
    expect.equal(session.say("dpkg --audit"), "", "dpkg --audit")
