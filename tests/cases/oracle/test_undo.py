"""The judge of an undo accepts what may be, and sees one planted fault of each kind; and knows what is a conflict."""

import dataclasses

from lib import expect, trees
from oracle import undo

STATUS = b"/var/lib/dpkg/status"
TEXT = b"".join(b"line %d\n" % n for n in range(1, 21))
OPAQUE_BYTES = b"\0\1\2"


def _marks(*names):
    return b"".join(b"Package: %s\nArchitecture: all\nAuto-Installed: 1\n\n" % n for n in names)


def _question(name, value, owners):
    return b"Name: %s\nTemplate: %s\nValue: %s\nOwners: %s\n\n" % (name, name, value, owners)


def _alternative(mode, *choices, name=b"tool"):
    """The record of a name with these choices, the first the worst, and a slave that none of them has."""
    tail = b"".join(b"/lib/%s\n%d\n\n" % (c, c[0]) for c in choices)
    return b"%s\n/usr/bin/%s\n%s.page\n/usr/share/%s.page\n\n%s\n" % (mode, name, name, name, tail)


def _linked(name, *choices):
    """The links of a name on the four sides, by the choice in force on each."""
    user = trees.link(b"/etc/alternatives/" + name)
    return {b"/etc/alternatives/" + name: tuple(c and trees.link(b"/lib/" + c) for c in choices),
            b"/usr/bin/" + name: tuple(c and user for c in choices)}


def _edited(**lines):
    found = TEXT.split(b"\n")
    for number, text in lines.items():
        found[int(number[1:]) - 1] = text
    return b"\n".join(found)


# For each file: before the transaction, after it, now (somebody went on), and after the undo.
JOINED = {
    STATUS: (
        trees.package(b"up", b"1") + trees.package(b"held", b"1"),
        trees.package(b"up", b"2") + trees.package(b"held", b"2") + trees.package(b"new", b"1"),
        trees.package(b"later", b"1") + trees.package(b"up", b"2") + trees.package(b"held", b"2", b"hold ok installed") + trees.package(b"new", b"1"),
        trees.package(b"later", b"1") + trees.package(b"up", b"1") + trees.package(b"held", b"1", b"hold ok installed")),
    b"/var/lib/apt/extended_states": (_marks(b"x"), _marks(b"x", b"y"), _marks(b"y", b"z"), _marks(b"z")),
    b"/etc/passwd": (
        b"root:x:0:0:::/bin/sh\n", b"root:x:0:0:::/bin/sh\nnew:x:9:9:::/bin/no\n",
        b"root:x:0:0:::/bin/zsh\nnew:x:9:9:::/bin/no\nmine:x:8:8:::/bin/sh\n",
        b"root:x:0:0:::/bin/zsh\nmine:x:8:8:::/bin/sh\n"),
    b"/etc/shadow": (b"a:old:1:0:9:7:::\n", b"a:new:2:0:9:7:::\n", b"a:later:3:0:9:7:::\nb:!:1::::::\n",
                     b"a:later:3:0:9:7:::\nb:!:1::::::\n"),
    b"/etc/group": (b"adm:x:4:\n", b"adm:x:4:theirs\n", b"adm:x:4:theirs,mine\n", b"adm:x:4:mine\n"),
    b"/etc/subuid": (b"", b"new:100000:65536\n", b"new:100000:65536\nmine:165536:65536\n", b"mine:165536:65536\n"),
    b"/var/lib/dpkg/diversions": (b"", b"/a\n/a.x\nnew\n", b"/a\n/a.x\nnew\n/b\n/b.x\n:\n", b"/b\n/b.x\n:\n"),
    b"/var/lib/dpkg/statoverride": (b"root adm 755 /a\n", b"root root 2755 /a\n", b"root root 2755 /a\nroot root 600 /b\n",
                                    b"root adm 755 /a\nroot root 600 /b\n"),
    b"/var/lib/dpkg/triggers/File": (b"/t a\n", b"/t a\n/t new\n", b"/t a\n/t new\n/t mine\n", b"/t a\n/t mine\n"),
    b"/var/lib/dpkg/alternatives/tool": (
        _alternative(b"auto", b"a"), _alternative(b"auto", b"a", b"new"),
        _alternative(b"manual", b"a", b"new"), _alternative(b"manual", b"a")),
    b"/var/lib/dpkg/alternatives/new": (
        None, _alternative(b"auto", b"a", name=b"new"), _alternative(b"manual", b"a", b"b", name=b"new"),
        _alternative(b"manual", b"b", name=b"new")),
    b"/var/lib/dpkg/alternatives/best": (
        _alternative(b"auto", b"a", name=b"best"), _alternative(b"auto", b"a", b"z", name=b"best"),
        _alternative(b"manual", b"a", b"b", b"z", name=b"best"), _alternative(b"auto", b"a", b"b", name=b"best")),
    b"/var/lib/dpkg/alternatives/last": (
        None, _alternative(b"auto", b"a", name=b"last"), _alternative(b"manual", b"a", name=b"last"), None),
    b"/var/cache/debconf/config.dat": (
        _question(b"q", b"1", b"a"), _question(b"q", b"2", b"a, new") + _question(b"new", b"n", b"new"),
        _question(b"q", b"2", b"a, new, mine") + _question(b"new", b"n", b"new"), _question(b"q", b"1", b"a, mine")),
    b"/etc/text": (TEXT, _edited(_3=b"theirs"), _edited(_3=b"theirs", _15=b"mine"), _edited(_15=b"mine")),
}
LINKS = {**_linked(b"tool", b"a", b"new", b"a", b"a"), **_linked(b"new", None, b"a", b"b", b"b"),
         **_linked(b"best", b"a", b"z", b"z", b"b"), **_linked(b"last", None, b"a", b"a", None)}
