"""`pool create`: the layout on disk, and what it refuses."""

import os
import subprocess

from lib import command, expect, mounts, pools, session
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


def test_an_image_in_use_is_not_made_anew(t):
    """A filesystem made below a mounted one destroys both; another name of the image is the same image."""
    pool = t.pool("toy")
    os.link(pool.image, t.path("alias.img"))
    with pool.top():
        for image in (pool.image, t.path("alias.img")):
            answer = expect.status(_create(t, image, "--force", "--yes"), 1)
            expect.equal(answer.error["situation"], "in-use")
    expect.equal([p["name"] for p in pool.ok("list")["profiles"]], ["dev"])
    expect.equal(os.stat(pool.image).st_size, 8 << 30, "size after the refusal")


def test_the_pool_of_an_entered_profile_is_not_made_anew(t):
    pool = t.pool("mini")
    with session.inside(pool) as inside:
        expect.equal(expect.status(_create(t, pool.image, "--force", "--yes"), 1).error["situation"], "in-use")
        expect.equal(inside.say("echo alive"), "alive\n")


def test_a_device_mounted_in_another_namespace_is_not_made_anew(t):
    pool = t.pool("toy")
    with mounts.attached(pool.image) as device:
        script = f"mount {device} {t.path()} -t btrfs && echo ready && exec sleep 60"
        holder = subprocess.Popen(["unshare", "--mount", "--propagation", "private", "sh", "-c", script],
                                  stdout=subprocess.PIPE)
        expect.equal(holder.stdout.readline(), b"ready\n")
        answer = command.call(t.program(), "--json", "pool", "create", device, "--force", "--yes")
        holder.kill()
        holder.wait()
        expect.equal(expect.status(answer, 1).error["situation"], "in-use")
    expect.equal([p["name"] for p in pool.ok("list")["profiles"]], ["dev"])


def test_a_failure_says_what_became_of_the_target(t):
    image = t.path("new.img")
    expect.status(_create(t, image), 0)
    without_space = {"FLIPPER_FAULT_AT": "allocate-space-for", "FLIPPER_FAULT_ACTION": "enospc"}
    args = ("--json", "pool", "create", "--inode-floor", "1024")
    answer = command.call(t.program(), *args, image, "--force", "--yes", env=without_space)
    expect.status(answer, 4)
    expect.absent(answer.error["state"], "nothing was changed")
    # Where there was nothing, there is nothing again.
    for point in ("allocate-space-for", "truncate"):
        fresh = t.path("fresh.img")
        answer = command.call(t.program(), *args, fresh, "--size", "1G",
                              env=without_space | {"FLIPPER_FAULT_AT": point})
        expect.equal(expect.status(answer, 1).error["state"], "nothing was changed")
        expect.that(not os.path.exists(fresh), "a failed create left an image")


def test_leaves_nothing_mounted_or_attached(t):
    image = t.path("new.img")
    expect.status(_create(t, image), 0)
    expect.equal(subprocess.run(["losetup", "-j", image], capture_output=True, check=True).stdout, b"")


def test_a_link_that_leads_nowhere_is_refused_and_stays(t):
    """An image on a card that is not mounted."""
    link = t.path("pool.img")
    os.symlink("/nonexistent/card/pool.img", link)
    expect.status(_create(t, link), 1)
    expect.equal(os.readlink(link), "/nonexistent/card/pool.img")


def test_a_label_that_btrfs_does_not_take_is_refused(t):
    for label in ("x" * 256, "a/b", "a\nb"):
        expect.status(_create(t, t.path("new.img"), "--label", label), 2)
    expect.that(not os.path.exists(t.path("new.img")), "an image was made")
