"""Small hand-made trees for tests that need files and no Debian."""

import os
import stat

EPOCH_NS = 1_700_000_000 * 10**9


def make(root):
    """A directory tree with every kind of entry, all times fixed."""
    root = os.fsencode(root)

    def path(name):
        return os.path.join(root, os.fsencode(name))

    for name in ("etc", "usr/bin", "usr/sbin", "usr/lib", "usr/share/toy/deep/er", "var/lib/dpkg/info", "empty"):
        os.makedirs(path(name))
    for name, content in (
        ("etc/hostname", b"toy\n"), ("etc/os-release", b"ID=toy\n"), ("usr/share/toy/text", b"one\ntwo\n"),
        # What makes a tree a Debian root, by name alone.
        ("usr/lib/os-release", b"ID=toy\nVERSION_CODENAME=toy\n"), ("usr/bin/dpkg", b""), ("usr/bin/apt-get", b""),
        ("usr/bin/sh", b""), ("var/lib/dpkg/status", b""),
        ("usr/share/toy/deep/er/file", b"x" * 70_000), (b"usr/share/toy/n\xffn-utf8", b"odd"),
        (b"usr/share/toy/new\nline", b"odd"), ("usr/share/toy/-dash", b"odd"),
    ):
        with open(path(name), "wb") as f:
            f.write(content)
    os.symlink("share", path("usr/link"))
    os.link(path("usr/share/toy/text"), path("usr/share/toy/hard"))
    os.mknod(path("usr/share/toy/null"), stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.mkfifo(path("usr/share/toy/fifo"), 0o600)
    os.chown(path("var/lib"), 7, 8)
    os.chmod(path("usr/share/toy/deep"), 0o2750)
    os.setxattr(path("etc/hostname"), "user.note", b"hello")
    for directory, names, files in os.walk(root, topdown=False):
        for name in names + files:
            os.utime(os.path.join(directory, name), ns=(EPOCH_NS, EPOCH_NS), follow_symlinks=False)
    os.utime(root, ns=(EPOCH_NS, EPOCH_NS))
