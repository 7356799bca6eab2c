"""`pool create`: the layout on disk, and what it refuses."""

import os
import subprocess

from lib import command, expect, pools
from lib.process import run_ok


def _create(t, image, *flags):
    return command.call(t.program(), "--json", "pool", "create", image, "--size", "2G", "--inode-floor", "65536",
                        *flags)


def test_makes_the_layout_of_the_design(t):
    image = t.path("new.img")
    expect.status(_create(t, image), 0)
    with pools.Pool(t, image).top() as top:
        for name in ("@base", "@profiles", "@snapshots", "@state", "@data", "@flipper"):
            expect.that(os.path.isdir(f"{top}/{name}"), f"{name} is missing")
        expect.equal(os.stat(f"{top}/@flipper").st_mode & 0o7777, 0o700, "mode of @flipper")
        for name in ("journal.db", "pool.json"):
            expect.that(os.path.exists(f"{top}/@flipper/{name}"), f"@flipper/{name} is missing")


def test_template_has_its_inodes_above_the_floor(t):
    image = t.path("new.img")
    expect.status(_create(t, image), 0)
    with pools.Pool(t, image).top() as top:
        for name in ("upper", "work"):
            inode = os.stat(f"{top}/@profiles/.template/{name}").st_ino
            expect.that(inode >= 65536, f"inode of the template's {name} is {inode}")


def test_a_new_pool_passes_its_check(t):
    image = t.path("new.img")
    expect.status(_create(t, image), 0)
    expect.nothing(pools.Pool(t, image).ok("pool", "check")["problems"], "problems of a new pool")


def test_refuses_an_image_that_holds_a_filesystem(t):
    image = t.empty_image(1 << 30)
    run_ok("mkfs.ext4", "-q", image)
    before = open(image, "rb").read(1 << 20)
    answer = expect.status(_create(t, image), 1)
    expect.equal(answer.envelope["ok"], False)
    expect.equal(open(image, "rb").read(1 << 20), before, "the image after the refusal")


def test_refuses_a_pool_unless_forced(t):
    image = t.path("new.img")
    expect.status(_create(t, image), 0)
    expect.status(_create(t, image), 1)
    expect.status(_create(t, image, "--force"), 3)
    expect.status(_create(t, image, "--force", "--yes"), 0)


def test_refuses_a_directory_in_words_that_are_true(t):
    os.mkdir(t.path("directory"))
    for target in (t.path("directory"), "/dev/null"):
        for flags in ((), ("--force", "--yes")):
            error = expect.status(_create(t, target, *flags), 1).error
            expect.equal(error["message"], f"{target} is neither a file nor a block device")
            expect.contains(error["hint"], "--size")
    expect.nothing(os.listdir(t.path("directory")), "made in the directory")


def test_refuses_an_image_with_unknown_data(t):
    image = t.empty_image(1 << 30)
    with open(image, "r+b") as f:
        f.write(b"my only copy of a novel\n" * 100)
    expect.status(_create(t, image), 1)
    expect.that(open(image, "rb").read(30).startswith(b"my only copy"), "the data is gone")


def test_refuses_a_size_that_is_too_small(t):
    image = t.path("small.img")
    expect.status(command.call(t.program(), "--json", "pool", "create", image, "--size", "1M"), 1, 2)
    expect.that(not os.path.exists(image), "a refused create left an image")


def test_leaves_nothing_mounted_or_attached(t):
    image = t.path("new.img")
    expect.status(_create(t, image), 0)
    expect.equal(subprocess.run(["losetup", "-j", image], capture_output=True, check=True).stdout, b"")
