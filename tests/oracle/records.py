"""What a file of records is after an older change of it was taken back: written again, from the documents.

Three sides: `was` is what the transaction left, `mine` is now, `wanted` is what stood before it.  Each function
gives the records that are expected, or CONFLICT.
"""

import os
import re
import subprocess
import tempfile

from oracle import accounts

CONFLICT = object()

SHELLS = (b"/etc/shells", b"/var/lib/shells.state", b"/var/lib/dpkg/arch")
SUBORDINATE = (b"/etc/subuid", b"/etc/subgid")
DEBCONF = tuple(b"/var/cache/debconf/" + n for n in (b"config.dat", b"passwords.dat", b"templates.dat"))


def three(was, mine, wanted, within=None):
    """The rule for one value."""
    if mine == wanted or wanted == was:
        return mine
    if mine == was:
        return wanted
    inside = within(was, mine, wanted) if within else None
    return CONFLICT if inside is None else inside


def each(was, mine, wanted, within=None):
    """The rule for each record of three dictionaries."""
    merged = {}
    for key in [*mine, *(k for k in wanted if k not in mine)]:
        value = three(was.get(key), mine.get(key), wanted.get(key), within)
        if value is CONFLICT:
            return CONFLICT
        if value is not None:
            merged[key] = value
    return merged


def stanzas(content):
    return [s for s in re.split(rb"\n\n+", content or b"") if s.strip()]


def fields(stanza):
    found = {}
    for part in re.split(rb"\n(?![ \t])", stanza.strip(b"\n")):
        name, _, value = part.partition(b":")
        found[name] = value.strip()
    return found


def status(content):
    """Fields by package and architecture."""
    found = (fields(s) for s in stanzas(content))
    return {(f[b"Package"], f.get(b"Architecture")): tuple(f.items()) for f in found}


def _hold(was, mine, wanted):
    """A selection alone, made later, stays."""
    if None in (was, mine, wanted):
        return None
    was, mine, wanted = dict(was), dict(mine), dict(wanted)
    words = [f[b"Status"].split(b" ", 1) for f in (was, mine, wanted)]
    same_state = words[0][1] == words[1][1] == words[2][1] and words[0][0] == words[2][0]
    if not same_state or mine | {b"Status": was[b"Status"]} != was:
        return None
    return tuple((wanted | {b"Status": words[1][0] + b" " + words[2][1]}).items())


def marks(content):
    """Automatic packages; a package without a stanza is not."""
    found = (fields(s) for s in stanzas(content))
    return {(f[b"Package"], f.get(b"Architecture")) for f in found if f.get(b"Auto-Installed") == b"1"}


def questions(content):
    return {f[b"Name"]: f for f in map(fields, stanzas(content))}


def _question(was, mine, wanted):
    if None in (was, mine, wanted):
        return None

    def owners(a, m, w):
        sets = [{o.strip() for o in (f or b"").split(b",")} - {b""} for f in (a, m, w)]
        return b", ".join(sorted((sets[1] & sets[2]) | (sets[1] - sets[0]) | (sets[2] - sets[0])))
    merged = {}
    for name in {**mine, **wanted}:
        sides = (was.get(name), mine.get(name), wanted.get(name))
        value = three(*sides, owners if name == b"Owners" else None)
        if value is CONFLICT:
            return None
        if value is not None:
            merged[name] = value
    return merged


def question_words(found):
    """Owners have no order."""
    return {name: {k: tuple(sorted(o.strip() for o in v.split(b","))) if k == b"Owners" else v
                   for k, v in fields.items()} for name, fields in found.items()}


def diversions(content):
    lines = (content or b"").splitlines()
    return {lines[n]: tuple(lines[n + 1:n + 3]) for n in range(0, len(lines), 3)}


def overrides(content):
    return {line.split(b" ", 3)[3]: line for line in (content or b"").splitlines()}


def lines(content):
    return dict.fromkeys((content or b"").splitlines(), True)


