"""create, list, info, clone, rename, delete, reset, set."""

import os

from lib import command, expect, pools, session
from lib.process import run_ok
from lib.session import Terminal


def _names(pool):
    return sorted(p["name"] for p in pool.ok("list")["profiles"])


def _write(pool, profile, path, content):
    """Puts a file into a profile that is mounted nowhere, as an overlay would."""
    with pool.top() as top:
        directory, _ = pool.profile_file(top, profile)
        target = f"{directory}/upper/{path}"
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "w", encoding="utf-8") as f:
            f.write(content)


def _upper(pool, profile):
    with pool.top() as top:
        directory, _ = pool.profile_file(top, profile)
        return sorted(os.listdir(f"{directory}/upper"))


def test_create_makes_a_profile_over_the_current_base(t):
    pool = t.pool("toy")
    made = pool.ok("create", "tv")
    info = pool.ok("info", "tv")
    expect.equal((info["name"], info["kind"], info["base"], info["id"]), ("tv", "user", "v1", made["id"]))
    expect.that(len(made["id"]) == 8 and made["id"].isalnum(), f"id {made['id']}")
    expect.equal(_names(pool), ["dev", "tv"])


def test_info_tells_all_the_fields_of_the_issue(t):
    info = t.pool("toy").ok("info", "dev")
    for key in ("id", "name", "kind", "base", "origin", "created", "modified", "size", "transactions", "last_command"):
        expect.contains(info, key)


def test_a_profile_has_a_guard_against_plain_deletion(t):
    from lib.process import run
    pool = t.pool("toy")
    with pool.top() as top:
        directory, _ = pool.profile_file(top, "dev")
        expect.that(run("btrfs", "subvolume", "delete", directory).status != 0, "btrfs deleted the profile")
        expect.that(os.path.isdir(f"{directory}/upper"), "the upper is gone")


def test_every_profile_has_an_origin_snapshot(t):
    pool = t.pool("toy")
    with pool.top() as top:
        _, content = pool.profile_file(top, "dev")
        expect.that(os.path.isdir(f"{top}/@snapshots/{content['id']}/origin/upper"), "no origin snapshot")


def test_clone_carries_files_and_starts_its_own_history(t):
    pool = t.pool("toy")
    _write(pool, "dev", "etc/mine", "mine\n")
    pool.ok("clone", "dev", "copy")
    expect.equal(_upper(pool, "copy"), ["etc"])
    _write(pool, "copy", "etc/other", "other\n")
    with pool.top() as top:
        directory, _ = pool.profile_file(top, "dev")
        expect.equal(os.listdir(f"{directory}/upper/etc"), ["mine"])
    rows = pool.history("copy")
    expect.equal([r["kind"] for r in rows], ["clone"])


def test_clone_snapshots_the_state_unless_told_not_to(t):
    pool = t.pool("toy")
    with pool.top() as top:
        _, content = pool.profile_file(top, "dev")
        homes = [p for p in ("home", "@home") if os.path.isdir(f"{top}/@state/{content['id']}/{p}")]
        expect.that(homes, f"no home in @state: {os.listdir(top + '/@state/' + content['id'])}")
        with open(f"{top}/@state/{content['id']}/{homes[0]}/note", "w", encoding="ascii") as f:
            f.write("x")
    with_state = pool.ok("clone", "dev", "one")["id"]
    without = pool.ok("clone", "dev", "two", "--no-state")["id"]
    with pool.top() as top:
        expect.that(os.path.exists(f"{top}/@state/{with_state}/{homes[0]}/note"), "the state was not cloned")
        expect.that(not os.path.exists(f"{top}/@state/{without}/{homes[0]}/note"), "--no-state cloned the state")


def test_rename_changes_the_name_alone(t):
    pool = t.pool("toy")
    before = pool.ok("info", "dev")
    pool.ok("rename", "dev", "router")
    after = pool.ok("info", "router")
    for key in ("id", "base", "origin", "created", "kind"):
        expect.equal(after[key], before[key], key)
    expect.equal(_names(pool), ["router"])


def test_delete_goes_to_the_trash_and_undo_brings_it_back(t):
    pool = t.pool("toy")
    _write(pool, "dev", "etc/mine", "mine\n")
    profile = pool.ok("info", "dev")["id"]
    number = pool.ok("--yes", "delete", "dev")["transaction"]
    expect.equal(_names(pool), [])
    pool.ok("--yes", "-p", profile, "undo", str(number))
    expect.equal(_names(pool), ["dev"])
    expect.equal(_upper(pool, "dev"), ["etc"])


