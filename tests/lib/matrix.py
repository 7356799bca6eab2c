"""docs/crash-matrix.md: every effect of a command, and what `recover` finds when it is cut before it.

The document is made by `tests/crash-matrix` and compared with the programs by a test: a new effect, another
order, or another outcome than the written one fails.
"""

import os
import re
from dataclasses import dataclass

from lib import crash, toy

DOCUMENT = os.path.join(os.path.dirname(__file__), "..", "..", "docs", "crash-matrix.md")


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
    Operation("set", ("set", "dev", "description=new")),
    Operation("delete", ("--yes", "delete", "dev")),
    Operation("reset", ("--yes", "reset", "dev")),
    Operation("undo", ("--yes", "-p", "dev", "undo"), (("--yes", "reset", "dev"),)),
)


def general(name, path):
    """An effect without what is another one each time: ids, numbers, places."""
    place = path
    for found in ("@base", "@profiles", "@snapshots", "@state", "@flipper", "@data"):
        _, at, rest = path.partition(found)
        if at:
            place = found + rest
            break
    else:
        place = os.path.basename(path)
    place = re.sub(r"(?<=/)[a-z0-9]{8}(?=$|[/.-])", "ID", place)
    place = re.sub(r"(?<=/)\.[^/]*(tmp|new|XX)[^/]*", "TEMPORARY", place)
    place = re.sub(r"(?<![a-z])\d+(?![a-z0-9])", "N", place)
    place = re.sub(r"[A-Za-z0-9]*\d[A-Za-z0-9]{6,}", "RANDOM", place)
    return name, place


def steps(context, operation):
    """The effects of a run to the end, generalised, and the worlds before and after."""
    pool, args = operation.prepare(context)
    old = crash.world(pool)
    done = pool.copy("done.img")
    points = crash.effects(done, *args)
    new = crash.world(done)
    os.unlink(done.image)
    return pool, args, [(number, *general(name, path)) for number, name, path in points], old, new


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
    rows = [f"| {number} | {name} | `{place}` | {side} |" for (number, name, place), side in zip(found, sides)]
    return "\n".join([f"## {operation.title}", "", f"`flipper-profile {shown}`", "",
                      "| | effect | on | cut before it |", "| --- | --- | --- | --- |", *rows, ""])


def parse(text):
    """{title: [(number, effect, place, side)]} of the document."""
    result = {}
    for part in re.split(r"^## ", text, flags=re.M)[1:]:
        rows = re.findall(r"^\| (\d+) \| (.*?) \| `(.*?)` \| (old|new) \|$", part, re.M)
        result[part.splitlines()[0]] = [(int(n), name, place, side) for n, name, place, side in rows]
    return result


HEAD = """# Crash matrix

What is found after a power cut or a kill at every point of every command, made by `tests/crash-matrix` and held
against the programs by a test. A row is an effect: something that changes what is on disk, a lock, a mount, a
process. The last column says what `recover` leaves when the command was cut just before that effect: the **old**
world or the **new** one. There is no third. In every row `pool check` is content afterwards, a second `recover`
has nothing to do, and no transaction is left open.

Capital words stand for what is another each time: ID, N (a number), TEMPORARY and RANDOM names.
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
