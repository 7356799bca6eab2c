"""The command line itself: usage errors, root, the envelope, hostile text."""

import json
import os

from lib import command, expect
from lib.process import run


def test_no_verb_is_a_usage_error(t):
    expect.status(command.call(t.program()), 2)


def test_an_unknown_verb_is_a_usage_error(t):
    expect.status(command.call(t.program(), "frobnicate"), 2)


def test_a_positional_transaction_that_is_no_number_is_a_usage_error(t):
    expect.status(t.pool("toy").fp("-p", "dev", "undo", "seven"), 2)


def test_without_root_it_says_so(t):
    image = t.empty_image(64 << 20)
    os.chmod(image, 0o666)
    os.chmod(t.dir, 0o755)
    answer = run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", t.program(), "--json", "--pool", image,
                 "list", env=command.environment())
    expect.equal(answer.status, 1, "status without root")
    expect.equal(json.loads(answer.stdout)["error"]["situation"], "not-root")


def test_help_and_version_need_nothing(t):
    for flag in ("--help", "--version"):
        answer = run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", t.program(), flag,
                     env=command.environment())
        expect.status(answer, 0)


def test_stdout_is_one_json_object_for_every_listing(t):
    pool = t.pool("toy")
    for verb in (("list",), ("pool", "info"), ("pool", "check"), ("base", "list"), ("base", "info", "v1"),
                 ("info", "dev"), ("-p", "dev", "history"), ("-p", "dev", "status"), ("recover",)):
        answer = expect.status(pool.fp(*verb), 0)
        words = "-".join(w for w in verb if w not in ("-p", "dev", "v1"))
        expect.equal(answer.envelope["schema"], f"flipper-profile/{words}/1")
        expect.equal(answer.envelope["ok"], True)


def test_a_journal_that_may_be_behind_is_a_warning_for_programs_too(t):
    pool = t.pool("toy")
    with pool.top() as top:
        notes = f"{top}/@flipper/notes"
        if os.path.isdir(notes):
            os.rmdir(notes)
        open(notes, "w", encoding="ascii").close()
    for verb in (("-p", "dev", "status"), ("-p", "dev", "history"), ("-p", "dev", "show", "99")):
        warnings = pool.fp(*verb).envelope.get("warnings", [])
        expect.that(len(warnings) == 1 and "journal may not be up to date" in warnings[0], f"{verb}: {warnings}")
        expect.contains(pool.plain(*verb).errors, "note: the journal may not be up to date")
    expect.absent(pool.fp("list").envelope, "warnings")


def test_what_may_take_long_tells_what_it_is_at(t):
    pool = t.pool("toy")
    for verb, step in ((("recover",), "looking for interrupted transactions"), (("--yes", "reset", "dev"), "resetting"),
                       (("-p", "dev", "undo"), "comparing"), (("-p", "dev", "undo", "--check"), "comparing")):
        lines = [json.loads(line) for line in pool.fp(*verb).errors.splitlines()]
        expect.contains([line["step"] for line in lines if line["schema"] == "flipper-profile/progress/1"], step)
    expect.equal(pool.plain("-q", "recover").errors, "", "progress with -q")


def test_escape_sequences_of_a_description_do_not_reach_the_terminal(t):
    pool = t.pool("toy")
    answer = pool.fp("set", "dev", "description=a\x1b[2Jb")
    if answer.status == 0:
        shown = pool.plain("info", "dev")
        expect.absent(shown.stdout, b"\x1b[2J")
    else:
        expect.status(answer, 1, 2)


def test_confirmation_without_a_terminal_is_status_3(t):
    pool = t.pool("toy")
    expect.status(pool.fp("delete", "dev"), 3)
    expect.equal([p["name"] for p in pool.ok("list")["profiles"]], ["dev"])
    expect.status(pool.fp("--yes", "delete", "dev"), 0)
