"""Reads a profile's tree from its two layers, without mounting them: the base once, then only what the upper has.

What overlayfs does is done here again, from the kernel's Documentation/filesystems/overlayfs.rst: a character
device 0/0 in the upper is no entry, a directory marked opaque hides the base's, any other entry stands over it.
`tree.read` of a mounted overlay is the other way to the same reading; a test holds the two against each other.

The content of smaller files is kept by digest, for judges that look inside; of the base only what is in /etc and /var.
"""

import bisect
import os
import stat

from oracle import tree

KEPT_BYTES = 1 << 20


class Layers:
    """The base of a profile, read once."""

    def __init__(self, base, excluded=tuple(tree.STATE + tree.FOREIGN)):
        self.excluded = {os.fsencode(e) for e in excluded}
        self.contents = {}
        self.base, groups = tree.Reading(), {}
        for path, on_disk in tree.walk(base, excluded):
            self._take(self.base, groups, path, on_disk, path.startswith((b"/etc/", b"/var/")))
        self._link(self.base, groups)
        self.sorted = sorted(self.base.entries)

    def _take(self, reading, groups, path, on_disk, keep=True):
        entry, info = tree.read_entry(on_disk)
        reading.entries[path] = entry
        if info.st_nlink > 1 and entry.kind != "directory":
            groups.setdefault((info.st_dev, info.st_ino), []).append(path)
        if keep and entry.kind == "file" and info.st_size <= KEPT_BYTES and entry.content not in self.contents:
            with open(on_disk, "rb") as f:
                self.contents[entry.content] = f.read()

    @staticmethod
    def _link(reading, groups):
        reading.links = {frozenset(paths) for paths in groups.values() if len(paths) > 1}

    def read(self, upper):
        """The merged tree of this base and an upper directory."""
        upper = os.fsencode(upper).rstrip(b"/")
        reading, groups, hidden, over = tree.Reading(), {}, set(), set()
        entries = {}
        for path, on_disk in tree.walk(upper, self.excluded):
            info = os.lstat(on_disk)
            whiteout = stat.S_ISCHR(info.st_mode) and info.st_rdev == 0
            over.add(path)
            if whiteout or not stat.S_ISDIR(info.st_mode) or _opaque(on_disk):
                hidden.add(path)
            if not whiteout:
                self._take(reading, groups, path, on_disk)
                entries[path] = reading.entries[path]
        reading.entries = dict(self.base.entries)
        for path in hidden:
            for below in self._below(path):
                reading.entries.pop(below, None)
        standing = {p for group in self.base.links for p in group if p in reading.entries and p not in over}
        reading.entries.update(entries)
        for path in over - entries.keys():
            reading.entries.pop(path, None)
        self._link(reading, groups)
        groups = (group & standing for group in self.base.links)
        reading.links |= {group for group in groups if len(group) > 1}
        return reading

    def _below(self, path):
        """Paths of the base below a directory."""
        at = bisect.bisect_left(self.sorted, path + b"/")
        while at < len(self.sorted) and self.sorted[at].startswith(path + b"/"):
            yield self.sorted[at]
            at += 1

    def content(self, entry):
        """The bytes of a small regular file of a reading."""
        return self.contents.get(entry.content)


def _opaque(directory):
    try:
        return os.getxattr(directory, "trusted.overlay.opaque", follow_symlinks=False) == b"y"
    except OSError:
        return False
