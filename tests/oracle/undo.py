"""What an undo of one transaction may make of a tree, said without the product.

Four readings: before and after the transaction, now, and after the undo.  The rules are those of docs/cli.md, for
each path by itself: what the transaction did not change stays as it is now; what it alone changed is as before it;
what changed again since goes by what the file is, or is a conflict, and then nothing at all may change.  What others
wrote during the transaction stays as it is now; the caller says which paths that are.
"""

import os
from dataclasses import dataclass, field

from oracle import alternatives, records, relations, tree
from oracle.records import CONFLICT
from oracle.tree import Difference

STATUS = b"/var/lib/dpkg/status"
# Made anew from other files; what is in them is asked of the program that reads them.
DERIVED = (b"/etc/ld.so.cache", b"/var/cache/ldconfig/aux-cache", b"/var/cache/apt/pkgcache.bin",
           b"/var/cache/apt/srcpkgcache.bin")
# A tool's own copy of the state before, or its lock: either side's will do.
COPIES = tuple(b"/var/lib/dpkg/" + n for n in (b"status-old", b"diversions-old", b"statoverride-old", b"lock",
                                                b"lock-frontend", b"triggers/Lock")) + \
    tuple(b"/etc/" + n for n in (b"passwd-", b"shadow-", b"group-", b"gshadow-", b"subuid-", b"subgid-", b".pwd.lock")) + \
    tuple(n + b"-old" for n in records.DEBCONF)
ROTATED = b"/var/lib/apt/extended_states."


