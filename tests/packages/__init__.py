"""Tiny real packages, one per behaviour, and the flat repository that apt reads."""
