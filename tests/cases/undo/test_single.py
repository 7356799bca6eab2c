"""One kind of thing per transaction: undone and redone outside, then undone live; says which kind is at fault."""

from lib import expect, roundtrip, session


def _both(t, *words, first=()):
    pool = t.pool("mini")
    if first:
        expect.status(pool.install(*first), 0)
    roundtrip.outside(pool, lambda p: expect.status(p.apt(*words), 0))
    with session.inside(pool) as inside:
        roundtrip.inside(pool, inside, lambda s: s.say(f"apt-get -q -y {' '.join(words)} >/dev/null 2>&1"))


def test_a_plain_file(t):
    _both(t, "install", "fpt-hello=1")


def test_a_file_at_the_top_of_the_tree(t):
    """It changes the time of the root directory itself."""
    _both(t, "install", "fpt-top")


def test_conffiles(t):
    _both(t, "install", "fpt-conf=1")


def test_an_upgrade(t):
    _both(t, "install", "fpt-conf=2", first=("fpt-conf=1",))


def test_a_removal(t):
    _both(t, "remove", "fpt-conf", first=("fpt-conf=1",))


def test_capabilities(t):
    _both(t, "install", "fpt-caps")


def test_hard_links(t):
    _both(t, "install", "fpt-links")


def test_removing_hard_links(t):
    _both(t, "remove", "fpt-links", first=("fpt-links",))


def test_odd_names(t):
    _both(t, "install", "fpt-odd")


def test_removing_odd_names(t):
    _both(t, "purge", "fpt-odd", first=("fpt-odd",))


def test_modes_owners_and_empty_directories(t):
    _both(t, "install", "fpt-modes")


def test_removing_modes_owners_and_empty_directories(t):
    _both(t, "remove", "fpt-modes", first=("fpt-modes",))


def test_device_nodes(t):
    _both(t, "install", "fpt-nodes")


def test_removing_device_nodes(t):
    _both(t, "remove", "fpt-nodes", first=("fpt-nodes",))


def test_a_diversion(t):
    _both(t, "install", "fpt-divert")


def test_removing_a_diversion(t):
    _both(t, "purge", "fpt-divert", first=("fpt-divert",))


def test_a_base_directory_that_becomes_a_file(t):
    _both(t, "install", "fpt-dirfile=2")


def test_a_file_that_becomes_a_directory_again(t):
    _both(t, "install", "fpt-dirfile=3", first=("fpt-dirfile=2",))


def test_a_base_directory_that_becomes_a_symlink(t):
    _both(t, "install", "fpt-dirlink=2")


def test_a_symlink_that_becomes_a_directory_again(t):
    _both(t, "install", "fpt-dirlink=3", first=("fpt-dirlink=2",))


def test_a_base_directory_that_is_removed(t):
    _both(t, "purge", "fpt-opaque")


def test_a_base_directory_that_is_made_anew(t):
    _both(t, "install", "fpt-reopaque")


def test_a_new_user(t):
    _both(t, "install", "fpt-user")


def test_files_that_belong_to_others(t):
    _both(t, "install", "fpt-prompt")
