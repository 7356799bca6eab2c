"""Bases: added whole, read-only, verified, never removed while needed."""

import json
import os
import shutil
import tarfile

from lib import crash, expect, toy
from lib.process import run, run_ok
from oracle import tree


def _root(t, name="root"):
    root = t.path(name)
    os.mkdir(root)
    toy.make(root)
    return root


# What the product may add to a tree to make it a base: mount points and what entering needs.
ADDED = [b"/data", b"/etc/resolv.conf", b"/usr/sbin", b"/usr/sbin/policy-rc.d", b"/var/cache", b"/var/lib/systemd",
         b"/var/lib/apt", b"/var/lib/libvirt"]


def _unexpected(found):
    """Differences besides the additions and the times of the directories they stand in."""
    parents = {os.path.dirname(p) for p in ADDED + tree.STATE + tree.FOREIGN}
    return [d for d in found if not (d.aspect == "existence" and d.path in ADDED)
            and not (d.aspect == "mtime" and d.path in parents)]


def test_from_a_directory_it_is_equal_to_the_directory(t):
    pool = t.pool("toy")
    root = _root(t)
    pool.ok("base", "add", "v2", "--from-directory", root)
    with pool.top() as top:
        found = tree.compare(tree.read(root), tree.read(f"{top}/@base/v2"))
    expect.nothing(_unexpected(found), "differences of the base from its source")


def test_from_a_tar_it_is_equal_to_the_tree(t):
    pool = t.pool("toy")
    root = _root(t)
    with pool.top() as top:
        found = tree.compare(tree.read(root), tree.read(f"{top}/@base/v1"))
    expect.nothing(_unexpected(found), "differences of the base from its source")


def test_it_is_read_only(t):
    pool = t.pool("toy")
    with pool.top() as top:
        told = run_ok("btrfs", "property", "get", f"{top}/@base/v1", "ro").text
        expect.equal(told.strip(), "ro=true")


def test_list_and_info_agree(t):
    pool = t.pool("toy")
    listed = pool.ok("base", "list")["bases"]
    expect.equal([b["version"] for b in listed], ["v1"])
    expect.that(listed[0]["current"], "the only base is not current")
    info = pool.ok("base", "info", "v1")
    for key in ("uuid", "tree_hash", "highest_inode"):
        expect.equal(info[key], listed[0][key], key)


def test_verify_finds_a_changed_byte(t):
    pool = t.pool("toy")
    expect.status(pool.fp("base", "verify", "v1"), 0)
    with pool.top() as top:
        run_ok("btrfs", "property", "set", "-f", f"{top}/@base/v1", "ro", "false")
        with open(f"{top}/@base/v1/etc/hostname", "r+b") as f:
            f.write(b"T")
        run_ok("btrfs", "property", "set", f"{top}/@base/v1", "ro", "true")
    expect.status(pool.fp("base", "verify", "v1"), 4)


def test_a_needed_base_is_not_removed(t):
    pool = t.pool("toy")
    answer = expect.status(pool.fp("--yes", "base", "remove", "v1"), 1)
    expect.contains(answer.text, "dev")
    expect.equal([b["version"] for b in pool.ok("base", "list")["bases"]], ["v1"])


def test_a_base_in_the_trash_is_still_needed(t):
    pool = t.pool("toy")
    pool.ok("--yes", "delete", "dev")
    expect.status(pool.fp("--yes", "base", "remove", "v1"), 1)


def test_an_unneeded_base_is_removed(t):
    pool = t.pool("toy")
    pool.ok("base", "add", "v2", "--from-directory", _root(t))
    pool.ok("--yes", "base", "remove", "v2")
    with pool.top() as top:
        expect.that(not os.path.exists(f"{top}/@base/v2"), "the subvolume is still there")
        expect.nothing(os.listdir(f"{top}/@flipper/staging"), "left in staging")


def test_a_taken_version_is_refused(t):
    pool = t.pool("toy")
    expect.status(pool.fp("base", "add", "v1", "--from-directory", _root(t)), 1)


def test_a_base_above_the_inode_floor_is_refused(t):
    from lib import command, pools
    image = t.path("low.img")
    expect.status(command.call(t.program(), "--json", "pool", "create", image, "--size", "2G", "--inode-floor", "1024"),
                  0)
    root = _root(t)
    os.makedirs(f"{root}/many")
    for number in range(1200):
        open(f"{root}/many/{number}", "w", encoding="ascii").close()
    pool = pools.Pool(t, image)
    answer = expect.status(pool.fp("base", "add", "v1", "--from-directory", root), 1)
    expect.contains(answer.error["message"], "1024")
    expect.nothing(pool.ok("base", "list")["bases"], "bases after the refusal")


def test_a_cut_tar_leaves_nothing(t):
    pool = t.pool("toy")
    root = _root(t)
    whole = t.path("whole.tar")
    run_ok("tar", "-C", root, "-cf", whole, ".")
    os.truncate(whole, 30_000)
    expect.status(pool.fp("base", "add", "v2", "--from-tar", whole), 1)
    with pool.top() as top:
        expect.equal(sorted(os.listdir(f"{top}/@base")), ["current", "v1"])
        expect.nothing(os.listdir(f"{top}/@flipper/staging"), "left in staging")


