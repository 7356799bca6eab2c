"""After undo the merged tree is the tree before, for everything a package can do; staged outside and live inside.

Many tiny packages share a transaction here; `single` has one test for each of them.
"""

from lib import expect, roundtrip, session

EVERYTHING = ("fpt-hello=1", "fpt-conf=1", "fpt-caps", "fpt-links", "fpt-odd", "fpt-modes", "fpt-nodes", "fpt-divert",
              "fpt-user", "fpt-prompt", "fpt-app")
DIRECTORIES = ("fpt-dirfile=2", "fpt-dirlink=2", "fpt-reopaque")


def _outside(t, *words, first=(), redo=True, status=0):
    """apt-get `words` is the transaction, undone from outside; `first` was installed before it."""
    pool = t.pool("mini")
    if first:
        expect.status(pool.install(*first), 0)
    roundtrip.outside(pool, lambda p: expect.status(p.apt(*words), status), redo=redo)
    return pool


def _inside(t, *words, first=()):
    """The same, undone live from inside the entered profile."""
    pool = t.pool("mini")
    with session.inside(pool) as inside:
        if first:
            inside.say(f"apt-get -q -y install {' '.join(first)} >/dev/null 2>&1")
        roundtrip.inside(pool, inside, lambda s: s.say(f"apt-get -q -y {' '.join(words)} >/dev/null 2>&1"))


def test_an_installation_of_everything(t):
    _outside(t, "install", *EVERYTHING)


def test_an_installation_of_everything_live(t):
    _inside(t, "install", *EVERYTHING)


def test_a_purge_of_everything(t):
    _outside(t, "purge", *(p.split("=")[0] for p in EVERYTHING), "fpt-opaque", first=EVERYTHING)


def test_a_purge_of_everything_live(t):
    _inside(t, "purge", *(p.split("=")[0] for p in EVERYTHING), "fpt-opaque", first=EVERYTHING)


def test_directories_of_the_base_replaced_by_other_things(t):
    _outside(t, "install", *DIRECTORIES)


def test_directories_of_the_base_replaced_by_other_things_live(t):
    _inside(t, "install", *DIRECTORIES)


def test_directories_that_come_back(t):
    _outside(t, "install", "fpt-dirfile=3", "fpt-dirlink=3", first=DIRECTORIES)


def test_directories_that_come_back_live(t):
    _inside(t, "install", "fpt-dirfile=3", "fpt-dirlink=3", first=DIRECTORIES)


def test_an_upgrade_with_an_edited_conffile(t):
    pool = t.pool("mini")
    expect.status(pool.install("fpt-conf=1"), 0)
    pool.shell("dev", "echo mine >> /etc/fpt/main.conf")
    roundtrip.outside(pool, lambda p: expect.status(
        p.apt("-o", "Dpkg::Options::=--force-confold", "install", "fpt-conf=2"), 0))


def test_a_purge_of_edited_configuration(t):
    pool = t.pool("mini")
    expect.status(pool.install("fpt-conf=1"), 0)
    pool.shell("dev", "echo mine >> /etc/fpt/main.conf")
    roundtrip.outside(pool, lambda p: expect.status(p.apt("purge", "fpt-conf"), 0))
    expect.contains(pool.shell("dev", "cat /etc/fpt/main.conf").text, "mine")


def test_a_failed_installation(t):
    _outside(t, "install", "fpt-fail-postinst", "fpt-conf=1", redo=False, status=100)


def test_sixteen_thousand_files(t):
    _outside(t, "install", "fpt-many", redo=False)


def test_sixteen_thousand_files_live(t):
    _inside(t, "install", "fpt-many")
