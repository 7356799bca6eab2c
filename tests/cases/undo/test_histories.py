"""Random histories of real changes, each transaction undone on a copy and judged by the oracle."""

import time

from lib import history, played


def _one(t, seed, count, live):
    seed, _ = history.chosen_seed(seed)
    pool = t.pool("mini")
    begun = time.monotonic()
    made = played.play(pool, seed, history.steps_of(seed, count), played.base_of(pool))
    middle = time.monotonic()
    outcomes = played.undo_each(made, live)
    t.note(f"seed {seed}: {len(outcomes)} transactions, {outcomes.count('refused')} refused; played in"
           f" {middle - begun:.0f} s, undone in {time.monotonic() - middle:.0f} s")


def test_every_transaction_of_a_history_outside(t):
    _one(t, 1, 30, live=False)