def test_a_tar_cannot_write_outside_the_base(t):
    pool = t.pool("toy")
    evil = t.path("evil.tar")
    with tarfile.open(evil, "w") as archive:
        for name in ("../escaped", "/absolute-escaped"):
            archive.addfile(tarfile.TarInfo(name))
        link = tarfile.TarInfo("way")
        link.type, link.linkname = tarfile.SYMTYPE, "/tmp"
        archive.addfile(link)
        archive.addfile(tarfile.TarInfo("way/escaped-by-link"))
    pool.fp("base", "add", "v2", "--from-tar", evil)
    for path in ("/absolute-escaped", "/tmp/escaped-by-link"):
        expect.that(not os.path.lexists(path), f"{path} was written")
    with pool.top() as top:
        expect.equal(run("find", top, "-name", "escaped", "-not", "-path", "*/@base/v2/*").text, "")


def test_symlinks_of_a_base_lead_nowhere_on_the_host(t):
    """What we write into a base after it was unpacked follows its links inside of it."""
    pool = t.pool("toy")
    root, host = _root(t), t.path("host")
    directories = []
    for name in ("etc", "usr/sbin", "var/cache", "var/lib/libvirt", "srv"):
        os.makedirs(f"{host}/{name}")
        directories.append(f"{host}/{name}")
        if os.path.isdir(f"{root}/{name}"):
            shutil.rmtree(f"{root}/{name}")
        os.makedirs(os.path.dirname(f"{root}/{name}"), exist_ok=True)
        os.symlink(f"{host}/{name}", f"{root}/{name}")
    run_ok("tar", "-C", root, "-cf", t.path("links.tar"), ".")
    pool.ok("base", "add", "v2", "--from-tar", t.path("links.tar"))
    for directory in directories:
        expect.equal(os.listdir(directory), [], f"{directory} of the host")
    with pool.top() as top:
        expect.that(os.path.isdir(f"{top}/@base/v2{host}/var/cache/apt"), "not made where the link leads in the base")
    pool.ok("create", "linked", "--base", "v2")


def test_databases_that_only_the_host_has_are_not_read(t):
    pool = t.pool("toy")
    root = _root(t)
    os.rename(f"{root}/var/lib/dpkg", t.path("dpkg"))
    os.symlink(t.path("dpkg"), f"{root}/var/lib/dpkg")
    expect.contains(expect.status(pool.fp("base", "add", "v2", "--from-directory", root), 1).error["message"],
                    "var/lib/dpkg/status is missing")


def test_a_failure_after_the_name_was_given_or_taken_is_told_as_such(t):
    pool = t.pool("toy")
    add = ("base", "add", "v2", "--current", "--from-directory", _root(t))
    remove = ("--yes", "base", "remove", "v2")
    with_v2 = pool.copy("v2.img")
    with_v2.ok(*add)
    for start, args, place in ((pool, add, "@base/v2"), (with_v2, remove, "/base")):
        done = start.copy("done.img")
        points = crash.effects(done, *args)
        os.unlink(done.image)
        named = next(number for number, name, path in points if name == "rename" and path.endswith(place))
        old = crash.world(start)
        for number, name, _ in [point for point in points if point[0] > named]:
            copy = start.copy("full.img")
            answer = crash.at(copy, args, (number, name), "enospc")
            where = f"{args[-2]}: no space at effect {number}, {name}"
            expect.that(answer.status in (0, 1, 4), f"{where}\n{answer}")
            if answer.status == 1:
                expect.equal(crash.difference(old, crash.world(copy)), None, f"{where}: 1 says nothing changed")
                current = [b["version"] for b in copy.ok("base", "list")["bases"] if b["current"]]
                expect.equal(current, [b["version"] for b in start.ok("base", "list")["bases"] if b["current"]], where)
            else:
                expect.status(copy.fp("recover"), 0)
                expect.status(copy.fp("pool", "check"), 0)
                expect.that(copy.ok("pool", "info")["current_base"] in (None, "v1", "v2"), where)
            os.unlink(copy.image)


def test_something_that_is_no_debian_root_is_refused(t):
    pool = t.pool("toy")
    os.mkdir(t.path("nothing"))
    expect.status(pool.fp("base", "add", "v2", "--from-directory", t.path("nothing")), 1)
    expect.status(pool.fp("base", "add", "v2", "--from-directory", t.path("missing")), 1)


def test_pins_carry_version_and_tree_hash(t):
    pool = t.pool("toy")
    shown = pool.ok("base", "info", "v1")
    with pool.top() as top:
        _, profile = pool.profile_file(top, "dev")
    expect.equal(profile["base"], {"version": "v1", "tree_hash": shown["tree_hash"]})
    json.dumps(profile)