def test_what_was_deleted_is_collected_only_when_asked(t):
    """What a look says would go is what goes; the rest of the pool stays."""
    pool = t.pool("toy")
    _write(pool, "dev", "etc/mine", "mine\n")
    pool.ok("clone", "dev", "kept")
    profile = pool.ok("info", "dev")["id"]
    number = pool.ok("--yes", "delete", "dev")["transaction"]
    with pool.top() as top:
        _, content = pool.profile_file(top, "kept")
        snapshots = f"{top}/@snapshots/{content['id']}"
        run_ok("btrfs", "-q", "subvolume", "snapshot", "-r", f"{snapshots}/origin", f"{snapshots}/4711-pre")
    would = pool.ok("pool", "gc", "--dry-run")
    expect.equal(len(would["collected"]), 3, "the profile, its snapshots, and one that no transaction has")
    with pool.top() as top:
        expect.equal(os.listdir(f"{top}/@flipper/trash"), [str(number)])
    asked = expect.status(pool.fp("pool", "gc"), 3)
    expect.equal(asked.error["situation"], "confirmation-needed")
    listed = [line.strip() for line in asked.error["details"]]
    for lost in (f"what transaction {number} (flipper-profile", f"the snapshots of the former profile {profile}"):
        expect.that(any(line.startswith(lost) for line in listed), f"{lost} is not in {listed}")
    with pool.top() as top:
        expect.equal(os.listdir(f"{top}/@flipper/trash"), [str(number)], "trash after a question without an answer")
        expect.that(os.path.exists(f"{top}/@snapshots/{profile}"), "the snapshots went without an answer")
    expect.equal(pool.ok("--yes", "pool", "gc")["collected"], would["collected"])
    with pool.top() as top:
        expect.nothing(os.listdir(f"{top}/@flipper/trash"), "left in the trash")
        expect.that(not os.path.exists(f"{top}/@snapshots/{profile}"), "snapshots of a collected profile")
        expect.equal(os.listdir(f"{top}/@snapshots/{content['id']}"), ["origin"], "snapshots of the other one")
    expect.nothing(pool.ok("pool", "gc")["collected"], "left to collect, and asked about")
    expect.status(pool.fp("--yes", "-p", profile, "undo", str(number)), 1)
    expect.equal(_names(pool), ["kept"])
    expect.equal(_upper(pool, "kept"), ["etc"])
    expect.equal(pool.ok("pool", "check")["problems"], [])


def test_a_deleted_name_can_be_used_again(t):
    pool = t.pool("toy")
    first = pool.ok("info", "dev")["id"]
    pool.ok("--yes", "delete", "dev")
    expect.that(pool.ok("create", "dev")["id"] != first, "an id was used twice")


def test_reset_empties_the_profile_and_can_be_undone(t):
    pool = t.pool("toy")
    _write(pool, "dev", "etc/mine", "mine\n")
    before = pool.reading()
    pool.ok("--yes", "reset", "dev")
    expect.equal(_upper(pool, "dev"), [])
    expect.equal(pool.newest()["kind"], "reset")
    pool.ok("--yes", "-p", "dev", "undo")
    from oracle import tree
    expect.nothing(tree.compare(before, pool.reading()), "differences after the undo of a reset")


def test_what_is_deleted_while_gc_asks_is_not_collected(t):
    pool = t.pool("toy")
    for name in ("first", "second"):
        pool.ok("clone", "dev", name)
    pool.ok("--yes", "delete", "first")
    asking = Terminal([t.program(), "--pool", pool.image, "pool", "gc"], command.environment({"TERM": "dumb"}))
    asking.wait_for("Collect it?")
    number = pool.ok("--yes", "delete", "second")["transaction"]
    asking.type(b"y\n")
    expect.equal(asking.finish(), 0)
    expect.contains(asking.text.decode(), "it came after the list")
    pool.ok("--yes", "undo", str(number))
    expect.equal(sorted(_names(pool)), ["dev", "second"])


def test_reset_tells_what_it_empties_before_it_is_confirmed(t):
    pool = t.pool("toy")
    pool.ok("set", "dev", "state-paths=/var/lib/mine")
    for words, kept in (((), ["/home", "/root"]), (("--all",), [])):
        asked = expect.status(pool.fp("reset", "dev", *words), 3).error
        lines = dict(line.strip().split(": ", 1) for line in asked["details"] if ": " in line)
        expect.equal(lines.get("kept", "").split(", ") if kept else lines.get("kept"), kept or None, f"kept by {words}")
        emptied = lines["emptied"].split(", ")
        for path in ("/srv", "/swap", "/var/lib/containers", "/var/lib/docker", "/var/lib/mine", "/var/log"):
            expect.contains(emptied, path)
        expect.equal({"/home", "/root"} & set(emptied), {"/home", "/root"} - set(kept), f"emptied by {words}")
        expect.that(any("undo" in line and "pool gc" in line for line in asked["details"]), asked["details"])
    expect.absent([row["kind"] for row in pool.history()], "reset", "kinds")


