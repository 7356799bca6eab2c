"""Names that must be refused, everywhere a name is taken; nothing changes."""

import os

from lib import expect

BAD = ["", ".", "..", ".template", "a/b", "/", "a" * 300, "a\nb", "a\x1b[31m", "tab\t", "-dash", " lead", "trail ",
       "caf\u00e9\u202e", "con\x7f"]


def _snapshot(pool):
    with pool.top() as top:
        return sorted(os.listdir(f"{top}/@profiles")), sorted(os.listdir(f"{top}/@base"))


def _refused(answer):
    expect.status(answer, 1, 2)
    expect.equal(answer.envelope["ok"], False)
    expect.that(answer.error["hint"], f"no hint: {answer.error}")


def test_create_refuses_them(t):
    pool = t.pool("toy")
    before = _snapshot(pool)
    for name in BAD:
        _refused(pool.fp("create", "--", name))
    expect.equal(_snapshot(pool), before)


def test_clone_and_rename_refuse_them(t):
    pool = t.pool("toy")
    before = _snapshot(pool)
    for name in BAD:
        _refused(pool.fp("clone", "--", "dev", name))
        _refused(pool.fp("rename", "--", "dev", name))
    expect.equal(_snapshot(pool), before)


def test_base_add_refuses_them(t):
    pool = t.pool("toy")
    before = _snapshot(pool)
    root = t.path("root")
    os.mkdir(root)
    for name in BAD + ["current"]:
        _refused(pool.fp("base", "add", "--from-directory", root, "--", name))
    expect.equal(_snapshot(pool), before)


def test_a_taken_name_is_refused(t):
    pool = t.pool("toy")
    expect.equal(expect.status(pool.fp("create", "dev"), 1).envelope["ok"], False)
    expect.status(pool.fp("clone", "dev", "dev"), 1)


def test_an_unknown_profile_is_an_error_with_a_hint(t):
    pool = t.pool("toy")
    for args in (("info", "none"), ("clone", "none", "x"), ("delete", "none"), ("run", "none", "--", "true"),
                 ("-p", "none", "history")):
        answer = pool.fp("--yes", *args)
        expect.that(answer.status in (1, 125), answer)
