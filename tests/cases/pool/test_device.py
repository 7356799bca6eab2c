"""`pool create` on a block device."""

import contextlib

from lib import command, expect, pools
from lib.process import run_ok


@contextlib.contextmanager
def _device(t):
    device = run_ok("losetup", "--find", "--show", t.empty_image(2 << 30)).stdout.decode().strip()
    try:
        yield device
    finally:
        run_ok("losetup", "--detach", device)


def _create(t, device, *flags):
    return command.call(t.program(), "--json", "pool", "create", device, "--inode-floor", "65536", *flags)


def test_an_empty_device_becomes_a_pool(t):
    with _device(t) as device:
        expect.status(_create(t, device), 0)
        pool = pools.Pool(t, device)
        expect.equal(pool.ok("pool", "info")["device"], device)
        expect.nothing(pool.ok("pool", "check")["problems"], "problems of a new pool")


def test_a_device_that_holds_data_is_refused_and_left_alone(t):
    with _device(t) as device:
        run_ok("mkfs.ext4", "-q", device)
        with open(device, "rb") as f:
            before = f.read(4 << 20)
        expect.status(_create(t, device), 1)
        expect.status(_create(t, device, "--force"), 3)
        with open(device, "rb") as f:
            expect.equal(f.read(4 << 20), before, "the device after the refusals")
        expect.status(_create(t, device, "--force", "--yes"), 0)
        expect.nothing(pools.Pool(t, device).ok("pool", "check")["problems"], "problems of a new pool")


def test_a_mounted_device_is_refused(t):
    with _device(t) as device:
        run_ok("mkfs.ext4", "-q", device)
        place = t.path("mounted")
        run_ok("mkdir", place)
        run_ok("mount", device, place)
        try:
            answer = _create(t, device, "--force", "--yes")
            expect.that(answer.status != 0, "a mounted device became a pool")
            run_ok("touch", f"{place}/still-there")
        finally:
            run_ok("umount", place)