@dataclass
class Case:
    """One transaction and what stands now; `content` gives the bytes of a file's entry."""

    before: object
    after: object
    now: object
    content: object
    meanwhile: tuple = ()
    # (path, why) of what cannot be taken back, and each path's expected entry.
    conflicts: dict = field(default_factory=dict)

    def __post_init__(self):
        self.changed = {p for p in _differing(self.before, self.after) if not p.startswith(self.meanwhile or (b"\0",))}
        self.since = _differing(self.after, self.now)
        # Directories in which entries come and go have times of their own.
        self.around = {os.path.dirname(path) for path in (*self.changed, *DERIVED)}
        self.joined = {}
        for path in sorted(self.changed & self.since):
            self._join(path)
        self._alternatives()
        self._places()
        self._relations()

    def sides(self, path):
        return tuple(reading.entries.get(path) for reading in (self.after, self.now, self.before))

    def _bytes(self, entry):
        return None if entry is None else self.content(entry)

    def _join(self, path):
        """A path that changed in the transaction and again since."""
        was, mine, wanted = self.sides(path)
        if _is_derived(path) or _is_copy(path) or _alike(mine, wanted):
            return
        if any(e is not None and e.kind != "file" for e in (was, mine, wanted)):
            self.conflicts[path] = "other kinds of entry"
            return
        attributes = records.three(*(e and (e.mode, e.owner, e.xattrs) for e in (was, mine, wanted)))
        if None in (was, mine, wanted):
            attributes = (mine or wanted) and tuple(getattr(mine or wanted, a) for a in ("mode", "owner", "xattrs"))
        found = self._content(path, was, mine, wanted)
        if found is CONFLICT:
            self.conflicts[path] = "both changed it"
        elif attributes is CONFLICT:
            self.conflicts[path] = "owner and mode"
        else:
            self.joined[path] = (found, attributes)

    def _content(self, path, was, mine, wanted):
        sides = [self._bytes(e) for e in (was, mine, wanted)]
        if records.is_known(path):
            return records.merge(path, *sides)
        whole = records.three(*(e and e.content for e in (was, mine, wanted)))
        if whole is not CONFLICT:
            return next(s for s, e in zip(sides, (was, mine, wanted)) if (e and e.content) == whole)
        return CONFLICT if None in sides else records.merge_text(*sides)

    def _alternatives(self):
        """The links of a name whose record is merged are those of the merged record, whoever made them."""
        self.links = {}
        for path in [path for path in self.joined if records.is_alternative(path)]:
            name, (record, attributes) = os.path.basename(path), self.joined[path]
            present = self.now.entries.get(alternatives.CHOSEN + name)
            chosen = present and present.target
            if record:
                choice = alternatives.in_force(record, chosen)
                # What is chosen for want of the old choice is chosen automatically.
                record = record if choice == chosen else {**record, "mode": "auto"}
                self.joined[path] = (record, attributes)
                self.links |= alternatives.links(name, record, choice)
            elif path in self.now.entries:
                # With the last choice everything of the name goes.
                gone = alternatives.links(name, records.alternative(self._bytes(self.now.entries[path])), chosen or b"")
                self.links |= dict.fromkeys(gone)
        for link in self.links:
            self.conflicts.pop(link, None)
        self.around |= {os.path.dirname(link) for link in self.links}

    def _places(self):
        """What comes back needs its directory; a directory in which others put something cannot become a file."""
        for path in sorted(self.changed - self.since - self.links.keys()):
            was, _, wanted = self.sides(path)
            if wanted is None:
                continue
            directory = self._expected(os.path.dirname(path))
            if directory is None or directory.kind != "directory":
                self.conflicts[path] = "its directory is gone"
            if wanted.kind != "directory" and was is not None and was.kind == "directory":
                if any(p.startswith(path + b"/") and p not in self.changed - self.since for p in self.now.entries):
                    self.conflicts[path] = "a directory with more in it"

    def _expected(self, path):
        """What is to stand there; what is below a place that is gone is not asked about again."""
        _, mine, wanted = self.sides(path)
        return wanted if path in self.changed - self.since else mine

    def _relations(self):
        """What the packages that stay would miss, where dpkg's status comes from both sides."""
        self.unmet = set()
        if STATUS in self.joined:
            now = records.status(self._bytes(self.now.entries[STATUS]))
            self.unmet = relations.broken(self.joined[STATUS][0]) - relations.broken(now)

    def half_done(self):
        """Whether a package was not whole before the transaction: dpkg says so again when that state is back."""
        states = (dict(f).get(b"Status", b"").split(b" ")[-1] for f in
                  records.status(self._bytes(self.before.entries[STATUS])).values())
        return any(state not in (b"installed", b"config-files", b"not-installed") for state in states)

    def refused(self):
        return bool(self.conflicts or self.unmet)

    def judge(self, result):
        """Every way in which the tree after the undo is not what it may be."""
        found = []
        for path in sorted(self.now.entries.keys() | self.before.entries.keys() | result.entries.keys()):
            found += self.judge_path(path, result.entries.get(path))
        return found + list(self._judge_links(result))

    def judge_path(self, path, got):
        """The same of one path, without its hard links."""
        if _is_derived(path):
            return []
        if path in self.links:
            return self._judge_link(path, got)
        if path in self.joined:
            return self._judge_joined(path, got)
        return [Difference(path, aspect, one, two) for aspect, one, two in self._judge_entry(path, got)]

    @staticmethod
    def is_made_anew(path):
        """Whether nothing is asked about it: a cache, or a tool's own copy."""
        return _is_derived(path) or _is_copy(path)

    def _judge_link(self, path, got):
        wanted = self.links[path]
        same = got is None if wanted is None else got is not None and got.kind == "symlink" and got.target == wanted
        return [] if same else [Difference(path, "alternative", wanted, got and (got.kind, got.target))]

    def _judge_joined(self, path, got):
        content, attributes = self.joined[path]
        if records.is_known(path):
            mine, wanted = self.now.entries.get(path), self.before.entries.get(path)
            if got is None:
                # A name without a choice has no file.
                gone = not content and (None in (mine, wanted) or records.is_alternative(path))
                return [] if gone else [Difference(path, "records", content, None)]
            try:
                have = records.read(path, self._bytes(got))
            except (IndexError, KeyError, ValueError) as error:
                return [Difference(path, "form", None, repr(error))]
            if have != content:
                return [Difference(path, "records", _only(content, have), _only(have, content))]
        elif (got and self._bytes(got)) != content:
            return [Difference(path, "content", content, got and self._bytes(got))]
        if got and (got.mode, got.owner, got.xattrs) != attributes:
            return [Difference(path, "attributes", attributes, (got.mode, got.owner, got.xattrs))]
        return []

    def _judge_entry(self, path, got):
        _, mine, wanted = self.sides(path)
        expected = wanted if path in self.changed and path not in self.since else mine
        if expected is None and mine is not None and got is not None and self._holds_more(path, got):
            return
        if (expected is None) != (got is None) or (got and expected.kind != got.kind):
            yield "existence", expected and expected.kind, got and got.kind
        elif got is not None:
            for aspect in ("content", "target", "device", "owner", "mode", "xattrs"):
                if getattr(expected, aspect) != getattr(got, aspect) and not _is_copy(path):
                    yield aspect, getattr(expected, aspect), getattr(got, aspect)
            free = _is_copy(path) or path in self.changed & self.since or got.kind == "directory" and path in self.around
            if not free and got.mtime not in self._times(path, expected):
                yield "mtime", sorted(self._times(path, expected)), got.mtime

    def _times(self, path, expected):
        """A time that the transaction set may go back or stay: it is worth no question."""
        was, mine, wanted = self.sides(path)
        return {expected.mtime} | ({wanted.mtime} if wanted and _alike(was, wanted) else set())

    def _holds_more(self, path, got):
        """A directory of the transaction in which somebody else's entry stands."""
        prefix = path + b"/"
        return got.kind == "directory" and any(
            p.startswith(prefix) and p not in self.changed for p in self.now.entries)

    def _judge_links(self, result):
        for reading, ours in ((self.now, lambda p: p not in self.changed),
                              (self.before, lambda p: p in self.changed and p not in self.since)):
            for group in reading.links - result.links:
                if all(map(ours, group)):
                    yield Difference(min(group), "links", sorted(group), None)
        both = self.now.links | self.before.links
        for group in result.links:
            if not any(group <= one for one in both):
                yield Difference(min(group), "links", None, sorted(group))


