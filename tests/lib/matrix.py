"""docs/crash-matrix.md: every effect of a command, and what `recover` finds when it is cut before it.

The document is made by `tests/crash-matrix` and compared with the programs by a test: a new effect, another
order, or another outcome than the written one fails.
"""

import os
import re
from dataclasses import dataclass

from lib import crash, toy

DOCUMENT = os.path.join(os.path.dirname(__file__), "..", "..", "docs", "crash-matrix.md")


# The directories of a pool.
TOP = ("@base", "@profiles", "@snapshots", "@state", "@flipper", "@data")


@dataclass
class Operation:
    """A command of the matrix, its arguments, and what is done to a fresh toy pool before it."""

    title: str
    args: tuple
    before: tuple = ()

    def prepare(self, context):
        """The pool and the arguments as they are run; ROOT stands for a small Debian-like tree."""
        pool = context.pool("toy")
        root = context.path("root")
        if not os.path.exists(root):
            os.mkdir(root)
            toy.make(root)
        with pool.top() as top:
            directory, _ = pool.profile_file(top, "dev")
            os.makedirs(f"{directory}/upper/etc/mine")
            with open(f"{directory}/upper/etc/mine/file", "w", encoding="ascii") as f:
                f.write("mine\n")

        def with_root(words):
            return tuple(root if word == "ROOT" else word for word in words)

        for words in self.before:
            pool.ok(*with_root(words))
        return pool, with_root(self.args)


OPERATIONS = (
    Operation("base add", ("base", "add", "v2", "--from-directory", "ROOT")),
    Operation("base remove", ("--yes", "base", "remove", "v2"), (("base", "add", "v2", "--from-directory", "ROOT"),)),
    Operation("create", ("create", "new")),
    Operation("clone", ("clone", "dev", "copy")),
    Operation("rename", ("rename", "dev", "other")),
    Operation("delete", ("--yes", "delete", "dev")),
    Operation("reset", ("--yes", "reset", "dev")),
    Operation("undo", ("--yes", "-p", "dev", "undo"), (("--yes", "reset", "dev"),)),
    Operation("restore", ("-p", "dev", "restore", "/etc", "--from", "2"), (("--yes", "reset", "dev"),)),
)


def general(name, path):
    """An effect without what is another one each time; None when it is not one on the pool."""
    place = next((at + path.partition(at)[2] for at in TOP if at in path), None)
    if place is None:
        # A program that is run, and the commit of all before it; mounts and the like leave nothing behind.
        place = {"run": os.path.basename(path), "commit-the-filesystem-of": "the pool"}.get(name)
        return place and (name, place)
    place = re.sub(r"(?<=@profiles/|snapshots/)[a-z0-9]{8}(?=$|/)", "ID", place)
    place = re.sub(r"(?<=@state/)[a-z0-9]{8}(?=$|/)", "ID", place)
    place = re.sub(r"(?<=@flipper/leases/)[a-z0-9]{8}$", "ID", place)
    place = re.sub(r"(?<=/staging/)[^/]+|(?<=/trash/)[^/]+", "NAME", place)
    return name, re.sub(r"\d+(?=-(pre|post)$)", "N", place)


def steps(context, operation):
    """The effects on the pool of a run to the end: (number among all effects, effect, place); both worlds."""
    pool, args = operation.prepare(context)
    old = crash.world(pool)
    done = pool.copy("done.img")
    points = crash.effects(done, *args)
    new = crash.world(done)
    os.unlink(done.image)
    found = [(number, known) for number, name, path in points if (known := general(name, path))]
    return pool, args, [(number, *known) for number, known in found], old, new


def outcome(pool, args, number, old, new):
    """"old" or "new": what recover makes of a run that was killed before effect `number`."""
    copy = pool.copy("crash.img")
    copy.fp(*args, env={"FLIPPER_FAULT_AT": str(number)})
    side = crash.old_or_new(copy, old, new, f"killed before effect {number}")
    os.unlink(copy.image)
    return side


def section(operation, found, sides):
    """One command of the document."""
    shown = " ".join(word for word in operation.args if word != "--yes").replace("ROOT", "DIRECTORY")
    rows = [f"| {row} | {name} | `{place}` | {side} |"
            for row, ((_, name, place), side) in enumerate(zip(found, sides), start=1)]
    return "\n".join([f"## {operation.title}", "", f"`flipper-profile {shown}`", "",
                      "| | effect | on | cut before it |", "| --- | --- | --- | --- |", *rows, ""])


def parse(text):
    """{title: [(effect, place, side)]} of the document."""
    result = {}
    for part in re.split(r"^## ", text, flags=re.M)[1:]:
        rows = re.findall(r"^\| (\d+) \| (.*?) \| `(.*?)` \| (old|new) \|$", part, re.M)
        result[part.splitlines()[0]] = [(name, place, side) for _, name, place, side in rows]
    return result


HEAD = """# Crash matrix

What is found after each command was stopped dead at each point where it changes the pool. Made by
`tests/crash-matrix`, and held against the programs by a test: a new effect, another order or another outcome than
the written one fails there.

A row is an effect, with the verb that error messages use. The last column says what `recover` leaves when the
command was killed just before that effect: the **old** world or the **new** one. There is no third. In every row
`pool check` is content afterwards, a second `recover` has nothing to do, and no transaction is left open.

The intent in the journal is older than the row from which on it is new, and no row itself: SQLite writes it.
NAME, ID and N stand for what is another each time. Locks, mounts and other things that end with the process are
left out. Power cuts, which also lose what was not flushed, and cuts of `recover` itself have tests of their own in
`tests/cases/crash`.
"""


def document(context, say):
    """The whole document, from the programs."""
    parts = [HEAD]
    for operation in OPERATIONS:
        pool, args, found, old, new = steps(context, operation)
        sides = [outcome(pool, args, number, old, new) for number, _, _ in found]
        say(f"{operation.title}: {len(found)} effects, {sides.count('old')} old, {sides.count('new')} new")
        os.unlink(pool.image)
        parts.append(section(operation, found, sides))
    return "\n".join(parts)
