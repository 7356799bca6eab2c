"""Whole-process timings, as ratios within one run."""