ALONE = {
    b"/only/installed": (None, b"x", b"x", None),
    b"/only/removed": (b"x", None, None, b"x"),
    b"/only/changed": (b"1", b"2", b"2", b"1"),
    b"/untouched": (b"u", b"u", b"u", b"u"),
    b"/mine": (None, None, b"mine", b"mine"),
    b"/mine/edited": (b"1", b"1", b"2", b"2"),
    b"/back/again": (b"1", b"2", b"1", b"1"),
    b"/meanwhile/file": (b"1", b"2", b"2", b"2"),
    b"/one": (b"same", b"same", b"same", b"same"), b"/two": (b"same", b"same", b"same", b"same"),
}
LINKED = [(b"/one", b"/two")]


def _world(files):
    """The four trees."""
    sides = [{path: four[n] for path, four in files.items() if four[n] is not None} for n in range(4)]
    return [trees.tree(side, LINKED if b"/one" in files else ()) for side in sides]


def _case(files):
    before, after, now, result = _world(files)
    return undo.Case(before, after, now, trees.content, (b"/meanwhile/",)), result


def _seen(files, path, entry, links=None):
    """Paths that the judge blames when one entry of the result is another (None: gone)."""
    case, result = _case(files)
    if entry is None:
        del result.entries[path]
    else:
        result.entries[path] = entry
    if links is not None:
        result.links = links
    return {d.path for d in case.judge(result)}


def test_it_accepts_what_may_be(t):
    case, result = _case(ALONE | JOINED | LINKS)
    expect.equal(case.conflicts, {})
    expect.equal(case.unmet, set())
    expect.nothing(case.judge(result), "faults of a right undo")
    expect.nothing(undo.same(case.now, case.now, trees.content), "differences of a tree from itself")


def test_it_sees_every_file_of_records_that_is_as_before_or_as_now(t):
    """Whichever side alone is taken, or nothing at all, is wrong."""
    for path, (before, after, now, right) in JOINED.items():
        for wrong in {before, after, now} - {right, None}:
            expect.equal(_seen(ALONE | JOINED | LINKS, path, trees.file(wrong)), {path}, f"{path}: {wrong}")
        if right:
            expect.equal(_seen(ALONE | JOINED | LINKS, path, None), {path}, f"{path} gone")


