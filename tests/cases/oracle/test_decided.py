"""The judge of an undo with `--keep-mine` or `--take-old` accepts what may be, and sees one planted fault of each kind."""

from lib import expect, trees
from oracle import decided, undo

STATUS, PASSWD, SHADOW, MARKS = (b"/var/lib/dpkg/status", b"/etc/passwd", b"/etc/shadow", b"/var/lib/apt/extended_states")
INFO = b"/var/lib/dpkg/info/"
ROOT = b"root:x:0:0:::/bin/sh\n"
P1, P2, P3 = (trees.package(b"p", n) for n in (b"1", b"2", b"3"))
OTHER, LIBRARY = trees.package(b"other", b"1"), trees.package(b"lib", b"1")


def _user(shell, change):
    return b"u:x:7:7:::%s\n" % shell, b"u:secret:%d:0:9:7:::\n" % change


def _mark(name):
    return b"Package: %s\nArchitecture: all\nAuto-Installed: 1\n\n" % name


(OLD, OLD_SECRET), (NEW, NEW_SECRET), (NOW, NOW_SECRET) = _user(b"/a", 1), _user(b"/b", 2), _user(b"/c", 2)

# Before the transaction, after it, now, and after the undo that keeps mine and after the one that takes the old.
# It upgraded p, which was upgraded again, installed other, changed u's shell, which was changed again, and a file.
FILES = {
    STATUS: (P1, P2 + OTHER, P3 + OTHER, P3, P1),
    MARKS: (_mark(b"p"), _mark(b"other"), _mark(b"other"), b"", _mark(b"p")),
    INFO + b"p.list": (b"/p\n", b"/p\n/p2\n", b"/p\n/p3\n", b"/p\n/p3\n", b"/p\n"),
    INFO + b"other.list": (None, b"/other\n", b"/other\n", None, None),
    b"/p": (b"1", b"2", b"2", b"2", b"1"),
    b"/p2": (None, b"2", None, None, None),
    b"/p3": (None, None, b"3", b"3", None),
    b"/other": (None, b"o", b"o", None, None),
    PASSWD: (ROOT + OLD, ROOT + NEW, ROOT + NOW, ROOT + NOW, ROOT + OLD),
    SHADOW: (OLD_SECRET, NEW_SECRET, NOW_SECRET, NOW_SECRET, OLD_SECRET),
    b"/edited": (b"1\n", b"2\n", b"3\n", b"3\n", b"1\n"),
    # What stays of it keeps its directory.
    b"/new": (None, trees.DIRECTORY, trees.DIRECTORY, trees.DIRECTORY, None),
    b"/new/edited": (None, b"2", b"3", b"3", None),
    b"/only": (b"1", b"2", b"2", b"1", b"1"),
    b"/untouched": (b"u", b"u", b"u", b"u", b"u"),
}
SIDES = ((3, True), (4, False))


def _case(files, number, mine):
    sides = [trees.tree({path: five[n] for path, five in files.items() if five[n] is not None}) for n in (0, 1, 2, number)]
    case = undo.Case(*sides[:3], trees.content)
    return decided.Decided(case, mine), sides[3]


def _seen(files, number, mine, path, content):
    judge, result = _case(files, number, mine)
    if content is None:
        del result.entries[path]
    else:
        result.entries[path] = trees.file(content)
    return {found.path for found in judge.judge(result)}


def test_it_accepts_what_may_be(_t):
    for number, mine in SIDES:
        judge, result = _case(FILES, number, mine)
        expect.equal(set(judge.case.conflicts), {STATUS, INFO + b"p.list", PASSWD, b"/edited", b"/new/edited"})
        expect.equal((judge.packages, judge.people), ({b"p"}, {b"u"}))
        expect.nothing(judge.judge(result), f"faults of a right undo, {mine=}")


def test_it_sees_every_file_that_is_as_on_another_side(_t):
    for number, mine in SIDES:
        for path, five in FILES.items():
            if path == b"/new":
                continue
            # Nothing at all, or something where nothing is to be; a file of no records may be there or not.
            planted = {None: {b"x"}, b"": set()}.get(five[number], {None})
            for wrong in ({*five[:3]} | planted) - {five[number], None if not five[number] else five[number]}:
                found = _seen(FILES, number, mine, path, wrong)
                expect.contains(found, path, f"{path}: {wrong}, {mine=}")


def test_it_sees_what_stays_for_nobodys_sake(_t):
    """Only what would be missed may stay, and only with `--keep-mine`."""
    needs = trees.package(b"p", b"3", more=b"Depends: lib\n")
    for mine, now in ((True, needs), (True, P3), (False, needs)):
        kept = mine and now == needs
        files = {STATUS: (P1, P2 + LIBRARY, now + LIBRARY, now + LIBRARY if mine else P1 + LIBRARY),
                 INFO + b"lib.list": (None, b"/lib\n", b"/lib\n", b"/lib\n"), b"/lib": (None, b"l", b"l", b"l")}
        judge, result = _case(files, 3, mine)
        expect.equal(bool(judge.judge(result)), not kept, f"{mine=}, {now}")
        if kept:
            # And it stays with its files.
            expect.equal(_seen(files, 3, mine, b"/lib", None), {b"/lib"})
