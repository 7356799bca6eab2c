"""The comparer sees one planted difference of each kind, and nothing else."""

import os
import shutil
import struct

from lib import expect, toy
from oracle import tree

CAPABILITY = struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0)


def _keep_time(path, change):
    """Applies a change and puts the times of the file and its directory back."""
    directory = os.path.dirname(path)
    times = {p: os.lstat(p).st_mtime_ns for p in (path, directory) if os.path.lexists(p)}
    change(path)
    for p, when in times.items():
        if os.path.lexists(p):
            os.utime(p, ns=(when, when), follow_symlinks=False)


def _replace(path, make):
    os.unlink(path)
    make(path)


def _write(path, data):
    with open(path, "wb") as f:
        f.write(data)


def _break_link(path):
    content = open(path, "rb").read()
    info = os.lstat(path)
    os.unlink(path)
    _write(path, content)
    os.chmod(path, info.st_mode & 0o7777)
    os.utime(path, ns=(info.st_mtime_ns, info.st_mtime_ns))


PLANTED = {
    "content": ("usr/share/toy/deep/er/file", lambda p: _write(p, b"y" + b"x" * 69_999)),
    "target": ("usr/link", lambda p: _replace(p, lambda q: os.symlink("shaer", q))),
    "device": ("usr/share/toy/null", lambda p: _replace(p, lambda q: os.mknod(q, 0o20666, os.makedev(1, 5)))),
    "owner": ("etc/os-release", lambda p: os.chown(p, 0, 5)),
    "mode": ("etc/os-release", lambda p: os.chmod(p, 0o4755)),
    "xattrs": ("etc/os-release", lambda p: os.setxattr(p, "security.capability", CAPABILITY)),
    "links": ("usr/share/toy/hard", _break_link),
    "kind": ("usr/share/toy/fifo", lambda p: _replace(p, lambda q: os.symlink("x", q))),
}


def _readings(t, change):
    one, two = os.path.join(t.dir, "one"), os.path.join(t.dir, "two")
    os.mkdir(one)
    os.mkdir(two)
    toy.make(one)
    toy.make(two)
    change(two)
    found = tree.compare(tree.read(one), tree.read(two))
    shutil.rmtree(one)
    shutil.rmtree(two)
    return found


def test_equal_trees_have_no_difference(t):
    expect.nothing(_readings(t, lambda root: None), "differences of equal trees")


def test_sees_each_planted_difference(t):
    for aspect, (path, change) in PLANTED.items():
        found = _readings(t, lambda root: _keep_time(os.path.join(root, path), change))
        found = [d for d in found if d.aspect != "mode" or aspect == "mode"] if aspect == "device" else found
        expect.equal([(d.aspect, d.path) for d in found], [(aspect, b"/" + path.encode())], f"planted {aspect}")


def test_sees_a_changed_time(t):
    found = _readings(t, lambda root: os.utime(os.path.join(root, "etc/hostname"), ns=(5, 6)))
    expect.equal([(d.aspect, d.path) for d in found], [("mtime", b"/etc/hostname")])


def test_sees_added_and_removed_odd_names(t):
    def change(root):
        directory = os.fsencode(root) + b"/usr/share/toy/"
        info = os.lstat(directory)
        os.unlink(directory + b"new\nline")
        _write(directory + b"n\xfen-utf8", b"odd")
        os.utime(directory, ns=(info.st_mtime_ns, info.st_mtime_ns))
    found = {(d.path, d.before, d.after) for d in _readings(t, change)}
    expect.equal(found, {(b"/usr/share/toy/new\nline", "file", None), (b"/usr/share/toy/n\xfen-utf8", None, "file")})


def test_sees_a_new_empty_directory(t):
    def change(root):
        os.mkdir(os.path.join(root, "empty/inner"))
        os.utime(os.path.join(root, "empty"), ns=(toy.EPOCH_NS, toy.EPOCH_NS))
    found = _readings(t, change)
    expect.equal([(d.path, d.aspect, d.after) for d in found], [(b"/empty/inner", "existence", "directory")])
