"""Small trees made by hand, for the tests of the judges."""

import hashlib
import os

from oracle.tree import Entry, Reading

CONTENTS = {}
DIRECTORY = Entry("directory", 0o755, (0, 0), 1, b"", b"", (0, 0), ())
# In every tree: only what is asked about differs.
PARENTS = {b"/only", b"/back", b"/meanwhile", b"/var/lib/dpkg", b"/etc/alternatives", b"/usr/bin"}


def file(content, mode=0o644, mtime=1, owner=(0, 0)):
    digest = hashlib.blake2b(content, digest_size=16).digest()
    CONTENTS[digest] = content
    return Entry("file", mode, owner, mtime, digest, b"", (0, 0), ())


def tree(files, links=()):
    entries = {b"/": DIRECTORY}
    for path in PARENTS | {os.path.dirname(path) for path in files}:
        while path not in entries:
            entries[path], path = DIRECTORY, os.path.dirname(path)
    entries.update({path: entry if isinstance(entry, Entry) else file(entry) for path, entry in files.items()})
    return Reading(entries, {frozenset(group) for group in links})


def package(name, version, status=b"install ok installed", more=b""):
    return b"Package: %s\nStatus: %s\nArchitecture: all\nVersion: %s\n%s\n" % (name, status, version, more)


def link(target):
    return Entry("symlink", 0o777, (0, 0), 1, b"", target, (0, 0), ())


def content(entry):
    """The bytes of a file's entry."""
    return CONTENTS.get(entry.content)
