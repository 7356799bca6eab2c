"""history, show, diff: what they say against a walk of both trees."""

import re

from lib import command, expect
from lib.session import Terminal
from oracle import tree

PACKAGES = ("fpt-conf=1", "fpt-links", "fpt-odd", "fpt-modes", "fpt-nodes", "fpt-reopaque", "fpt-divert",
            "fpt-dirfile=2", "fpt-user")


def _told(changes):
    return {command.path_of(c) for c in changes}


def _walked(pool, row):
    """Paths that differ between the transaction's snapshots, by reading both merged trees."""
    with pool.top() as top:
        _, content = pool.profile_file(top, "dev")
    readings = []
    for name in (row["pre"], row["post"]):
        with pool.merged_snapshot(f"{content['id']}/{name.rsplit('/', 1)[-1]}") as view:
            readings.append(tree.read(view))
    return set(tree.changed_paths(*readings))


def test_changes_are_those_of_a_walk_of_both_trees(t):
    pool = t.pool("mini")
    expect.status(pool.install(*PACKAGES), 0)
    row = pool.newest()
    told = _told(pool.ok("-p", "dev", "diff", str(row["number"]))["changes"])
    walked = _walked(pool, row)
    expect.nothing(sorted(walked - told), "changed paths that diff does not tell")
    expect.nothing(sorted(told - walked), "paths told by diff that did not change")


def test_a_removal_tells_every_removed_path(t):
    pool = t.pool("mini")
    pool.install("fpt-opaque", "fpt-conf=1", "fpt-odd")
    expect.status(pool.apt("purge", "fpt-opaque", "fpt-conf", "fpt-odd"), 0)
    row = pool.newest()
    told, walked = _told(pool.ok("-p", "dev", "diff", str(row["number"]))["changes"]), _walked(pool, row)
    expect.equal(sorted(told ^ walked), [], "paths told and walked")


def test_a_text_file_has_a_unified_diff(t):
    pool = t.pool("mini")
    pool.install("fpt-conf=1")
    pool.install("fpt-conf=2")
    text = pool.plain("-p", "dev", "diff", str(pool.newest()["number"]), "/etc/fpt/main.conf").text
    for line in ("-version = 1", "+version = 2", "@@ -7,7 +7,7 @@"):
        expect.contains(text.splitlines(), line)


def test_changes_of_mode_owner_and_type_are_told_as_what_they_are(t):
    pool = t.pool("mini")
    change = ("cat > /dev/null; cd /usr/share; chmod 0711 fpt-opaque/d/one; chown 33:44 fpt-opaque/d/two; "
              "rm -r fpt-dirlink/d; ln -s real fpt-dirlink/d")
    answer = pool.run("dev", "apt-get", "-q", "-y", "-o", f"DPkg::Pre-Install-Pkgs::=sh -c '{change}'", "install",
                      "fpt-hello=1")
    expect.status(answer, 0)
    number = str(pool.newest()["number"])
    told = {command.path_of(c): c for c in pool.ok("-p", "dev", "diff", number)["changes"]}
    for path, kind, detail in (("fpt-opaque/d/one", "metadata", "mode 0644 -> 0711"),
                               ("fpt-opaque/d/two", "metadata", "owner 0:0 -> 33:44"),
                               ("fpt-dirlink/d", "type", "directory -> symlink")):
        change = told[f"/usr/share/{path}".encode()]
        expect.equal(change["change"], kind, f"what happened to {path}")
        expect.contains(str(change["details"]), detail)
        expect.contains(pool.plain("-p", "dev", "diff", number, f"/usr/share/{path}").text, detail)


def test_diff_of_one_path_tells_only_that(t):
    pool = t.pool("mini")
    pool.install(*PACKAGES)
    number = str(pool.newest()["number"])
    told = _told(pool.ok("-p", "dev", "diff", number, "/etc/fpt")["changes"])
    expect.that(told and all(p == b"/etc/fpt" or p.startswith(b"/etc/fpt/") for p in told), told)


