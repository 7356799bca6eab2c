"""State paths: seeded whole or not at all, never an empty directory over somebody's data."""

import os

from lib import expect, session

COPYING = "copy-the-rest-of-tree"


def _in_state(pool, path):
    """What a directory of the profile's state holds, or None."""
    with pool.top() as top:
        _, content = pool.profile_file(top, "dev")
        place = f"{top}/@state/{content['id']}/{path}"
        return sorted(os.listdir(place)) if os.path.isdir(place) else None


def test_a_state_path_whose_directory_comes_later_keeps_what_is_in_it(t):
    pool = t.pool("mini")
    pool.ok("set", "dev", "state-paths=/var/lib/toydb")
    pool.run_ok("dev", "true")
    expect.equal(_in_state(pool, "var/lib/toydb"), None, "state without a place in the profile")
    # As a package's script does; the path is no mount point in this session.
    pool.shell("dev", "mkdir -m 750 /var/lib/toydb; chown 33 /var/lib/toydb; echo rows > /var/lib/toydb/data")
    seen = pool.shell("dev", "cat /var/lib/toydb/data; stat -c '%a %u' /var/lib/toydb; echo more > /var/lib/toydb/new")
    expect.equal(seen.text, "rows\n750 33\n")
    expect.equal(_in_state(pool, "var/lib/toydb"), ["data", "new"])
    with pool.merged() as view:
        expect.equal(os.listdir(f"{view}/var/lib/toydb"), ["data"], "what became state was written to the upper")


def test_a_seeding_that_is_cut_leaves_no_half_copy(t):
    pool = t.pool("mini")
    pool.shell("dev", "mkdir /opt/db; for i in 1 2 3; do echo $i > /opt/db/$i; done")
    pool.ok("set", "dev", "state-paths=/opt/db")
    for action in ("enospc", "kill"):
        fault = {"FLIPPER_FAULT_AT": COPYING, "FLIPPER_FAULT_ACTION": action}
        expect.status(pool.run("dev", "true", env=fault), 125)
        expect.equal(_in_state(pool, "opt/db"), None, f"after {action}")
    expect.equal(_in_state(pool, ".flipper-seeding"), ["0"], "what was cut")
    seen = pool.shell("dev", "cat /opt/db/*; grep -c ' /opt/db ' /proc/self/mountinfo").text
    expect.equal(seen, "1\n2\n3\n1\n")
    expect.equal(_in_state(pool, ".flipper-seeding"), None, "what a cut seeding left")


def test_a_power_cut_while_state_gets_its_place_loses_nothing(t):
    from lib import crash
    pool = t.pool("mini")
    pool.shell("dev", "mkdir /opt/db; for i in 1 2 3; do echo $i > /opt/db/$i; done")
    pool.ok("set", "dev", "state-paths=/opt/db")
    trace = t.path("trace")
    probe = pool.copy("probe.img")
    probe.run_ok("dev", "true", env={"FLIPPER_FAULT_TRACE": trace})
    os.unlink(probe.image)
    with open(trace, encoding="utf-8") as f:
        found = [line.split(" ", 2) for line in f]
    place = next(number for number, name, path in found if name == "rename" and path.rstrip().endswith("/db"))
    again = next(number for number, name, _ in found if name.startswith("commit") and int(number) > int(place))
    for number in (place, again):
        tried = pool.copy("tried.img")
        cut = crash.power_cut(tried, ("run", "dev", "--", "true"), int(number), "cut.img")
        expect.equal(cut.shell("dev", "cat /opt/db/*").text, "1\n2\n3\n", f"cut before effect {number}")
        os.unlink(tried.image)
        os.unlink(cut.image)


def test_paths_that_cannot_be_state_are_refused(t):
    pool = t.pool("mini")
    pool.shell("dev", "mkdir -p /data/ann; ln -s /data/ann /home/ann; ln -s /etc /settings; ln -s /home /people")
    before = pool.ok("info", "dev")
    for path in ("/home/x", "/home/ann/.cache", "/var/log", "/var/cache", "/lib", "/bin", "/sbin", "/var/run/x",
                 "/settings", "/settings/new", "/people/x", "/opt/a,/opt/a/b"):
        answer = expect.status(pool.fp("set", "dev", f"state-paths={path}"), 2)
        expect.equal(answer.error["situation"], "setting", path)
    expect.equal(pool.ok("info", "dev"), before)
    with session.inside(pool):
        pool.ok("set", "dev", "state-paths=/opt/a,/opt/b")


def test_a_clone_without_state_has_the_directories_of_its_packages(t):
    """What a package has below /var/log stands in the state alone: the upper has none of it."""
    pool = t.pool("mini")
    pool.shell("dev", """
        mkdir -m 750 /var/log/toyd; chown 33:4 /var/log/toyd; echo line > /var/log/toyd/log; mkdir /var/log/mine
        echo /var/log/toyd > /var/lib/dpkg/info/toyd.list; echo mine > /root/mine""")
    pool.ok("clone", "dev", "bare", "--no-state")
    seen = pool.shell("bare", "stat -c '%a %u:%g' /var/log/toyd; ls /var/log/toyd; ls -d /var/log/mine /root/mine || :")
    expect.equal(seen.text, "750 33:4\n")
    expect.equal(pool.shell("bare", "ls -d /root/.bashrc /var/log/apt").text, "/root/.bashrc\n/var/log/apt\n")


def test_a_shared_home_is_one_for_all_who_share_it(t):
    pool = t.pool("mini")
    for name in ("tv", "alone"):
        pool.ok("create", name)
    for name in ("dev", "tv"):
        pool.ok("set", name, "home=shared")
    pool.shell("dev", "mkdir /home/ann; echo film > /home/ann/list")
    expect.equal(pool.shell("tv", "cat /home/ann/list").text, "film\n")
    expect.status(pool.run("alone", "test", "-e", "/home/ann"), 1)
    # It is nobody's to empty, and nothing of it is rewound.
    pool.ok("--yes", "reset", "tv", "--all")
    expect.equal(pool.shell("dev", "cat /home/ann/list").text, "film\n")
    with pool.top() as top:
        expect.that(os.path.exists(f"{top}/@data/home/ann/list"), "it does not live in @data")
