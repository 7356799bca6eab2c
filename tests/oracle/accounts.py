"""How the lines of passwd, group, shadow and their like go together, from what docs/cli.md promises about undo."""

SECRET, MEMBERS, VALUE = "secret", "members", "value"
FORMS = {
    b"/etc/passwd": ([VALUE, SECRET, VALUE, VALUE, VALUE, VALUE, VALUE], 2),
    b"/etc/shadow": ([VALUE] + [SECRET] * 8, None),
    b"/etc/group": ([VALUE, SECRET, VALUE, MEMBERS], 2),
    b"/etc/gshadow": ([VALUE, SECRET, MEMBERS, MEMBERS], None),
}


def entries(content):
    lines = (line.split(b":") for line in (content or b"").splitlines())
    return {fields[0]: tuple(fields) for fields in lines}


def within(kinds, was, mine, wanted):
    """One entry that both sides changed; None where they do not go together."""
    if None in (was, mine, wanted) or not len(was) == len(mine) == len(wanted) == len(kinds):
        return None
    merged = []
    for kind, a, m, w in zip(kinds, was, mine, wanted):
        if m == w or w == a:
            merged.append(m)
        elif m == a:
            merged.append(w)
        elif kind == SECRET:
            merged.append(m)
        elif kind == MEMBERS:
            sets = [[n for n in field.split(b",") if n] for field in (a, m, w)]
            kept = [n for n in sets[1] if n in sets[2] or n not in sets[0]]
            merged.append(b",".join(kept + [n for n in sets[2] if n not in sets[0] and n not in kept]))
        else:
            return None
    return tuple(merged)


def clash(place, mine, merged):
    """Names that get an id which another name has, where mine had no such pair."""
    def pairs(found):
        by_id = {}
        for name, fields in found.items():
            if len(fields) > place and fields[place]:
                by_id.setdefault(fields[place], set()).add(name)
        return {(number, frozenset(names)) for number, names in by_id.items() if len(names) > 1}
    return pairs(merged) - pairs(mine)


def ranges_clash(mine, merged):
    """Ranges of subordinate ids that overlap with another's, where they did not in mine."""
    def spans(lines):
        found = []
        for line in lines:
            name, first, count = line.split(b":")
            found.append((int(first), int(first) + int(count), line))
        return found
    new = spans(set(merged) - set(mine))
    return [(a[2], b[2]) for a in new for b in spans(merged) if a != b and a[0] < b[1] and b[0] < a[1]]