def test_the_undo_of_a_reset_rewinds_no_state(t):
    """What was written after the reset stays, what the reset emptied comes back; not beside a mounted profile."""
    pool = t.pool("mini")
    pool.shell("dev", "echo before > /srv/emptied; echo before > /home/kept; echo mine > /etc/mine")
    pool.ok("--yes", "reset", "dev")
    pool.shell("dev", "test ! -e /srv/emptied; echo after > /home/thesis; echo after > /srv/new")
    with session.inside(pool):
        answer = pool.fp("--yes", "-p", "dev", "undo")
        expect.status(answer, 1)
        expect.contains(answer.text, "leave the profile first")
    pool.ok("--yes", "-p", "dev", "undo")
    expect.equal(pool.shell("dev", "cat /srv/emptied /home/kept /home/thesis /srv/new /etc/mine").text.split(),
                 ["before", "before", "after", "after", "mine"])


def test_the_undo_of_a_reset_brings_a_state_directory_back_as_it_was(t):
    """One that the base has not: with the reset it went whole."""
    pool = t.pool("mini")
    pool.shell("dev", "install -d -m 0700 -o 33 -g 44 /opt/db; echo row > /opt/db/table")
    pool.ok("set", "dev", "state-paths=/opt/db")
    pool.run_ok("dev", "true")
    pool.ok("--yes", "reset", "dev")
    pool.ok("--yes", "-p", "dev", "undo")
    expect.equal(pool.shell("dev", "stat -c '%a %u:%g' /opt/db; cat /opt/db/table").text, "700 33:44\nrow\n")


def test_a_reset_keeps_a_state_path_in_a_home(t):
    """One below /home is refused today, but a profile may have it from before."""
    pool = t.pool("toy")
    with pool.top() as top:
        former = {"policies": {"state-paths": "/home/work,/opt/work"}}
        directory, content = pool.profile_file(top, "dev")
        pools.edit_json(f"{directory}/profile.json", lambda content: content.update(former))
        state = f"{top}/@state/{content['id']}"
        for place in ("home/work", "opt/work"):
            os.makedirs(f"{state}/{place}")
            open(f"{state}/{place}/note", "w", encoding="ascii").close()
    pool.ok("--yes", "reset", "dev")
    with pool.top() as top:
        state = f"{top}/@state/{content['id']}"
        expect.equal(os.listdir(f"{state}/home/work"), ["note"])
        # The base has no /opt/work; it is seeded when the profile has.
        expect.that(not os.path.exists(f"{state}/opt/work"), "/opt/work was kept")
    pool.ok("--yes", "reset", "dev", "--all")
    with pool.top() as top:
        expect.nothing(os.listdir(f"{top}/@state/{content['id']}/home"), "kept by reset --all")


def test_built_in_profiles_are_only_cloned_and_reset(t):
    pool = t.pool("toy")
    pool.ok("create", "minimal", "--built-in")
    expect.status(pool.fp("--yes", "delete", "minimal"), 1)
    expect.status(pool.fp("rename", "minimal", "x"), 1)
    pool.ok("--yes", "reset", "minimal")
    clone = pool.ok("clone", "minimal", "mine")
    expect.equal(pool.ok("info", clone["id"])["kind"], "user")


def test_set_changes_the_description(t):
    pool = t.pool("toy")
    pool.ok("set", "dev", "description=the box below the screen")
    expect.equal(pool.ok("info", "dev")["description"], "the box below the screen")


def test_set_refuses_unknown_keys(t):
    pool = t.pool("toy")
    expect.status(pool.fp("set", "dev", "colour=red"), 1, 2)


def test_profiles_are_snapshots_of_the_template(t):
    pool = t.pool("toy")
    with pool.top() as top:
        directory, _ = pool.profile_file(top, "dev")
        expect.that(os.stat(f"{directory}/upper").st_ino >= 1 << 17, "the upper is below the inode floor")


def test_the_metadata_of_a_profile_keeps_fields_of_a_newer_tool(t):
    pool = t.pool("toy")
    with pool.top() as top:
        directory, _ = pool.profile_file(top, "dev")
        pools.edit_json(f"{directory}/profile.json", lambda content: content.update(colour={"of": "tomorrow"}))
    pool.ok("rename", "dev", "router")
    with pool.top() as top:
        _, content = pool.profile_file(top, "router")
    expect.equal(content.get("colour"), {"of": "tomorrow"})
