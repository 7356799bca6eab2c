"""Chooses tests, prepares what they share, runs each in its own mount namespace, reports."""

import argparse
import concurrent.futures
import fcntl
import itertools
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

from lib import discover, needs
from lib.context import Options

RUN = os.path.join(discover.TESTS, "run")
# How long a test that is told to end may clean up, in seconds.
PATIENCE = 30


class Children:
    """The isolated processes at work. Once they are told to end, no further one begins."""

    def __init__(self):
        self._alive, self._lock, self._ended = set(), threading.Lock(), False

    def start(self, command, **options):
        with self._lock:
            if self._ended:
                raise KeyboardInterrupt
            child = subprocess.Popen(command, **options)
            self._alive.add(child)
        return child

    def forget(self, child):
        with self._lock:
            self._alive.discard(child)

    def end(self):
        """They have sessions of their own, so no Ctrl-C reaches them; a SIGTERM lets them clean up."""
        with self._lock:
            self._ended = True
            alive = list(self._alive)
        for sign in (signal.SIGTERM, signal.SIGKILL):
            for child in alive:
                child.send_signal(sign)
            deadline = time.monotonic() + PATIENCE
            while any(child.poll() is None for child in alive) and time.monotonic() < deadline:
                time.sleep(0.05)


CHILDREN = Children()


def arguments(argv):
    parser = argparse.ArgumentParser(prog="tests/run", description=__doc__)
    parser.add_argument("--tier", choices=discover.TIERS, default="default")
    parser.add_argument("--bin-dir", help="directory with the built programs")
    parser.add_argument("--deb", help="directory with the built .deb files")
    parser.add_argument("-k", dest="pattern", action="append", default=[], help="only tests whose name contains this")
    parser.add_argument("-j", dest="jobs", type=int, default=1, help="tests at a time")
    parser.add_argument("--json", action="store_true", help="results as one JSON object on stdout, the rest on stderr")
    parser.add_argument("--list", action="store_true", help="list the chosen tests and the sum of their costs")
    parser.add_argument("--no-cache", action="store_true", help="make bases and pools anew and throw them away")
    parser.add_argument("--record-costs", action="store_true", help="write the measured seconds to coverage.toml")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def chosen(tests, tier, patterns):
    rank = discover.TIERS.index(tier)
    picked = [t for t in tests if discover.TIERS.index(t.tier) <= rank]
    if patterns:
        picked = [t for t in picked if any(p in t.name for p in patterns)]
    return picked


def run_isolated(name, options, limit, scratch):
    """One test (or preparation) in a child with a private mount namespace."""
    result_file = os.path.join(scratch, f"result-{os.getpid()}-{time.monotonic_ns()}.json")
    command = ["unshare", "--mount", "--propagation", "private", "--",
               sys.executable, RUN, "--one", name, options.to_json(), result_file]
    child = CHILDREN.start(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, start_new_session=True)
    log = _wait(child, limit)
    CHILDREN.forget(child)
    try:
        with open(result_file, encoding="utf-8") as f:
            result = json.load(f)
        os.unlink(result_file)
    except (OSError, ValueError):
        result = {"state": "failed", "message": f"the test's process ended with {child.returncode}",
                  "seconds": float(limit), "notes": []}
    return {"name": name, "log": log.decode("utf-8", "replace"), **result}


def _wait(child, limit):
    for patience, sign in ((limit, signal.SIGTERM), (PATIENCE, signal.SIGKILL)):
        try:
            return child.communicate(timeout=patience)[0]
        except subprocess.TimeoutExpired:
            child.send_signal(sign)
    return child.communicate()[0]


def prepare(tests, options, scratch, say):
    """Makes each shared base and pool once per slot; a failure fails the tests that need it."""
    states = {}
    for wanted in needs.preparations(tests):
        say(f"preparing {wanted} …")
        result = run_isolated(f"prepare:{wanted}", options, 1800, scratch)
        if result["state"] != "passed":
            say(f"  {result['state']}: {result['message']}")
        states[wanted] = (result["state"], result["message"])
    return states


