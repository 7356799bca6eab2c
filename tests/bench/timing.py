"""Medians of interleaved runs."""

import os
import statistics
import subprocess
import time

from lib import command, expect


def seconds(action):
    """How long one call takes, by the monotonic clock."""
    begun = time.monotonic()
    action()
    return time.monotonic() - begun


def cost(program, *args):
    """(seconds, peak memory in KiB) of one call of a program, whose output nobody reads."""
    def call():
        child = command.start(program, *args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        expect.equal(child.returncode, 0, f"exit status of {program} {args}")
        peaks.append(usage.ru_maxrss)
    peaks = []
    return seconds(call), peaks[0]


def interleaved(variants, rounds):
    """Runs every variant once per round, in turn; returns name -> list of seconds.

    A variant is a callable that returns its own measured seconds, so that its preparation is not counted.
    """
    measured = {name: [] for name in variants}
    for number in range(rounds):
        names = list(variants)
        # Another order each round, so that no variant always follows the same one.
        for name in names[number % len(names):] + names[:number % len(names)]:
            measured[name].append(variants[name]())
    return measured


def rounds(t, number):
    """`number` rounds in the long tier; else one, which shows that the benchmark works and measures little."""
    return number if t.long else 1


def want(t, condition, message):
    """What is promised about ratios; held to it where there were rounds enough for a median."""
    if t.long:
        expect.that(condition, message)
    elif not condition:
        t.note(f"one round, not held to it: {message}")


def medians(measured):
    return {name: statistics.median(values) for name, values in measured.items()}


def spread(values):
    """`median (least..most)` in milliseconds."""
    return f"{statistics.median(values) * 1000:.0f} ms ({min(values) * 1000:.0f}..{max(values) * 1000:.0f})"


def tell(t, title, measured):
    t.note(title + ": " + ", ".join(f"{name} {spread(values)}" for name, values in measured.items()))