def test_it_sees_a_link_of_an_alternative_that_is_not_of_the_record(t):
    for path, (*_, right) in LINKS.items():
        for wrong in (None, trees.link(b"/lib/z"), trees.link(b"/lib/nobody"), trees.file(b"x")):
            if wrong != right:
                expect.equal(_seen(ALONE | JOINED | LINKS, path, wrong), {path}, f"{path}: {wrong}")


def test_it_sees_each_record_that_is_missing_or_too_many(t):
    sizes = {b"/var/lib/dpkg/diversions": 3}
    for path in (b"/etc/passwd", b"/etc/shadow", b"/etc/group", b"/etc/subuid", b"/var/lib/dpkg/triggers/File",
                 b"/var/lib/dpkg/statoverride", b"/var/lib/dpkg/diversions"):
        right, size = JOINED[path][3].splitlines(keepends=True), sizes.get(path, 1)
        for at in range(0, len(right), size):
            missing = b"".join(right[:at] + right[at + size:])
            expect.equal(_seen(ALONE | JOINED | LINKS, path, trees.file(missing)), {path}, f"{path} without {right[at]}")
        more = b"".join(right).replace(b"/", b"/extra/") if path.startswith(b"/var") else b"extra:x:77:77:\n"
        expect.equal(_seen(ALONE | JOINED | LINKS, path, trees.file(b"".join(right) + more)), {path}, f"{path} with {more}")
        expect.equal(_seen(ALONE | JOINED | LINKS, path, trees.file(b"no record")), {path}, f"{path} of no form")


def test_it_sees_each_aspect_of_a_path_that_nobody_should_touch(t):
    for path in (b"/untouched", b"/mine", b"/only/changed", b"/mine/edited", b"/meanwhile/file", b"/only/removed"):
        _, result = _case(ALONE)
        entry = result.entries[path]
        for name, value in (("mode", 0o600), ("owner", (7, 7)), ("mtime", 99), ("xattrs", (("user.x", b"1"),)),
                            ("content", b"?" * 16), ("kind", "symlink")):
            planted = dataclasses.replace(entry, **{name: value})
            expect.equal(_seen(ALONE, path, planted), {path}, f"{path}: {name}")
        expect.equal(_seen(ALONE, path, None), {path}, f"{path} gone")


def test_it_sees_the_time_of_a_directory_in_which_nothing_changed(t):
    expect.equal(_seen(ALONE, b"/meanwhile", dataclasses.replace(trees.DIRECTORY, mtime=99)), {b"/meanwhile"})
    expect.equal(_seen(ALONE, b"/only", dataclasses.replace(trees.DIRECTORY, mtime=99)), set())


def test_it_sees_what_is_left_and_what_is_invented(t):
    expect.equal(_seen(ALONE, b"/only/installed", trees.file(b"x")), {b"/only/installed"})
    expect.equal(_seen(ALONE, b"/nobody", trees.file(b"x")), {b"/nobody"})
    expect.equal(_seen(ALONE, b"/meanwhile/file", trees.file(b"1")), {b"/meanwhile/file"})
    expect.equal(_seen(ALONE, b"/back/again", trees.file(b"2")), {b"/back/again"})


def test_it_sees_a_hard_link_that_was_broken_or_made(t):
    case, result = _case(ALONE)
    result.links = set()
    expect.equal([d.aspect for d in case.judge(result)], ["links"])
    result.links = {frozenset(LINKED[0]), frozenset([b"/mine", b"/untouched"])}
    expect.equal([d.path for d in case.judge(result)], [b"/mine"])


def _conflicts(path, before, after, now):
    case, _ = _case({path: (before, after, now, now)})
    return set(case.conflicts), {package for package, _, _ in case.unmet}