def judge(test, options, states, scratch):
    """Runs one test unless something it needs is missing."""
    reason = needs.missing(test, options)
    if reason:
        return {"name": test.name, "state": "skipped", "message": reason, "seconds": 0.0, "notes": [], "log": ""}
    for wanted in needs.preparations([test]):
        state, message = states.get(wanted, ("passed", ""))
        if state != "passed":
            return {"name": test.name, "state": state, "message": f"{wanted}: {message}", "seconds": 0.0,
                    "notes": [], "log": ""}
    # Costs are those of the default tier: the long one takes every point where that one takes a sample.
    limit = max(1200.0, 30 * test.seconds) if options.tier == "long" else max(240.0, 6 * test.seconds)
    return run_isolated(test.name, options, limit, scratch)


def show(result, say):
    line = f"{result['state']:8}{result['seconds']:7.1f} s  {result['name']}"
    if result["state"] == "skipped":
        line += f"  ({result['message']})"
    say(line)
    for note in result["notes"]:
        say(f"           {note}")
    if result["state"] == "failed":
        say("    " + result["message"].rstrip().replace("\n", "\n    "))
        if result["log"].strip():
            say("    --- output of the test\n    " + result["log"][-3000:].strip().replace("\n", "\n    "))


def take_slot(cache):
    """The lowest slot that no other runner on this cache has, and the lock that holds it."""
    os.makedirs(os.path.join(cache, "slots"), exist_ok=True)
    for number in itertools.count():
        lock = open(os.path.join(cache, "slots", str(number)), "a", encoding="ascii")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return number, lock
        except BlockingIOError:
            lock.close()


def run_all(tests, args, cache, scratch, say):
    def options(slot):
        return Options(args.tier, os.path.abspath(args.bin_dir), args.deb and os.path.abspath(args.deb), cache, slot,
                       bool(os.environ.get("NO_TEST_CLEAN_UP")))
    slots = queue.SimpleQueue()
    states = {}
    taken = [take_slot(cache) for _ in range(args.jobs)]
    for slot, _ in taken:
        slots.put(slot)
        runnable = [t for t in tests if not needs.missing(t, options(slot))]
        states[slot] = prepare(runnable, options(slot), scratch, say)

    def work(test):
        slot = slots.get()
        try:
            return judge(test, options(slot), states[slot], scratch)
        finally:
            slots.put(slot)

    results = []
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as executor:
        try:
            for done in concurrent.futures.as_completed([executor.submit(work, t) for t in tests]):
                results.append(done.result())
                show(results[-1], say)
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            CHILDREN.end()
            raise
    return results


def _interrupt(_signal, _frame):
    # Only once: who types it again would keep the tests from cleaning up.
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sign, signal.SIG_IGN)
    raise KeyboardInterrupt


def main(argv):
    args = arguments(argv)
    if args.one:
        from lib import isolate
        isolate.main(*args.one)
        return 0
    say = lambda text: print(text, file=sys.stderr if args.json else sys.stdout, flush=True)
    tests, problems = discover.audit()
    tests = chosen(tests, args.tier, args.pattern)
    if args.list:
        for test in tests:
            say(f"{test.tier:8}{test.seconds:7.1f} s  {test.name}  [{' '.join(test.needs)}]")
        say(f"{len(tests)} tests, {sum(t.seconds for t in tests):.0f} s by measured cost")
        for problem in problems:
            say(f"error: {problem}")
        return 1 if problems else 0
    if not args.bin_dir:
        print("error: --bin-dir is needed to run tests", file=sys.stderr)
        return 2
    scratch = tempfile.mkdtemp(prefix="fprun-")
    uncached = args.no_cache or os.environ.get("FLIPPER_NO_CACHE")
    cache = os.path.join(scratch, "cache") if uncached else needs.cache_directory()
    os.makedirs(cache, exist_ok=True)
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sign, _interrupt)
    try:
        results = run_all(tests, args, cache, scratch, say)
    except KeyboardInterrupt:
        CHILDREN.end()
        say("interrupted: what was running was ended and cleaned up")
        return 128 + signal.SIGINT
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if args.record_costs:
        from lib import costs
        costs.record(results)
    results += [{"name": p.split(":: ")[0], "state": "failed", "message": p, "seconds": 0.0, "notes": [], "log": ""}
                for p in problems]
    for problem in problems:
        say(f"failed   coverage: {problem}")
    counts = {state: sum(r["state"] == state for r in results) for state in ("passed", "failed", "skipped")}
    if args.json:
        print(json.dumps({"tier": args.tier, "counts": counts, "results": results}))
    if results and counts["passed"] == 0 and counts["failed"] == 0:
        counts["failed"] += 1
        say("failed   every test of this tier was skipped; that proves nothing")
    say(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    return 1 if counts["failed"] else 0
