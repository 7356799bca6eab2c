"""Plays a history in a profile and takes its transactions back, one at a time, each on a copy of the pool."""

import contextlib
import os
import re
import uuid
from dataclasses import dataclass

from lib import command, expect, history, session
from lib.process import run_ok
from oracle import decided, layers, records
from oracle import undo as oracle

# How the product says that a dependency stands in the way.
WOULD_NOT_HOLD = "which would not hold"
# And that there is no place for what would come back.
NO_PLACE = ("its directory is gone since", "with something else in it")
# What dpkg, apt and the account tools say about themselves; the last asks whether the linker's cache is true.
CLEAN = ("dpkg --audit; apt-get -qq check; pwck -rq; grpck -r; "
         "ldconfig -X -C /run/fpt-cache && ldconfig -p | sed 1d > /run/fpt-has"
         " && ldconfig -C /run/fpt-cache -p | sed 1d | diff /run/fpt-has - ")


@dataclass
class Made:
    """One transaction: the step that made it, and what stood before and after."""

    number: int
    script: str
    before: object
    after: object


class Played:
    """A history that was played in `profile` of `pool`."""

    def __init__(self, pool, seed, steps, base, profile="dev"):
        self.pool, self.seed, self.steps, self.profile = pool, seed, steps, profile
        self.layers, self.made = base, []
        # The present tree, and what the programs find wrong in it.
        self.now, self.said = None, set()

    def content(self, entry):
        return self.layers.content(entry)

    def case(self, made, exact=False):
        """What the oracle is asked about; exactly, what others wrote meanwhile is the transaction's as well."""
        others = history.MEANWHILE in made.script and not exact
        meanwhile = (history.MEANWHILE.encode(),) if others else ()
        return oracle.Case(made.before, made.after, self.now, self.content, meanwhile)

    def reading(self, pool=None):
        """The profile's tree in this pool, or in a copy of it."""
        with (pool or self.pool).top() as top:
            return reading(pool or self.pool, top, self.profile, self.layers)


def base_of(pool, profile="dev"):
    """The base of a profile, read once for all histories above it."""
    with pool.top() as top:
        _, content = pool.profile_file(top, profile)
        return layers.Layers(f"{top}/@base/{content['base']['version']}")


def reading(pool, top, profile, base):
    """The profile's tree now, from a snapshot: it may be mounted."""
    directory, _ = pool.profile_file(top, profile)
    copy = f"{top}/oracle-{uuid.uuid4().hex}"
    run_ok("btrfs", "-q", "subvolume", "snapshot", "-r", directory, copy)
    try:
        return base.read(f"{copy}/upper")
    finally:
        run_ok("btrfs", "-q", "subvolume", "delete", copy)


def play(pool, seed, steps, base, profile="dev"):
    """Runs every step inside the profile, and reads the tree after each."""
    played = Played(pool, seed, steps, base, profile)
    newest = max((row["number"] for row in pool.history(profile)), default=0)
    with pool.top() as top, session.inside(pool, profile) as inside:
        before = reading(pool, top, profile, base)
        for script in steps:
            # Whatever a step says and however it ends: a failed one is real as well.
            inside.say(f"( {script} ) >/dev/null 2>&1 </dev/null")
            after = reading(pool, top, profile, base)
            rows = [row["number"] for row in pool.history(profile) if row["number"] > newest]
            expect.that(len(rows) < 2, f"{script}: transactions {rows}\n{history.shown(seed, steps)}")
            if rows:
                newest = rows[0]
                played.made.append(Made(newest, script, before, after))
            before = after
    # The programs write caches of their own, so they are asked first.
    played.said = set(_said(pool, profile, None).splitlines())
    played.now = played.reading()
    return played


def _conflicts(answer):
    found = {}
    for row in answer.envelope["result"]["conflicts"]:
        found.setdefault(command.path_of(row), []).append(row)
    return found


def _check_refusal(played, made, case, answer, pool):
    """Exit 3: the oracle sees the same conflicts, each has its culprits, and nothing changed."""
    where = f"undo {made.number} ({made.script})"
    found = _conflicts(answer)
    packages = {path: rows for path, rows in found.items() if path == oracle.STATUS}
    paths = {path for path, rows in found.items() if any(WOULD_NOT_HOLD not in r["reason"] for r in rows)}
    expect.that(paths == set(case.conflicts),
                       f"{where}: conflicts {sorted(paths)}, by the oracle {case.conflicts}\n{answer}")
    unmet = [r["reason"] for rows in packages.values() for r in rows if WOULD_NOT_HOLD in r["reason"]]
    for package, field, relation in case.unmet:
        words = f'"{field.decode()}: {relation.decode()}"'
        expect.that(any(words in r and r.startswith(package.decode() + ":") for r in unmet),
                           f"{where}: {package} {words} is not among {unmet}")
    expect.that(len(unmet) == len(case.unmet), f"{where}: {unmet}, by the oracle {case.unmet}")
    for path, rows in found.items():
        for row in rows:
            _check_culprits(played, made, path, row)
    differences = oracle.tree_same(played.now, played.reading(pool))
    expect.that(not differences, f"{where}: refused, and changed {_some(differences)}")


RECORDS = (b"/var/lib/dpkg/", b"/var/lib/apt/", b"/var/lib/ucf/", b"/var/cache/debconf/", b"/etc/passwd", b"/etc/group",
           b"/etc/shadow", b"/etc/gshadow", b"/etc/subuid", b"/etc/subgid")


