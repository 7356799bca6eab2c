"""Reads a whole tree as it is seen and compares two readings, every aspect by itself.

Paths are bytes, absolute in the tree.  The aspects: existence, type, content, symlink target, device number,
owner, mode, mtime, extended attributes (file capabilities are one), and the sets of paths that are hard links.
"""

import hashlib
import os
import stat
from dataclasses import dataclass, field

# What design section 2 keeps out of undo and reset: it lives in @state and @data.
STATE = [
    b"/home", b"/root", b"/srv", b"/data", b"/var/log", b"/var/cache/apt", b"/var/lib/apt/lists", b"/var/tmp",
    b"/var/lib/systemd/coredump", b"/var/lib/docker", b"/var/lib/containerd", b"/var/lib/containers",
    b"/var/lib/libvirt/images", b"/var/lib/machines", b"/swap",
]
# Not part of any profile: other filesystems are mounted there.
FOREIGN = [b"/proc", b"/sys", b"/dev", b"/run", b"/tmp"]
# Overlay's own bookkeeping is never visible in a merged tree; seen in an upper it is not content.
OVERLAY_XATTR = "trusted.overlay."

KINDS = {
    stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "symlink", stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device", stat.S_IFIFO: "fifo", stat.S_IFSOCK: "socket",
}


@dataclass(frozen=True)
class Entry:
    kind: str
    mode: int
    owner: tuple
    mtime: int
    content: bytes
    target: bytes
    device: tuple
    xattrs: tuple


@dataclass
class Reading:
    entries: dict = field(default_factory=dict)
    links: set = field(default_factory=set)


@dataclass(frozen=True)
class Difference:
    path: bytes
    aspect: str
    before: object
    after: object

    def __str__(self):
        return f"{self.path!r}: {self.aspect}: {self.before!r} -> {self.after!r}"


def _digest(path):
    hasher = hashlib.blake2b(digest_size=16)
    descriptor = os.open(path, os.O_RDONLY | os.O_NOATIME | os.O_NOFOLLOW)
    try:
        while chunk := os.read(descriptor, 1 << 20):
            hasher.update(chunk)
    finally:
        os.close(descriptor)
    return hasher.digest()


def _xattrs(path):
    names = [n for n in os.listxattr(path, follow_symlinks=False) if not n.startswith(OVERLAY_XATTR)]
    return tuple((n, os.getxattr(path, n, follow_symlinks=False)) for n in sorted(names))


def read_entry(path):
    """One entry and its lstat result."""
    info = os.lstat(path)
    kind = KINDS[stat.S_IFMT(info.st_mode)]
    device = (0, 0)
    if kind.endswith("device"):
        device = (os.major(info.st_rdev), os.minor(info.st_rdev))
    entry = Entry(
        kind, stat.S_IMODE(info.st_mode), (info.st_uid, info.st_gid), info.st_mtime_ns,
        _digest(path) if kind == "file" else b"", os.readlink(path) if kind == "symlink" else b"",
        device, _xattrs(path),
    )
    return entry, info


def walk(root, excluded=()):
    """Yields (absolute path in the tree, path on disk), parents first, in byte order."""
    root = os.fsencode(root).rstrip(b"/")
    skip = {os.fsencode(e) for e in excluded}
    queue = [b""]
    while queue:
        directory = queue.pop()
        yield directory or b"/", root + directory
        try:
            names = sorted(os.listdir(root + directory or b"/"), reverse=True)
        except NotADirectoryError:
            continue
        below = []
        for name in names:
            path = directory + b"/" + name
            if path in skip:
                continue
            if stat.S_ISDIR(os.lstat(root + path).st_mode):
                below.append(path)
            else:
                yield path, root + path
        queue.extend(below)


def read(root, excluded=tuple(STATE + FOREIGN)):
    """Reads everything below `root` except the excluded subtrees."""
    reading, groups = Reading(), {}
    for path, on_disk in walk(root, excluded):
        entry, info = read_entry(on_disk)
        reading.entries[path] = entry
        if info.st_nlink > 1 and entry.kind != "directory":
            groups.setdefault((info.st_dev, info.st_ino), []).append(path)
    reading.links = {frozenset(paths) for paths in groups.values() if len(paths) > 1}
    return reading


def compare(before, after, ignore=()):
    """Every difference between two readings; `ignore` names aspects that the test does not judge."""
    found = []
    for path in sorted(before.entries.keys() | after.entries.keys()):
        old, new = before.entries.get(path), after.entries.get(path)
        if old is None or new is None:
            found.append(Difference(path, "existence", old and old.kind, new and new.kind))
            continue
        if old.kind != new.kind:
            found.append(Difference(path, "kind", old.kind, new.kind))
            continue
        for aspect in ("content", "target", "device", "owner", "mode", "mtime", "xattrs"):
            if getattr(old, aspect) != getattr(new, aspect):
                found.append(Difference(path, aspect, getattr(old, aspect), getattr(new, aspect)))
    for group in before.links ^ after.links:
        here = group in after.links
        found.append(Difference(min(group), "links", None if here else sorted(group), sorted(group) if here else None))
    return [d for d in found if d.aspect not in ignore]


def changed_paths(before, after):
    """Paths that differ, each with its kind of change; a directory whose mtime alone differs does not count."""
    changes = {}
    for difference in compare(before, after):
        path = difference.path
        if difference.aspect == "mtime" and before.entries[path].kind == "directory":
            continue
        if difference.aspect == "existence":
            changes[path] = "added" if difference.before is None else "removed"
        elif difference.aspect == "kind":
            changes[path] = "type"
        else:
            changes.setdefault(path, "modified")
    return changes
