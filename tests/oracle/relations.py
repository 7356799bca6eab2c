"""Which dependencies of a dpkg status do not hold, said with dpkg's own comparison of versions."""

import functools
import re
import subprocess

NEEDS, REFUSES = (b"Pre-Depends", b"Depends"), (b"Conflicts", b"Breaks")
OPERATORS = {b"<<": "lt", b"<=": "le", b"=": "eq", b">=": "ge", b">>": "gt"}


@functools.cache
def _holds(version, operator, wanted):
    words = ["dpkg", "--compare-versions", version.decode(), OPERATORS[operator], wanted.decode()]
    return subprocess.run(words, check=False).returncode == 0


def _installed(status):
    """Version of every installed package by name, and of what it provides (None without a version)."""
    found = {}
    for (name, _), fields in status.items():
        fields = dict(fields)
        if fields.get(b"Status", b"").endswith(b" installed"):
            found.setdefault(name, []).append((fields.get(b"Version"), name))
            for one in filter(None, (p.strip() for p in fields.get(b"Provides", b"").split(b","))):
                match = re.fullmatch(rb"([^ (:]+)(?::\S+)?\s*(?:\(= ([^)]+)\))?", one)
                found.setdefault(match[1], []).append((match[2], name))
    return found


def _matches(relation, installed, but=None):
    match = re.fullmatch(rb"([^ (:]+)(?::\S+)?\s*(?:\((<<|<=|=|>=|>>)\s*([^)]+)\))?", relation.strip())
    for version, owner in installed.get(match[1], ()):
        if owner != but and (not match[2] or (version and _holds(version, match[2], match[3]))):
            return True
    return False


def broken(status):
    """(package, field, relation) of every relation that does not hold."""
    installed, found = _installed(status), set()
    for (name, _), fields in status.items():
        fields = dict(fields)
        if not fields.get(b"Status", b"").endswith(b" installed"):
            continue
        for field in NEEDS:
            for relation in filter(None, (r.strip() for r in fields.get(field, b"").split(b","))):
                if not any(_matches(one, installed) for one in relation.split(b"|")):
                    found.add((name, field, relation))
        for field in REFUSES:
            for relation in filter(None, (r.strip() for r in fields.get(field, b"").split(b","))):
                if _matches(relation, installed, but=name):
                    found.add((name, field, relation))
    return found
