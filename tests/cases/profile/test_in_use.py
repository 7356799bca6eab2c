"""Nothing that is in use is deleted or replaced; nothing is mounted twice."""

import os

from lib import expect, session
from lib.process import kill_descendants, run, run_ok, wait_until


def _overlays(pool):
    """(mount namespace, device) of every overlay of this pool's profile, in every namespace that can be seen."""
    with pool.top() as top:
        directory, _ = pool.profile_file(top, "dev")
        shown = run_ok("btrfs", "subvolume", "show", directory).text
    uuid = next(line.split()[1] for line in shown.splitlines() if line.strip().startswith("UUID:"))
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                space = os.readlink(f"/proc/{name}/ns/mnt")
                with open(f"/proc/{name}/mountinfo", encoding="utf-8", errors="replace") as f:
                    lines = [line for line in f if f" - overlay flipper-profile:{uuid}" in line]
            except OSError:
                continue
            for line in lines:
                found[space, line.split()[2]] = line
    return found


def test_an_entered_profile_is_not_deleted(t):
    pool = t.pool("mini")
    with session.inside(pool) as inside:
        answer = expect.status(pool.fp("--yes", "delete", "dev"), 1)
        expect.that(answer.error["hint"], "no hint")
        expect.contains(inside.say("cat /etc/debian_version"), "13")
    expect.status(pool.fp("--yes", "delete", "dev"), 0)


def test_an_entered_profile_is_not_reset(t):
    pool = t.pool("mini")
    with session.inside(pool):
        expect.status(pool.fp("--yes", "reset", "dev"), 1)


def test_an_entered_profile_can_be_renamed(t):
    pool = t.pool("mini")
    with session.inside(pool) as inside:
        pool.ok("rename", "dev", "router")
        expect.contains(inside.say("cat /etc/debian_version"), "13")
        expect.equal(pool.run_ok("router", "cat", "/proc/1/comm").status, 0)


def test_a_second_entry_joins_the_first_namespace(t):
    pool = t.pool("mini")
    with session.inside(pool) as inside:
        inside.say("echo here > /tmp/from-first; echo x > /run/from-first")
        first = inside.say("readlink /proc/self/ns/mnt").strip()
        expect.equal(pool.run_ok("dev", "readlink", "/proc/self/ns/mnt").text.strip(), first)
        expect.equal(pool.run_ok("dev", "cat", "/run/from-first").text, "x\n")


def test_one_upper_is_mounted_once(t):
    pool = t.pool("mini")
    with session.inside(pool), session.inside(pool), session.inside(pool):
        devices = {device for _, device in _overlays(pool)}
        expect.equal(len(devices), 1, "overlay filesystems of this profile")


def test_a_killed_entry_leaves_nothing_mounted(t):
    pool = t.pool("mini")
    inside = session.Session(pool)
    inside.say("true")
    kill_descendants()
    inside.child.wait(30)
    wait_until(lambda: not _overlays(pool), what="overlays after the kill")
    expect.status(pool.fp("recover"), 0)
    expect.status(pool.run("dev", "true"), 0)
    expect.status(pool.fp("--yes", "delete", "dev"), 0)


def test_killing_the_command_alone_leaves_a_usable_profile(t):
    pool = t.pool("mini")
    inside = session.Session(pool)
    inside.kill()
    expect.status(pool.run("dev", "true"), 0)


def test_the_overlay_has_the_forced_options(t):
    pool = t.pool("mini")
    with session.inside(pool) as inside:
        line = inside.say("grep ' / / ' /proc/self/mountinfo | tail -1")
    for option in ("redirect_dir=nofollow", "metacopy=on", "index=on", "nfs_export=on", "xino=on", "userxattr",
                   "volatile"):
        if option == "redirect_dir=nofollow":
            expect.contains(line, option)
        else:
            expect.absent(line, option)
    expect.contains(line, "flipper-profile:")


def test_a_base_below_an_entered_profile_is_not_removed(t):
    pool = t.pool("mini")
    with session.inside(pool):
        expect.status(pool.fp("--yes", "base", "remove", "v1"), 1)


def test_nothing_stays_mounted_in_the_callers_namespace(t):
    pool = t.pool("mini")
    before = open("/proc/self/mountinfo", encoding="utf-8").read()
    with session.inside(pool):
        expect.equal(open("/proc/self/mountinfo", encoding="utf-8").read(), before)
    wait_until(lambda: run("losetup", "-j", pool.image).text == "", 10, "detaching of the image")