def _check_culprits(played, made, path, row):
    """A conflict names later transactions that changed the path, and every one that changed the record it is about."""
    later = [m for m in played.made if m.number > made.number]
    named, reason = set(row.get("transactions", ())), row["reason"]
    where = f"undo {made.number} ({made.script}): {path} {reason}: names {sorted(named)}"
    if WOULD_NOT_HOLD in reason:
        came = {m.number for m in later if _changed_package(played, m, reason.split(":")[0].encode())}
        expect.that(named == ({max(came)} if came else set()), f"{where}, the package came with {sorted(came)}")
        return
    if any(words in reason for words in NO_PLACE):
        expect.that(named <= {m.number for m in later}, f"{where}, which are not later")
        return
    about = {m.number for m in later if oracle.changed_at(m.before, m.after, path)}
    package = re.match(r"changed again since: package (\S+) ", reason)
    caused = {m.number for m in later if package and _changed_package(played, m, package[1].encode())}
    expect.that(named <= about, f"{where}, changed by {sorted(about)}")
    # Of another file of records only those are named that changed the record: which, this oracle does not know.
    wanted = caused if package or path.startswith(RECORDS) else about
    expect.that(named >= wanted, f"{where}, caused by {sorted(wanted)}")


def _changed_package(played, made, name):
    def of(tree):
        status = records.status(played.content(tree.entries[oracle.STATUS]))
        return {key: value for key, value in status.items() if key[0] == name}
    return of(made.before) != of(made.after)


def _some(differences, most=25):
    shown = "\n".join(f"    {d}" for d in differences[:most])
    return f"{len(differences)} differences:\n{shown}"


def undo_each(played, live=False):
    """Undoes each transaction by itself, on a copy of the pool; tells all that went wrong at once."""
    outcomes, wrong = [], []
    for made in played.made:
        copy = played.pool.copy(f"undo-{made.number}.img")
        try:
            outcomes.append(undo_one(played, made, copy, live))
        except expect.Failure as failure:
            wrong.append(str(failure))
        finally:
            os.unlink(copy.image)
    expect.that(not wrong, "\n".join([*wrong, history.shown(played.seed, played.steps)]))
    return outcomes


def undo_one(played, made, pool, live=False, exact=False):
    """Undoes one transaction in this pool, judges it, redoes it and judges that; "refused" or "undone".

    What is refused is undone as well, on copies: once as it stands now, once as it was.
    """
    case = played.case(made, exact)
    where = f"undo {made.number} ({made.script}), {'live' if live else 'outside'}{', exactly' if exact else ''}"
    flags = ["--exact"] if exact else []
    with _inside(played, pool, live) as inside:
        answer = _undo(pool, played.profile, inside, made.number, *flags)
        expect.that(answer.status in (0, 3), f"{where}: {answer}")
        if answer.status == 0:
            expect.that(not case.refused(), f"{where}: undone, by the oracle {case.conflicts} {case.unmet}\n{answer}")
            _check_undone(played, pool, inside, case, case, answer, where)
            return "undone"
        _check_refusal(played, made, case, answer, pool)
    for flag in ("--keep-mine", "--take-old"):
        copy = pool.copy(f"decided{flag}.img")
        _undo_decided(played, made, copy, live, case, [*flags, flag], f"{where}, {flag}")
        os.unlink(copy.image)
    return "refused"


def _undo_decided(played, made, pool, live, case, flags, where):
    judge = decided.Decided(case, "--keep-mine" in flags)
    with _inside(played, pool, live) as inside:
        answer = _undo(pool, played.profile, inside, made.number, *flags)
        if answer.status == 0:
            _check_undone(played, pool, inside, case, judge, answer, where)
            return
        # A package that would miss something cannot be had as it was: that is --cascade.
        expect.that(answer.status == 3 and "--take-old" in flags, f"{where}: {answer}")
        reasons = [row["reason"] for rows in _conflicts(answer).values() for row in rows]
        expect.that(reasons and all(WOULD_NOT_HOLD in reason for reason in reasons), f"{where}: {answer}")
        differences = oracle.tree_same(played.now, played.reading(pool))
        expect.that(not differences, f"{where}: refused, and changed {_some(differences)}")


def _check_undone(played, pool, inside, case, judge, answer, where):
    """The tree is what the judge says, the programs find nothing wrong, and a redo makes it what it was."""
    found = judge.judge(played.reading(pool))
    expect.that(not found, f"{where}: {_some(found)}")
    if not case.half_done():
        _check_clean(played, pool, inside, where)
    again = _undo(pool, played.profile, inside, answer.result["transaction"])
    expect.that(again.status == 0, f"{where}, then redone: {again}")
    found = oracle.same(played.now, played.reading(pool), played.content)
    expect.that(not found, f"{where}, then redone: {_some(found)}")


def _inside(played, pool, live):
    """Somebody who stays inside, or nobody."""
    return session.inside(pool, played.profile) if live else contextlib.nullcontext()


def _undo(pool, profile, inside, number, *flags):
    """From outside; while somebody is inside it goes live."""
    answer = pool.fp("--yes", "-p", profile, "undo", str(number), *flags)
    if inside and answer.status == 0:
        expect.equal(answer.result["mode"], "live")
    return answer


def _said(pool, profile, inside):
    return inside.say(f"{{ {CLEAN}; }} 2>&1") if inside else pool.run(profile, "sh", "-c", f"{{ {CLEAN}; }} 2>&1").text


def _check_clean(played, pool, inside, where):
    """No program finds anything wrong that it did not find before."""
    said = _said(pool, played.profile, inside).splitlines()
    news = [line for line in said if line not in played.said]
    expect.that(not news, f"{where}: the programs say {news}")
