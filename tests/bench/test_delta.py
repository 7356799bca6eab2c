"""What a transaction changed, and undoing it: in time that follows the change, whatever the size of the profile."""

import contextlib
import glob
import os
import sqlite3
import subprocess

from bench import filling, raw, snapper, timing
from lib import expect, mounts, session
from lib.process import run_ok

# Every path with what lstat says of it. The reference reads no content and no attribute, and compares nothing:
# a walk that finds the same as `diff` costs more.
WALK = ["-printf", "%p %y %m %U %G %s %T@ %l\\n"]


def _snapshots(pool, top, profile, row):
    """The two snapshots of a transaction."""
    _, content = pool.profile_file(top, profile)
    return [f"{top}/@snapshots/{content['id']}/{row[side].rsplit('/', 1)[-1]}" for side in ("pre", "post")]


def _send(pre, post):
    return timing.cost("btrfs", "-q", "send", "--no-data", "-p", pre, post)[0]


@contextlib.contextmanager
def _views(t, top, pre, post, base="v1"):
    with mounts.merged_read_only([f"{pre}/upper", f"{top}/@base/{base}"], t.dir) as old, \
            mounts.merged_read_only([f"{post}/upper", f"{top}/@base/{base}"], t.dir) as new:
        yield old, new


def _forget(image):
    """Drops what memory has of an image that nobody has attached: this one's alone, others measure beside us."""
    expect.equal(mounts.loops_of(image), [], "loop devices of the image")
    descriptor = os.open(image, os.O_RDONLY)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


def _tell_of_delta(t, title, measured):
    timing.tell(t, title, measured)
    middle = timing.medians(measured)
    bare = middle["diff"] - middle["list"]
    walk = middle["walk of both trees"]
    t.note(f"{title}: diff beyond list / raw send {bare / middle['raw send']:.2f}, walk / diff {walk / middle['diff']:.1f}")
    timing.want(t, bare <= 1.5 * middle["raw send"], f"{bare / middle['raw send']:.2f} times the raw send")
    timing.want(t, walk >= 4 * middle["diff"], f"the walk takes only {walk / middle['diff']:.1f} times as long")


def test_a_delta_of_200_paths_follows_the_change_not_the_profile(t):
    """A profile of 200,000 files; `list` is what any command costs: its process, attaching and mounting the pool."""
    files = 200_000 if t.long else 5_000
    t.use_packaged_program()
    pool = t.pool("mini")
    filling.profile(pool, "dev", files)
    paths = filling.scattered(files, 200)
    # 20 go, 160 change, 20 come.
    for version, of in (("1", paths[:180]), ("2", paths[20:])):
        archive = filling.package(t, pool, "dev", "fpt-scattered", version, of)
        pool.run_ok("dev", "dpkg", "-i", archive)
    row = pool.newest()
    told = pool.ok("-p", "dev", "diff", str(row["number"]))["changes"]
    expect.that(200 <= len(told) < 230, f"{len(told)} paths told")
    rounds = timing.rounds(t, 7)
    options = ("--pool", pool.image, "--json")

    def variants(top, views):
        pre, post = _snapshots(pool, top, "dev", row)
        return {"diff": lambda: timing.cost(t.program(), *options, "-p", "dev", "diff", str(row["number"]))[0],
                "list": lambda: timing.cost(t.program(), *options, "list")[0],
                "raw send": lambda: _send(pre, post),
                "walk of both trees": lambda: sum(timing.cost("find", view, *WALK)[0] for view in views)}

    with pool.top() as top, _views(t, top, *_snapshots(pool, top, "dev", row)) as views:
        measured = timing.interleaved(variants(top, views), rounds)
    _tell_of_delta(t, f"200 of {files} paths, warm", measured)

    def cold(name):
        def measure():
            _forget(pool.image)
            with pool.top() as top, _views(t, top, *_snapshots(pool, top, "dev", row)) as views:
                return variants(top, views)[name]()
        return measure
    names = ("diff", "list", "raw send", "walk of both trees")
    _tell_of_delta(t, f"200 of {files} paths, cold",
                   timing.interleaved({name: cold(name) for name in names}, rounds))


def test_a_delta_of_16000_paths_is_three_times_as_fast_as_snappers(t):
    t.use_packaged_program()
    pool = t.pool("bench")
    with session.inside(pool) as inside, snapper.on_pool(t, pool) as system:
        inside.say("apt-get -q -y install fpt-many >/dev/null 2>&1")
        number = pool.newest()["number"]
        system.inside("apt-get", "-q", "-y", "install", "fpt-many")
        pre, post = system.numbers()[-2:]

        def ours():
            took = timing.seconds(lambda: counts.append(inside.say(
                f"flipper-profile --json diff {number} 2>/dev/null | grep -o '\"path\"' | wc -l")))
            return took

        def theirs():
            # snapper keeps the list that it made; without it, it compares again.
            for kept in glob.glob(f"{system.root}/.snapshots/*/filelist-*"):
                os.unlink(kept)
            took = timing.seconds(lambda: counts.append(system.inside(
                "sh", "-c", f"snapper -c root status {pre}..{post} | wc -l").text))
            return took
        counts = []
        measured = timing.interleaved({"diff": ours, "snapper status": theirs}, timing.rounds(t, 7))
    expect.that(all(16_000 <= int(count) < 17_000 for count in counts), f"paths told: {counts}")
    timing.tell(t, "16,000 paths", measured)
    middle = timing.medians(measured)
    ratio = middle["snapper status"] / middle["diff"]
    t.note(f"snapper status / diff {ratio:.1f}")
    timing.want(t, ratio >= 3, f"snapper status takes only {ratio:.1f} times as long")


