"""Assertions that say what was expected and what was found."""


class Failure(AssertionError):
    """A product behaves otherwise than the test says."""


class Skip(Exception):
    """A test cannot run here; the reason is printed."""


def that(condition, message):
    if not condition:
        raise Failure(str(message))


def equal(found, expected, what="value"):
    if found != expected:
        raise Failure(f"{what}: expected {expected!r}, found {found!r}")


def contains(container, item, what="value"):
    if item not in container:
        raise Failure(f"{what}: {item!r} is not in {container!r}")


def absent(container, item, what="value"):
    if item in container:
        raise Failure(f"{what}: {item!r} must not be in {container!r}")


def status(output, *expected):
    """The exit status of a command; the whole output is in the message."""
    if output.status not in expected:
        wanted = " or ".join(str(e) for e in expected)
        raise Failure(f"expected exit {wanted}\n{output}")
    return output


def nothing(found, what):
    """An empty list of findings."""
    if found:
        shown = "\n  ".join(str(f) for f in found[:40])
        more = f"\n  … and {len(found) - 40} more" if len(found) > 40 else ""
        raise Failure(f"{what}: {len(found)} found\n  {shown}{more}")
