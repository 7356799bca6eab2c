"""One transaction, taken back and done again, judged by the oracle."""

import json

from lib import command, expect
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


def told(pool, before, after):
    """`diff` of the newest transaction names the paths that a walk of both trees finds."""
    number = str(pool.newest()["number"])
    said = {command.path_of(change) for change in pool.ok("-p", "dev", "diff", number)["changes"]}
    walked = set(tree.changed_paths(before, after))
    expect.nothing(sorted(walked - said), f"changed paths that diff {number} does not tell")
    expect.nothing(sorted(said - walked), f"paths told by diff {number} that did not change")


def outside(pool, change, redo=True):
    """change(pool) is one transaction; undone and redone while the profile is mounted nowhere."""
    before = pool.reading()
    change(pool)
    after = pool.reading()
    expect.that(tree.compare(before, after), "the transaction changed nothing")
    told(pool, before, after)
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
    after = pool.reading()
    expect.that(tree.compare(before, after), "the transaction changed nothing")
    told(pool, before, after)
    undo_inside(session)
    equal(pool, before, "after the live undo")
    told(pool, after, before)
    expect.equal(session.say("dpkg --audit"), "", "dpkg --audit")