def same(one, other, content):
    """Differences between two trees, but for what is made anew, a tool's copies, times and the order of records."""
    found = []
    for path in sorted(one.entries.keys() | other.entries.keys()):
        a, b = one.entries.get(path), other.entries.get(path)
        if _is_derived(path) or _is_copy(path) or _alike(a, b):
            continue
        if a and b and records.is_known(path) and (a.mode, a.owner) == (b.mode, b.owner):
            if records.read(path, content(a)) == records.read(path, content(b)):
                continue
        found.append(Difference(path, "entry", a, b))
    return found


def _differing(one, other):
    """Paths that differ by more than a time."""
    changed = {p for p in one.entries.keys() | other.entries.keys()
               if not _alike(one.entries.get(p), other.entries.get(p))}
    return changed


def _alike(one, other):
    if one is other or one is None or other is None:
        return one is other
    return all(getattr(one, a) == getattr(other, a)
               for a in ("kind", "content", "target", "device", "owner", "mode", "xattrs"))


def _is_derived(path):
    return path in DERIVED


def _is_copy(path):
    return path in COPIES or path.startswith(ROTATED) and path[len(ROTATED):].isdigit()


def _only(one, other):
    """What one has and the other has not, small enough to print."""
    if isinstance(one, dict) and isinstance(other, dict):
        return {k: v for k, v in one.items() if other.get(k) != v}
    return one - other if isinstance(one, set) else one


def changed_at(one, other, path):
    """Whether a path differs between two readings."""
    return one.entries.get(path) != other.entries.get(path)


def tree_same(one, other):
    """Every difference between two trees, times as well."""
    return tree.compare(one, other)
