"""How long undo takes: live against `snapper undochange`, not mounted against the raw operations."""

import os

from bench import raw, snapper, timing
from lib import expect, session


def test_a_live_undo_of_16000_paths_is_no_slower_than_snapper(t):
    t.use_packaged_program()
    pool = t.pool("bench")
    rounds = timing.rounds(t, 5)

    def theirs(system):
        def measure():
            system.inside("apt-get", "-q", "-y", "install", "fpt-many")
            pre, post = system.numbers()[-2:]
            took = timing.seconds(lambda: system.inside("snapper", "-c", "root", "undochange", f"{pre}..{post}"))
            expect.that(not os.path.exists(f"{system.root}/usr/lib/fpt-many/000/000"), "snapper undid nothing")
            return took
        return measure

    def ours(inside):
        def measure():
            inside.say("apt-get -q -y install fpt-many >/dev/null 2>&1")
            took = timing.seconds(lambda: inside.say("flipper-profile --yes undo"))
            expect.equal(inside.say("test -e /usr/lib/fpt-many/000/000 && echo there"), "")
            return took
        return measure

    with session.inside(pool) as inside, snapper.on_pool(t, pool) as system:
        measured = timing.interleaved({"undo, live": ours(inside), "snapper undochange": theirs(system)}, rounds)
    timing.tell(t, "16,000 paths", measured)
    middle = timing.medians(measured)
    t.note(f"ratio {middle['undo, live'] / middle['snapper undochange']:.2f}")
    timing.want(t, middle["undo, live"] <= middle["snapper undochange"], "slower than snapper")


def test_a_staged_undo_costs_at_most_twice_the_raw_operations_whatever_its_size(t):
    """Raw: attach and mount (the cost of `list`), a snapshot, an exchange, two durable commits, of the same profile."""
    t.use_packaged_program()
    pool = t.pool("mini")
    rounds = timing.rounds(t, 9)
    counter = iter(range(10_000))

    def ours(package):
        def measure():
            expect.status(pool.install(package), 0)
            return timing.seconds(lambda: expect.status(pool.fp("--yes", "-p", "dev", "undo"), 0))
        return measure

    def listing():
        return timing.seconds(lambda: expect.status(pool.fp("list"), 0))

    def rawly():
        expect.status(pool.install("fpt-many"), 0)
        took = operations_on_profile()
        expect.status(pool.fp("--yes", "-p", "dev", "undo"), 0)
        return took

    def operations_on_profile():
        with pool.top() as top:
            directory, _ = pool.profile_file(top, "dev")
            journal = raw.DurableJournal(f"{top}/raw.db")
            names = [f"raw-{next(counter)}" for _ in range(2)]
            raw.snapshot(directory, top, names[1], read_only=False)

            def operations():
                journal.commit()
                raw.snapshot(directory, top, names[0], read_only=False)
                raw.exchange(f"{top}/{names[0]}", f"{top}/{names[1]}")
                journal.commit()
            took = timing.seconds(operations)
            journal.close()
        return took

    measured = timing.interleaved({"16,000 paths": ours("fpt-many"), "one file": ours("fpt-hello=1"),
                                   "list": listing, "raw": rawly}, rounds)
    timing.tell(t, "staged undo", measured)
    middle = timing.medians(measured)
    reference = middle["list"] + middle["raw"]
    t.note(f"16,000 paths / (list + raw): {middle['16,000 paths'] / reference:.2f}; "
           f"against one file: {middle['16,000 paths'] / middle['one file']:.2f}")
    timing.want(t, middle["16,000 paths"] <= 2 * reference, f"{middle['16,000 paths'] / reference:.2f} times the raw operations")


def test_a_staged_undo_that_keeps_later_work_is_in_proportion_to_the_change(t):
    """Something was edited since, so no old state can be taken as it is: sixteen times the paths, at most about that the time."""
    t.use_packaged_program()
    pool = t.pool("mini")
    sizes = {"1,000 paths": 1000, "16,000 paths": 16000}
    edits = iter(range(10_000))
    for number in sizes.values():
        pool.shell("dev", f"""mkdir -p /root/p/DEBIAN /root/p/usr/lib/fpt-n{number} && cd /root/p/usr/lib/fpt-n{number}
            i=0; while [ $i -lt {number} ]; do echo $i > $i; i=$((i+1)); done
            printf 'Package: fpt-n{number}\\nVersion: 1\\nArchitecture: all\\nMaintainer: x <x@example>\\nDescription: x\\n' > /root/p/DEBIAN/control
            dpkg-deb -Znone -b /root/p /root/fpt-n{number}.deb >/dev/null && rm -r /root/p""")

    def ours(number):
        def measure():
            pool.run_ok("dev", "dpkg", "-i", f"/root/fpt-n{number}.deb")
            pool.shell("dev", f"echo {next(edits)} > /root/later")
            took = timing.seconds(lambda: expect.status(pool.fp("--yes", "-p", "dev", "undo"), 0))
            pool.shell("dev", f"test ! -e /usr/lib/fpt-n{number} && test -s /root/later")
            return took
        return measure

    measured = timing.interleaved({name: ours(number) for name, number in sizes.items()}, timing.rounds(t, 5))
    timing.tell(t, "staged undo that keeps later work", measured)
    middle = timing.medians(measured)
    ratio = middle["16,000 paths"] / middle["1,000 paths"]
    t.note(f"ratio {ratio:.1f} for sixteen times the paths")
    timing.want(t, ratio <= 20, f"{ratio:.1f} times the time for sixteen times the paths")