def test_diff_never_sends_escape_sequences_to_a_terminal(t):
    pool = t.pool("mini")
    pool.install("fpt-odd")
    # Without standard error, on which a terminal sees that the command is at work.
    call = f"exec {t.program()} --pool {pool.image} -p dev diff {pool.newest()['number']} 2>/dev/null"
    terminal = Terminal(["sh", "-c", call], command.environment({"TERM": "xterm"}))
    terminal.finish()
    shown = terminal.text.replace(b"\r\n", b"\n")
    expect.contains(shown.decode(errors="replace"), "fpt-odd/tab")
    expect.that(not re.search(rb"[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f]", shown.replace(b"\t", b"")), "control characters")
    # The name of one file is a sequence that colours; what diff colours itself ends in m too, at the line's beginning.
    expect.absent(shown, b"esc\x1b[31m")


def test_history_by_package_and_by_path(t):
    pool = t.pool("mini")
    pool.install("fpt-conf=1")
    pool.install("fpt-links")
    pool.install("fpt-conf=2")
    numbers = [r["number"] for r in pool.history()]
    expect.equal([r["number"] for r in pool.history("dev", "--package", "fpt-conf")], [numbers[0], numbers[2]])
    expect.equal([r["number"] for r in pool.history("dev", "--path", "/etc/fpt/main.conf")], [numbers[0], numbers[2]])
    expect.equal([r["number"] for r in pool.history("dev", "--limit", "1")], [numbers[0]])


def test_numbers_grow_and_are_pool_wide(t):
    pool = t.pool("mini")
    pool.ok("create", "other")
    pool.install("fpt-hello=1")
    pool.install("fpt-hello=1", profile="other")
    pool.install("fpt-links")
    dev, other = [r["number"] for r in pool.history()], [r["number"] for r in pool.history("other") if r["kind"] == "apt"]
    expect.that(dev[-1] < other[0] < dev[0], f"dev {dev}, other {other}")


def test_status_of_a_quiet_profile(t):
    status = t.pool("mini").ok("-p", "dev", "status")
    expect.equal((status["profile_name"], status["base"], status["interrupted"], status["unprotected"]), ("dev", "v1", [], []))


def test_the_plain_history_is_readable(t):
    pool = t.pool("mini")
    pool.install("fpt-hello=1")
    text = pool.plain("-p", "dev", "history").text
    expect.contains(text, "fpt-hello")
    expect.that(all(len(line) < 200 for line in text.splitlines()), "a line of 200 characters")


def test_diff_of_several_transactions_is_from_before_the_first_to_after_the_last(t):
    pool = t.pool("mini")
    numbers = []
    for package in ("fpt-conf=1", "fpt-links", "fpt-conf=2"):
        expect.status(pool.install(package), 0)
        numbers.append(pool.newest()["number"])
    pool.shell("dev", "echo mine >> /etc/fpt/main.conf")
    first, _, last = numbers
    result = pool.ok("-p", "dev", "diff", f"{first}..{last}")
    expect.equal((result["transaction"], result["last"]), (first, last))
    walked = _walked(pool, {"pre": pool.history()[2]["pre"], "post": pool.history()[0]["post"]})
    expect.equal(sorted(_told(result["changes"]) ^ walked), [], "paths told and walked")
    text = pool.plain("-p", "dev", "diff", f"{first}..{last}", "/etc/fpt/main.conf").text
    expect.contains(text, f"--- {first}-pre/etc/fpt/main.conf\n+++ {last}-post/etc/fpt/main.conf\n")
    expect.contains(text, "+version = 2")
    expect.that("mine" not in text and "version = 1" not in text, text)
    expect.status(pool.fp("-p", "dev", "diff", f"{last}..{first}"), 2)
    created = pool.ok("-p", "dev", "history")["transactions"][-1]["number"]
    expect.status(pool.fp("-p", "dev", "diff", f"{created}..{last}"), 1)
