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


def test_an_interrupted_preparation_is_finished_or_taken_back(t):
    pool = t.pool("mini")
    before = pool.reading()
    trace = "/var/tmp/trace"
    expect.status(pool.install("fpt-dirfile=2", inside={"FLIPPER_FAULT_TRACE": trace}), 0)
    effects = [line.split(" ", 2) for line in pool.run_ok("dev", "cat", trace).text.splitlines()]
    points = [name for _, name, path in effects if "fpt-dirfile" in path]
    expect.that(points, f"the hook does not touch the directory: {effects}")
    pool.ok("--yes", "-p", "dev", "undo")
    for name in dict.fromkeys(points):
        pool.install("fpt-dirfile=2", inside={"FLIPPER_FAULT_AT": name})
        expect.status(pool.fp("recover"), 0)
        rows = pool.history()
        if rows[0]["state"] in ("done", "failed", "interrupted") and rows[0]["kind"] == "apt":
            pool.ok("--yes", "-p", "dev", "undo")
        expect.nothing(differences_but_the_time(before, pool.reading()), f"differences after a crash at {name} and undo")
