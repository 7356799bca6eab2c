"""Counts files of one tree that claim to be the same file (st_dev, st_ino) and are not."""

import os
import stat

from oracle import tree


def pairs(root, excluded=tuple(tree.FOREIGN)):
    """Pairs of paths that share an identity without being hard links of each other.

    True hard links have a link count of at least the size of their group and equal metadata and content; a
    directory never shares an identity with anything.
    """
    groups = {}
    for path, on_disk in tree.walk(root, excluded):
        info = os.lstat(on_disk)
        groups.setdefault((info.st_dev, info.st_ino), []).append((path, on_disk, info))
    found = []
    for members in groups.values():
        if len(members) == 1 or _are_links(members):
            continue
        first = members[0][0]
        found.extend((first, other[0]) for other in members[1:])
    return sorted(found)


def _are_links(members):
    _, first_disk, first = members[0]
    if stat.S_ISDIR(first.st_mode) or first.st_nlink < len(members):
        return False
    for _, _, info in members[1:]:
        same = (info.st_mode, info.st_uid, info.st_gid, info.st_size, info.st_mtime_ns, info.st_nlink, info.st_rdev)
        if same != (first.st_mode, first.st_uid, first.st_gid, first.st_size, first.st_mtime_ns, first.st_nlink,
                    first.st_rdev):
            return False
    if stat.S_ISREG(first.st_mode):
        contents = {tree.read_entry(on_disk)[0].content for _, on_disk, _ in members}
        return len(contents) == 1
    return True
