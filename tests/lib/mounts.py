"""Loop devices and mounts of this test's own images, and their removal."""

import contextlib
import fcntl
import os
import tempfile
import time

from lib.process import run, run_ok


def mount_points():
    """Mount points of this namespace, newest last."""
    with open("/proc/self/mountinfo", "rb") as f:
        lines = f.read().splitlines()
    return [os.fsdecode(_unescape(line.split()[4])) for line in lines]


def _unescape(field):
    for escape, byte in ((b"\\040", b" "), (b"\\011", b"\t"), (b"\\012", b"\n"), (b"\\134", b"\\")):
        field = field.replace(escape, byte)
    return field


def unmount_below(directory):
    prefix = os.path.realpath(directory)
    for point in reversed(mount_points()):
        if point == prefix or point.startswith(prefix + "/"):
            run("umount", "-l", point)


def loops_of(image):
    """Loop devices whose backing file is this image, attached by anybody."""
    listed = run("losetup", "-n", "-O", "NAME", "-j", image)
    return listed.text.split()


def loops_below(directory):
    """Loop devices whose backing file is somewhere in this directory."""
    listed = run("losetup", "-n", "-l", "--raw", "-O", "NAME,BACK-FILE").text
    prefix = os.path.realpath(directory) + "/"
    pairs = (line.partition(" ") for line in listed.splitlines())
    return [name for name, _, backing in pairs if backing.startswith(prefix)]


def detach_loops_below(directory):
    for name in loops_below(directory):
        run("losetup", "-d", name)


@contextlib.contextmanager
def attached(image):
    """The image's loop device: the one the product uses when there is one, else a new one."""
    with open(image, "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = loops_of(image)
        device = found[0] if found else run_ok("losetup", "--find", "--show", image).text.strip()
        mine = not found
        try:
            yield device
        finally:
            # On a device that is still mounted this only sets autoclear.
            if mine:
                run("losetup", "-d", device)


@contextlib.contextmanager
def temporary_directory(parent, prefix):
    path = tempfile.mkdtemp(prefix=prefix, dir=parent)
    try:
        yield path
    finally:
        os.rmdir(path)


def _mount_top_level(image, target, tries=50):
    """A device that was found may be on its way out (autoclear), and empty when it is mounted: look again."""
    for last in range(tries - 1, -1, -1):
        with attached(image) as device:
            done = run("mount", "-t", "btrfs", "-o", "subvolid=5,noatime", device, target)
        if done.status == 0:
            return
        if not last:
            raise RuntimeError(f"helper program failed\n{done}")
        time.sleep(0.1)


@contextlib.contextmanager
def top_level(image, parent):
    """Mounts the pool's subvolid=5 privately and yields the directory."""
    with temporary_directory(parent, "top-") as target:
        _mount_top_level(image, target)
        try:
            yield target
        finally:
            # Lazily when a failing test still has something open there, so that its own failure is seen.
            if run("umount", target).status != 0:
                run_ok("umount", "-l", target)


@contextlib.contextmanager
def merged_read_only(lowers, parent):
    """A read-only merged view of directories, uppermost first, by the kernel alone."""
    with temporary_directory(parent, "view-") as target:
        layers = list(lowers)
        if len(layers) == 1:
            # overlayfs wants two layers when there is no upper.
            run_ok("mount", "--bind", layers[0], target)
        else:
            joined = ":".join(layer.replace("\\", "\\\\").replace(":", "\\:") for layer in layers)
            run_ok("mount", "-t", "overlay", "oracle", "-o", f"ro,lowerdir={joined},xino=off", target)
        try:
            yield target
        finally:
            run_ok("umount", target)
