"""What the hooks add to an apt run, beside no hooks and beside snapper's own hook on the same pool."""

import itertools
import os

from bench import raw, snapper, timing
from lib import expect, session

SNAPPERS = "snapper's hook"
TIMES = "/var/tmp/hook-times"
HUNDRED = " ".join(f"fpt-set{n:03}" for n in range(1, 101))


def _variants(t, inside, bare, system, packages):
    """name -> callable that installs, measures, and purges again unmeasured."""
    names = " ".join(p.split("=")[0] for p in packages.split())

    def ours(one):
        def measure():
            took = timing.seconds(lambda: one.say(f"apt-get -q -y install {packages} >/dev/null 2>&1"))
            expect.contains(one.say(f"dpkg -s {packages.split()[0].split('=')[0]}"), "install ok installed")
            one.say(f"apt-get -q -y purge {names} >/dev/null 2>&1")
            return took
        return measure

    def theirs(hook):
        def measure():
            took = timing.seconds(lambda: system.inside("apt-get", "-q", "-y", "install", *packages.split(), hook=hook))
            system.inside("apt-get", "-q", "-y", "purge", *names.split(), hook=False)
            return took
        return measure
    return {"our hooks": ours(inside), "no hooks": ours(bare), "snapper's hook": theirs(True),
            "snapper's system without its hook": theirs(False)}


def _compare(t, packages, rounds):
    pool = t.pool("bench")
    pool.ok("create", "bare")
    expect.status(pool.apt("purge", "flipper-profile", profile="bare"), 0)
    with session.inside(pool, "dev") as inside, session.inside(pool, "bare") as bare, \
            snapper.on_pool(t, pool) as system:
        measured = timing.interleaved(_variants(t, inside, bare, system, packages), rounds)
        expect.that(system.numbers(), "snapper's hook made no snapshot")
    timing.tell(t, "apt-get install", measured)
    middle = timing.medians(measured)
    ours = middle["our hooks"] - middle["no hooks"]
    theirs = middle["snapper's hook"] - middle["snapper's system without its hook"]
    t.note(f"added by our hooks {ours * 1000:.0f} ms, by snapper's {theirs * 1000:.0f} ms, ratio {ours / theirs:.2f}")
    timing.want(t, ours < theirs, f"our hooks add {ours:.3f} s, snapper's {theirs:.3f} s")


def test_one_small_package_costs_less_than_with_snapper(t):
    _compare(t, "fpt-hello=1", timing.rounds(t, 9))


def test_a_hundred_packages_cost_less_than_with_snapper(t):
    """By the time inside the hooks: a run of some seconds varies by more than either costs. The plan is apart."""
    pool = t.pool("bench")
    _time_hooks(pool)

    def ours(inside):
        def measure():
            inside.say(f"rm -f {TIMES}; apt-get -q -y install {HUNDRED} >/dev/null 2>&1")
            times = _hook_times(inside)
            plans.append(times.pop("plan"))
            expect.equal(set(times), {"pre", "post", "trigger"}, "hooks that were timed")
            inside.say(f"apt-get -q -y purge {HUNDRED} >/dev/null 2>&1")
            return sum(times.values()) / 1000
        return measure

    def theirs(system):
        def measure():
            system.inside("rm", "-f", TIMES)
            system.inside("apt-get", "-q", "-y", "install", *HUNDRED.split())
            times = _parsed(system.inside("cat", TIMES).text)
            expect.equal(set(times), {"pre", "post"}, "hooks that were timed")
            system.inside("apt-get", "-q", "-y", "purge", *HUNDRED.split(), hook=False)
            return sum(times.values()) / 1000
        return measure
    plans = []
    with session.inside(pool) as inside, snapper.on_pool(t, pool) as system:
        system.time_hooks(TIMES)
        measured = timing.interleaved({"our hooks": ours(inside), "snapper's hook": theirs(system)}, timing.rounds(t, 7))
    timing.tell(t, "inside the hooks around a hundred packages", measured)
    t.note(f"our plan, apart: {timing.spread([p / 1000 for p in plans])}")
    middle = timing.medians(measured)
    t.note(f"ratio {middle['our hooks'] / middle[SNAPPERS]:.2f}")
    timing.want(t, middle["our hooks"] < middle[SNAPPERS], f"our hooks take {middle['our hooks']:.3f} s")


# The clock is read by the shell that starts the hook: a program between apt and the hook would be taken for
# the front end, and starting `date` twice costs more than what is measured.
TIMED = """bash -c 'begun=$EPOCHREALTIME; {call}; status=$?; ended=$EPOCHREALTIME
echo {name} $begun $ended >> {times}; exit $status'"""
HOOKS = {"pre": "/usr/libexec/flipper-profile/apt-hook pre", "post": "/usr/libexec/flipper-profile/apt-hook post",
         "plan": "/usr/libexec/flipper-profile/apt-plan"}
CONFIGURATION = "/etc/apt/apt.conf.d/05flipper-profile"


def _time_hooks(pool, profile="dev"):
    """Has apt's configuration note how long each call of a hook takes."""
    text = pool.run_ok(profile, "cat", CONFIGURATION).text
    for name, call in HOOKS.items():
        expect.contains(text, f"|| {call} ||")
        text = text.replace(f"|| {call} ||", f"|| {TIMED.format(name=name, call=call, times=TIMES)} ||".replace("\n", "; "))
    pool.run_ok(profile, "sh", "-c", f"cat > {CONFIGURATION} <<'END'\n{text}\nEND")
    # dpkg starts the trigger; a program before it changes nothing here, where nobody looks who asks.
    pool.shell(profile, f"""cd /usr/libexec/flipper-profile; mv trigger trigger.real
        printf '%s\\n' '#!/bin/bash' 'begun=$EPOCHREALTIME' '/usr/libexec/flipper-profile/trigger.real "$@"' \\
            'status=$?; echo trigger $begun $EPOCHREALTIME >> {TIMES}; exit $status' > trigger
        chmod 755 trigger""")


