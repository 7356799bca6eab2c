"""Pools that are not what they should be: a clear refusal, the right status, nothing changed."""

import json
import os

from lib import command, expect, pools
from lib.process import run_ok


def _refused(answer, *codes):
    expect.status(answer, *codes)
    error = answer.error
    expect.that(error["situation"], "no situation")
    expect.that(error.get("hint"), f"no hint: {error}")
    return error


def _damaged(pool):
    answer = expect.status(pool.fp("pool", "check"), 4)
    for problem in answer.result["problems"]:
        expect.that(problem["hint"], f"no hint: {problem}")
        expect.absent(problem["message"], "/run/flipper-profile")
    return answer


def test_a_file_that_is_not_btrfs(t):
    image = t.empty_image(64 << 20)
    _refused(command.call(t.program(), "--json", "--pool", image, "list"), 1)


def test_an_empty_file(t):
    image = t.empty_image(0)
    _refused(command.call(t.program(), "--json", "--pool", image, "list"), 1)


def test_a_foreign_btrfs(t):
    image = t.empty_image(512 << 20)
    run_ok("mkfs.btrfs", "-q", image)
    _refused(command.call(t.program(), "--json", "--pool", image, "list"), 1)


def test_a_missing_image(t):
    _refused(command.call(t.program(), "--json", "--pool", t.path("none.img"), "list"), 1)


def test_a_pool_half_made(t):
    image = t.path("half.img")
    create = ("--json", "pool", "create", image, "--size", "1G", "--inode-floor", "1024")
    # Stopped for good when all is made but pool.json.
    expect.status(command.call(t.program(), *create, env={"FLIPPER_FAULT_AT": "allocate-space-for"}), 137)
    error = _refused(command.call(t.program(), "--json", "--pool", image, "list"), 4)
    expect.equal(error["situation"], "pool-half-made")


def test_a_pool_that_lost_a_part_is_not_taken_for_one_never_finished(t):
    """Making it anew would destroy every profile, so nothing may lead there."""
    pool = t.pool("toy")
    for part in ("@data", "@profiles/.template", "@flipper/pool.json"):
        with pool.top() as top:
            if os.path.isdir(f"{top}/{part}"):
                if os.path.isdir(f"{top}/{part}/upper"):
                    run_ok("btrfs", "property", "set", f"{top}/{part}", "ro", "false")
                run_ok("btrfs", "-q", "subvolume", "delete", f"{top}/{part}")
            else:
                os.unlink(f"{top}/{part}")
        for verb in (("list",), ("pool", "check")):
            error = _refused(pool.fp(*verb), 4)
            expect.equal(error["situation"], "pool-damaged")
            expect.contains(error["message"], part)
            expect.absent(json.dumps(error), "--force")


def test_a_pool_with_an_unknown_incompatible_feature(t):
    pool = t.pool("toy")
    with pool.top() as top:
        pools.edit_json(f"{top}/@flipper/pool.json", lambda c: c["format"]["incompatible"].append("from-the-future"))
    error = _refused(pool.fp("list"), 1)
    expect.contains(json.dumps(error), "from-the-future")


def test_a_pool_with_an_unknown_read_only_feature_can_be_read_but_not_changed(t):
    pool = t.pool("toy")
    with pool.top() as top:
        pools.edit_json(f"{top}/@flipper/pool.json", lambda c: c["format"]["read_only_compatible"].append("from-the-future"))
    expect.status(pool.fp("list"), 0)
    expect.equal(pool.ok("pool", "info")["read_only_because"], ["from-the-future"])
    expect.contains(expect.status(pool.plain("pool", "info"), 0).text, "from-the-future")
    _refused(pool.fp("create", "other"), 1)


def test_a_pool_with_an_unknown_compatible_feature_works(t):
    pool = t.pool("toy")
    with pool.top() as top:
        pools.edit_json(f"{top}/@flipper/pool.json", lambda c: c["format"]["compatible"].append("nicer-colours"))
    expect.status(pool.fp("create", "other"), 0)


def test_a_truncated_profile_file_is_listed_and_kept(t):
    pool = t.pool("toy")
    pool.ok("create", "other")
    with pool.top() as top:
        directory, _ = pool.profile_file(top, "dev")
        os.truncate(f"{directory}/profile.json", 20)
    listed = pool.ok("list")
    expect.equal([p["name"] for p in listed["profiles"]], ["other"])
    expect.equal([u["id"] for u in listed["unreadable"]], [os.path.basename(directory)])
    _damaged(pool)
    with pool.top() as top:
        expect.that(os.path.exists(f"{top}/@profiles/{os.path.basename(directory)}/upper"), "it was collected")


def test_a_profile_from_the_future_is_refused_but_kept(t):
    pool = t.pool("toy")
    with pool.top() as top:
        directory, _ = pool.profile_file(top, "dev")
        pools.edit_json(f"{directory}/profile.json", lambda c: c["format"]["incompatible"].append("from-the-future"))
    answer = pool.fp("clone", "dev", "other")
    expect.that(answer.status in (1, 4), answer)
    expect.contains(answer.text, "from-the-future")


def test_a_journal_that_is_not_sqlite(t):
    pool = t.pool("toy")
    with pool.top() as top:
        with open(f"{top}/@flipper/journal.db", "r+b") as f:
            f.write(b"this is no database\n" * 200)
    _damaged(pool)
    _refused(pool.fp("create", "other"), 1, 4)


def test_a_base_that_vanished(t):
    pool = t.pool("toy")
    with pool.top() as top:
        run_ok("btrfs", "property", "set", f"{top}/@base/v1", "ro", "false")
        run_ok("btrfs", "-q", "subvolume", "delete", f"{top}/@base/v1")
    _refused(pool.fp("run", "dev", "--", "true"), 1, 4, 125)
    _damaged(pool)
    expect.status(pool.fp("list"), 0)


def test_a_profile_without_its_state_is_cloned_as_the_check_says(t):
    pool = t.pool("toy")
    with pool.top() as top:
        _, content = pool.profile_file(top, "dev")
        run_ok("btrfs", "-q", "subvolume", "delete", f"{top}/@state/{content['id']}")
    found = pool.fp("pool", "check").envelope
    expect.contains(str(found), "clone --no-state dev NAME")
    pool.ok("clone", "--no-state", "dev", "copy")
    with pool.top() as top:
        _, content = pool.profile_file(top, "copy")
        expect.that(os.path.isdir(f"{top}/@state/{content['id']}/home"), "the clone has no state")


def test_a_btrfs_with_subvolumes_of_such_names_is_no_damaged_pool(t):
    """As other snapshot tools lay them out."""
    image = t.empty_image(1 << 30)
    run_ok("mkfs.btrfs", "-q", image)
    pool = pools.Pool(t, image)
    with pool.top() as top:
        for name in ("@snapshots/1", "@data/music", "@profiles/firefox"):
            os.makedirs(f"{top}/{name}")
    answer = expect.status(pool.fp("list"), 1)
    expect.absent(str(answer.envelope), "damaged")
