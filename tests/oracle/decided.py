"""What `--keep-mine` and `--take-old` make of an undo in whose way something stands, said without the product.

What is in the way stands as the chosen side has it, a package and an account as a whole; everything else is as it would
be without a decision. A package that stays keeps what it needs: with `--keep-mine` others may stay for its sake.
"""

import os

from oracle import accounts, records, relations
from oracle.tree import Difference

STATUS = b"/var/lib/dpkg/status"
MARKS = b"/var/lib/apt/extended_states"
DIVERSIONS = b"/var/lib/dpkg/diversions"
TRIGGERS = b"/var/lib/dpkg/triggers/File"
INFO = b"/var/lib/dpkg/info/"
SCRIPTS = (b"preinst", b"postinst", b"prerm", b"postrm")
ACCOUNTS = (*accounts.FORMS, *records.SUBORDINATE)


class Decided:
    """A case with conflicts, and the side that is chosen for all of them."""

    def __init__(self, case, mine):
        self.case, self.mine, self._known = case, mine, {}
        self.packages = {key[0] for key in self._keys(STATUS) if self._rule(STATUS, key) is records.CONFLICT}
        self.packages |= {package for package, _, _ in case.unmet}
        self.people = set().union(*(self._people(path) for path in ACCOUNTS if path in case.conflicts))
        self.owners, self.conffiles, self.scripts = {}, set(), {}
        for tree in self._trees():
            self._own(tree)

    def _trees(self):
        return self.case.after, self.case.now, self.case.before

    def _read(self, tree, path):
        """The records of a file; of the three trees that do not change they are read once."""
        if (id(tree), path) not in self._known:
            self._known[id(tree), path] = self._parsed(tree, path)
        return self._known[id(tree), path]

    def _parsed(self, tree, path):
        entry = tree.entries.get(path)
        found = records.read(path, self.case.content(entry)) if entry else {}
        return dict.fromkeys(found, True) if isinstance(found, set) else found

    def _sides(self, path, key):
        return tuple(self._read(tree, path).get(key) for tree in self._trees())

    def _keys(self, path):
        return {key for tree in self._trees() for key in self._read(tree, path)}

    def _rule(self, path, key):
        return records.three(*self._sides(path, key), records.within(path))

    def _chosen(self, sides):
        return sides[1] if self.mine else sides[2]

    def _people(self, path):
        """Names that cannot be merged in a file of accounts, or that would share an id."""
        merged = {key: self._rule(path, key) for key in self._keys(path)}
        found = {key.split(b":")[0] for key, value in merged.items() if value is records.CONFLICT}
        merged = {key: value for key, value in merged.items() if value not in (None, records.CONFLICT)}
        now = self._read(self.case.now, path)
        if path in records.SUBORDINATE:
            return found | {line.split(b":")[0] for line, _ in accounts.ranges_clash(now, merged)}
        place = accounts.FORMS[path][1]
        names = set().union(*(names for _, names in accounts.clash(place, now, merged))) if place else set()
        return found | {name for name in names if merged.get(name) != now.get(name)}

    def _own(self, tree):
        """Which packages have a path, by dpkg's lists; their own files of the info directory are theirs as well."""
        for path, entry in tree.entries.items():
            if not path.startswith(INFO) or entry.kind != "file":
                continue
            name, _, kind = path[len(INFO):].rpartition(b".")
            name = name.split(b":")[0]
            self.owners.setdefault(path, set()).add(name)
            if kind == b"list":
                for line in self.case.content(entry).splitlines():
                    self.owners.setdefault(line, set()).add(name)
            elif kind in SCRIPTS:
                self.scripts[name] = self.scripts.get(name, b"") + self.case.content(entry)
            elif kind == b"conffiles":
                self.conffiles |= {line.split(b" ")[-1] for line in self.case.content(entry).splitlines()}

    def judge(self, result):
        """Every way in which the tree is not what it may be."""
        self.stanzas = self._parsed(result, STATUS)
        self.kept = {key[0] for key in self._keys(STATUS) if self._stays(key)}
        found = [*self._judge_status(), *self._judge_records(result)]
        for path in sorted(self.case.now.entries.keys() | self.case.before.entries.keys() | result.entries.keys()):
            if not (path == STATUS or path in ACCOUNTS or path in (MARKS, DIVERSIONS, TRIGGERS)):
                found += self._judge_path(path, result.entries.get(path))
        return found

    def _stays(self, key):
        """Whether a package that would change without the decisions is as it is now."""
        _, now, _ = sides = self._sides(STATUS, key)
        return self.mine and now is not None and self.stanzas.get(key) == now and records.three(*sides) != now

    def _judge_status(self):
        now = relations.broken(self._read(self.case.now, STATUS))
        for package, field, relation in relations.broken(self.stanzas) - now:
            yield Difference(STATUS, "relation", (package, field), relation)
        for key in sorted(self._keys(STATUS) | self.stanzas.keys(), key=repr):
            sides, got = self._sides(STATUS, key), self.stanzas.get(key)
            wanted = self._chosen(sides) if key[0] in self.packages else self._rule(STATUS, key)
            if got != wanted and not (key[0] in self.kept and self._is_needed(key, wanted, now)):
                yield Difference(STATUS, "package", (key, wanted), got)

    def _is_needed(self, key, wanted, broken):
        """Whether something would be missed if this package did not stay."""
        without = {k: v for k, v in {**self.stanzas, key: wanted}.items() if v is not None}
        return bool(relations.broken(without) - broken)

    def _judge_records(self, result):
        """Entries of accounts and of packages, one by one."""
        for path in (*ACCOUNTS, MARKS, DIVERSIONS, TRIGGERS):
            have = self._parsed(result, path)
            for key in sorted(self._keys(path) | have.keys(), key=repr):
                sides = self._sides(path, key)
                if self._is_decided(path, key, sides):
                    wanted = self._chosen(sides)
                else:
                    wanted = self._rule(path, key)
                if have.get(key) != wanted:
                    yield Difference(path, "record", (key, wanted), have.get(key))

    def _is_decided(self, path, key, sides):
        if path in ACCOUNTS:
            return key.split(b":")[0] in self.people
        if path == MARKS:
            package = key[0]
        elif path == DIVERSIONS:
            package = next(side for side in sides if side)[1]
        else:
            package = key.rpartition(b" ")[2].split(b"/")[0].split(b":")[0]
        return package in self.packages | self.kept

    def _judge_path(self, path, got):
        case = self.case
        after, now, before = case.sides(path)
        owners = self.owners.get(path, set())
        directory = "directory" in {e.kind for e in (after, now, before, got) if e}
        if case.is_made_anew(path) or records.is_alternative(path) or path in case.links:
            return []
        holds = any(other.startswith(path + b"/") for other in case.conflicts)
        if directory and (holds or self.kept or owners & self.packages):
            # Whether it is empty in the end is a question about what is below it.
            return []
        if path in case.conflicts and (path in self.conffiles or not owners):
            return self._judge_chosen(path, got)
        if owners & (self.packages | self.kept) and path not in self.conffiles:
            if owners & self.kept or self.mine:
                return _differ(path, now, got)
            # What others ship as well stays what they have.
            return _differ(path, before, got) if owners <= self.packages else []
        if path in case.changed and self._comes_with_a_kept_one(path, owners) and not _differ(path, now, got):
            return []
        return [one for one in case.judge_path(path, got) if one.aspect != "mtime"]

    def _comes_with_a_kept_one(self, path, owners):
        """Whether it is a conffile of a package that stays, or what its scripts made."""
        if owners:
            return owners <= self.kept
        places = [path]
        while places[-1].count(b"/") > 2:
            places.append(os.path.dirname(places[-1]))
        return any(name in path or place in self.scripts.get(name, b"") for name in self.kept for place in places)

    def _judge_chosen(self, path, got):
        sides = self.case.sides(path)
        if path in records.DEBCONF:
            # Its answers are merged field by field: which of them conflicts is not said here.
            return []
        if records.is_known(path) and got is not None:
            have = records.read(path, self.case.content(got))
            wanted = {}
            for key in self._keys(path):
                rule = self._rule(path, key)
                wanted[key] = self._chosen(self._sides(path, key)) if rule is records.CONFLICT else rule
            wanted = {key: value for key, value in wanted.items() if value is not None}
            return [] if have == wanted else [Difference(path, "records", wanted, have)]
        return _differ(path, self._chosen(sides), got)


def _differ(path, wanted, got):
    """Differences of two entries but for the time."""
    if wanted is None or got is None:
        return [] if wanted is got else [Difference(path, "existence", wanted and wanted.kind, got and got.kind)]
    return [Difference(path, aspect, getattr(wanted, aspect), getattr(got, aspect))
            for aspect in ("kind", "content", "target", "device", "owner", "mode", "xattrs")
            if getattr(wanted, aspect) != getattr(got, aspect)]
