"""How the command finds its pool, and what `pool info` says."""

from lib import command, expect, pools
from lib.process import run_ok


def test_info_tells_the_facts(t):
    pool = t.pool("toy")
    info = pool.ok("pool", "info")
    expect.equal((info["inode_floor"], info["bases"], info["profiles"]), (1 << 17, 1, 1))
    expect.that(0 < info["free"] <= info["size"], f"free {info['free']} of {info['size']}")
    expect.equal(len(info["pool"]), 36, "length of the pool's uuid")


def test_the_environment_names_the_pool(t):
    pool = t.pool("toy")
    answer = command.call(t.program(), "--json", "list", env={"FLIPPER_POOL": pool.image})
    expect.equal([p["name"] for p in expect.status(answer, 0).result["profiles"]], ["dev"])


def test_the_option_wins_over_the_environment(t):
    pool = t.pool("toy")
    answer = pool.fp("list", env={"FLIPPER_POOL": "/nonexistent"})
    expect.status(answer, 0)


def test_without_any_pool_it_says_which_options_there_are(t):
    answer = expect.status(command.call(t.program(), "--json", "list"), 1, 2)
    expect.that(answer.error["hint"], "no hint")


def test_an_attached_image_is_not_attached_twice(t):
    pool = t.pool("toy")
    with pool.top():
        expect.status(pool.fp("list"), 0)
        expect.equal(len(run_ok("losetup", "-n", "-O", "NAME", "-j", pool.image).text.split()), 1, "loop devices")


def test_a_block_device_can_be_named(t):
    from lib import mounts
    pool = t.pool("toy")
    with mounts.attached(pool.image) as device:
        expect.status(command.call(t.program(), "--json", "--pool", device, "list"), 0)


def test_a_mounted_directory_can_be_named(t):
    pool = t.pool("toy")
    with pool.top() as top:
        expect.status(command.call(t.program(), "--json", "--pool", top, "list"), 0)


def test_a_device_is_known_by_its_own_path(t):
    """The hooks inside find the device by what the session says, whatever link or relative path was typed."""
    import json
    import os

    from lib import mounts
    pool = t.pool("mini")
    with mounts.attached(pool.image) as device:
        link = t.path("link")
        os.symlink(device, link)
        expect.equal(pools.Pool(t, link).ok("pool", "info")["device"], device)
        for name in (link, os.path.relpath(device)):
            named = pools.Pool(t, name)
            told = json.loads(named.run_ok("dev", "cat", "/run/flipper-profile/session.json").text)
            expect.equal(told["device"], device)
            expect.status(named.run("dev", "flipper-profile", "list"), 0)
