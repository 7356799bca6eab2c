"""What changes no package gives no transaction and no snapshot."""

import os

from lib import expect


def _unchanged(pool):
    expect.nothing(pool.history(), "transactions")
    with pool.top() as top:
        _, content = pool.profile_file(top, "dev")
        expect.equal(os.listdir(f"{top}/@snapshots/{content['id']}"), ["origin"], "snapshots")


def test_simulation(t):
    pool = t.pool("mini")
    expect.status(pool.apt("-s", "install", "fpt-hello"), 0)
    _unchanged(pool)


def test_download_only(t):
    pool = t.pool("mini")
    expect.status(pool.apt("-d", "install", "fpt-hello"), 0)
    _unchanged(pool)


def test_print_uris(t):
    pool = t.pool("mini")
    expect.status(pool.apt("--print-uris", "install", "fpt-hello"), 0)
    _unchanged(pool)


def test_already_newest(t):
    pool = t.pool("mini")
    expect.status(pool.apt("install", "dpkg"), 0)
    expect.status(pool.apt("upgrade"), 0)
    expect.status(pool.apt("autoremove"), 0)
    _unchanged(pool)


def test_update_and_queries(t):
    pool = t.pool("mini")
    expect.status(pool.apt("update"), 0)
    for words in (("dpkg", "-l"), ("dpkg", "--audit"), ("dpkg", "--verify"), ("dpkg", "--no-act", "-r", "apt"),
                  ("apt-cache", "policy")):
        pool.run("dev", *words)
    _unchanged(pool)


def test_a_dpkg_that_refuses_before_acting(t):
    pool = t.pool("mini")
    expect.status(pool.run("dev", "dpkg", "-i", "/nonexistent.deb"), 1, 2)
    expect.status(pool.run("dev", "dpkg", "-r", "no-such-package"), 0, 1)
    _unchanged(pool)


def test_configure_with_nothing_to_configure(t):
    pool = t.pool("mini")
    expect.status(pool.run("dev", "dpkg", "--configure", "-a"), 0)
    _unchanged(pool)


def test_apt_debug_that_does_nothing(t):
    pool = t.pool("mini")
    pool.apt("-o", "Debug::pkgDPkgPM=1", "install", "fpt-hello")
    _unchanged(pool)


def test_marks_made_outside_are_noticed_at_the_next_transaction(t):
    pool = t.pool("mini")
    pool.install("fpt-app")
    expect.status(pool.run("dev", "apt-mark", "manual", "fpt-lib"), 0)
    expect.status(pool.run("dev", "apt-mark", "hold", "fpt-app"), 0)
    expect.equal(len(pool.history()), 1, "transactions after apt-mark")
    pool.install("fpt-hello=1")
    noticed = " ".join(str(n) for n in pool.newest()["noticed"])
    expect.contains(noticed, "fpt-lib")
    expect.contains(noticed, "fpt-app")


def test_a_chroot_inside_a_profile_takes_no_snapshot(t):
    """Image builds run apt with our apt.conf in a tree that is not the profile."""
    pool = t.pool("mini")
    pool.shell("dev", "mkdir -p /srv/root && tar -C / --one-file-system --exclude=./srv --exclude=./opt/fpt/product "
               "-cf - . ./var/lib/apt/lists ./var/log/apt ./var/cache/apt | tar -C /srv/root -xf -")
    expect.status(pool.run("dev", "chroot", "/srv/root", "apt-get", "-q", "-y", "install", "fpt-hello=1"), 0)
    expect.status(pool.run("dev", "chroot", "/srv/root", "dpkg", "-r", "fpt-hello"), 0)
    _unchanged(pool)