def _hook_times(inside):
    """Milliseconds of each hook's calls of the last run."""
    return _parsed(inside.say(f"cat {TIMES}; rm -f {TIMES}"))


def _parsed(text):
    times = {}
    for line in text.splitlines():
        name, begun, ended = line.split()
        times[name] = times.get(name, 0) + (float(ended) - float(begun)) * 1000
    return times


def test_pre_and_post_cost_at_most_twice_the_raw_operations(t):
    """Raw: a snapshot ioctl and a durable commit where our pre hook is, a snapshot ioctl where our post hook is."""
    pool = t.pool("mini")
    pool.ok("create", "bare")
    expect.status(pool.apt("purge", "flipper-profile", profile="bare"), 0)
    pool.run_ok("bare", "sh", "-c", f"cat > /etc/apt/apt.conf.d/05raw <<'END'\n{raw.ASKING}END")
    _time_hooks(pool)
    ours, rawly, idle = [], [], []
    with session.inside(pool, "dev") as inside, session.inside(pool, "bare") as bare, pool.top() as top:
        directory, _ = pool.profile_file(top, "bare")
        journal = raw.DurableJournal(f"{top}/raw.db")
        names = (f"raw-{number}" for number in itertools.count())

        def before():
            journal.commit()
            after()

        def after():
            raw.snapshot(directory, top, next(names))
        with raw.where_apt_asks(top, {"pre": before, "post": after}) as took:
            for _ in range(timing.rounds(t, 15)):
                inside.say(f"rm -f {TIMES}; apt-get -q -y install fpt-hello=1 >/dev/null 2>&1")
                ours.append(_hook_times(inside))
                inside.say("apt-get -q -y purge fpt-hello >/dev/null 2>&1")
                bare.say("apt-get -q -y install fpt-hello=1 >/dev/null 2>&1")
                rawly.append({name: took.pop(name) * 1000 for name in ("pre", "post")})
                idle.append(timing.seconds(before) + timing.seconds(after))
                bare.say("apt-get -q -y purge fpt-hello >/dev/null 2>&1")
        journal.close()

    def seconds(of, *names):
        return [sum(times[name] for name in names) / 1000 for times in of]
    timing.tell(t, "pre and post together", {
        "our hooks": seconds(ours, "pre", "post"), "pre": seconds(ours, "pre"), "post": seconds(ours, "post"),
        "raw": seconds(rawly, "pre", "post"), "raw pre": seconds(rawly, "pre"), "raw post": seconds(rawly, "post"),
        "raw while nothing goes on": idle})
    middle = timing.medians({"ours": seconds(ours, "pre", "post"), "raw": seconds(rawly, "pre", "post")})
    t.note(f"ratio {middle['ours'] / middle['raw']:.2f}, at most 2 is wanted")
    timing.want(t, middle["ours"] <= 2 * middle["raw"], f"pre and post cost {middle['ours'] / middle['raw']:.2f} times the raw operations")


def test_the_plan_costs_at_most_15_percent_of_dpkg(t):
    pool = t.pool("mini")
    _time_hooks(pool)
    shares = []
    with session.inside(pool) as inside:
        for _ in range(timing.rounds(t, 5)):
            inside.say(f"rm -f {TIMES} /var/tmp/dpkg-times; cat > /var/tmp/dpkg <<'END'\n#!/bin/sh\n"
                       "begun=$(date +%s%N); dpkg \"$@\"; status=$?\n"
                       "echo $(( $(date +%s%N) - begun )) >> /var/tmp/dpkg-times; exit $status\nEND\nchmod 755 /var/tmp/dpkg")
            inside.say(f"apt-get -q -y -o Dir::Bin::dpkg=/var/tmp/dpkg install {HUNDRED} >/dev/null 2>&1")
            plan = _hook_times(inside)["plan"]
            dpkg = sum(int(x) for x in inside.say("cat /var/tmp/dpkg-times").split()) / 1e6
            shares.append(plan / dpkg)
            inside.say(f"apt-get -q -y purge {HUNDRED} >/dev/null 2>&1")
    t.note("plan / dpkg: " + ", ".join(f"{s:.1%}" for s in shares))
    timing.want(t, sorted(shares)[len(shares) // 2] <= 0.15, f"the plan costs {shares} of dpkg's time")


def test_snapshots_of_an_unattended_upgrade(t):
    """One transaction, two snapshots; snapper's hook is known to make twelve."""
    pool = t.pool("fronts")
    expect.status(pool.install("fpt-up1=1", "fpt-up2=1", "fpt-up3=1"), 0)
    with pool.top() as top:
        _, content = pool.profile_file(top, "dev")
        before = set(os.listdir(f"{top}/@snapshots/{content['id']}"))
    pool.shell("dev", "echo 'Unattended-Upgrade::Origins-Pattern { \"origin=FPT\"; };' > /etc/apt/apt.conf.d/99uu")
    expect.status(pool.run("dev", "unattended-upgrade"), 0)
    with pool.top() as top:
        made = set(os.listdir(f"{top}/@snapshots/{content['id']}")) - before
    t.note(f"snapshots of one run of 3 packages: {sorted(made)}")
    expect.equal(len(made), 2, "snapshots")
