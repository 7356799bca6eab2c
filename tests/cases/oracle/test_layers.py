"""The reading of two layers is that of the mounted overlay, whatever the upper has."""

import os

from lib import expect, mounts, toy
from oracle import layers, tree


def _base(t):
    base = t.path("base")
    os.mkdir(base)
    toy.make(base)
    return base


def _upper(t, script):
    """An upper that the kernel made."""
    base, upper, work, merged = (t.path(name) for name in ("base", "upper", "work", "merged"))
    for directory in (upper, work, merged):
        os.mkdir(directory)
    from lib.process import run_ok
    options = f"lowerdir={base},upperdir={upper},workdir={work},index=off,metacopy=off,redirect_dir=nofollow,xino=off"
    run_ok("mount", "-t", "overlay", "x", "-o", options, merged)
    run_ok("sh", "-ec", script, cwd=merged)
    run_ok("umount", merged)
    return upper


def test_it_reads_what_the_kernel_shows(t):
    base = _base(t)
    once = layers.Layers(base)
    upper = _upper(t, """
        rm -r usr/share/toy/deep && mkdir -p usr/share/toy/deep && echo new > usr/share/toy/deep/new
        rm etc/hostname && ln -s nowhere etc/hostname
        rm -r empty && echo file > empty
        chmod 0600 usr/share/toy/hard && ln etc/os-release etc/linked && mkdir -p etc/more && echo 1 > etc/more/one
        mv usr/share/toy/fifo usr/share/moved && rm usr/link
    """)
    with mounts.merged_read_only([upper, base], t.dir) as view:
        shown = tree.read(view)
    expect.nothing(tree.compare(shown, once.read(upper)), "differences between the layers and the overlay")


def test_an_empty_upper_is_the_base(t):
    base = _base(t)
    os.mkdir(t.path("upper"))
    expect.nothing([d for d in tree.compare(tree.read(base), layers.Layers(base).read(t.path("upper"))) if d.path != b"/"],
                   "differences")