def test_it_knows_what_is_a_conflict(t):
    upgraded = [trees.package(b"p", version) for version in (b"1", b"2", b"3")]
    clash = (b"a:x:7:7:::/s\n", b"", b"b:x:7:7:::/s\n")
    for path, *sides in (
            (STATUS, *upgraded), (b"/etc/passwd", *clash), (b"/etc/text", TEXT, _edited(_3=b"a"), _edited(_3=b"b")),
            (b"/etc/group", b"g:x:1:\n", b"g:x:2:\n", b"g:x:3:\n"), (b"/some/binary", OPAQUE_BYTES, b"\0a", b"\0b"),
            (b"/var/lib/dpkg/diversions", b"/a\n/1\n:\n", b"/a\n/2\n:\n", b"/a\n/3\n:\n"),
            (b"/var/lib/dpkg/statoverride", b"root root 1 /a\n", b"root root 2 /a\n", b"root root 3 /a\n"),
            (b"/var/lib/dpkg/alternatives/tool", *(_alternative(m, b"a") for m in (b"auto", b"manual", b"other"))),
            (b"/var/cache/debconf/config.dat", *(_question(b"q", v, b"o") for v in (b"1", b"2", b"3"))),
            (b"/etc/subuid", b"a:5:5\n", b"", b"b:5:5\n"), (b"/gone", b"1", b"2", None), (b"/changed", b"1", None, b"3")):
        expect.equal(_conflicts(path, *sides), ({path}, set()), f"conflicts of {path}")
    modes = (trees.file(b"x", 0o600), trees.file(b"x", 0o640), trees.file(b"x", 0o644))
    expect.equal(_conflicts(b"/modes", *modes), ({b"/modes"}, set()))


def test_it_knows_where_there_is_no_place(t):
    directory, link = trees.DIRECTORY, trees.link(b"x")
    files = {b"/d": (directory, directory, link, link), b"/d/file": (b"1", None, None, None)}
    expect.equal(_case(files)[0].conflicts, {b"/d/file": "its directory is gone"})
    files = {b"/d": (b"1", directory, directory, directory), b"/d/mine": (None, None, b"1", b"1")}
    expect.equal(_case(files)[0].conflicts, {b"/d": "a directory with more in it"})
    files[b"/d/mine"] = (None, b"1", b"1", None)
    expect.equal(_case(files)[0].conflicts, {})


def test_it_knows_what_a_later_package_would_miss(t):
    library, needs = trees.package(b"lib", b"2"), trees.package(b"app", b"1", more=b"Depends: lib (>= 2)\n")
    other = trees.package(b"other", b"1")
    expect.equal(_conflicts(STATUS, other, other + library, other + library + needs), (set(), {b"app"}))
    expect.equal(_conflicts(STATUS, trees.package(b"lib", b"1"), library, library + needs), (set(), {b"app"}))
    rival = trees.package(b"rival", b"1", more=b"Conflicts: lib\n")
    expect.equal(_conflicts(STATUS, library + other, other, other + rival), (set(), {b"rival"}))
    provided = trees.package(b"new", b"1", more=b"Provides: lib (= 2)\n")
    expect.equal(_conflicts(STATUS, other, other + library, other + library + provided + needs), (set(), set()))


def test_a_redo_may_order_records_otherwise_and_nothing_else(t):
    one = trees.tree({STATUS: trees.package(b"a", b"1") + trees.package(b"b", b"1"), b"/f": b"1"})
    two = trees.tree({STATUS: trees.package(b"b", b"1") + trees.package(b"a", b"1"), b"/f": b"1"})
    expect.nothing(undo.same(one, two, trees.content), "differences")
    two.entries[b"/f"] = trees.file(b"2")
    expect.equal([d.path for d in undo.same(one, two, trees.content)], [b"/f"])
    two = trees.tree({STATUS: trees.package(b"b", b"1"), b"/f": b"1"})
    expect.equal([d.path for d in undo.same(one, two, trees.content)], [STATUS])
