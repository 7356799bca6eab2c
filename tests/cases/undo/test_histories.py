"""Random histories of real changes: a transaction of each undone, judged by the oracle, and redone.

A failure prints the seed and the steps. `FLIPPER_TEST_SEED=N` runs that one alone, `N-M` these, `FLIPPER_TEST_STEPS=FILE` the steps
of a file, one a line.
"""

import os
import random
import time

from lib import expect, history, played

# Steps of a history of which every transaction is undone, by default and in the long tier, and of one of which one is.
FEWER, LONG, SHORT = 10, 30, 7
# Histories that share a pool, each in a profile of its own.
TOGETHER = 50


def _every_one(t, seed, live):
    pool = t.pool("mini")
    begun = time.monotonic()
    made = played.play(pool, seed, history.steps_of(seed, LONG if t.long else FEWER), played.base_of(pool))
    middle = time.monotonic()
    outcomes = played.undo_each(made, live)
    t.note(f"seed {seed}: {len(outcomes)} transactions, {outcomes.count('refused')} refused; played in"
           f" {middle - begun:.0f} s, undone in {time.monotonic() - middle:.0f} s")
    os.unlink(pool.image)


def test_every_transaction_of_a_history_is_undone_outside(t):
    for seed in history.seeds(range(1, 6) if t.long else [1]):
        _every_one(t, seed, live=False)


def test_every_transaction_of_a_history_is_undone_live(t):
    for seed in history.seeds(range(11, 16) if t.long else [11]):
        _every_one(t, seed, live=True)


def _short(pool, seed, base):
    """One history in a new profile, and one of its transactions undone; None when it has none."""
    profile = f"history-{seed}"
    pool.ok("create", profile)
    made = played.play(pool, seed, history.steps_of(seed, SHORT), base, profile)
    chance = random.Random(seed)
    try:
        one = chance.choice(made.made) if made.made else None
        outcome = one and played.undo_one(made, one, pool, live=chance.random() < 0.5, exact=chance.random() < 0.3)
    except expect.Failure as failure:
        raise expect.Failure(f"{failure}\n{history.shown(seed, made.steps)}") from None
    pool.ok("--yes", "delete", profile)
    return outcome


def _many(t, seeds):
    outcomes, wrong, begun, pool, base = [], [], time.monotonic(), None, None
    seeds = history.seeds(seeds)
    for number, seed in enumerate(seeds):
        if number % TOGETHER == 0:
            if pool:
                os.unlink(pool.image)
            pool = t.pool("mini")
            base = played.base_of(pool)
        try:
            outcomes.append(_short(pool, seed, base))
        except expect.Failure as failure:
            wrong.append(str(failure))
    took = (time.monotonic() - begun) / len(seeds)
    t.note(f"{len(seeds)} histories of {took:.1f} s: {outcomes.count('undone')} undone, {outcomes.count('refused')} refused")
    expect.that(not wrong, f"{len(wrong)} of {len(seeds)} failed\n" + "\n".join(wrong[:10]))


def test_a_transaction_of_each_of_ten_histories_is_undone(t):
    _many(t, range(1, 11))


def test_a_thousand_histories_part_1(t):
    _many(t, range(1001, 1251))


def test_a_thousand_histories_part_2(t):
    _many(t, range(1251, 1501))


def test_a_thousand_histories_part_3(t):
    _many(t, range(1501, 1751))


def test_a_thousand_histories_part_4(t):
    _many(t, range(1751, 2001))
