"""A base directory that a package replaces: dpkg alone fails on an overlay, with the hook it works."""

from lib import expect
from oracle import tree


def differences_but_the_time(before, after):
    """A preparation that was cut and taken back has touched the directory that it stands in: its time may differ."""
    return [d for d in tree.compare(before, after) if (d.path, d.aspect) != (b"/usr/share/fpt-dirfile", "mtime")]


def _kind(pool, path):
    return pool.run_ok("dev", "stat", "-c", "%F", path).text.strip()


def test_by_a_file_with_apt(t):
    pool = t.pool("mini")
    expect.status(pool.install("fpt-dirfile=2"), 0)
    expect.equal(_kind(pool, "/usr/share/fpt-dirfile/e"), "regular file")


def test_by_a_file_with_bare_dpkg(t):
    pool = t.pool("mini")
    expect.status(pool.run("dev", "dpkg", "-i", "/opt/fpt/repo/fpt-dirfile_2_all.deb"), 0)
    expect.equal(_kind(pool, "/usr/share/fpt-dirfile/e"), "regular file")


def test_by_a_file_with_bare_dpkg_given_a_directory(t):
    pool = t.pool("mini")
    pool.shell("dev", "mkdir /srv/d; cp /opt/fpt/repo/fpt-dirfile_2_all.deb /srv/d")
    expect.status(pool.run("dev", "dpkg", "-R", "-i", "/srv/d"), 0)


def test_by_a_file_with_bare_dpkg_without_protection(t):
    """Switched off is the snapshot, not what dpkg needs on this filesystem."""
    pool = t.pool("mini")
    answer = pool.run("dev", "dpkg", "-i", "/opt/fpt/repo/fpt-dirfile_2_all.deb", inside={"FLIPPER_PROFILE_SKIP": "1"})
    expect.status(answer, 0)
    expect.equal(_kind(pool, "/usr/share/fpt-dirfile/e"), "regular file")


def test_an_archive_that_cannot_be_read_is_told_with_what_helps(t):
    pool = t.pool("mini")
    pool.shell("dev", "head -c 300 /opt/fpt/repo/fpt-dirfile_2_all.deb > /srv/cut.deb")
    answer = pool.run("dev", "dpkg", "-i", "/srv/cut.deb")
    expect.that(answer.status != 0, "dpkg took half an archive")
    expect.contains(answer.errors, "W: flipper-profile: /srv/cut.deb could not be read")
    expect.contains(answer.errors, "apt install ./FILE.deb")


def test_by_a_symlink_and_back(t):
    pool = t.pool("mini")
    for version, kind in (("2", "symbolic link"), ("3", "directory")):
        expect.status(pool.install(f"fpt-dirlink={version}"), 0)
        expect.equal(_kind(pool, "/usr/share/fpt-dirlink/d"), kind)


def test_the_failure_is_real_without_the_hook(t):
    """The finding itself: dpkg on this overlay cannot move a lower directory aside."""
    pool = t.pool("mini")
    answer = pool.run("dev", "env", "DPKG_FRONTEND_LOCKED=1", "dpkg", "-i", "/opt/fpt/repo/fpt-dirfile_2_all.deb")
    expect.that(answer.status != 0 and "cross-device" in answer.errors.lower(), answer)


def _with_plan(pool, variables):
    """Gives the hook that prepares, and no other, an environment of its own."""
    program = "/usr/libexec/flipper-profile/apt-plan"
    pool.shell("dev", f"sed -i 's#|| [^|]*{program}#|| env {variables} {program}#' /etc/apt/apt.conf.d/05flipper-profile")


def test_an_interrupted_preparation_is_finished_or_taken_back(t):
    pool = t.pool("mini")
    _with_plan(pool, "FLIPPER_FAULT_TRACE=/var/tmp/trace")
    expect.status(pool.install("fpt-dirfile=2"), 0)
    effects = [line.split(" ", 2) for line in pool.run_ok("dev", "cat", "/var/tmp/trace").text.splitlines()]
    points = [(int(number), name) for number, name, path in effects if "fpt-dirfile" in path]
    expect.that(len(points) > 3, f"the hook hardly touches the directory: {effects}")
    pool.ok("--yes", "-p", "dev", "undo")
    for number, name in t.sample(points, 8):
        _with_plan(pool, f"FLIPPER_FAULT_AT={number}")
        before = pool.reading()
        pool.install("fpt-dirfile=2")
        expect.status(pool.fp("recover"), 0)
        row = pool.newest()
        where = f"a crash at effect {number}, {name}"
        expect.that(row["kind"] == "apt" and row["state"] in ("done", "failed", "interrupted"), f"{where}: {row}")
        pool.ok("--yes", "-p", "dev", "undo")
        expect.nothing(differences_but_the_time(before, pool.reading()), f"differences after {where} and undo")