def alternative(content):
    """Everything of a name, each thing under a key of its own."""
    found = {}
    if content is None:
        return found
    rows = content.decode("utf-8", "surrogateescape").split("\n")
    found["mode"], found["link"] = rows[0], rows[1]
    at, order = 2, []
    while rows[at]:
        found["slave", rows[at]] = rows[at + 1]
        order.append(rows[at])
        at += 2
    at += 1
    while at < len(rows) and rows[at]:
        slaves = zip(order, rows[at + 2:at + 2 + len(order)])
        found["choice", rows[at]] = (rows[at + 1], tuple(sorted(s for s in slaves if s[1])))
        at += 2 + len(order)
    return found


def _used(mine, merged):
    """Without slaves that the last choice left, and nothing without a choice."""
    def slaves(found):
        return {name for key, value in found.items() if key[0] == "choice" for name, _ in value[1]}
    lost = slaves(mine) - slaves(merged)
    choices = any(key[0] == "choice" for key in merged)
    return {k: v for k, v in merged.items() if not (k[0] == "slave" and k[1] in lost)} if choices else {}


def _parser(path):
    if path == b"/var/lib/dpkg/status":
        return status, _hold
    if path in DEBCONF:
        return questions, _question
    if path == b"/var/lib/dpkg/diversions":
        return diversions, None
    if path == b"/var/lib/dpkg/statoverride":
        return overrides, None
    if path in SHELLS or path in SUBORDINATE or _child(path, b"/var/lib/dpkg/triggers"):
        return lines, None
    if is_alternative(path):
        return alternative, None
    if path in accounts.FORMS:
        kinds, _ = accounts.FORMS[path]
        return accounts.entries, lambda *sides: accounts.within(kinds, *sides)
    return None, None


def within(path):
    """How one record of a file is merged where both changed it, or nothing."""
    return _parser(path)[1]


def _child(path, directory):
    return os.path.dirname(path) == directory


def is_alternative(path):
    return _child(path, b"/var/lib/dpkg/alternatives")


def is_known(path):
    return path == b"/var/lib/apt/extended_states" or _parser(path)[0] is not None


def merge(path, was, mine, wanted):
    """The records that a known file is expected to have, or CONFLICT."""
    if path == b"/var/lib/apt/extended_states":
        was, mine, wanted = marks(was), marks(mine), marks(wanted)
        return (mine & wanted) | (mine - was) | (wanted - was)
    parse, within = _parser(path)
    sides = [parse(side) for side in (was, mine, wanted)]
    if parse is alternative:
        # A side that does not know the name says nothing about how it is linked.
        head = {key: value for key, value in sides[0].items() if key[0] != "choice"}
        sides = [side or dict(head) for side in sides]
    merged = each(*sides, within)
    if merged is CONFLICT:
        return CONFLICT
    if path in accounts.FORMS and accounts.FORMS[path][1] is not None:
        if accounts.clash(accounts.FORMS[path][1], sides[1], merged):
            return CONFLICT
    if path in SUBORDINATE and accounts.ranges_clash(sides[1], merged):
        return CONFLICT
    if parse is alternative:
        return _used(sides[1], merged)
    return question_words(merged) if parse is questions else merged


def read(path, content):
    """The records that a known file has."""
    if path == b"/var/lib/apt/extended_states":
        return marks(content)
    parse, _ = _parser(path)
    found = parse(content)
    return question_words(found) if parse is questions else found


def merge_text(was, mine, wanted):
    """Two edits of a text, by diff3: the content, or CONFLICT."""
    if b"\0" in was + mine + wanted:
        return CONFLICT
    with tempfile.TemporaryDirectory() as directory:
        paths = []
        for name, content in (("mine", mine), ("was", was), ("wanted", wanted)):
            paths.append(os.path.join(directory, name))
            with open(paths[-1], "wb") as f:
                f.write(content)
        done = subprocess.run(["diff3", "-m", *paths], stdout=subprocess.PIPE, check=False)
    if done.returncode > 1:
        raise RuntimeError(f"diff3 failed: {done.returncode}")
    return CONFLICT if done.returncode else done.stdout
