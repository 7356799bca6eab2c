"""What a test needs beyond Python, checked before it runs; a missing thing is the reason of a skip."""

import functools
import glob
import os
import shutil

from lib import mirror


def cache_directory():
    root = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(root, "flipper-profile")


def _filesystem(name):
    with open("/proc/filesystems", encoding="ascii") as f:
        if any(line.split()[-1] == name for line in f):
            return None
    return f"the kernel has no {name}"


def _programs(*names):
    absent = [n for n in names if shutil.which(n) is None]
    return f"not installed: {', '.join(absent)}" if absent else None


def _control_groups():
    """systemd in a container needs a control group of its own, of the second kind."""
    for directory in ("/sys/fs/cgroup/unified", "/sys/fs/cgroup"):
        if os.path.exists(f"{directory}/cgroup.procs"):
            return None if os.access(f"{directory}/cgroup.procs", os.W_OK) else "control groups cannot be written"
    return "no control groups of version 2"


@functools.cache
def _check(need, bin_dir, deb_dir):
    if need == "root":
        return None if os.geteuid() == 0 else "not root"
    if need == "btrfs":
        return _filesystem("btrfs") or _programs("mkfs.btrfs", "btrfs", "losetup")
    if need == "overlay":
        return _filesystem("overlay")
    if need == "pty":
        return None if os.path.exists("/dev/ptmx") else "no /dev/ptmx"
    if need == "containers":
        return _control_groups() or _programs("nsenter", "unshare")
    if need == "command":
        present = os.access(os.path.join(bin_dir, "flipper-profile"), os.X_OK)
        return None if present else f"no flipper-profile in {bin_dir}"
    if need == "debs":
        if not deb_dir:
            return "no --deb directory given"
        found = [*glob.glob(f"{deb_dir}/flipper-profile_*.deb"), *glob.glob(f"{deb_dir}/*/flipper-profile_*.deb")]
        return None if found else f"no flipper-profile_*.deb in {deb_dir}"
    if need == "mirror":
        return (None if mirror.uri() else "this machine's apt has no Debian mirror") or _programs("mmdebstrap")
    return f"unknown need {need!r}"


# A prepared thing implies what it is made from.
IMPLIED = {"base": ("root", "mirror"), "pool": ("root", "btrfs", "overlay", "command", "mirror")}


def missing(test, options):
    """The first reason why this test cannot run, or None."""
    if test.known and not os.environ.get("FLIPPER_TEST_KNOWN_FAULTS"):
        return f"known fault: {test.known}"
    for need in test.needs:
        kind, _, recipe = need.partition(":")
        wanted = IMPLIED[kind] if recipe else (need,)
        if recipe and recipe not in ("plain", "toy"):
            wanted += ("debs",)
        if recipe == "toy":
            wanted = tuple(w for w in wanted if w != "mirror")
        for one in wanted:
            reason = _check(one, options.bin_dir, options.deb_dir)
            if reason:
                return reason
    return None


def preparations(tests):
    """Shared bases and pools, bases first."""
    found = {need for test in tests for need in test.needs if ":" in need}
    return sorted(found)
