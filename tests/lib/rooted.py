"""A base unpacked into a plain directory, to learn what Debian itself does without the product."""

import os

from lib import bases
from lib.process import run, run_ok


def unpack(context, recipe="plain"):
    root = context.path("root")
    os.mkdir(root)
    run_ok("tar", "-C", root, "--numeric-owner", "--xattrs", "--xattrs-include=*", "-xf",
           bases.dressed(context, recipe))
    run_ok("mount", "-t", "proc", "proc", root + "/proc")
    return root


def inside(root, *command):
    return run("chroot", root, "env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8",
               "PATH=/usr/sbin:/usr/bin:/sbin:/bin", *command)
