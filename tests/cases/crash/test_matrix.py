"""docs/crash-matrix.md is true: the effects of each command in their order, and what a cut leaves."""

import os

from lib import expect, matrix


def _written():
    with open(matrix.DOCUMENT, encoding="utf-8") as f:
        return matrix.parse(f.read())


def test_every_command_is_in_the_document(_t):
    expect.equal(sorted(_written()), sorted(o.title for o in matrix.OPERATIONS), "commands of the document")


def test_the_document_is_true(t):
    """The effects of all commands; of each a few cuts, in the long tier every one."""
    written = _written()
    for operation in matrix.OPERATIONS:
        rows = written[operation.title]
        pool, args, found, old, new = matrix.steps(t, operation)
        again = "run tests/crash-matrix when this is meant"
        expect.equal([step[1:] for step in found], [row[:2] for row in rows], f"effects of {operation.title} ({again})")
        for (number, name, _), (_, _, side) in t.sample(list(zip(found, rows)), 3):
            expect.equal(matrix.outcome(pool, args, number, old, new), side,
                         f"{operation.title} cut before {name}, effect {number} ({again})")
        os.unlink(pool.image)
