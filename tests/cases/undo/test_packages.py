"""After undo the merged tree is the tree before, for every kind of thing a package can do; outside and inside."""

from lib import expect, roundtrip, session


def _both(t, *packages, first=(), args=("install",)):
    """Install packages (after `first`), undo from outside with redo, then again live from inside."""
    pool = t.pool("mini")
    if first:
        expect.status(pool.install(*first), 0)
    roundtrip.outside(pool, lambda p: expect.status(p.apt(*args, *packages), 0))
    with session.inside(pool) as inside:
        words = " ".join((*args, *packages))
        roundtrip.inside(pool, inside, lambda s: s.say(f"apt-get -q -y {words} >/dev/null 2>&1"))


def test_a_plain_file(t):
    _both(t, "fpt-hello=1")


def test_conffiles(t):
    _both(t, "fpt-conf=1")


def test_an_upgrade(t):
    _both(t, "fpt-conf=2", first=("fpt-conf=1",))


def test_a_removal_and_a_purge(t):
    _both(t, "fpt-conf", first=("fpt-conf=1",), args=("remove",))


def test_a_purge_of_edited_configuration(t):
    pool = t.pool("mini")
    pool.install("fpt-conf=1")
    pool.shell("dev", "echo mine >> /etc/fpt/main.conf")
    roundtrip.outside(pool, lambda p: expect.status(p.apt("purge", "fpt-conf"), 0))
    expect.contains(pool.shell("dev", "cat /etc/fpt/main.conf").text, "mine")


def test_capabilities(t):
    _both(t, "fpt-caps")


def test_hard_links(t):
    _both(t, "fpt-links")


def test_removing_hard_links(t):
    _both(t, "fpt-links", first=("fpt-links",), args=("remove",))


def test_odd_names(t):
    _both(t, "fpt-odd")


def test_removing_odd_names(t):
    _both(t, "fpt-odd", first=("fpt-odd",), args=("purge",))


def test_modes_owners_and_empty_directories(t):
    _both(t, "fpt-modes")


def test_removing_modes_owners_and_empty_directories(t):
    _both(t, "fpt-modes", first=("fpt-modes",), args=("remove",))


def test_device_nodes(t):
    _both(t, "fpt-nodes")


def test_removing_device_nodes(t):
    _both(t, "fpt-nodes", first=("fpt-nodes",), args=("remove",))


def test_a_diversion(t):
    _both(t, "fpt-divert")


def test_removing_a_diversion(t):
    _both(t, "fpt-divert", first=("fpt-divert",), args=("purge",))


def test_a_directory_of_the_base_that_becomes_a_file(t):
    _both(t, "fpt-dirfile=2")


def test_a_file_that_becomes_a_directory_again(t):
    _both(t, "fpt-dirfile=3", first=("fpt-dirfile=2",))


def test_a_directory_of_the_base_that_becomes_a_symlink(t):
    _both(t, "fpt-dirlink=2")


def test_a_symlink_that_becomes_a_directory_again(t):
    _both(t, "fpt-dirlink=3", first=("fpt-dirlink=2",))


def test_a_directory_of_the_base_that_is_removed(t):
    _both(t, "fpt-opaque", args=("purge",))


def test_a_directory_of_the_base_that_is_made_anew(t):
    _both(t, "fpt-reopaque")


def test_a_new_user(t):
    _both(t, "fpt-user")


def test_files_that_belong_to_others(t):
    _both(t, "fpt-prompt")


def test_a_failed_installation(t):
    pool = t.pool("mini")
    roundtrip.outside(pool, lambda p: expect.status(p.install("fpt-fail-postinst", "fpt-conf=1"), 100), redo=False)


def test_sixteen_thousand_files(t):
    _both(t, "fpt-many")