def _undo_of_a_middle_one(t, pool, profile, files, count):
    """A callable that installs `count` scattered paths, then something else, and times undoing the first."""
    name = f"fpt-mid{count}-{files}"
    # In as many directories whatever the size: the change is the same.
    archive = filling.package(t, pool, profile, name, "1", filling.scattered(files, count, 50))

    def measure():
        pool.run_ok(profile, "dpkg", "-i", archive)
        number = str(pool.newest(profile)["number"])
        expect.status(pool.install("fpt-hello=1", profile=profile), 0)
        took = timing.cost(t.program(), "--pool", pool.image, "--json", "--yes", "-p", profile, "undo", number)[0]
        expect.equal(pool.run(profile, "dpkg", "-s", name).status, 1, "exit status of dpkg -s")
        expect.status(pool.apt("purge", "fpt-hello", profile=profile), 0)
        return took
    return measure


def test_undo_of_a_middle_transaction_follows_the_change_not_the_profile(t):
    """Staged, since the profile is not mounted and something came afterwards that stays."""
    sizes = (10_000, 100_000, 500_000) if t.long else (1_000, 5_000)
    changes = (200, 2_000, 8_000) if t.long else (200, 800)
    t.use_packaged_program()
    pool = t.pool("mini")
    for size in sizes:
        pool.ok("create", f"p{size}")
        filling.profile(pool, f"p{size}", size)
    rounds = timing.rounds(t, 5)
    with pool.top():
        _hold_undo_to_it(t, pool, sizes, changes, rounds)


def _hold_undo_to_it(t, pool, sizes, changes, rounds):
    """While the pool is mounted: reading it in and writing it out is the cost of a mount, not of an undo."""
    measured = timing.interleaved({
        f"{size} files": _undo_of_a_middle_one(t, pool, f"p{size}", size, changes[0]) for size in sizes}, rounds)
    timing.tell(t, f"undo of {changes[0]} paths", measured)
    middle = list(timing.medians(measured).values())
    t.note(f"largest profile / smallest {middle[-1] / middle[0]:.2f}")
    timing.want(t, middle[-1] <= 1.3 * middle[0], f"{middle[-1] / middle[0]:.2f} times as long in the largest profile")
    size = sizes[-2]
    measured = timing.interleaved({
        f"{count} paths": _undo_of_a_middle_one(t, pool, f"p{size}", size, count) for count in changes}, rounds)
    timing.tell(t, f"undo in {size} files", measured)
    middle = timing.medians(measured)
    least, most = middle[f"{changes[0]} paths"], middle[f"{changes[-1]} paths"]
    t.note(f"{changes[-1] // changes[0]} times the paths take {most / least:.1f} times as long")
    timing.want(t, most <= least * changes[-1] / changes[0], "more than in proportion to the change")


def _thousand_snapshots(pool, total):
    """Gives the profile `total` snapshots, with the rows of the transactions that they belong to."""
    last = pool.newest()["number"]
    with pool.top() as top:
        directory, content = pool.profile_file(top, "dev")
        connection = sqlite3.connect(f"{top}/@flipper/journal.db")
        columns = [row[1] for row in connection.execute("PRAGMA table_info(transactions)") if row[1] != "number"]
        listed = ", ".join(columns)
        for _ in range(total // 2):
            connection.execute(f"INSERT INTO transactions ({listed}) SELECT {listed} FROM transactions WHERE number = ?",
                               (last,))
        connection.execute("UPDATE transactions SET pre = number || '-pre', post = number || '-post' WHERE number > ?",
                           (last,))
        connection.commit()
        made = connection.execute("SELECT pre, post FROM transactions WHERE number > ?", (last,)).fetchall()
        connection.close()
        place = f"{top}/@snapshots/{content['id']}"
        for name in (name for both in made for name in both):
            raw.snapshot(directory, place, name)
        run_ok("btrfs", "filesystem", "sync", top)


def test_a_thousand_snapshots_are_listed_in_a_moment(t):
    total = 1000 if t.long else 60
    t.use_packaged_program()
    pool = t.pool("mini")
    expect.status(pool.install("fpt-hello=1"), 0)
    options = ("--pool", pool.image, "--json", "-p", "dev")
    calls = {"list": ("--pool", pool.image, "--json", "list"), "history": (*options, "history"),
             "history, all": (*options, "history", "--limit", "0"), "info": (*options, "info", "dev"),
             "status": (*options, "status")}

    def measure():
        costs = {name: [timing.cost(t.program(), *args) for _ in range(timing.rounds(t, 7))] for name, args in calls.items()}
        return ({name: [s for s, _ in values] for name, values in costs.items()},
                {name: min(peak for _, peak in values) for name, values in costs.items()})
    with pool.top():
        few, few_peaks = measure()
    _thousand_snapshots(pool, total)
    with pool.top() as top:
        found = subprocess.run(["btrfs", "subvolume", "list", "-r", top], check=True, capture_output=True).stdout
        expect.that(len(found.splitlines()) >= total, "snapshots are missing")
        many, many_peaks = measure()
    timing.tell(t, "2 snapshots", few)
    timing.tell(t, f"{total} snapshots", many)
    t.note("peak memory in KiB: " + ", ".join(f"{name} {few_peaks[name]} and {many_peaks[name]}" for name in calls))
    for name, middle in timing.medians(many).items():
        timing.want(t, middle < 1, f"{name} takes {middle:.2f} s")
        timing.want(t, many_peaks[name] < 1.3 * few_peaks[name] + 4096, f"{name} grows to {many_peaks[name]} KiB")
